"""Mode coverage by hand, and the protocol's perfect models."""

from math import exp, inf, log

import pytest
import torch

from lit_gans.data import Gaussians
from lit_gans.errors import UsageError
from lit_gans.metrics.modes import ModeCoverage, nearest_mode, stacked_mode


def measure(modes, *batches):
    metric = ModeCoverage(modes)
    for batch in batches:
        metric.update(torch.as_tensor(batch, dtype=torch.int64))
    values = metric.compute()
    assert all(value.shape == () and value.is_floating_point() for value in values.values())
    return {name: float(value) for name, value in values.items()}


@pytest.mark.parametrize(
    "modes, samples, expected",
    [
        (4, [0, 0, 2, 2], {"modes": 2, "high_quality": 1, "kl": log(2)}),
        (4, [3, 1, 2, 0], {"modes": 4, "high_quality": 1, "kl": 0}),
        (25, [7] * 100, {"modes": 1, "high_quality": 1, "kl": log(25)}),
        (2, [0, 0, 0, 1], {"modes": 2, "high_quality": 1, "kl": 0.75 * log(1.5) + 0.25 * log(0.5)}),
        (2, [0, 0, 0, 1, -1, -1, -1, -1], {"modes": 2, "high_quality": 0.5, "kl": 0.75 * log(1.5) + 0.25 * log(0.5)}),
        (3, [-1, -1], {"modes": 0, "high_quality": 0, "kl": inf}),
        (1, [0, 0], {"modes": 1, "high_quality": 1, "kl": 0}),
        (1000, [999], {"modes": 1, "high_quality": 1, "kl": log(1000)}),
    ],
)
def test_by_hand(modes, samples, expected):
    assert measure(modes, samples) == pytest.approx(expected, rel=1e-6, abs=1e-7)
    assert measure(modes, samples[::-1]) == measure(modes, samples)
    assert measure(modes, *([x] for x in samples), []) == measure(modes, samples)


def test_floor_of_the_divergence():
    """A perfect model of 1000 modes has (K - 1) / 2n, not 0."""
    rng = torch.Generator().manual_seed(0)
    found = [measure(1000, torch.randint(0, 1000, (26_000,), generator=rng))["kl"] for _ in range(10)]
    assert sum(found) / 10 == pytest.approx(999 / 52_000, rel=0.05)


def test_uniform_is_never_below_zero():
    for modes in range(1, 60):
        assert 0 <= measure(modes, range(modes), range(modes))["kl"] < 1e-12


def test_two_processes_and_reset():
    left, right = torch.tensor([0, 0, -1, 4]), torch.tensor([1, 4, 4, -1, -1, 0, 2])
    ours, theirs = ModeCoverage(5), ModeCoverage(5)
    ours.update(left)
    theirs.update(right)
    merged = ModeCoverage(5, distributed_available_fn=lambda: True, dist_sync_fn=lambda x, group: [x, theirs.counts])
    merged.update(left)
    assert {name: float(x) for name, x in merged.compute().items()} == measure(5, left, right)
    ours.merge_state(theirs)
    assert {name: float(x) for name, x in ours.compute().items()} == measure(5, left, right)
    ours.reset()
    ours.update(right)
    assert {name: float(x) for name, x in ours.compute().items()} == measure(5, right)


@pytest.mark.parametrize(
    "mode, message",
    [
        (torch.tensor([0, 4]), "modes from -1 \\(none\\) to 3, got 0 to 4"),
        (torch.tensor([-2, 3]), "got -2 to 3"),
        (torch.tensor([0.0]), r"expects \(N,\) int64, got \(1,\) torch.float32"),
        (torch.tensor([[0]]), r"got \(1, 1\)"),
    ],
)
def test_wrong_modes(mode, message):
    with pytest.raises(UsageError, match=message):
        ModeCoverage(4).update(mode)


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
def test_no_samples():
    with pytest.raises(UsageError, match="ModeCoverage needs samples, got none"):
        ModeCoverage(4).compute()
    with pytest.raises(UsageError, match="modes must be 1 or more, got 0"):
        ModeCoverage(0)


@pytest.mark.parametrize("kind, modes", [("ring", 8), ("grid", 25)])
def test_perfect_gaussians(kind, modes):
    data = Gaussians(kind)
    data.setup("fit")
    points, label = (data.splits["train"].values(name) for name in ("image", "label"))
    mode = nearest_mode(data.to_plane(points), data.means, data.sigma)
    assert ((mode == label) | (mode == -1)).all()
    found = measure(modes, mode)
    assert found["modes"] == modes and found["kl"] < 1e-3
    assert found["high_quality"] == pytest.approx(1 - exp(-4.5), abs=0.002)


def test_nearest_mode_against_a_loop():
    rng = torch.Generator().manual_seed(0)
    points, means = torch.rand(200, 3, generator=rng) * 4, torch.rand(7, 3, generator=rng) * 4
    expected = []
    for point in points:
        distances = [float((point - mean).norm()) / 0.2 for mean in means]
        best = min(range(7), key=distances.__getitem__)
        expected.append(best if distances[best] < 4 else -1)
    found = nearest_mode(points, means, 0.2, radius=4)
    assert found.tolist() == expected and found.dtype == torch.int64 and -1 in expected


def test_the_radius_itself_is_outside():
    means = torch.tensor([[0.0, 0.0], [100.0, 0.0]])
    points = torch.tensor([[1.5, 0.0], [1.4999, 0.0], [101.5, 0.0], [101.0, 1.0], [float("nan"), 0.0]])
    assert nearest_mode(points, means, sigma=0.5).tolist() == [-1, 0, -1, 1, -1]


def test_wrong_points():
    with pytest.raises(UsageError, match=r"\(N, D\) points and \(K, D\) means, got \(4, 2, 1, 1\) and \(8, 2\)"):
        nearest_mode(torch.zeros(4, 2, 1, 1), torch.zeros(8, 2), 0.1)
    for sigma, radius in ((0, 3), (-1, 3), (1, 0), (float("nan"), 3)):
        with pytest.raises(UsageError, match="sigma and radius must be positive"):
            nearest_mode(torch.zeros(4, 2), torch.zeros(8, 2), sigma, radius)


def test_stacked_digits():
    digits = torch.cartesian_prod(*[torch.arange(10)] * 3)
    assert stacked_mode(digits).tolist() == list(range(1000))
    assert stacked_mode(digits.to(torch.uint8)).tolist() == list(range(1000))
    assert measure(1000, stacked_mode(digits)) == {"modes": 1000, "high_quality": 1, "kl": pytest.approx(0, abs=1e-12)}
    for wrong, message in [
        (torch.zeros(4, 2).long(), r"expects \(N, 3\) integers, got \(4, 2\)"),
        (torch.zeros(4, 3), "torch.float32"),
        (torch.tensor([[0, 10, -1]]), "digits from 0 to 9, got -1 to 10"),
    ]:
        with pytest.raises(UsageError, match=message):
            stacked_mode(wrong)
