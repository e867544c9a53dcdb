"""The sliced Wasserstein distance against brute force."""

from itertools import pairwise
from math import pi

import pytest
import torch

from lit_gans.errors import UsageError
from lit_gans.metrics import SlicedWasserstein


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def give(metric, real, fake):
    metric.update(real, real=True)
    metric.update(fake, real=False)


def distance(real, fake, **arguments):
    metric = SlicedWasserstein(**arguments)
    give(metric, real, fake)
    value = metric.compute()
    assert value.shape == () and value.isfinite()
    return float(value)


def transport(left, right):
    """W1 of two lists of numbers: the area between their distribution functions."""
    steps = sorted({*left, *right})
    return sum(
        abs(sum(x <= a for x in left) / len(left) - sum(x <= a for x in right) / len(right)) * (b - a)
        for a, b in pairwise(steps)
    )


@pytest.mark.parametrize("shape", [(12, 2), (9, 3, 2, 2)], ids=str)
@pytest.mark.parametrize("directions, seed", [(1, 0), (17, 5)])
def test_brute_force(shape, directions, seed):
    real, fake = draw(*shape), 1.5 * draw(*shape, seed=1) + 0.3
    rows = [x.flatten(1).double().tolist() for x in (real, fake)]
    total = 0.0
    for direction in SlicedWasserstein(directions, seed)._draw(len(rows[0][0])).T.double().tolist():
        assert sum(d * d for d in direction) == pytest.approx(1)
        total += transport(*([sum(d * v for d, v in zip(direction, row, strict=True)) for row in x] for x in rows))
    assert distance(real, fake, directions=directions, seed=seed) == pytest.approx(total / directions, rel=1e-5)


def test_one_dimension_is_w1():
    # on a line all directions are +1 or -1
    real, fake = draw(50, 1), 2 * draw(50, 1, seed=1) + 1
    expected = transport(real.flatten().double().tolist(), fake.flatten().double().tolist())
    assert distance(real, fake) == pytest.approx(expected, rel=1e-5)


def test_shift_in_the_plane():
    # E|cos| over all directions is 2 / pi
    real = draw(100, 2)
    assert distance(real, real + torch.tensor([3.0, 4.0]), directions=4096) == pytest.approx(5 * 2 / pi, rel=0.03)


@pytest.mark.parametrize("shape", [(1, 4), (30, 2), (8, 3, 4, 4)], ids=str)
def test_equal_sets(shape):
    real = draw(*shape)
    assert distance(real, real.flip(0)) == pytest.approx(0, abs=1e-6)  # in any order
    assert distance(real, real.repeat_interleave(3, 0)) == pytest.approx(0, abs=1e-6)  # in any number


@pytest.mark.parametrize("change", ["shift", "noise", "scale"])
def test_grows_with_the_change(change):
    real, noise = draw(200, 1, 4, 4), draw(200, 1, 4, 4, seed=1)
    alter = {"shift": lambda s: real + s, "noise": lambda s: real + s * noise, "scale": lambda s: real * (1 + s)}
    values = [distance(real, alter[change](strength)) for strength in (0.0, 0.1, 0.5, 1.0, 2.0)]
    assert values[0] == 0 and all(a < b for a, b in pairwise(values))


def test_symmetric_and_linear_in_scale():
    real, fake = draw(40, 6), draw(40, 6, seed=1) + 1
    assert distance(real, fake) == pytest.approx(distance(fake, real), rel=1e-5)
    assert distance(3 * real, 3 * fake) == pytest.approx(3 * distance(real, fake), rel=1e-5)


@pytest.mark.parametrize("real_count, fake_count", [(400, 300), (300, 400), (300, 600), (301, 300)])
def test_unequal_counts(real_count, fake_count):
    real, fake = draw(real_count, 1), draw(fake_count, 1, seed=1) + 1
    expected = transport(real.flatten().double().tolist(), fake.flatten().double().tolist())
    assert distance(real, fake) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("sizes", [(10, 10, 10), (1, 24, 5)], ids=str)
def test_batches_do_not_matter(sizes):
    real, fake = draw(30, 5), draw(30, 5, seed=1)
    metric = SlicedWasserstein()
    for r, f in zip(real.split(sizes), fake.split(sizes), strict=True):
        give(metric, r, f)
    assert float(metric.compute()) == pytest.approx(distance(real, fake), rel=1e-6)


def test_reset():
    metric = SlicedWasserstein()
    give(metric, draw(5, 2), draw(5, 2) + 100)
    metric.reset()
    give(metric, draw(5, 2), draw(5, 2))
    assert float(metric.compute()) == 0


def test_seed_of_the_directions():
    real, fake, before = draw(20, 8), draw(20, 8, seed=1), torch.get_rng_state()
    assert distance(real, fake, directions=4) == distance(real, fake, directions=4)
    assert distance(real, fake, directions=4) != distance(real, fake, directions=4, seed=1)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
def test_empty():
    metric = SlicedWasserstein()
    with pytest.raises(UsageError, match="call update\\(samples, real=True\\) first"):
        metric.compute()
    give(metric, draw(3, 2), draw(3, 2))
    metric.reset()
    with pytest.raises(UsageError, match=r"no (real|fake) samples"):
        metric.compute()


def test_unequal_counts_are_exact():
    """One real at 0, two fakes at 1 and 3 on a line: every real mass travels 1 or 3, whatever the direction's sign."""
    metric = SlicedWasserstein(directions=4)
    give(metric, torch.zeros(1, 1), torch.tensor([[1.0], [3.0]]))
    assert float(metric.compute()) == pytest.approx(2.0)


@pytest.mark.parametrize("counts", [(0, 3), (3, 0)])
def test_an_empty_side_is_refused(counts):
    metric = SlicedWasserstein(directions=4)
    give(metric, torch.zeros(counts[0], 2), torch.zeros(counts[1], 2))
    with pytest.raises(UsageError, match=r"no (real|fake) samples"):
        metric.compute()
