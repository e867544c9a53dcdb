"""Euclidean distances between two sets of points, in chunks and without the errors of the fast formula.

|x|^2 + |y|^2 - 2 x.y is one matrix product, and in float32 many times as fast as summing squared differences in
float64, but cancellation makes copies differ and breaks ties. So it gives lower bounds of the squares, which leave a
few pairs over; these are computed from differences. The results equal those of a double loop in float64.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil, log2
from typing import Any

import torch
from torch import Tensor

_CHUNK = 2**21  # numbers in one chunk of a matrix of distances
_FEW = 64  # pairs of a tile that differences may decide
_BLOCK = 64  # of columns, of which the smallest number is found first


def kth_distance(points: Tensor, others: Tensor | None, k: int) -> Tensor:
    """Distance of every point to its k-th nearest of the others.

    Args:
        points: (N, d) in float64.
        others: (M, d), M >= k; None for the points themselves, where a point is not its own neighbour (N > k).
        k: from 1.

    Returns:
        (N,) distances in float64.

    Examples:
        >>> line = torch.tensor([[0.0], [1.0], [3.0]]).double()
        >>> kth_distance(line, None, 1), kth_distance(line, line, 1)
        (tensor([1., 1., 2.], dtype=torch.float64), tensor([0., 0., 0.], dtype=torch.float64))
    """
    own = torch.arange(len(points), device=points.device) if others is None else None
    return _kth(points, points if others is None else others, own, k, (torch.float32, torch.float64))


def _kth(points: Tensor, others: Tensor, own: Tensor | None, k: int, kinds: tuple[torch.dtype, ...]) -> Tensor:
    """`kth_distance` by bounds of several types, each for the points that the one before leaves unsure.

    ``own`` (N,) are the numbers of the points among the others, which do not count.
    """
    if not kinds:
        return _kth_directly(points, others, own, k)
    most = len(others) - (own is not None)  # that can be near
    bounds, unsure = _Bounds(points, others, kinds[0]), torch.zeros(len(points), dtype=torch.bool, device=points.device)
    result = points.new_empty(len(points))
    for rows, _, gaps in bounds.tiles(max(1, min(1024, 4 * _CHUNK // len(others))), len(others)):
        if own is not None:
            _mask(gaps, own[rows])
        # some more candidates than k: the nearest by their bounds need not be the nearest
        lowest, near = _smallest(gaps, min(k + 4, most))
        result[rows] = _direct(points[rows, None], others[near]).squeeze(1).sort().values[:, k - 1]
        if lowest.shape[1] < most:  # all that were left out are at least as far away as the largest bound says
            least = (lowest[:, -1] + bounds.ours[rows]).double()
            unsure[rows] = least < (result[rows] * bounds.scale).square()
    again = unsure.nonzero()[:, 0]
    if len(again):
        result[again] = _kth(points[again], others, None if own is None else own[again], k, kinds[1:])
    return result


def _kth_directly(points: Tensor, others: Tensor, own: Tensor | None, k: int) -> Tensor:
    """The same by differences alone."""
    result = points.new_empty(len(points))
    for rows in torch.arange(len(points), device=points.device).split(max(1, _CHUNK // len(others))):
        distances = _direct(points[rows], others)
        if own is not None:
            _mask(distances, own[rows])
        result[rows] = distances.kthvalue(k).values
    return result


Pairs = tuple[Tensor, Tensor]


def inside(points: Tensor, centres: Tensor, radii: Tensor) -> Iterator[Pairs]:
    """Finds which points lie in which closed balls, part by part.

    Args:
        points: (N, d) in float64.
        centres: (M, d) of the balls.
        radii: (M,), as `kth_distance` gives them.

    Yields:
        The numbers of some points and, for each, that of a ball that it lies in: (n,) and (n,) int64. Every such pair
        comes once.
    """
    for pairs, _ in inside_each_other(points, centres, None, radii):
        yield pairs


def inside_each_other(
    points: Tensor, others: Tensor, radii: Tensor | None, radii_of_others: Tensor
) -> Iterator[tuple[Pairs, Pairs]]:
    """Finds which points lie in which closed balls around the others, and the reverse, from one matrix of distances.

    Args:
        points: (N, d) in float64.
        others: (M, d).
        radii: (N,) of the balls around the points; None for no such balls.
        radii_of_others: (M,) of those around the others.

    Yields:
        Pairs of a point and another whose ball it lies in, and of a point whose ball another lies in and this one: two
        times (n,) and (n,) int64.
    """
    bounds, nobody = _Bounds(points, others, torch.float32), torch.zeros(0, dtype=torch.int64, device=points.device)
    theirs = bounds.limits(radii_of_others)
    ours = None if radii is None else bounds.limits(radii)

    finer: _Bounds | None = None

    def kept(place: Pairs, where: Pairs, gaps: Tensor, limits: Tensor, reach: Tensor) -> Pairs:
        """The pairs (n,) of a tile that hold: by their bounds, by finer ones if many are unsure, or by differences.

        ``place`` are rows and columns in the tile, ``where`` (h,) and (w,) the tile's; ``reach`` (n,) are the radii.
        """
        nonlocal finer
        point, other = where[0][place[0]], where[1][place[1]]
        unsure = bounds.highest(gaps, point, other) > limits * (1 - bounds.unit)
        holds = ~unsure
        rest = unsure.nonzero()[:, 0]
        if len(rest) > _FEW:
            finer = fine = finer or _Bounds(points, others, torch.float64)
            squares = (reach[rest] * fine.scale).square()
            gaps = fine.tile(*where)[place[0][rest], place[1][rest]]
            highest = fine.highest(gaps, point[rest], other[rest])
            holds[rest] = highest <= squares * (1 - fine.unit)
            maybe = gaps + fine.ours[point[rest]] <= squares * (1 + fine.unit)
            rest = rest[maybe & ~holds[rest]]
        for part in rest.split(max(1, _CHUNK // points.shape[1])):
            distances = _direct(points[point[part], None], others[other[part], None]).flatten()
            holds[part] = distances <= reach[part]
        return point[holds], other[holds]

    for rows, columns, gaps in bounds.tiles(256, 4096):
        row, column = (gaps - theirs[columns] <= -bounds.ours[rows, None]).nonzero().unbind(1)
        other = columns[column]
        found = kept((row, column), (rows, columns), gaps[row, column], theirs[other], radii_of_others[other])
        if radii is None or ours is None:
            yield found, (nobody, nobody)
            continue
        row, column = (gaps <= (ours - bounds.ours)[rows, None]).nonzero().unbind(1)
        point = rows[row]
        yield found, kept((row, column), (rows, columns), gaps[row, column], ours[point], radii[point])


def mean_distance(points: Tensor) -> Tensor:
    """Mean distance over all pairs of (N, d) different points, N >= 2; 0-dim in float64.

    Every distance is a sum of squared differences, so that the mean of copies is 0.
    """
    total, size, start = points.new_zeros(()), len(points), 0
    while start < size:
        stop = min(size, start + max(1, _CHUNK // (size - start)))
        # each pair counts once: the columns begin where the rows do
        total += _direct(points[start:stop], points[start:]).triu(1).sum()
        start = stop
    return total / (size * (size - 1) / 2)


def _mask(distances: Tensor, own: Tensor) -> None:
    distances[torch.arange(len(own), device=own.device), own] = torch.inf


def _direct(points: Tensor, others: Tensor) -> Tensor:
    """(..., N, d) and (..., M, d) to distances (..., N, M), each a function of its two points alone."""
    return torch.cdist(points, others, compute_mode="donot_use_mm_for_euclid_dist")


def _smallest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` smallest of each row (n, M), in order, and their columns.

    They lie in the ``count`` blocks of columns whose smallest numbers are the smallest.
    """
    whole = values.shape[1] // _BLOCK
    if whole <= 2 * count:
        return values.topk(count, largest=False)
    blocks = values[:, : whole * _BLOCK].unflatten(1, (whole, _BLOCK))
    chosen = blocks.amin(2).topk(count, largest=False).indices  # (n, count)
    columns = (chosen[:, :, None] * _BLOCK + torch.arange(_BLOCK, device=values.device)).flatten(1)
    rest = torch.arange(whole * _BLOCK, values.shape[1], device=values.device).expand(len(values), -1)
    columns = torch.cat([columns, rest], 1)
    found, places = values.gather(1, columns).topk(count, largest=False)
    return found, columns.gather(1, places)


