"""Draws the curves of one run, and its samples over time as an animation."""

import io
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lit_gans.display.records import Curve
from lit_gans.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

_PLAYERS = ("discriminator", "generator")
_MANY = 100  # points; a curve with more is drawn pale, with its running mean over it
_SMOOTH = 25  # a running mean is over one such part of a curve
_LENGTH, _LONGEST, _SHORTEST, _LAST = 6000, 500, 60, 1500  # milliseconds of the animation and of its frames


def drawing() -> Any:
    """Matplotlib's figure, which opens no window.

    Raises:
        UsageError: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("drawing curves needs matplotlib: pip install 'lit_gans[plot]'") from None
    return Figure


def panels(curves: Mapping[str, Curve]) -> dict[str, list[str]]:
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
    from lit_gans.files import replacing

    figure = _figure(curves, title)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=120)


def curves_picture(curves: Mapping[str, Curve]) -> bytes:
    """The same as the bytes of a PNG, for a page.

    Raises:
        UsageError: if matplotlib is not installed.
    """
    file = io.BytesIO()
    _figure(curves).savefig(file, format="png", dpi=90)
    return file.getvalue()


def _figure(curves: Mapping[str, Curve], title: str = "") -> Any:
    figure_of = drawing()
    groups = panels(curves)
    last = max(step for curve in curves.values() for step, _ in curve)
    across = 1 if len(groups) == 1 else 2
    down = -(-len(groups) // across)
    figure = figure_of(figsize=(6.5 * across, 3 * down + 0.4), layout="constrained")
    if title:
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
    return figure


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
            frames.append(caption(picture, f"{step_of(grid):,} batches"))
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


def step_of(path: Path) -> int:
    """The number of batches in the name of a grid."""
    digits = re.search(r"\d+", path.stem)
    return int(digits[0]) if digits else 0
