"""The trained models that come along: what their files say of themselves, read without PyTorch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_gans.cli.rows import paragraph, rows
from lit_gans.runs import is_shipped, shipped

NOTES = "shipped"  # the entry of a file's metadata


@dataclass(frozen=True)
class Notes:
    """What the file of a model that comes along says of itself; ``tools/shipped.py`` writes it.

    Args:
        about: what the model draws, in a few words.
        config: the name of the configuration in ``examples/configs`` that it was trained by.
        options: what was typed beside the configuration.
        batches: number of batches that it has learned from.
        data: the ``data`` section of its run.
        score: how good it is, in words.
        check: values of a few samples, by which a test notices a file that draws something else.
    """

    about: str
    config: str
    options: list[str]
    batches: int
    data: dict[str, Any]
    score: str
    check: dict[str, float]


def notes(name: str) -> Notes:
    """What a model that comes along says of itself."""
    return read(shipped()[name])


def read(path: Path) -> Notes:
    """The notes in a file: in its header, a length in 8 bytes and that much JSON, for which nobody waits for NumPy."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return Notes(**json.loads(header["__metadata__"][NOTES]))


def data_of(checkpoint: str) -> dict[str, Any] | None:
    """The ``data`` section of the run of a model that comes along; None of any other checkpoint."""
    return notes(checkpoint).data if is_shipped(checkpoint) else None


def listed() -> str:
    """The lines of ``lit-gans list shipped``."""
    lines = []
    for name, path in shipped().items():
        told = read(path)
        size = f"{path.stat().st_size / 1e6:.1f} MB"
        lines.append((f"{name:<16} {size}", f"{told.about}; {told.score}; trained by {told.config}.yaml"))
    about = (
        "models that come along, trained, with what they draw; they stand wherever a checkpoint does, unless a file or "
        "folder has their name: lit-gans sample r3gan-mnist, lit_gans.load('r3gan-mnist')"
    )
    return f"{paragraph(about)}\n{rows(lines, 30)}"