class _Bounds:
    """Lower bounds of |x - y|^2 for all pairs, from one product of matrices.

    The points are moved to the mean of the others and scaled by a power of two, so that nothing overflows. A sum of d
    products errs by at most d u times the sum of their sizes, with u half of the type's epsilon (Higham 2002, section
    3.1); rounding the points, the squares and the radii adds a few u. ``unit`` is at least twice all of that, and
    ``_floor`` covers numbers that are too small for the type.

    Args:
        points: (N, d) x, in float64.
        others: (M, d) y.
        kind: float32, which is fast, or float64.
    """

    def __init__(self, points: Tensor, others: Tensor, kind: torch.dtype) -> None:
        middle = others.mean(0)
        x, y = points - middle, others - middle
        largest = max(float(values.abs().max()) for values in (x, y))
        self.scale = 2.0 ** -min(1000, max(-1000, ceil(log2(largest)))) if largest else 1.0
        x, y = x * self.scale, y * self.scale
        self.unit = 4 * (points.shape[1] + 4) * torch.finfo(kind).eps
        self._floor = (points.shape[1] + 1) * 2.0**-120
        self.ours, self._theirs = (
            ((1 - self.unit) * values.square().sum(1) - self._floor).to(kind) for values in (x, y)
        )
        self._x, self._y = x.to(kind), y.to(kind).T.contiguous()

    def limits(self, radii: Tensor) -> Tensor:
        """What the lower bounds of the squares within some radii are at most."""
        return ((1 + self.unit) * (radii * self.scale).square()).to(self._x.dtype)

    def tile(self, rows: Tensor, columns: Tensor) -> Tensor:
        """The bounds (n, m) of the pairs of neighbouring rows and of neighbouring columns, less ``ours``."""
        mine, other = (slice(int(part[0]), int(part[-1]) + 1) for part in (rows, columns))
        with _in_full(self._x.device.type):
            return torch.addmm(self._theirs[None, other], self._x[mine], self._y[:, other], alpha=-2)

    def tiles(self, height: int, width: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Numbers of points (n,) and of others (m,), and their `tile`."""
        for rows in torch.arange(len(self._x), device=self._x.device).split(height):
            for columns in torch.arange(len(self._theirs), device=self._x.device).split(width):
                yield rows, columns, self.tile(rows, columns)

    def highest(self, gaps: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Upper bounds of squares whose lower bounds, less ``ours``, are ``gaps``; all (n,)."""
        ours = self.ours[rows]
        return gaps + ours + 4 * self.unit * (ours + self._theirs[columns]) + 8 * self._floor


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
