"""What the page shows of a run, also while it trains: all of it is read from the run's folder."""

import io
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from lit_gans.callbacks.collapse import said_of
from lit_gans.display.curves import curves_picture, step_of
from lit_gans.display.records import Curve, read_metrics, read_scores
from lit_gans.errors import UsageError
from lit_gans.images.frame import limited
from lit_gans.metrics.scoring import LOWER_IS_BETTER
from lit_gans.runs import Run

_QUIET = 120.0  # seconds without a new value, after which a run may be over
_TEXT = 20_000  # letters of a file of texts that are shown


@dataclass(frozen=True)
class Watched:
    """What a run has written so far.

    Args:
        curves: by the name of each value.
        scores: a row each: name, last value, best value, and the batches at which that was.
        grids: the files of the grids of samples, the first one first.
        texts: what the model wrote last; empty for a model of images.
    """

    curves: Mapping[str, Curve] = field(default_factory=dict)
    scores: tuple[tuple[str, str, str, str], ...] = ()
    grids: tuple[Path, ...] = ()
    texts: str = ""


def mark(run: Run) -> tuple[float, ...]:
    """Changes whenever the run has written something."""
    return tuple(path.stat().st_mtime if path.exists() else 0.0 for path in (run.metrics, run.scores, run.samples))


def watched(run: Run) -> Watched:
    """Reads what a run has written so far."""
    scored = read_scores(run.scores)[0] if run.scores.is_file() else {}
    curves: dict[str, Curve] = {**scored}
    with suppress(UsageError):  # nothing is logged yet
        curves |= read_metrics(run.metrics)
    grids = tuple(sorted(run.samples.glob("step_*.png"), key=step_of))
    texts = sorted(run.samples.glob("step_*.txt"), key=step_of)
    last = texts[-1].read_text("utf-8", errors="replace")[:_TEXT] if texts else ""
    return Watched(curves, _scores(curves, scored), grids, last)


def said(run: Run, curves: Mapping[str, Curve], now: float | None = None) -> str:
    """In words, as Markdown: how far a run is, and what the collapse monitor says of its last looks.

    Args:
        run: its folder.
        curves: its values.
        now: seconds since 1970; by default of the clock.
    """
    if not curves:
        return f"**{run.folder}** has written no value yet; the first come after some batches."
    batches = max(curve[-1][0] for curve in curves.values())
    quiet = max(0.0, (time.time() if now is None else now) - max(mark(run)))
    ago = f"{quiet:.0f} seconds" if quiet < _QUIET else f"{quiet / 60:.0f} minutes"
    state = f"the last value came {ago} ago" + ("; it is over, or waits" if quiet > _QUIET else "")
    warnings = [f"- ⚠ {words}" for words in said_of(curves)]
    looked = "val/diversity" in curves
    calm = ["- the collapse monitor has nothing to warn of"] if looked and not warnings else []
    return "\n".join([f"**{run.folder}**: {batches:,} batches; {state}", "", *warnings, *calm])


def _scores(curves: Mapping[str, Curve], scored: Mapping[str, Curve]) -> tuple[tuple[str, str, str, str], ...]:
    """Every value of the validations: the last; of scores also the best, and after how many batches that was."""
    rows = []
    for name, curve in curves.items():
        if not name.startswith(("val/", "test/")):
            continue
        best, place = "", ""
        if name in scored:
            sign = 1 if name.partition("/")[2] in LOWER_IS_BETTER else -1
            step, value = min(scored[name], key=lambda pair: sign * pair[1])
            best, place = f"{value:.4g}", f"{step:,}"
        rows.append((name, f"{curve[-1][1]:.4g}", best, place))
    return tuple(rows)


def picture_of_curves(seen: Watched) -> Image.Image | None:
    """The curves as one picture, without values that came once, unless all did; None while there are none.

    Raises:
        UsageError: if matplotlib is not installed.
    """
    if not seen.curves:
        return None
    curves = {name: curve for name, curve in seen.curves.items() if len(curve) > 1} or seen.curves
    with Image.open(io.BytesIO(curves_picture(curves))) as picture:
        return picture.convert("RGB")


def grid_at(seen: Watched, number: int) -> tuple[Image.Image | None, str]:
    """One of the grids and its words; None while there is none, or while it is being written."""
    if not seen.grids:
        return None, "no grid yet"
    file = seen.grids[max(0, min(number, len(seen.grids) - 1))]
    try:
        with limited(), Image.open(file) as picture:
            return picture.convert("RGB"), f"after {step_of(file):,} batches"
    except (OSError, SyntaxError):
        return None, f"{file.name} cannot be read"
