"""The values that a run has written down, read again without PyTorch."""

import csv
import json
import math
from pathlib import Path
from typing import Any

from lit_gans.errors import UsageError

Curve = list[tuple[int, float]]  # batches done and value

_COLUMNS = ("step", "epoch")


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


def _number(cell: Any) -> float | None:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None
