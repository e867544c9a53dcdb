"""Euclidean distances between two sets of points, in chunks and without the errors of the fast formula.

|x|^2 + |y|^2 - 2 x.y is one matrix product, nine times as fast as summing squared differences, but cancellation makes
copies differ and breaks ties. So it decides only where its error bound allows it; the few rows that it leaves undecided
are computed from differences. The results equal those of a double loop in float64.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

# numbers in one chunk of a matrix of distances: 16 MiB of float64
_CHUNK = 2**21


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
    others, alone = (points, True) if others is None else (others, False)
    result = []
    for rows, squares, slack in _squares(points, others):
        if alone:
            _mask_self(squares, rows)
        # some more candidates than k: the fast formula may confuse the k-th nearest with one of the next
        bounds, near = squares.topk(min(k + 4, len(others) - alone), largest=False)
        exact = _direct(points[rows, None], others[near]).squeeze(1).sort().values[:, k - 1]
        # all that were left out are at least this far away
        unsure = bounds[:, -1:] - slack < exact[:, None].square()
        if len(bounds.T) < len(others) - alone and unsure.any():
            again = rows[unsure[:, 0]]
            distances = _direct(points[again], others)
            if alone:
                _mask_self(distances, again)
            exact[unsure[:, 0]] = distances.kthvalue(k).values
        result.append(exact)
    return torch.cat(result)


def inside(points: Tensor, centres: Tensor, radii: Tensor) -> Iterator[Tensor]:
    """Tests which points lie in which closed balls, chunk by chunk.

    Args:
        points: (N, d) in float64.
        centres: (M, d) of the balls.
        radii: (M,), as `kth_distance` gives them.

    Yields:
        (n, M) booleans for the next n points.
    """
    limits = radii.square()
    for rows, squares, slack in _squares(points, centres):
        gaps = squares.sub_(limits)
        result = gaps <= 0
        unsure = (gaps.abs_() <= slack).any(1)
        if unsure.any():
            result[unsure] = _direct(points[rows[unsure]], centres) <= radii
        yield result


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


def _mask_self(distances: Tensor, rows: Tensor) -> None:
    distances[torch.arange(len(rows), device=rows.device), rows] = torch.inf


def _direct(points: Tensor, others: Tensor) -> Tensor:
    """(..., N, d) and (..., M, d) to distances (..., N, M), each a function of its two points alone."""
    return torch.cdist(points, others, compute_mode="donot_use_mm_for_euclid_dist")


def _squares(points: Tensor, others: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Row numbers (n,), approximate squared distances (n, M) and a bound of their errors (n, 1), chunk by chunk."""
    ours, theirs = points.square().sum(1), others.square().sum(1)
    # a sum of d products errs by at most d eps / 2 times the sum of their sizes (Higham 2002, section 3.1); here are
    # three such sums, one with the factor 2, and the squared distance that they are compared with has an error too
    unit = 4 * (points.shape[1] + 4) * torch.finfo(points.dtype).eps
    for rows in torch.arange(len(points), device=points.device).split(max(1, min(1024, _CHUNK // len(others)))):
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        squares = torch.addmm(theirs[None], points[part], others.T, alpha=-2).add_(ours[part, None])
        yield rows, squares, unit * (ours[part, None] + theirs.max())
