"""Compares runs: a table of what differs in their options and of their scores, and a picture of both."""

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_gans.cli.records import Record
from lit_gans.display.curves import drawing

LESS_IS_BETTER = (
    "fid",
    "fid_normalised",
    "fd_imagenet",
    "fd_imagenet_head",
    "fd_nsfw",
    "kid",
    "swd",
    "ppl",
    "kl",
    "nll",
    "perplexity",
    "nll_oracle",
    "self_bleu",
    "mlm",
)
_FIRST = (
    "fid",
    "fd_imagenet",
    "fd_nsfw",
    "kid",
    "swd",
    "reconstruction",
)  # scores to choose by, the first that most runs have
_OF_NO_RUN = ("name", "trainer.logger", "trainer.default_root_dir", "ckpt_path", "weights_only", "trust", "config")
_MOST = 8  # options in the table and in the picture
_NAMED = 12  # runs in the legend
_PANELS = 4  # scores with curves of their own
_DIGITS = 5  # of scores
_NEAR = 0.05  # heights in the picture whose texts would lie over each other
_WIDE = 10.0  # largest by smallest value from which an axis is logarithmic


@dataclass(frozen=True)
class Compared:
    """One run among others.

    Args:
        name: its folder, without what all have in common.
        record: what it has written down.
        options: its values of the options that differ; None for one that its classes do not have.
        best: its best score and the batches done then; None if it was not scored.
        last: its last score.
    """

    name: str
    record: Record
    options: list[Any]
    best: tuple[int, float] | None
    last: float


def compare_runs(records: Sequence[Record], path: Path) -> None:
    """Prints the table, the best run first, and writes the picture.

    Raises:
        UsageError: if matplotlib is not installed.
    """
    figure = drawing()
    score = main_score(records)
    differing = options_that_differ(records)
    if len(differing) > _MOST:
        print(f"note: {len(differing) - _MOST} more options differ: {', '.join(differing[_MOST:])}", file=sys.stderr)
    differing = differing[:_MOST]
    runs = ordered(records, score, differing)
    protocols = [protocol for record in records for protocol in record.protocols]
    if odd := sorted({key for each in protocols for key in each if each[key] != protocols[0].get(key)}):
        print(f"note: the scores were not all measured alike: {', '.join(odd)} differ", file=sys.stderr)
    _print(runs, score, short_names(differing))
    _draw(figure, runs, score, short_names(differing), path)


def main_score(records: Sequence[Record]) -> str | None:
    """The score that runs are ordered by; None if none of them has one."""
    names = {name for record in records for name in record.curves}
    scores = [f"{stage}/{score}" for stage in ("val", "test") for score in _FIRST]
    having = {name: sum(name in record.curves for record in records) for name in scores if name in names}
    return max(having, key=lambda name: having[name]) if having else None


def options_that_differ(records: Sequence[Record]) -> list[str]:
    """The flags of the options that have more than one value, those that all runs have first."""
    options = [record.options for record in records if record.options]
    flags = dict.fromkeys(flag for each in options for flag in each if not flag.startswith(_OF_NO_RUN))

    def differs(flag: str) -> bool:
        return len({str(each[flag]) for each in options if flag in each}) > 1

    chosen = [flag for flag in flags if differs(flag)]
    # what only some classes have says less, and a class says more than its options
    return sorted(chosen, key=lambda flag: (sum(flag not in each for each in options), flag.count(".")))


def short_names(flags: Sequence[str]) -> list[str]:
    """The last parts of flags, as many as tell them from each other.

    Examples:
        >>> short_names(["model.optimizer.lr", "model.r1", "model.generator_optimizer.lr"])
        ['optimizer.lr', 'r1', 'generator_optimizer.lr']
        >>> short_names(["off.quality"])
        ['off.quality']
    """

    def last(flag: str, count: int) -> str:
        return ".".join(flag.split(".")[-count:])

    names = []
    for flag in flags:
        counts = range(2 if flag.startswith("off.") else 1, flag.count(".") + 2)  # True of off.quality is no quality
        alone = (last(flag, n) for n in counts if sum(last(other, n) == last(flag, n) for other in flags) == 1)
        names.append(next(alone, flag))
    return names


def ordered(records: Sequence[Record], score: str | None, differing: Sequence[str]) -> list[Compared]:
    """The runs, the best first and those without a score last."""
    common = os.path.commonpath([record.run.folder.resolve() for record in records])
    less = score is None or score.rpartition("/")[2] in (*LESS_IS_BETTER, "reconstruction")
    runs = []
    for record in records:
        curve = [point for point in record.curves.get(score or "", []) if math.isfinite(point[1])]
        best = (min if less else max)(curve, key=lambda point: point[1]) if curve else None
        name = os.path.relpath(record.run.folder.resolve(), common)
        options = [record.options.get(flag) for flag in differing]
        runs.append(Compared(name, record, options, best, curve[-1][1] if curve else math.nan))
    return sorted(runs, key=lambda run: math.inf if run.best is None else run.best[1] if less else -run.best[1])


