"""Lower bounds of the distances between two sets of points, from products of matrices, tile by tile."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from math import ceil, log2
from typing import Any

import torch
from torch import Tensor

from lit_gans.metrics.boxes import Boxes

_TILE = (256, 2048)  # points and others of a tile, which stays in a processor's cache
_BLOCK = 32  # neighbours in a row or column of a tile, of which the smallest number is found first
_NARROW = 32  # numbers that are left of a point
_KEPT = 0.7  # share of the squares that these must have, else narrow bounds leave too much over
_SAMPLE = 2048  # of the others, by which limits are guessed
_GROUP = 16  # of that sample, whose smallest number stands for it

Pairs = tuple[Tensor, Tensor]


class Bounds:
    """Lower bounds of |x - y|^2 for all pairs.

    The points are moved to the mean of the others and scaled by a power of two, so that nothing overflows. A sum of d
    products errs by at most d u times the sum of their sizes, with u half of the type's epsilon (Higham 2002, section
    3.1); rounding the points, the squares and the radii adds a few u. ``unit`` is at least twice all of that, and
    ``_floor`` covers numbers that are too small for the type.

    Narrow bounds come from the points' places along the directions in which the others vary most, and their distance
    to the plane of these: a map that makes no distance larger, so that bounds of its distances are bounds.

    Args:
        points: (N, d) x, in float64.
        others: (M, d) y.
        kind: float32, which is fast, or float64.
        narrow: whether tiles have narrow bounds where these are much cheaper and nearly as high; ``narrow`` then says
            whether they are.
    """

    def __init__(self, points: Tensor, others: Tensor, kind: torch.dtype, narrow: bool = False) -> None:
        middle = others.mean(0)
        x, y = points - middle, others - middle
        largest = max(float(values.abs().max()) for values in (x, y))
        self.scale = 2.0 ** -min(1000, max(-1000, ceil(log2(largest)))) if largest else 1.0
        x, y = x * self.scale, y * self.scale
        self.unit = 4 * (points.shape[1] + 4) * torch.finfo(kind).eps
        self._floor = (points.shape[1] + 1) * 2.0**-120
        self._kind, self._wide = kind, (x.to(kind), y.to(kind))
        self._sizes = self._less(x), self._less(y)
        basis = _directions(y) if narrow else None
        self.narrow = basis is not None
        self._tiled = (x, y) if basis is None else (_narrowed(x, basis), _narrowed(y, basis))

    def _less(self, points: Tensor) -> Tensor:
        """The squares (n,) of some points' sizes, less what a bound may err by."""
        return ((1 - self.unit) * points.square().sum(1) - self._floor).to(self._kind)

    @cached_property
    def _factors(self) -> Pairs:
        """(N, c) and (M, c), whose product is the bounds."""
        x, y = self._tiled
        one, also = (torch.ones_like(values[:, :1]) for values in (x, y))
        left = torch.cat([-2 * x, one, self._less(x)[:, None]], 1)
        right = torch.cat([y, self._less(y)[:, None], also], 1)
        return left.to(self._kind), right.to(self._kind)

    def limits(self, radii: Tensor) -> Tensor:
        """What the lower bounds of the squares within some radii are at most."""
        return ((1 + self.unit) * (radii * self.scale).square()).to(self._kind)

    def strips(self, chunk: int) -> Iterator[slice]:
        """Points whose tiles come one after the other; ``chunk`` is the largest number of pairs in a tile."""
        return _slices(len(self._wide[0]), min(_TILE[0], chunk))

    def tiles(
        self, rows: slice, chunk: int, limits: Tensor | None, theirs: Tensor | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The numbers of others (m,), and the bounds (n, m) of their pairs with some points.

        Others that are beyond the limits of all these points (n,), and whose own limits (M,) these points are beyond,
        may be left out.
        """
        if self._boxes is None:
            columns = torch.arange(len(self._wide[1]), device=self._wide[1].device)
        else:
            columns = self._boxes.near(self._tiled[0][rows], limits, theirs)
        for part in columns.split(min(_TILE[1], max(1, chunk // (rows.stop - rows.start)))):
            yield part, self.tile(rows, part)

    def tile(self, rows: slice, columns: Tensor) -> Tensor:
        """The bounds (n, m) of the pairs of some points and others."""
        left, right = self._factors
        with _in_full(left.device.type):
            return left[rows] @ right[columns].T

    @cached_property
    def _boxes(self) -> Boxes | None:
        """Boxes around the others; None if points have too many numbers for boxes to say something."""
        _, others = self._tiled
        return Boxes(others, self.unit, self._floor) if self.narrow or others.shape[1] <= 2 * _NARROW else None

    @cached_property
    def _sampled(self) -> Tensor:
        """The factor (c, m) of a sample of the others."""
        right = self._factors[1]
        return right[:: max(1, len(right) // _SAMPLE)].T.contiguous()

    def guess(self, rows: slice, count: int) -> Tensor:
        """Limits (n,) that about ``count`` bounds of a point or more are below; infinite if there are few others."""
        left, right = self._factors
        if len(right) <= 4 * count:
            return left.new_full((rows.stop - rows.start,), torch.inf)
        with _in_full(left.device.type):
            gaps = left[rows] @ self._sampled
        if (whole := gaps.shape[1] // _GROUP) > 4 * (place := ceil(count * gaps.shape[1] / len(right))):
            gaps = gaps[:, : whole * _GROUP].unflatten(1, (whole, _GROUP)).amin(2)
        return gaps.kthvalue(place).values

    def between(self, points: Tensor, others: Tensor) -> Tensor:
        """The bounds (n,) of pairs from their differences; never narrow."""
        x, y = self._wide
        squares = x.new_empty(len(points))
        for part in _slices(len(points), max(1, _TILE[0] * _TILE[1] // 4 // x.shape[1])):  # in the cache, and in place
            apart = x.index_select(0, points[part]).sub_(y.index_select(0, others[part]))
            squares[part] = apart.square_().sum(1)
        return squares - 2 * self.unit * (self._sizes[0][points] + self._sizes[1][others]) - 4 * self._floor

    def highest(self, gaps: Tensor, points: Tensor, others: Tensor) -> Tensor:
        """Upper bounds of squares whose lower bounds, by differences or not narrow, are ``gaps``; all (n,)."""
        return gaps + 6 * self.unit * (self._sizes[0][points] + self._sizes[1][others]) + 12 * self._floor


def below(gaps: Tensor, limits: Tensor, dim: int) -> Pairs:
    """Rows and columns (n,) of the numbers in a tile (h, w) that are at most the limits of the rows or the columns.

    Args:
        gaps: the tile.
        limits: (h,) or (w,).
        dim: 0 for limits of rows, 1 for those of columns.
    """
    size = gaps.shape[1 - dim]
    if size % _BLOCK:
        return _all_below(gaps, limits, dim)
    blocks = gaps.unflatten(1 - dim, (size // _BLOCK, _BLOCK))  # (h, b, _BLOCK) or (b, _BLOCK, w)
    hits = blocks.amin(2 - dim) <= limits.unsqueeze(1 - dim)
    first, second = hits.nonzero().unbind(1)
    if len(first) > hits.numel() // 4:
        return _all_below(gaps, limits, dim)
    if dim == 0:
        chosen = blocks.flatten(0, 1).index_select(0, first * hits.shape[1] + second)  # (n, _BLOCK)
        place, inside = (chosen <= limits[first, None]).nonzero().unbind(1)
        return first[place], second[place] * _BLOCK + inside
    place, inside = (blocks[first, :, second] <= limits[second, None]).nonzero().unbind(1)
    return first[place] * _BLOCK + inside, second[place]


def _all_below(gaps: Tensor, limits: Tensor, dim: int) -> Pairs:
    row, column = (gaps <= limits.unsqueeze(1 - dim)).nonzero().unbind(1)
    return row, column


def _slices(size: int, width: int) -> Iterator[slice]:
    return (slice(start, min(size, start + width)) for start in range(0, size, width))


def _directions(points: Tensor) -> Tensor | None:
    """The directions (d, c) in which points (N, d) around 0 vary most; None if such few say too little."""
    if points.shape[1] <= 2 * _NARROW:
        return None
    sample = points[:: max(1, len(points) // 8192)]
    squares, directions = torch.linalg.eigh(sample.T @ sample)
    chosen = slice(1 - _NARROW, None)
    return directions[:, chosen] if squares[chosen].sum() > _KEPT * squares.sum() else None


def _narrowed(points: Tensor, basis: Tensor) -> Tensor:
    """(N, d) to places along the directions (d, c) and the distance to their plane: (N, c + 1)."""
    places = points @ basis
    return torch.cat([places, (points - places @ basis.T).norm(dim=1, keepdim=True)], 1)


@contextmanager
def _in_full(device: str) -> Iterator[None]:
    """While it lasts, products have the precision of their type, whatever a user has allowed."""
    kinds: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)  # type: ignore[attr-defined]
    before: Any = None
    with torch.autocast(device, enabled=False):
        try:
            before = torch.get_float32_matmul_precision()
            torch.set_float32_matmul_precision("highest")
        except RuntimeError:  # somebody has used the newer settings
            before = [kind.fp32_precision for kind in kinds]
            for kind in kinds:
                kind.fp32_precision = "ieee"
        try:
            yield
        finally:
            if isinstance(before, str):
                torch.set_float32_matmul_precision(before)
            else:
                for kind, precision in zip(kinds, before, strict=True):
                    kind.fp32_precision = precision
