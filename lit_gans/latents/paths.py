"""Latent points: draws them, and walks from one to another."""

from typing import Literal, get_args

import torch
from torch import Tensor

from lit_gans.errors import UsageError, usable_seed

Mode = Literal["spherical", "linear"]
_PARALLEL = 1e-4  # a smaller sine of the angle: the arc is almost a line, and its formula divides by almost 0


def draw(n: int, latent_dim: int, seed: int | None = None) -> Tensor:
    """Draws (n, latent_dim) from N(0, I), on the CPU; without a seed from the global random state."""
    usable_seed(seed=seed)
    rng = None if seed is None else torch.Generator().manual_seed(int(seed))
    return torch.randn(n, latent_dim, generator=rng)


def path(start: Tensor, end: Tensor, steps: int, mode: Mode = "spherical") -> Tensor:
    """Points on the path between two latent points, for N pairs of them, both ends included.

    ``linear`` takes the chord; in many dimensions its middle is much nearer to the origin than any point that N(0, I)
    draws. ``spherical`` turns from one direction to the other (White 2016, arXiv:1609.04468), by equal angles:

    ``sin((1 - t) a) / sin(a) start + sin(t a) / sin(a) end``, with a the angle between the two. Where they are nearly
    parallel or opposite this is 0 / 0, or any of many arcs, and the chord is taken instead.

    Args:
        start: (N, D).
        end: (N, D).
        steps: points on each path, at least 2.
        mode: ``spherical`` or ``linear``.

    Returns:
        (N, steps, D).

    Raises:
        UsageError: if there are fewer than 2 steps or the mode is unknown.

    Examples:
        >>> path(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 3)[0, 1]
        tensor([0.7071, 0.7071])
    """
    if steps < 2:
        raise UsageError(f"steps counts the points from end to end and must be at least 2, got {steps}")
    if mode not in get_args(Mode):
        raise UsageError(f"mode must be 'spherical' or 'linear', got {mode!r}")
    t = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device).view(1, -1, 1)
    first, last = start.unsqueeze(1), end.unsqueeze(1)
    chord = (1 - t) * first + t * last
    if mode == "linear":
        return chord
    u, v = (torch.nn.functional.normalize(x.double(), dim=1) for x in (start, end))
    angle = 2 * torch.atan2((u - v).norm(dim=1), (u + v).norm(dim=1)).view(-1, 1, 1)  # acos is not exact
    sine = angle.sin()
    degenerate = (sine < _PARALLEL) | (start.norm(dim=1) * end.norm(dim=1) == 0).view(-1, 1, 1)
    safe = sine.masked_fill(degenerate, 1)
    t = t.double()
    arc = ((1 - t) * angle).sin() / safe * first + (t * angle).sin() / safe * last
    return torch.where(degenerate, chord, arc.to(chord.dtype))
