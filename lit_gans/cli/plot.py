"""``lit-gans plot``: draws a run's losses and scores and its samples over time, or compares several runs.

Slow imports are delayed until they are needed, so that help answers at once.
"""

import os
import sys
from pathlib import Path

from lit_gans.cli.records import Record, find_runs, read_record
from lit_gans.display.curves import animate, draw_curves, step_of
from lit_gans.errors import UsageError
from lit_gans.files import refuse_taken

_PICTURES = (".png", ".svg", ".pdf")


def plot(runs: list[str], output: str | None = None, force: bool = False) -> None:
    """Draws a run, or compares several.

    Of one run: curves of its losses and scores, and its samples over time as an animation. In the run's own folder they
    replace earlier drawings, since a run that goes on has more to show.

    Of several: a table of the options in which they differ and of their scores, the best run first; and a picture with
    the curves of their scores and with a line for each run through its options to its score.

    Args:
        runs: folders of runs, say runs/DCGAN-MNIST/version_0, or folders of many, say runs; a run's checkpoint,
            metrics.csv or scores.jsonl stands for it.
        output: a .png, .svg or .pdf file; by default plot.png in the run's folder, or in the folder that all have in
            common. The animation of one run goes beside it, as .webp.
        force: replace files that are there.
    """
    if output and Path(output).suffix.lower() not in _PICTURES:
        raise UsageError(f"output must end in {', '.join(_PICTURES)}, got {output}")
    found = find_runs(runs)
    records = [read_record(found[0])] if len(found) == 1 else _readable([read_or_none(run) for run in found])
    if len(records) == 1:
        _plot_one(records[0], output, force)
    else:
        _plot_many(records, output, force)


def read_or_none(run: object) -> Record | None:
    """The record of a run among others; one that cannot be read is named on standard error."""
    try:
        return read_record(run)  # type: ignore[arg-type]
    except UsageError as error:
        print(f"note: left out: {error}", file=sys.stderr)
        return None


def _readable(records: list[Record | None]) -> list[Record]:
    readable = [record for record in records if record is not None]
    if not readable:
        raise UsageError("none of these runs has written a value yet")
    return readable


def _plot_one(record: Record, output: str | None, force: bool) -> None:
    folder = record.run.folder
    target = Path(output) if output else folder / "plot.png"
    refuse_taken(target, target.with_suffix(".webp"), force=force or output is None)
    draw_curves(record.curves, target, "/".join(folder.resolve().parts[-2:]))
    print(f"{len(record.curves)} curve{'s' * (len(record.curves) != 1)} in {target}")
    samples = record.run.samples
    grids = sorted(samples.glob("step_*.png"), key=step_of)
    if not grids:
        there = "are texts" if any(samples.glob("step_*.txt")) else "are no samples"
        print(f"no animation: there {there} in {samples}")
        return
    frames = animate(grids, target.with_suffix(".webp"))
    print(f"{frames} grids of samples in {target.with_suffix('.webp')}")


def _plot_many(records: list[Record], output: str | None, force: bool) -> None:
    from lit_gans.cli.comparison import compare_runs

    folders = [record.run.folder for record in records]
    target = Path(output) if output else Path(os.path.commonpath(folders)) / "plot.png"
    refuse_taken(target, force=force)
    compare_runs(records, target)
    print(f"{len(records)} runs in {target}")
