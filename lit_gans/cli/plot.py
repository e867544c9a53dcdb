"""``lit-gans plot``: draws a run's losses and scores as curves, and its samples over time as an animation.

Slow imports are delayed until they are needed, so that help answers at once.
"""

import csv
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lit_gans.errors import UsageError
from lit_gans.files import refuse_taken
from lit_gans.runs import Run

if TYPE_CHECKING:
    from PIL import Image

Curve = list[tuple[int, float]]  # batches done and value

_CURVES = (".png", ".svg", ".pdf")
_COLUMNS = ("step", "epoch")
_PLAYERS = ("discriminator", "generator")
_MANY = 100  # points; a curve with more is drawn pale, with its running mean over it
_SMOOTH = 25  # a running mean is over one such part of a curve
_LENGTH, _LONGEST, _SHORTEST, _LAST = 6000, 500, 60, 1500  # milliseconds of the animation and of its frames


def plot(run: str, output: str | None = None, force: bool = False) -> None:
    """Draws a run: curves of its losses and scores, and its samples over time as an animation.

    In the run's own folder it replaces earlier drawings, since a run that goes on has more to show.

    Args:
        run: the run's folder, say runs/DCGAN-MNIST/version_0.
        output: a .png, .svg or .pdf file for the curves; by default plot.png in the run's folder. The animation goes
            beside it, as .webp.
        force: replace files that are there.
    """
    folder = Path(run)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {run}; name that of a run, for example runs/DCGAN-MNIST/version_0")
    target = Path(output) if output else folder / "plot.png"
    if target.suffix.lower() not in _CURVES:
        raise UsageError(f"output must end in {', '.join(_CURVES)}, got {output}")
    refuse_taken(target, target.with_suffix(".webp"), force=force or output is None)
    curves = read_metrics(Run(folder).metrics)
    title = "/".join(folder.resolve().parts[-2:])
    draw_curves(curves, target, title)
    print(f"{len(curves)} curves in {target}")
    samples = Run(folder).samples
    grids = sorted(samples.glob("step_*.png"), key=_step)
    if not grids:
        print(f"no animation: there are no samples in {samples}")
        return
    frames = animate(grids, target.with_suffix(".webp"))
    print(f"{frames} grids of samples in {target.with_suffix('.webp')}")


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
        raise UsageError(f"{path.parent} has no metrics.csv; name the folder of a run, which holds config.yaml and it")
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


def _number(cell: Any) -> float | None:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return None


def panels(curves: dict[str, Curve]) -> dict[str, list[str]]:
    """Groups the curves to draw together: the players' sums, each player's terms, and every other value by itself.

    Examples:
        >>> panels({"discriminator/loss": [], "generator/fake": [], "generator/loss": [], "val/fid": []})
        {'loss': ['discriminator/loss', 'generator/loss'], 'val/fid': ['val/fid']}
    """
    panels = {
        kind.replace("_", " "): [f"{player}/{kind}" for player in _PLAYERS if f"{player}/{kind}" in curves]
        for kind in ("loss", "gradient_norm")  # what both players have
    }
    for player in _PLAYERS:
        shared = {name for names in panels.values() for name in names}
        terms = [name for name in curves if name.startswith(f"{player}/") and name not in shared]
        panels[f"terms of the {player}"] = terms if len(terms) > 1 else []  # a single term is the sum
    drawn = {name for names in panels.values() for name in names}
    whole = {name.rpartition("/")[0] for name in panels["loss"]}
    for name in curves:
        if name not in drawn and name.rpartition("/")[0] not in whole:
            panels[name] = [name]
    return {title: names for title, names in panels.items() if names}


def draw_curves(curves: dict[str, Curve], path: Path, title: str) -> None:
    """Draws every panel over the batches done and writes the picture.

    Raises:
        UsageError: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("drawing curves needs matplotlib: pip install 'lit_gans[plot]'") from None
    from lit_gans.files import replacing

    groups = panels(curves)
    last = max(step for curve in curves.values() for step, _ in curve)
    across = 1 if len(groups) == 1 else 2
    down = -(-len(groups) // across)
    figure = Figure(figsize=(6.5 * across, 3 * down + 0.4), layout="constrained")
    figure.suptitle(title)
    for place, (name, members) in enumerate(groups.items(), 1):
        axes = figure.add_subplot(down, across, place)
        for number, member in enumerate(members):
            _draw(axes, curves[member], member.removeprefix(f"{name.rpartition(' ')[2]}/"), f"C{number}")
        axes.set_xlim(0, 1.02 * last)
        axes.set_title(name, fontsize="medium")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if len(members) > 1:
            axes.legend(frameon=False, fontsize="small")
        if place > len(groups) - across:
            axes.set_xlabel("batches")
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=120)


def _draw(axes: Any, curve: Curve, label: str, colour: str) -> None:
    steps, values = zip(*curve, strict=True)
    if len(curve) < _MANY:
        axes.plot(steps, values, color=colour, label=label, marker="o", markersize=3 if len(curve) < 30 else 0)
        return
    axes.plot(steps, values, color=colour, alpha=0.25, linewidth=0.8)
    axes.plot(steps, running_mean(list(values), len(values) // _SMOOTH), color=colour, label=label)


def running_mean(values: list[float], width: int) -> list[float]:
    """The mean of each value and its neighbours, ``width`` in all; at the ends there are fewer.

    Examples:
        >>> running_mean([1.0, 2.0, 6.0], 3)
        [1.5, 3.0, 4.0]
    """
    half = width // 2
    means = []
    for place in range(len(values)):
        near = [v for v in values[max(0, place - half) : place + half + 1] if math.isfinite(v)]
        means.append(sum(near) / len(near) if near else math.nan)
    return means


def animate(grids: list[Path], path: Path) -> int:
    """Writes pictures one after another, each over the number of batches in its name.

    Returns:
        How many there are; those that cannot be read are named on standard error and left out.
    """
    from lit_gans.images.sheet import caption, write_animation

    frames = []
    for grid in grids:
        picture = _read(grid)
        if picture is not None:
            frames.append(caption(picture, f"{_step(grid):,} batches"))
    if not frames:
        return 0
    each = max(_SHORTEST, min(_LONGEST, _LENGTH // len(frames)))
    write_animation(frames, path, [each] * (len(frames) - 1) + [_LAST])
    return len(frames)


def _read(path: Path) -> "Image.Image | None":
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError) as error:  # what Pillow raises for files that are cut or something else
        print(f"note: {path} is left out: {error}", file=sys.stderr)
        return None


def _step(path: Path) -> int:
    digits = re.search(r"\d+", path.stem)
    return int(digits[0]) if digits else 0
