"""Precision and recall, density and coverage against double loops in exact arithmetic."""

import os
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from lit_gans.data.mnist import read_idx
from lit_gans.errors import UsageError
from lit_gans.metrics.manifold import DensityCoverage, PrecisionRecall


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def grid(n, d, seed):
    """Points with many equal distances and copies."""
    return torch.randint(0, 4, (n, d), generator=torch.Generator().manual_seed(seed)).float()


def measure(cls, real, fake, k):
    metric = cls(k=k).set_dtype(torch.float64)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    return {name: float(value) for name, value in metric.compute().items()}


def square(x, y):
    return sum((a - b) ** 2 for a, b in zip(x, y, strict=True))


def brute_force(real, fake, k):
    real, fake = ([[Fraction(v) for v in row] for row in x.tolist()] for x in (real, fake))
    radius = {}
    for name, points in (("real", real), ("fake", fake)):
        radius[name] = [
            sorted(square(x, y) for j, y in enumerate(points) if j != i)[k - 1] for i, x in enumerate(points)
        ]
    fake_in_real = [[square(f, r) <= limit for r, limit in zip(real, radius["real"], strict=True)] for f in fake]
    real_in_fake = [[square(r, f) <= limit for f, limit in zip(fake, radius["fake"], strict=True)] for r in real]
    return {
        "precision": sum(map(any, fake_in_real)) / len(fake),
        "recall": sum(map(any, real_in_fake)) / len(real),
        "density": sum(map(sum, fake_in_real)) / k / len(fake),
        "coverage": sum(map(any, zip(*fake_in_real, strict=True))) / len(real),
    }


@pytest.mark.parametrize("kind", ["random", "ties", "copies", "collapsed"])
@pytest.mark.parametrize("counts", [(30, 30), (14, 31), (31, 14), (6, 6)], ids=str)
@pytest.mark.parametrize("k", [1, 3, 5])
def test_brute_force(kind, counts, k):
    real, fake = draw(counts[0], 3), draw(counts[1], 3, seed=1) * 0.8 + 0.2
    if kind == "ties":
        real, fake = grid(counts[0], 3, 0), grid(counts[1], 3, 1)
    elif kind == "copies":
        fake[::2] = real[torch.arange(len(fake[::2])) % len(real)]
        real[-2:] = real[0]
    elif kind == "collapsed":
        fake = real[:1].repeat(len(fake), 1)
    expected = brute_force(real, fake, k)
    found = {**measure(PrecisionRecall, real, fake, k), **measure(DensityCoverage, real, fake, k)}
    assert found == pytest.approx(expected, rel=1e-14, abs=0)


def test_equal_sets():
    real = draw(200, 5)
    assert measure(PrecisionRecall, real, real, 3) == {"precision": 1, "recall": 1}
    # on average a point lies in k balls of others, and always in its own
    assert measure(DensityCoverage, real, real.flip(0), 5) == {"density": 1.2, "coverage": 1}


def test_equal_distributions():
    """The value that Naeem et al. derive: 1 - product of (N - i) / (M + N - i), here for M = N and k = 5."""
    values = [measure(DensityCoverage, draw(400, 2, seed=i), draw(400, 2, seed=50 + i), 5) for i in range(5)]
    expected = 1.0
    for i in range(1, 6):
        expected *= (400 - i) / (800 - i)
    assert sum(v["coverage"] for v in values) / 5 == pytest.approx(1 - expected, abs=0.01)
    assert sum(v["density"] for v in values) / 5 == pytest.approx(1, abs=0.05)


def test_what_each_one_sees():
    real = torch.cat([draw(150, 2), draw(150, 2, seed=1) + 40])
    dropped, far = draw(300, 2, seed=2), draw(300, 2, seed=3) + 500
    good = torch.cat([draw(150, 2, seed=4), draw(150, 2, seed=5) + 40])
    pr = {name: measure(PrecisionRecall, real, x, 3) for name, x in (("good", good), ("drop", dropped), ("far", far))}
    dc = {name: measure(DensityCoverage, real, x, 5) for name, x in (("good", good), ("drop", dropped), ("far", far))}
    assert pr["good"]["precision"] > 0.9 and pr["good"]["recall"] > 0.9 and dc["good"]["coverage"] > 0.9
    assert pr["drop"]["precision"] > 0.9 and pr["drop"]["recall"] < 0.55 and dc["drop"]["coverage"] < 0.55
    assert pr["far"] == {"precision": 0, "recall": 0} and dc["far"] == {"density": 0, "coverage": 0}


def test_an_outlier():
    """One real outlier takes in fakes that are nowhere near the data: precision believes it, density hardly."""
    real = torch.cat([draw(300, 2), torch.tensor([[1000.0, 0.0]])])
    fake = draw(300, 2, seed=1) + torch.tensor([500.0, 0.0])
    assert measure(PrecisionRecall, real, fake, 3)["precision"] == 1
    assert measure(DensityCoverage, real, fake, 5)["density"] == pytest.approx(0.2)


@pytest.mark.parametrize("cls", [PrecisionRecall, DensityCoverage])
def test_wrong_k(cls):
    with pytest.raises(UsageError, match="k, the number of the neighbour at a ball's radius, must be 1 or more, got 0"):
        cls(k=0)


def test_real_digits():
    root = os.environ.get("LIT_GANS_DATA")
    if not root or not (folder := Path(root) / "MNIST" / "raw").is_dir():
        pytest.skip("LIT_GANS_DATA names no folder with MNIST/raw")
    rng = torch.Generator().manual_seed(0)
    digits = [torch.as_tensor(read_idx(folder / f"{part}-images-idx3-ubyte")) for part in ("train", "t10k")]
    # drawn, because the files are sorted by writers: the first thousand of each have coverage 0.69, not 0.96
    train, test = (x[torch.randperm(len(x), generator=rng)[:1000]].reshape(-1, 784) / 127.5 - 1 for x in digits)
    noisy = test + 0.8 * draw(1000, 784)
    pr, dc = measure(PrecisionRecall, train, test, 3), measure(DensityCoverage, train, test, 5)
    assert pr["precision"] > 0.8 and pr["recall"] > 0.8
    assert dc["density"] == pytest.approx(1, abs=0.1) and dc["coverage"] > 0.9
    assert measure(DensityCoverage, train, noisy, 5)["density"] < 0.5 * dc["density"]
    assert measure(PrecisionRecall, train, test[:1].repeat(1000, 1), 3)["recall"] < 0.01
