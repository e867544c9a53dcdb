"""Draws the pictures of docs/game-in-pictures.md, and prints the numbers it names.

python examples/figures/game_in_pictures.py docs/images
"""

import argparse
import io
from pathlib import Path

import matplotlib
import torch
from PIL import Image

from lit_gans import losses

matplotlib.use("Agg")
import matplotlib.pyplot as plt

RATE, STEPS = 0.05, 120
SADDLE = torch.tensor([-17 / 8, 1 / 8], dtype=torch.float64)


def tutorial(x, y):
    """The tutorials' example."""
    return x**2 + 2 * x * y - 3 * y**2 + 4 * x + 5 * y + 6


def product(x, y):
    """The game that goes round."""
    return x * y


def slopes(f, x, y):
    """The gradient of ``f`` in x and in y."""
    x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
    return torch.autograd.grad(f(x, y).sum(), (x, y))


def walk(f, start, minimises="x", alternating=False, rate=RATE, steps=STEPS):
    """Gradient steps of two players, one of whom lowers ``f`` and the other raises it: (steps + 1, 2) places."""
    sign = 1 if minimises == "x" else -1
    x, y = (torch.tensor(value, dtype=torch.float64) for value in start)
    places = [torch.stack([x, y])]
    for _ in range(steps):
        before = x
        x = x - sign * rate * slopes(f, x, y)[0]
        y = y + sign * rate * slopes(f, x if alternating else before, y)[1]
        places.append(torch.stack([x, y]))
    return torch.stack(places)


def plane(axes, f, low, high, minimises="x"):
    """Lines of equal height, and arrows along which the two players push together."""
    fine = torch.linspace(0, 1, 120, dtype=torch.float64)
    x, y = (low[i] + (high[i] - low[i]) * fine for i in (0, 1))
    grid = torch.meshgrid(x, y, indexing="xy")
    axes.contour(*grid, f(*grid), levels=18, colors="0.8", linewidths=0.8)
    x, y = (part[4::10, 4::10] for part in grid)
    sign = 1 if minimises == "x" else -1
    push = [-sign * slopes(f, x, y)[0], sign * slopes(f, x, y)[1]]
    size = (push[0] ** 2 + push[1] ** 2).sqrt()
    axes.quiver(x, y, push[0] / size, push[1] / size, color="0.55", width=0.004, scale=26)
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_xlabel("x")
    axes.set_ylabel("y")


def path(axes, places, colour, label):
    """A walk, its start as a ring and its end as a dot."""
    axes.plot(*places.T, color=colour, linewidth=1.6, label=label)
    axes.plot(*places[0], "o", color=colour, fillstyle="none")
    axes.plot(*places[-1], "o", color=colour, markersize=4)


def saddle():
    """One function, and the same two players with their roles exchanged."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.8))
    for axes, minimises, title in ((left, "x", "min over x, max over y"), (right, "y", "max over x, min over y")):
        plane(axes, tutorial, (-5, -2.5), (1, 2.5), minimises)
        steps = STEPS if minimises == "x" else 40
        places = walk(tutorial, (0.0, -2.0) if minimises == "x" else (-2.0, 0.2), minimises, steps=steps)
        path(axes, places, "tab:blue" if minimises == "x" else "tab:red", f"{steps} steps")
        axes.plot(*SADDLE, "k+", markersize=12)
        axes.set_title(title)
        print(f"{title}: after {steps} steps at {places[-1].tolist()}, {float((places[-1] - SADDLE).norm()):.2g} away")
    return figure


def goes_round():
    """f = xy: simultaneous steps, alternating ones, and the mean of these."""
    figure, axes = plt.subplots(figsize=(4.6, 4.2))
    plane(axes, product, (-2.2, -2.2), (2.2, 2.2))
    both = walk(product, (1.0, 0.0), rate=0.1)
    turns = walk(product, (1.0, 0.0), alternating=True, rate=0.1, steps=630)
    mean = turns.cumsum(0) / torch.arange(1, len(turns) + 1)[:, None]
    path(axes, both, "tab:red", "at the same time")
    path(axes, turns, "tab:blue", "in turns")
    path(axes, mean, "tab:green", "their mean")
    axes.legend(loc="lower right", fontsize=8)
    for name, places in (("at the same time", both), ("in turns", turns), ("their mean", mean)):
        print(f"xy, {name}: {float(places[-1].norm()):.3f} from (0, 0) after {len(places) - 1} steps")
    return figure


def gradients():
    """How hard a fake is pushed, by the score it has."""
    score = torch.linspace(-8, 8, 321, requires_grad=True)
    figure, axes = plt.subplots(figsize=(5.6, 3.4))
    for name, loss in (
        ("saturating", losses.minimax_generator),
        ("non-saturating", losses.non_saturating_generator),
        ("least squares", losses.least_squares_generator),
        ("hinge, Wasserstein", losses.hinge_generator),
    ):
        total = sum(loss(part)["fake"] for part in score)
        (slope,) = torch.autograd.grad(total, score)
        axes.plot(score.detach(), -slope, label=name)
        print(f"{name}: push {-slope[20]:.4f} at score {score[20]:.0f}, {-slope[160]:.2f} at 0")
    axes.set_ylim(-1.2, 3)
    axes.axhline(0, color="0.8", linewidth=0.8)
    axes.set_xlabel("score of a fake: D is sure that it is fake on the left, fooled on the right")
    axes.set_ylabel("push towards a higher score")
    axes.xaxis.label.set_size(8)
    axes.legend(fontsize=8)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    for name, draw in (("saddle", saddle), ("goes_round", goes_round), ("gradients", gradients)):
        figure = draw()
        figure.tight_layout()
        written = io.BytesIO()
        figure.savefig(written, dpi=110)
        # lines on white have few colours
        Image.open(written).convert("RGB").quantize(96).save(given.folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
