"""Tiles of distances that boxes leave out: fewer of them, and the same results."""

import pytest
import torch

from lit_gans.metrics.boxes import Boxes, ordered
from lit_gans.metrics.distances import inside_each_other, kth_distance


def groups(count, d, seed):
    """Points in six groups, mixed, that fill few directions."""
    generator = torch.Generator().manual_seed(seed)
    spread = torch.linspace(1, 0.05, d, dtype=torch.float64) ** 2
    middles = 4 * torch.randn(6, d, generator=torch.Generator().manual_seed(9), dtype=torch.float64) * spread
    return (
        middles[torch.randint(6, (count,), generator=generator)]
        + 0.3 * torch.randn(count, d, generator=generator, dtype=torch.float64) * spread
    )


@pytest.mark.parametrize("count", [1, 64, 65, 500])
def test_ordered_points_are_the_same_points(count):
    points = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    rows = [sorted(map(tuple, each.tolist())) for each in (points, ordered(points))]
    assert rows[0] == rows[1]


def test_ordering_draws_no_random_number_and_stands_what_is_alike_or_huge():
    state = torch.get_rng_state()
    for points in (torch.zeros(300, 2).double(), torch.full((300, 2), 1e200, dtype=torch.float64)):
        assert torch.equal(ordered(points), points)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("d", [5, 80])
def test_most_tiles_are_left_out_and_all_distances_are_the_same(d, monkeypatch):
    points, others = groups(3000, d, 0), groups(3500, d, 1)
    sizes, near_to = [], Boxes.near

    def counted(self, rows, *limits):
        sizes.append(len(rows) * len(found := near_to(self, rows, *limits)))
        return found

    monkeypatch.setattr(Boxes, "near", counted)
    mixed = kth_distance(points, None, 3)
    near = ordered(points)
    sizes.clear()
    found = kth_distance(near, None, 3)
    assert 0 < sum(sizes) < 0.5 * len(points) ** 2
    assert torch.equal(found.sort().values, mixed.sort().values)

    def hits(points, others):
        radii, theirs = kth_distance(points, None, 3), kth_distance(others, None, 3)
        sizes.clear()
        counts = torch.zeros(2, dtype=torch.int64)
        good, met = torch.zeros(len(points)), torch.zeros(len(others))
        for there, back in inside_each_other(points, others, radii, theirs):
            counts += torch.tensor([len(there[0]), len(back[0])])
            good[there[0]], met[back[1]] = 1, 1
        return [*counts.tolist(), float(good.sum()), float(met.sum())]

    expected = hits(points, others)
    assert hits(near, ordered(others)) == expected and min(expected) > 0
    assert 0 < sum(sizes) < 0.5 * len(points) * len(others)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_no_box_leaves_out_what_is_near(scale):
    """Against all distances: whatever is within a limit is among the numbers."""
    points, others = scale * groups(40, 6, 0), scale * groups(333, 6, 1)
    limits, theirs = (torch.rand(n, generator=torch.Generator().manual_seed(n)) * scale for n in (40, 333))
    distances = torch.cdist(points, others, compute_mode="donot_use_mm_for_euclid_dist")
    boxes = Boxes(others / scale, 1e-5, 1e-30)
    for ours, of_others in ((limits, None), (None, theirs), (limits, theirs)):
        within = torch.zeros(40, 333, dtype=torch.bool)
        if ours is not None:
            within |= distances <= ours[:, None]
        if of_others is not None:
            within |= distances <= of_others
        squares = [None if each is None else (each / scale).square() for each in (ours, of_others)]
        near = boxes.near(points / scale, *squares)
        assert set(within.any(0).nonzero()[:, 0].tolist()) <= set(near.tolist()) and len(near.unique()) == len(near)
