"""Euclidean distances between two sets of points, in chunks and without the errors of the fast formula.

|x|^2 + |y|^2 - 2 x.y is one matrix product, and in float32 many times as fast as summing squared differences in
float64, but cancellation makes copies differ and breaks ties. So it gives lower bounds of the squares, which leave a
few pairs over; these are computed from differences. The results equal those of a double loop in float64.
"""

from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor

from lit_gans.metrics.bounds import Bounds, Pairs, below

_CHUNK = 2**21  # numbers in one chunk of a matrix of distances
_FEW = 64  # pairs of a tile that differences may decide
_DENSE = 16  # a tile with more than one pair in so many below its limits is not worth looking at pair by pair
# of bounds for neighbours: their type, whether they are narrow, and how many times k of them are looked at
_LEVELS = ((torch.float32, True, 24), (torch.float32, False, 12), (torch.float64, False, 24))


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
    return _kth(points, points if others is None else others, own, k, 0)


def _kth(points: Tensor, others: Tensor, own: Tensor | None, k: int, level: int) -> Tensor:
    """`kth_distance` by bounds of several levels, each for the points that the one before leaves unsure.

    ``own`` (N,) are the numbers of the points among the others, which do not count.
    """
    if level == len(_LEVELS):
        return _kth_directly(points, others, own, k)
    kind, narrow, times = _LEVELS[level]
    bounds, result = Bounds(points, others, kind, narrow), points.new_full((len(points),), torch.inf)
    if narrow and not bounds.narrow:
        return _kth(points, others, own, k, level + 1)
    sure = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    for rows in bounds.strips(_CHUNK):
        limits = bounds.guess(rows, times * (k + 1))
        found = _below(bounds, rows, limits, 8 * times * (k + 1))
        if found is None:
            continue
        row, column = found
        if own is not None:
            kept = own[rows][row] != column
            row, column = row[kept], column[kept]
        near, least = _nearest(bounds, rows, row, column, k + 4)
        distances = _direct(points[rows, None], others[near]).squeeze(1).where(least.isfinite(), torch.inf)
        result[rows] = distances.sort().values[:, k - 1]
        # all that were left out are at least as far away as the limit, or as the largest bound of those that were not
        sure[rows] = torch.minimum(limits, least[:, -1]).double() >= (result[rows] * bounds.scale).square()
    again = (~sure).nonzero()[:, 0]
    if len(again):
        result[again] = _kth(points[again], others, None if own is None else own[again], k, level + 1)
    return result


def _below(bounds: Bounds, rows: slice, limits: Tensor, most: int) -> Pairs | None:
    """Some points' numbers in their strip and those of all others whose bounds are at most the limits; None if many."""
    found, count = [], 0
    for columns, gaps in bounds.tiles(rows, _CHUNK, limits):
        row, column = below(gaps, limits, 0)
        found.append((row, columns[column]))
        count += len(row)
        if count > most * len(limits):
            return None
    row, column = (torch.cat(each) for each in zip(*found, strict=True))
    order = row.argsort()
    return row[order], column[order]


def _nearest(bounds: Bounds, rows: slice, row: Tensor, column: Tensor, count: int) -> Pairs:
    """The ``count`` others of each row that are nearest by their bounds, and the bounds, infinite where there is none.

    ``row`` is in order. Two times (n, count).
    """
    counts = row.bincount(minlength=rows.stop - rows.start)
    place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
    width = max(count, int(counts.max()))
    gaps = bounds.between(row + rows.start, column)
    lowest, others = gaps.new_full((len(counts), width), torch.inf), row.new_zeros(len(counts), width)
    lowest[row, place], others[row, place] = gaps, column
    lowest, chosen = lowest.topk(count, largest=False)
    return others.gather(1, chosen), lowest


def _kth_directly(points: Tensor, others: Tensor, own: Tensor | None, k: int) -> Tensor:
    """The same by differences alone."""
    result = points.new_empty(len(points))
    for rows in torch.arange(len(points), device=points.device).split(max(1, _CHUNK // len(others))):
        distances = _direct(points[rows], others)
        if own is not None:
            _mask(distances, own[rows])
        result[rows] = distances.kthvalue(k).values
    return result


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
    pairs, nobody = _Balls(points, others), torch.zeros(0, dtype=torch.int64, device=points.device)
    bounds = pairs.bounds
    theirs = bounds.limits(radii_of_others)
    ours = None if radii is None else bounds.limits(radii)
    for rows in bounds.strips(_CHUNK):
        for columns, gaps in bounds.tiles(rows, _CHUNK, None if ours is None else ours[rows], theirs):
            place = below(gaps, theirs[columns], 1)
            reach = theirs[columns][place[1]], radii_of_others[columns][place[1]]
            found = pairs.inside(rows, columns, gaps, place, *reach)
            if radii is None or ours is None:
                yield found, (nobody, nobody)
                continue
            place = below(gaps, ours[rows], 0)
            yield found, pairs.inside(rows, columns, gaps, place, ours[rows][place[0]], radii[rows][place[0]])


class _Balls:
    """Decides which pairs of a tile are near enough: by their bounds, by finer ones if many are unsure, by differences.

    Args:
        points: (N, d).
        others: (M, d).
    """

    def __init__(self, points: Tensor, others: Tensor) -> None:
        self._points, self._others = points, others
        self.bounds = Bounds(points, others, torch.float32, narrow=True)

    @cached_property
    def _wide(self) -> Bounds:
        return Bounds(self._points, self._others, torch.float32) if self.bounds.narrow else self.bounds

    @cached_property
    def _fine(self) -> Bounds:
        return Bounds(self._points, self._others, torch.float64)

    def inside(self, rows: slice, columns: Tensor, gaps: Tensor, place: Pairs, limits: Tensor, reach: Tensor) -> Pairs:
        """The pairs (n,) of a tile that hold.

        Args:
            rows: of the tile, among the points.
            columns: (m,) of the tile, among the others.
            gaps: the tile.
            place: rows and columns (n,), in the tile, of the pairs whose bounds are at most their limits.
            limits: (n,) of these.
            reach: (n,) the radii of these.
        """
        point, other = place[0] + rows.start, columns[place[1]]
        if not self.bounds.narrow:
            lowest = gaps[place]
        elif len(point) > gaps.numel() // _DENSE:
            lowest = self._wide.tile(rows, columns)[place]
        else:
            lowest = self.bounds.between(point, other)
        unsure = self.bounds.highest(lowest, point, other) > limits * (1 - self.bounds.unit)
        holds = ~unsure
        rest = (unsure & (lowest <= limits)).nonzero()[:, 0]
        if len(rest) > _FEW:
            fine = self._fine
            squares = (reach[rest] * fine.scale).square()
            lowest = fine.tile(rows, columns)[place[0][rest], place[1][rest]]
            holds[rest] = fine.highest(lowest, point[rest], other[rest]) <= squares * (1 - fine.unit)
            rest = rest[(lowest <= squares * (1 + fine.unit)) & ~holds[rest]]
        for part in rest.split(max(1, _CHUNK // self._points.shape[1])):
            distances = _direct(self._points[point[part], None], self._others[other[part], None]).flatten()
            holds[part] = distances <= reach[part]
        return point[holds], other[holds]


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
