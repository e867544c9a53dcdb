"""Pairwise distances of samples: collapse shows, the number of samples does not."""

import pytest
import torch

from lit_gans.metrics.diversity import PairwiseDistance


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def measure(real, fake):
    metric = PairwiseDistance()
    metric.update(real, real=True)
    metric.update(fake, real=False)
    return {name: float(value) for name, value in metric.compute().items()}


def test_brute_force():
    real, fake = draw(17, 3), 2 * draw(9, 3, seed=1)
    means = [
        sum(float((x[i] - x[j]).double().norm()) for i in range(len(x)) for j in range(i)) / (len(x) * (len(x) - 1) / 2)
        for x in (real, fake)
    ]
    expected = {"real": means[0], "fake": means[1], "ratio": means[1] / means[0]}
    assert measure(real, fake) == pytest.approx(expected, rel=1e-6)


def test_collapse():
    real = draw(100, 4)
    assert measure(real, real[:1].repeat(64, 1))["ratio"] == 0
    # two points, half of the samples each: 32 * 32 of 64 * 63 / 2 pairs differ
    two = torch.tensor([[0.0], [3.0]]).repeat(32, 1)
    assert measure(torch.tensor([[0.0], [1.0]]), two)["fake"] == pytest.approx(3 * 32 * 32 / (64 * 63 / 2))
    falling = [measure(real, draw(100, 4, seed=1) * scale)["ratio"] for scale in (1, 0.5, 0.1, 0.01)]
    assert falling == sorted(falling, reverse=True) and falling[0] == pytest.approx(1, abs=0.1)
    assert falling[-1] == pytest.approx(falling[0] / 100, rel=1e-5)


def test_the_number_of_samples_does_not_matter():
    real = draw(1500, 8)
    few = sum(measure(real, draw(20, 8, seed=1 + i))["ratio"] for i in range(40)) / 40
    assert few == pytest.approx(1, abs=0.02)


def test_reals_that_are_all_the_same():
    same = torch.ones(5, 2)
    assert measure(same, draw(5, 2))["ratio"] == float("inf")
    assert measure(same, same)["ratio"] != 0  # NaN, not 0: nothing collapsed
