"""Writes a model as a file of another program, and proves that the file computes the same."""

import copy
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from lit_gans import __version__
from lit_gans.checkpoints import load, save
from lit_gans.core.generative import GenerativeModel
from lit_gans.errors import UsageError, finite_from
from lit_gans.exports import onnx_file
from lit_gans.exports.programs import Program, quiet, refuse_far
from lit_gans.files import refuse_taken, replacing

Format = Literal["onnx", "torch-export", "safetensors"]
ENDINGS: dict[str, str] = {"onnx": ".onnx", "torch-export": ".pt2", "safetensors": ".safetensors"}
METADATA = "lit_gans.json"  # in a .pt2 file


@dataclass(frozen=True)
class Written:
    """A file that was written.

    Args:
        path: of the file.
        format: of the file.
        difference: the largest difference of its values from those of the model.
        metadata: what the file says of itself: ``model``, ``version``, ``inputs``, ``outputs`` and ``notes``.
    """

    path: Path
    format: str
    difference: float
    metadata: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """In words: what it takes and gives, and what was checked."""
        lines = [f"{self.path} ({self.path.stat().st_size / 1e6:.3g} MB)"]
        for kind in ("inputs", "outputs"):
            for port in self.metadata.get(kind, ()):
                shape = ", ".join(map(str, port["shape"]))
                lines.append(f"  {kind[:-1]:6} {port['name']} ({shape}) {port['type']}: {port['values']}")
        lines += [f"  note   {note}" for note in self.metadata.get("notes", ())]
        return "\n".join([*lines, f"largest difference from the model: {self.difference:.2g}"])


def export(
    model: Any,
    path: str | os.PathLike[str],
    *,
    format: Format | None = None,
    to: str | None = None,
    truncation: float = 1.0,
    half: bool = False,
    tolerance: float = 1e-4,
    force: bool = False,
) -> Written:
    """Writes a model for other programs: its averaged generator as ONNX or by torch.export, or all of its weights.

    The file is checked before it gets its name: it is run, for batches and pictures of several sizes, and its values
    are compared with the model's. It works in float32, in evaluation mode, and without randomness of its own.

    Args:
        model: a model, or anything that `load` takes.
        path: the file.
        format: ``onnx``, ``torch-export`` or ``safetensors``; by default the file's ending says it: ``.onnx``, ``.pt2``
            or ``.safetensors``.
        to: the domain to translate to, of a model that translates to several; by default the first.
        truncation: as ``sample`` takes it; it is fixed in the file.
        half: of ``safetensors`` keep weights as float16.
        tolerance: the largest difference from the model that is accepted.
        force: replace a file that is there.

    Returns:
        The file, what it takes and gives, and the largest difference.

    Raises:
        UsageError: if the model is no single pass through a network, the file is there already or computes something
            else, an option does not go with the format, or a package is not installed.
    """
    path = Path(path)
    format = format_of(path, format)
    if not finite_from(0, tolerance):
        raise UsageError(f"tolerance must be a number from 0, got {tolerance}")
    _refuse_unused(format, to, truncation, half)
    refuse_taken(path, force=force, word="force=True")
    if format == "onnx":
        onnx_file.refuse_missing()
    model = model if isinstance(model, GenerativeModel) else load(model)
    if format == "safetensors":
        return _weights(model, path, half, force)
    program = Program(model.exported(to=to, truncation=truncation))
    told = {"model": type(model).__name__, "version": __version__, **program.described(), **_texts(model)}
    with replacing(path) as place:
        if format == "onnx":
            onnx_file.write(program, place, told)
            difference = onnx_file.difference(program, place)
        else:
            with quiet():
                torch.export.save(program.graph, place, extra_files={METADATA: json.dumps(told, ensure_ascii=False)})
                graph = torch.export.load(place).module()
            difference = program.difference(lambda inputs: graph(*inputs))
        refuse_far(model, difference, tolerance, format)
    return Written(path, format, difference, told)


def format_of(path: Path, format: str | None = None) -> Format:
    """The format of a file, by its ending unless it is said.

    Raises:
        UsageError: if there is no such format, or the ending says another one.
    """
    by_ending = next((name for name, ending in ENDINGS.items() if path.suffix == ending), None)
    if format is not None and format not in get_args(Format):
        raise UsageError(f"format must be {', '.join(get_args(Format))}, got {format!r}")
    if format is None and by_ending is None:
        raise UsageError(f"{path} must end in {', '.join(ENDINGS.values())}, or a format must be given")
    if format == "safetensors" and by_ending != format:
        raise UsageError(f"a file of weights must end in .safetensors, by which it is known, got {path}")
    if format is not None and by_ending not in (None, format):
        raise UsageError(f"{path} ends as {by_ending} files do, but the format is {format}; name it {ENDINGS[format]}")
    return format or by_ending  # type: ignore[return-value]


def _refuse_unused(format: str, to: str | None, truncation: float, half: bool) -> None:
    if format == "safetensors" and (to is not None or truncation != 1):
        option = "a direction" if to is not None else "truncation"
        raise UsageError(f"safetensors holds all of a model's weights, of which {option} changes nothing; leave it out")
    if half and format != "safetensors":
        raise UsageError(f"half is for safetensors, got the format {format}; leave it out")


def _weights(model: Any, path: Path, half: bool, force: bool) -> Written:
    """Writes all weights, and loads them again to compare."""
    save(model, path, force=force, half=half)
    # copies: loading writes into them
    again = {name: copy.deepcopy(network) for name, network in model.named_children() if name in model.given_networks}
    state, kept = model.state_dict(), load(path, **again).state_dict()
    difference = max((_apart(state[name], kept[name]) for name in state if state[name].numel()), default=0.0)
    notes = ["weights are float16; they are used as float32"] if half else []
    notes.append(f"all {len(state)} weights of the model; lit_gans.load('{path.name}') gives it")
    return Written(path, "safetensors", difference, {"model": type(model).__name__, "notes": notes})


def _apart(value: torch.Tensor, other: torch.Tensor) -> float:
    return float((value.cpu().double() - other.cpu().double()).abs().max())


def _texts(model: Any) -> dict[str, Any]:
    """The vocabularies by which texts become tokens, and the names of classes, where there are some."""
    words: dict[str, Any] = {name: json.loads(each.to_json()) for name, each in model.vocabularies.items()}
    names: Sequence[str] | None = model.class_names
    return ({"vocabularies": words} if words else {}) | ({"class_names": list(names)} if names else {})
