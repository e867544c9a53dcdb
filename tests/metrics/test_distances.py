"""Distances in chunks against loops, where the fast formula alone would be wrong."""

from math import fsum, sqrt

import pytest
import torch

from lit_gans.metrics import distances
from lit_gans.metrics.distances import inside, inside_each_other, kth_distance, mean_distance


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def loop(points, others):
    return [[sqrt(fsum((a - b) ** 2 for a, b in zip(x, y, strict=True))) for y in others] for x in points]


def hits(points, centres, radii):
    """(N, M): whether each point lies in each ball."""
    found = torch.zeros(len(points), len(centres), dtype=torch.int64)
    for pair in inside(points, centres, radii):
        found.index_put_(pair, torch.ones_like(pair[0]), accumulate=True)
    assert found.max() <= 1
    return found.bool()


KINDS = {
    "random": lambda n, d, seed: draw(n, d, seed=seed),
    "ties": lambda n, d, seed: torch.randint(0, 3, (n, d), generator=torch.Generator().manual_seed(seed)).double(),
    "far from 0": lambda n, d, seed: draw(n, d, seed=seed) * 1e-3 + 1e4,
    "an outlier": lambda n, d, seed: torch.cat([draw(n - 1, d, seed=seed), torch.full((1, d), 1e8).double()]),
    "clusters": lambda n, d, seed: draw(4, d)[torch.arange(n) % 4] + 1e-5 * draw(n, d, seed=seed),
    "one that explodes": lambda n, d, seed: torch.cat([draw(n - 1, d, seed=seed), torch.full((1, d), 1e30).double()]),
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
    found = hits(points, centres, radii)
    direct = torch.stack([torch.stack([(p - c).square().sum().sqrt() for c in centres]) for p in points])
    assert torch.equal(found, direct <= radii)
    assert found[torch.arange(5), torch.arange(5)].all()


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_at_once_are_each_way_alone(kind):
    points, others = KINDS[kind](300, 4, 0), KINDS[kind](4200, 4, 1)  # in several tiles
    points[:5] = others[:5]
    radii, theirs = (kth_distance(each, None, 2) for each in (points, others))
    found = {"there": [], "back": []}
    for there, back in inside_each_other(points, others, radii, theirs):
        found["there"].append(torch.stack(there, 1))
        found["back"].append(torch.stack(back[::-1], 1))
    for name, alone in (("there", inside(points, others, theirs)), ("back", inside(others, points, radii))):
        pairs, expected = torch.cat(found[name]), torch.cat([torch.stack(each, 1) for each in alone])
        assert torch.equal(pairs[_order(pairs)], expected[_order(expected)])


def _order(pairs):
    return (pairs[:, 0] * 10_000 + pairs[:, 1]).argsort()


def test_autocast_changes_nothing():
    points, others = draw(300, 64), draw(400, 64, seed=1)
    radii = kth_distance(others, None, 3)
    expected = hits(points, others, radii)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(kth_distance(others, None, 3), radii)
        assert torch.equal(hits(points, others, radii), expected)


def test_an_allowed_lower_precision_of_products_changes_nothing():
    points, before = draw(500, 64), torch.get_float32_matmul_precision()
    expected = kth_distance(points, None, 3)
    torch.set_float32_matmul_precision("medium")
    try:
        assert torch.equal(kth_distance(points, None, 3), expected)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("d", [1, 2, 7, 33, 128])
def test_copies_are_at_the_distance_of_their_originals(d):
    """Random features have no ties but for copies, and those must be exact whatever the place in the matrix."""
    centres = draw(300, d)
    radii = kth_distance(centres, None, 1)
    partner = torch.cdist(centres, centres).fill_diagonal_(torch.inf).argmin(1)
    copies = centres[partner]  # each lies on the surface of the ball of the centre that it is nearest to
    for order in (torch.arange(300), torch.randperm(300, generator=torch.Generator().manual_seed(0))):
        assert hits(copies[order], centres, radii)[torch.arange(300), order].all()
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
