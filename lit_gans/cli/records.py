"""The records of runs: losses, scores and options, read from their folders without PyTorch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_gans.display.records import Curve, read_metrics, read_scores
from lit_gans.errors import UsageError
from lit_gans.runs import Run, named_folder


@dataclass
class Record:
    """All that one run has written down.

    Args:
        run: its folder.
        curves: of every logged value by its name.
        options: those in its configuration, by their flags; empty if it has none.
        protocols: by which its scores were measured.
    """

    run: Run
    curves: dict[str, Curve]
    options: dict[str, Any] = field(default_factory=dict)
    protocols: list[dict[str, Any]] = field(default_factory=list)


def find_runs(paths: Sequence[str]) -> list[Run]:
    """The runs that paths lead to.

    Args:
        paths: folders of runs, folders with such folders in them, checkpoints, or files that a run has written.

    Returns:
        Each run once, in the order of the paths. Of several paths those that lead to none are left out, since
        ``runs/*`` also names what else lies there.

    Raises:
        UsageError: if a path is not there, or all lead to none.
    """
    found: dict[Path, Run] = {}
    for path in map(named_folder, paths):
        if not path.exists():
            raise UsageError(f"there is no {path}; name a run, for example runs/DCGAN-MNIST/version_0, or runs/*")
        for run in _runs_at(path):
            found.setdefault(run.folder.resolve(), run)
    if not found:
        raise UsageError(f"there is no run in {', '.join(paths)}; name one, for example runs/DCGAN-MNIST/version_0")
    return list(found.values())


def _runs_at(path: Path) -> list[Run]:
    names = (Run(path).metrics.name, Run(path).scores.name, Run(path).config.name)
    if path.is_file():
        return [Run.of(path)] if path.suffix == ".ckpt" else [Run(path.parent)] if path.name in names else []
    if path.name == Run(path).checkpoints.name:
        return _runs_at(path.parent)
    if any((path / name).is_file() for name in names):
        return [Run(path)]
    folders = {file.parent for name in names for file in path.glob(f"**/{name}") if "wandb" not in file.parts}
    return [Run(folder) for folder in sorted(folders, key=_in_order)]


def _in_order(folder: Path) -> list[tuple[str, int]]:
    """Sorts version_10 after version_9."""
    parts = [part.rpartition("_") for part in folder.parts]
    return [
        (stem if end.isdigit() else part, int(end) if end.isdigit() else -1)
        for part, (stem, _, end) in zip(folder.parts, parts, strict=True)
    ]


def read_record(run: Run) -> Record:
    """Reads the record of one run; what it has not written is left empty, but not everything.

    Raises:
        UsageError: if it has written no value, or a file is damaged.
    """
    from lit_gans.cli import settings

    curves: dict[str, Curve] = {}
    scored, protocols = read_scores(run.scores) if run.scores.is_file() else ({}, [])
    if run.metrics.is_file() or not scored:
        try:
            curves = read_metrics(run.metrics)
        except UsageError:
            if not scored:
                raise
    options = flattened(settings.read(run.config)) if run.config.is_file() else {}
    return Record(run, {**scored, **curves}, options, protocols)


def flattened(options: Any, prefix: str = "") -> dict[str, Any]:
    """Options by the flags that one would type: classes are short names, and ``init_args`` is left out.

    Examples:
        >>> flattened({"model": {"class_path": "lit_gans.DCGAN", "init_args": {"r1": 1.0}}})
        {'model': 'DCGAN', 'model.r1': 1.0}
    """
    if not isinstance(options, dict):
        return {prefix: options}
    flat: dict[str, Any] = {}
    if "class_path" in options:
        flat[prefix] = str(options["class_path"]).rpartition(".")[2]
        options = options.get("init_args") or {}
    for name, value in options.items():
        flat |= flattened(value, f"{prefix}.{name}" if prefix else str(name))
    return flat
