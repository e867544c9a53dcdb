"""The records of runs: losses, scores and options, read from their folders without PyTorch."""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_gans.errors import UsageError
from lit_gans.runs import Run, named_folder

Curve = list[tuple[int, float]]  # batches done and value

_COLUMNS = ("step", "epoch")


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


def read_metrics(path: Path) -> dict[str, Curve]:
    """Reads the curves in a ``metrics.csv`` of Lightning's CSVLogger.

    Args:
        path: the file. An unfinished last line, empty cells and those without a number are left out.

    Returns:
        For every column that has values its (step, value) pairs, the columns in alphabetical order. Steps are batches
        done, so the first batch is 1.

    Raises:
        UsageError: if there is no such file, or nothing was logged in it.
    """
    if not path.is_file():
        raise UsageError(
            f"{path.parent} has no {path.name} and no scores.jsonl: a run writes the first values after "
            "trainer.log_every_n_steps batches (50); name the folder of a run that has come so far"
        )
    text = path.read_text(errors="replace")
    lines = text.splitlines()
    if not text.endswith("\n"):  # a run that is still writing, or was killed: the last number may be cut
        lines = lines[:-1]
    reader = csv.DictReader(lines)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise UsageError(f"{path} is damaged ({error}); it was not written by a run") from None
    if reader.fieldnames is not None and "step" not in reader.fieldnames:
        raise UsageError(f"{path} has no column 'step'; it was not written by a run")
    curves: dict[str, Curve] = {}
    for row in rows:
        step = _number(row["step"])
        if step is None or not math.isfinite(step):
            continue
        for name, cell in row.items():
            value = _number(cell)
            if name is not None and name not in _COLUMNS and value is not None:
                curves.setdefault(name, []).append((int(step) + 1, value))
    if not curves:
        raise UsageError(f"{path} holds no values yet; a run writes the first after trainer.log_every_n_steps batches")
    return {name: curves[name] for name in sorted(curves)}


def read_scores(path: Path) -> tuple[dict[str, Curve], list[dict[str, Any]]]:
    """Reads the curves in a ``scores.jsonl``, and every protocol in it; lines that are no scores are left out."""
    curves: dict[str, Curve] = {}
    protocols: list[dict[str, Any]] = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            scores = json.loads(line)
            step, protocol = int(scores["step"]), dict(scores["protocol"])
            values = {str(name): float(value) for name, value in scores["values"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            continue
        stage = "test" if protocol.get("split") == "test" else "val"
        for name, value in values.items():
            curves.setdefault(f"{stage}/{name}", []).append((step, value))
        if protocol not in protocols:
            protocols.append(protocol)
    return curves, protocols


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


def _number(cell: Any) -> float | None:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None