def _print(runs: Sequence[Compared], score: str | None, names: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("run", overflow="fold")
    for name in (*names, "batches", *([f"best {score}", "at", "last"] if score else [])):
        table.add_column(name, justify="right", overflow="fold")
    for run in runs:
        done = max(step for curve in run.record.curves.values() for step, _ in curve)
        found = [] if not score else ["", "", ""] if run.best is None else _numbers(run.best, run.last)
        table.add_row(run.name, *map(said, run.options), f"{done:,}", *found)
    console = Console()
    console.print(table) if console.is_terminal else Console(width=200).print(table)


def _numbers(best: tuple[int, float], last: float) -> list[str]:
    return [said(best[1], _DIGITS), f"{best[0]:,}", said(last, _DIGITS)]


def said(value: Any, digits: int = 3) -> str:
    """An option's value in a table."""
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return "" if value is None else str(value).replace(" ", "")


# -------------------------------------------------------------------- the picture


def _draw(figure_of: Any, runs: Sequence[Compared], score: str | None, names: Sequence[str], path: Path) -> None:
    """Curves of scores and losses above, and a line for each run through its options to its score below."""
    import matplotlib

    from lit_gans.files import replacing

    colours = [matplotlib.colormaps["viridis"](0.95 * n / max(1, len(runs) - 1)) for n in range(len(runs))]
    panels = _panels(runs, score)
    scored = bool(names) and any(run.best for run in runs)
    down = -(-len(panels) // 2)
    figure = figure_of(figsize=(13, 3 * down + 3.6 * scored + 0.4), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(3 * down, 3.6)) if scored else (figure, figure)
    grid = above.subplots(down, min(2, len(panels)), squeeze=False).flatten()
    for axes, name in zip(grid, panels, strict=False):
        for place in reversed(range(len(runs))):  # the best is drawn last, over the others
            if curve := runs[place].record.curves.get(name):
                label = runs[place].name if place < _NAMED else None
                marker = "o" if len(curve) < 30 else None
                axes.plot(*zip(*curve, strict=True), color=colours[place], label=label, marker=marker, markersize=3)
        axes.set_title(name, fontsize="medium")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("batches")
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    # a run may have curves in some panels only
    seen = {label: line for axes in grid for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    shown = [run.name for run in runs if run.name in seen]
    above.legend([seen[name] for name in shown], shown, loc="outside right upper", frameon=False, fontsize="small")
    if scored:
        _draw_parallel(below.subplots(), runs, [*names, f"best {score}"], colours)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=120)


def _panels(runs: Sequence[Compared], score: str | None) -> list[str]:
    """The values that get curves: the scores, the one that counts first, and the losses."""
    names = sorted({name for run in runs for name in run.record.curves})
    scores = [name for name in names if name.startswith(("val/", "test/")) and name != score]
    losses = [name for name in names if name.endswith("/loss")]
    scores = [*([score] if score else []), *scores][:_PANELS]
    return [*scores, *losses] or names[:_PANELS]


def _draw_parallel(axes: Any, runs: Sequence[Compared], names: Sequence[str], colours: Sequence[Any]) -> None:
    """A vertical line for each option and the score, and for each run a line through its values."""
    columns = [[*run.options, run.best[1]] for run in runs if run.best]
    scales = [Scale([row[place] for row in columns]) for place in range(len(names))]
    scales[-1].digits = _DIGITS
    for place in reversed(range(len(columns))):
        heights = [scale(value) for scale, value in zip(scales, columns[place], strict=True)]
        axes.plot(range(len(names)), heights, color=colours[place], linewidth=2.5 if place == 0 else 1.2)
    for place, scale in enumerate(scales):
        axes.axvline(place, color="0.7", linewidth=0.8, zorder=0)
        for height, text in scale.ticks:
            axes.annotate(text, (place, height), (4, 2), textcoords="offset points", fontsize="small")
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks([])
    axes.set_xlim(-0.1, len(names) - 1 + 0.35)
    axes.set_ylim(-0.06, 1.12)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


class Scale:
    """The heights, from 0 to 1, of the values of one option: numbers by their size, anything else in turn.

    Args:
        values: of all runs; None for a run without the option, whose line has a gap.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self.digits = 3
        there = [value for value in values if value is not None]
        self.numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in there)
        self.values: list[Any] = sorted(set(there)) if self.numbers else sorted({said(value) for value in there})
        self.log = self.numbers and self.values[0] > 0 and self.values[-1] / self.values[0] > _WIDE

    def __call__(self, value: Any) -> float:
        """The height of a value; NaN for None."""
        if value is None:
            return math.nan
        if not self.numbers:
            return self.values.index(said(value)) / max(1, len(self.values) - 1)
        low, high, at = (math.log(x) if self.log else x for x in (self.values[0], self.values[-1], value))
        return (at - low) / (high - low) if high > low else 0.5

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """The heights and texts to write beside the axis, of those that do not lie over each other."""
        shown: list[tuple[float, str]] = []
        for value in [self.values[0], self.values[-1], *self.values]:
            height = self(value)
            if all(abs(height - other) > _NEAR for other, _ in shown):
                shown.append((height, said(value, self.digits)))
        return shown
