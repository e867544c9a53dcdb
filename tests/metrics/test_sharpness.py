"""Sharpness against a loop over pixels, and on real digits."""

import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from lit_gans.data.mnist import read_idx
from lit_gans.errors import UsageError
from lit_gans.metrics.sharpness import Sharpness


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def measure(*batches):
    metric = Sharpness()
    for batch in batches:
        metric.update(batch)
    value = metric.compute()
    assert value.shape == () and value.isfinite()
    return float(value)


@pytest.mark.parametrize("shape", [(3, 1, 3, 3), (2, 1, 5, 4), (2, 3, 4, 6)], ids=str)
def test_brute_force(shape):
    images, total = draw(*shape), 0.0
    for image in images.tolist():
        weights = (0.299, 0.587, 0.114) if len(image) == 3 else (1.0,)
        height, width = len(image[0]), len(image[0][0])
        y = [
            [sum(w * c[i][j] for w, c in zip(weights, image, strict=True)) for j in range(width)] for i in range(height)
        ]
        values = [
            y[i - 1][j] + y[i + 1][j] + y[i][j - 1] + y[i][j + 1] - 4 * y[i][j]
            for i in range(1, height - 1)
            for j in range(1, width - 1)
        ]
        mean = sum(values) / len(values)
        total += sum((v - mean) ** 2 for v in values) / len(values)
    assert measure(images) == pytest.approx(total / shape[0], rel=1e-5, abs=1e-9)


def test_what_it_does_not_see():
    ramp = torch.linspace(-1, 1, 16).expand(2, 3, 12, 16)
    assert measure(ramp) == pytest.approx(0, abs=1e-10)
    images = draw(4, 1, 12, 12)
    assert measure(images + 3) == pytest.approx(measure(images), rel=1e-5)
    assert measure(images.flip(2)) == pytest.approx(measure(images), rel=1e-5)
    assert measure(images.mT) == pytest.approx(measure(images), rel=1e-5)
    assert measure(images.expand(-1, 3, -1, -1)) == pytest.approx(measure(images), rel=1e-5)  # grey as colours
    assert measure(2 * images) == pytest.approx(4 * measure(images), rel=1e-5)


def test_white_noise():
    assert measure(0.1 * draw(50, 1, 40, 40)) == pytest.approx(20 * 0.01, rel=0.02)


def test_batches_processes_and_reset():
    images = draw(9, 1, 8, 8)
    assert measure(*images.split((2, 6, 1)), images[:0]) == pytest.approx(measure(images), rel=1e-6)
    ours, theirs = Sharpness(), Sharpness()
    ours.update(images[:2])
    theirs.update(images[2:])
    ours.merge_state(theirs)
    assert float(ours.compute()) == pytest.approx(measure(images), rel=1e-6)
    assert {str(f) for f in ours._reductions.values()} == {str(next(iter(ours._reductions.values())))}  # sums only
    ours.reset()
    ours.update(images[:2])
    assert float(ours.compute()) == pytest.approx(measure(images[:2]), rel=1e-6)


def test_sixteen_bits():
    images = draw(3, 3, 8, 8).bfloat16()
    assert measure(images) == measure(images.float())


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
def test_wrong_images():
    for wrong, message in [
        (torch.zeros(3, 8, 8), r"\(N, C, H, W\) images of 3 x 3 pixels or more, got \(3, 8, 8\)"),
        (torch.zeros(1, 1, 2, 9), "3 x 3 pixels or more"),
        (torch.zeros(1, 1, 9, 9).long(), r"images as floats in \[-1, 1\] or as uint8, got torch.int64"),
        (torch.zeros(1, 1, 9, 9) / 0, "finite images, got NaN or infinity"),
    ]:
        with pytest.raises(UsageError, match=message):
            Sharpness().update(wrong)
    with pytest.raises(UsageError, match="Sharpness needs images, got none"):
        Sharpness().compute()


def test_real_digits():
    root = os.environ.get("LIT_GANS_DATA")
    if not root or not (folder := Path(root) / "MNIST" / "raw").is_dir():
        pytest.skip("LIT_GANS_DATA names no folder with MNIST/raw")
    digits = torch.as_tensor(read_idx(folder / "t10k-images-idx3-ubyte")[:500]).view(-1, 1, 28, 28) / 127.5 - 1
    blurred = F.avg_pool2d(F.pad(digits, (1, 1, 1, 1), value=-1), 3, 1)
    sharpened = digits + 0.5 * (digits - blurred)
    values = [measure(x) for x in (blurred, digits, sharpened)]
    assert 3 * values[0] < values[1] < values[2] / 1.3
