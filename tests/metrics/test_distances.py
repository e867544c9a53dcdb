"""Distances in chunks against loops, where the fast formula alone would be wrong."""

from math import fsum, sqrt

import pytest
import torch

from lit_gans.metrics import distances
from lit_gans.metrics.distances import inside, kth_distance, mean_distance


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def loop(points, others):
    return [[sqrt(fsum((a - b) ** 2 for a, b in zip(x, y, strict=True))) for y in others] for x in points]


KINDS = {
    "random": lambda n, d, seed: draw(n, d, seed=seed),
    "ties": lambda n, d, seed: torch.randint(0, 3, (n, d), generator=torch.Generator().manual_seed(seed)).double(),
    "far from 0": lambda n, d, seed: draw(n, d, seed=seed) * 1e-3 + 1e4,
    "an outlier": lambda n, d, seed: torch.cat([draw(n - 1, d, seed=seed), torch.full((1, d), 1e8).double()]),
    "all the same": lambda n, d, seed: torch.full((n, d), 1 / 3).double(),
}


@pytest.fixture(params=[distances._CHUNK, 100, 1], ids="chunk {}".format)
def chunk(request, monkeypatch):
    monkeypatch.setattr(distances, "_CHUNK", request.param)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 3, 12])
def test_kth_distance(kind, k):
    points, others = KINDS[kind](40, 4, 0), KINDS[kind](13, 4, 1)
    expected = [sorted(row)[k - 1] for row in loop(points.tolist(), others.tolist())]
    assert kth_distance(points, others, k).tolist() == pytest.approx(expected, rel=1e-12)
    # a point is not its own neighbour, but a copy of it is
    expected = [sorted(row[:i] + row[i + 1 :])[k - 1] for i, row in enumerate(loop(points.tolist(), points.tolist()))]
    assert kth_distance(points, None, k).tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("kind", KINDS)
def test_inside(kind):
    points, centres = KINDS[kind](40, 4, 0), KINDS[kind](13, 4, 1)
    points[:5] = centres[:5]
    # one ball goes exactly through a point, as in a tie
    radii = kth_distance(centres, None, 2)
    hits = torch.cat([*inside(points, centres, radii)])
    direct = torch.stack([torch.stack([(p - c).square().sum().sqrt() for c in centres]) for p in points])
    assert torch.equal(hits, direct <= radii)
    assert hits[torch.arange(5), torch.arange(5)].all()


@pytest.mark.parametrize("d", [1, 2, 7, 33, 128])
def test_copies_are_at_the_distance_of_their_originals(d):
    """Random features have no ties but for copies, and those must be exact whatever the place in the matrix."""
    centres = draw(300, d)
    radii = kth_distance(centres, None, 1)
    partner = torch.cdist(centres, centres).fill_diagonal_(torch.inf).argmin(1)
    copies = centres[partner]  # each lies on the surface of the ball of the centre that it is nearest to
    for order in (torch.arange(300), torch.randperm(300, generator=torch.Generator().manual_seed(0))):
        hits = torch.cat([*inside(copies[order], centres, radii)])
        assert hits[torch.arange(300), order].all()
    assert kth_distance(copies, centres, 1).eq(0).all()


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [2, 41])
def test_mean_distance(kind, n):
    points = KINDS[kind](n, 4, 0)
    rows = loop(points.tolist(), points.tolist())
    expected = fsum(rows[i][j] for i in range(n) for j in range(i)) / (n * (n - 1) / 2)
    assert float(mean_distance(points)) == pytest.approx(expected, rel=1e-12)
    assert kind != "all the same" or mean_distance(points) == 0
