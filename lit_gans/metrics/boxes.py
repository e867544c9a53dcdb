"""Boxes around runs of points, by which tiles of a matrix of distances are left out whole."""

import torch
from torch import Tensor

_RUN = 16  # points of a strip in a box
_BLOCK = 64  # others in a box, and points in the last parts of `ordered`
_SAMPLE = 256  # points by which a part's direction is found
_TURNS = 4  # of that search


def ordered(points: Tensor) -> Tensor:
    """The points (N, d) in an order in which those beside each other are near.

    Parts are halved at the median along the direction in which they vary most. Distances do not depend on the order,
    but most tiles of them can be left out then, if points gather in groups.
    """
    parts, done = [torch.arange(len(points), device=points.device)], []
    while parts:
        part = parts.pop()
        if len(part) <= _BLOCK:
            done.append(part)
            continue
        inside = points[part]
        part = part[(inside @ _direction(inside)).argsort()]
        half = -(len(part) // -2 // _BLOCK) * _BLOCK  # boxes hold whole parts
        parts += [part[half:], part[:half]]
    return points[torch.cat(done)]


def _direction(points: Tensor) -> Tensor:
    """The direction (d,) in which points vary most, roughly, by powers of a sample's covariance."""
    sample = points[:: max(1, len(points) // _SAMPLE)]
    sample = sample - sample.mean(0)
    direction = sample[sample.square().sum(1).argmax()]
    for _ in range(_TURNS):
        direction = torch.nn.functional.normalize((sample @ direction) @ sample, dim=0)
    return direction


class Boxes:
    """Boxes around blocks of points that are beside each other; says which may be near to others.

    Args:
        points: (M, c).
        unit: a share of a point's size that its numbers may err by, and that squares may.
        floor: what squares may err by beside that.
    """

    def __init__(self, points: Tensor, unit: float, floor: float) -> None:
        self._unit, self._floor, self._count = unit, floor, len(points)
        self._low, self._high = self._around(points, _BLOCK)

    def near(self, points: Tensor, limits: Tensor | None, theirs: Tensor | None) -> Tensor:
        """The numbers (m,) of those in boxes that may be within a limit of some of these points.

        Args:
            points: (n, c), those beside each other near.
            limits: (n,) of the squares, of each point; None for none.
            theirs: (M,) the same of those in the boxes.
        """
        low, high = self._around(points, _RUN)  # (r, c)
        gaps = (low[:, None] - self._high).maximum(self._low - high[:, None]).clamp_(min=0)  # (r, b, c)
        least = gaps.square_().sum(2).mul_(1 - self._unit).sub_(self._floor)
        hits = torch.zeros_like(least, dtype=torch.bool)
        if limits is not None:
            hits |= least <= _runs(limits, _RUN).amax(1)[:, None]
        if theirs is not None:
            hits |= least <= _runs(theirs, _BLOCK).amax(1)
        numbers = hits.any(0).nonzero() * _BLOCK + torch.arange(_BLOCK, device=hits.device)  # (b, _BLOCK)
        return numbers[numbers < self._count]

    def _around(self, points: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """The least and largest numbers, (r, c) in float32, of runs of points, with all that these may err by."""
        runs = _runs(points, width)
        slack = self._unit * runs.norm(dim=2).amax(1)[:, None] + self._floor
        return (runs.amin(1) - slack).float(), (runs.amax(1) + slack).float()


def _runs(values: Tensor, width: int) -> Tensor:
    """(n, ...) to (r, width, ...); the last one repeats."""
    places = torch.arange(-(len(values) // -width) * width, device=values.device).clamp_(max=len(values) - 1)
    return values[places].unflatten(0, (-1, width))
