"""Memorisation: copies, near copies and honest samples."""

import os
from pathlib import Path
from statistics import median

import pytest
import torch
from conftest import refused

from lit_gans.data.mnist import read_idx
from lit_gans.errors import UsageError
from lit_gans.metrics.memorisation import Memorisation


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def measure(train, test, fake, **arguments):
    metric = Memorisation(**arguments)
    metric.update(train, real=True)
    metric.update(test, real=True, split="test")
    metric.update(fake, real=False)
    return {name: float(value) for name, value in metric.compute().items()}


def nearest(points, train):
    return [min(float((p - t).norm()) for t in train.double()) for p in points.double()]


@pytest.mark.parametrize("counts", [(30, 20, 10), (7, 8, 41)], ids=str)
@pytest.mark.parametrize("tail", [0.0, 0.01, 0.3, 1.0])
def test_brute_force(counts, tail):
    train, test, fake = (draw(count, 3, seed=count) for count in counts)
    unseen, made = sorted(nearest(test, train)), nearest(fake, train)
    place = tail * (len(unseen) - 1)
    limit = unseen[int(place)] + (place % 1) * (unseen[min(int(place) + 1, len(unseen) - 1)] - unseen[int(place)])
    expected = {"ratio": median(made) / median(unseen), "share_closer": sum(m < limit for m in made) / len(made)}
    assert measure(train, test, fake, tail=tail) == pytest.approx(expected, rel=1e-6)


def test_copies_and_honest_samples():
    train, test = draw(500, 8), draw(400, 8, seed=1)
    assert measure(train, test, train[:300]) == {"ratio": 0, "share_closer": 1}
    near = measure(train, test, train[:300] + 0.01 * draw(300, 8, seed=2))
    assert near["ratio"] < 0.05 and near["share_closer"] == 1
    honest = measure(train, test, draw(1000, 8, seed=3))
    assert honest["ratio"] == pytest.approx(1, abs=0.08) and honest["share_closer"] < 0.05
    half = measure(train, test, torch.cat([train[:300], draw(300, 8, seed=4)]))
    assert half["share_closer"] == pytest.approx(0.5, abs=0.03)
    far = measure(train, test, draw(300, 8, seed=5) + 30)
    assert far["ratio"] > 5 and far["share_closer"] == 0


def test_training_samples_in_place_of_test_samples(monkeypatch):
    """Each against all others, whatever the order and however many are looked at at a time."""
    monkeypatch.setattr("lit_gans.metrics.memorisation._AT_ONCE", 3 * 7)
    train, fake = draw(30, 3, seed=1), draw(12, 3, seed=2)

    def alone(train, fake, count):
        metric = Memorisation(held_out=False, count=count, tail=0.3, reset_real=False)
        metric.update(train, real=True)
        metric.update(fake, real=False)
        values = {name: float(value) for name, value in metric.compute().items()}
        metric.reset()
        metric.update(fake, real=False)
        assert {name: float(value) for name, value in metric.compute().items()} == values
        return values

    others = [torch.cat([train[:i], train[i + 1 :]]) for i in range(30)]
    unseen = torch.tensor([nearest(train[i : i + 1], others[i])[0] for i in range(30)])
    made = torch.tensor(nearest(fake, train))
    expected = {
        "ratio": made.quantile(0.5) / unseen.quantile(0.5),
        "share_closer": (made < unseen.quantile(0.3)).float().mean(),
    }
    for count in (30, 99):
        assert alone(train, fake, count) == pytest.approx({k: float(v) for k, v in expected.items()}, rel=1e-5)
    assert alone(train, train[:5], 10) == {"ratio": 0, "share_closer": 1}
    honest = alone(draw(500, 8), draw(500, 8, seed=3), 200)
    assert honest["ratio"] == pytest.approx(1, abs=0.1) and honest["share_closer"] == pytest.approx(0.3, abs=0.1)
    refused(lambda: Memorisation(count=1), "count must be at least 2, got 1")


def test_a_test_set_that_was_trained_on():
    train = draw(20, 2)
    assert measure(train, train, draw(9, 2, seed=1))["ratio"] == float("inf")
    assert measure(train, train, train)["ratio"] != measure(train, train, train)["ratio"]  # NaN


def test_wrong_arguments():
    with pytest.raises(UsageError, match="split must be 'train' or 'test', got 'val'"):
        Memorisation().update(draw(3, 2), real=True, split="val")
    with pytest.raises(UsageError, match=r"tail.* must be in \[0, 1\], got 5"):
        Memorisation(tail=5)


def test_modules_have_methods_of_these_names():
    metric = Memorisation()
    metric.update(draw(3, 2), real=True)
    metric.eval()
    assert callable(metric.train)


def test_real_digits():
    root = os.environ.get("LIT_GANS_DATA")
    if not root or not (folder := Path(root) / "MNIST" / "raw").is_dir():
        pytest.skip("LIT_GANS_DATA names no folder with MNIST/raw")
    digits = [torch.as_tensor(read_idx(folder / f"{part}-images-idx3-ubyte")) for part in ("train", "t10k")]
    train, test = (x[:4000].reshape(-1, 784) / 127.5 - 1 for x in digits)
    unseen = measure(train[:2000], test[:1000], train[2000:3000])
    assert unseen["ratio"] == pytest.approx(1, abs=0.1) and unseen["share_closer"] < 0.04
    copied = measure(train[:2000], test[:1000], train[:1000] + 0.05 * draw(1000, 784))
    assert copied["ratio"] < 0.3 and copied["share_closer"] > 0.8
