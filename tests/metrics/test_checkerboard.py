"""The checkerboard measure: patterns, untrained up-sampling networks and real pictures."""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms.functional import center_crop, pil_to_tensor, resize

from lit_gans.data.mnist import read_idx
from lit_gans.errors import UsageError
from lit_gans.metrics.checkerboard import Checkerboard


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def measure(*batches):
    metric = Checkerboard()
    for batch in batches:
        metric.update(batch)
    value = metric.compute()
    assert value.shape == () and value.isfinite()
    return float(value)


def smooth(count=200, size=32, seed=0):
    """Random images with the 1 / f spectrum of photographs."""
    f = torch.fft.fftfreq(size)
    fall = 1 / (f[:, None].square() + f.square()).sqrt().clamp_min(1 / size)
    return torch.fft.ifft2(torch.fft.fft2(draw(count, 1, size, size, seed=seed)) * fall).real


def generator(step, channels=16):
    """Three doublings from 4 x 4 to 32 x 32, as generators begin: features of ReLUs, then tanh."""
    layers = []
    for out in (channels, channels, 3):
        layers += [*step(channels, out), nn.ReLU()]
    return nn.Sequential(*layers[:-1], nn.Tanh())


STEPS = {
    "deconvolution 3": lambda c, o: [nn.ConvTranspose2d(c, o, 3, 2, 1, output_padding=1)],
    "deconvolution 5": lambda c, o: [nn.ConvTranspose2d(c, o, 5, 2, 2, output_padding=1)],
    "nearest": lambda c, o: [nn.Upsample(scale_factor=2), nn.Conv2d(c, o, 3, padding=1)],
    "bilinear": lambda c, o: [nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(c, o, 3, padding=1)],
}


def untrained(name, seed):
    torch.manual_seed(seed)
    with torch.no_grad():
        return measure(generator(STEPS[name])(draw(100, 16, 4, 4, seed=seed)))


@pytest.mark.parametrize("seed", range(4))
def test_untrained_networks(seed):
    bad = min(untrained(name, seed) for name in ("deconvolution 3", "deconvolution 5"))
    good = max(untrained(name, seed) for name in ("nearest", "bilinear"))
    assert bad > 5 and good < 1.2


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (33, 30), (9, 64)], ids=str)
def test_white_noise_of_any_size(size):
    assert measure(draw(2000, 1, *size)) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("size", [16, 31, 64])
@pytest.mark.parametrize("period", [2, 4])
def test_patterns(size, period):
    images = smooth(size=size)
    row = torch.arange(size) % period
    pattern = (row == 0).float() + (row[:, None] == 1).float()
    values = [measure(images + strength * images.std() * pattern) for strength in (0, 0.1, 0.3, 1)]
    assert values[0] == pytest.approx(1, abs=0.15)
    assert values == sorted(values) and values[-1] > 2


def test_a_checkerboard_alone_is_seen():
    """It has one of the nine frequencies, (1/2, 1/2)."""
    board = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 2.0 - 1
    images = smooth()
    assert measure(images + 0.5 * images.std() * board) > 2 * measure(images)


def test_period_of_the_modulation():
    """Contrast instead of brightness that changes from pixel to pixel, as an uneven overlap does; other periods not."""
    images, column = smooth(), torch.arange(32)
    images = 0.3 * images / images.std() + 0.5
    assert measure(images * (1 + 0.2 * (column % 2))) > 1.5
    assert measure(images * (1 + 0.2 * (column % 3 == 0))) == pytest.approx(1, abs=0.2)


def test_what_does_not_matter():
    images = smooth(50) + 0.1 * torch.arange(32) % 2
    value = measure(images)
    for changed in (images.flip(0), 5 * images, images + 3, images.mT, images.flip(2), images.expand(-1, 3, -1, -1)):
        assert measure(changed) == pytest.approx(value, rel=1e-3)
    assert measure(images[:7], images[7:7], images[7:]) == pytest.approx(value, rel=1e-4)


def test_images_without_detail():
    assert measure(torch.full((4, 3, 16, 16), 0.3)) == pytest.approx(1)
    low = torch.cos(torch.arange(32) * 2 * torch.pi / 32).expand(5, 1, 32, 32)
    assert measure(low) == pytest.approx(1, abs=0.01)  # rounding is no pattern


def test_processes_and_reset():
    images = smooth(20)
    ours, theirs = Checkerboard(), Checkerboard()
    ours.update(images[:3])
    theirs.update(images[3:])
    ours.merge_state(theirs)
    assert float(ours.compute()) == pytest.approx(measure(images), rel=1e-4)
    ours.reset()
    ours.update(images[:3])
    assert float(ours.compute()) == pytest.approx(measure(images[:3]), rel=1e-6)


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
def test_wrong_images():
    for wrong, message in [
        (torch.zeros(2, 1, 7, 32), "8 x 8 pixels or more, got"),
        (torch.zeros(2, 8, 8), "expects"),
        (torch.zeros(2, 1, 8, 8).long(), "floats"),
        (torch.full((1, 1, 8, 8), torch.nan), "finite images"),
    ]:
        with pytest.raises(UsageError, match=message):
            Checkerboard().update(wrong)
    with pytest.raises(UsageError, match="Checkerboard needs images, got none"):
        Checkerboard().compute()


def real(*folders):
    root = os.environ.get("LIT_GANS_DATA")
    if not root or not (folder := Path(root).joinpath(*folders)).is_dir():
        pytest.skip(f"LIT_GANS_DATA names no folder with {'/'.join(folders)}")
    return folder


def test_real_digits():
    folder = real("MNIST", "raw")
    digits = torch.as_tensor(read_idx(folder / "t10k-images-idx3-ubyte")[:1000]).view(-1, 1, 28, 28) / 127.5 - 1
    assert measure(digits) == pytest.approx(1, abs=0.1)
    assert measure(digits[..., 1:, 1:]) == pytest.approx(1, abs=0.1)  # 27 pixels, cropped to 24


@pytest.mark.parametrize("size", [32, 64])
def test_real_faces(size):
    files = sorted(real("celeba", "img_align_celeba").glob("*.jpg"))[:150]
    pictures = [center_crop(pil_to_tensor(Image.open(file)), [178, 178]) for file in files]
    images = resize(torch.stack(pictures), [size, size], antialias=True) / 127.5 - 1
    assert measure(images) == pytest.approx(1, abs=0.1)
