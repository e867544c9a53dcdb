"""The discriminator that judges by the copy, made of any encoder and generator."""

import pytest
import torch
from conftest import refused
from players import SHAPES
from torch import nn

from lit_gans.networks import AutoEncoderDiscriminator, BEGANBackbone, DCGANBackbone, MLPBackbone, StyleBackbone

BACKBONES = {
    "began": BEGANBackbone(width=4),
    "skip-vanishing": BEGANBackbone(width=4, skip=True, vanishing=True),
    "dcgan": DCGANBackbone(width=4, generator_norm="layer", discriminator_norm="layer"),
    "style": StyleBackbone(width=4, style_dim=8),
    "mlp": MLPBackbone((8,), (8,)),
}
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)
backbones = pytest.mark.parametrize("backbone", BACKBONES.values(), ids=BACKBONES)


def judge(backbone, shape, **options):
    torch.manual_seed(0)
    return AutoEncoderDiscriminator(backbone.encoder(shape, 5), backbone.generator(shape, 5), **options)


@shapes
@backbones
def test_discriminator(shape, backbone):
    net = judge(backbone, shape)
    image = (torch.rand(3, *shape) * 2 - 1).requires_grad_()
    energies, codes = net(image, return_codes=True)
    assert energies.shape == (3,) and energies.min() > 0 and codes.shape == (3, 5)
    assert net.reconstruct(image).shape == image.shape
    energies.sum().backward()
    assert image.grad.flatten(1).abs().sum(1).gt(0).all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("bounded", [True, False])
def test_energy_is_the_mean_error_of_the_copy(power, bounded):
    net = judge(BACKBONES["began"], (3, 16, 12), power=power, bounded=bounded).eval()
    image = torch.rand(4, 3, 16, 12) * 2 - 1
    copies = net.decoder.logits(net.encode(image))
    copies = copies.tanh() if bounded else copies
    assert torch.equal(net.reconstruct(image), copies)
    expected = [(a - b).abs().pow(power).sum() / (3 * 16 * 12) for a, b in zip(image, copies, strict=True)]
    torch.testing.assert_close(net(image), torch.stack(expected))
    torch.testing.assert_close(net(image, return_codes=True)[1], net.encode(image))


def test_energy_is_float32_under_autocast():
    net = judge(BACKBONES["began"], (1, 16, 16))
    with torch.autocast("cpu", torch.bfloat16):
        assert net(torch.rand(2, 1, 16, 16)).dtype == torch.float32


def test_refused():
    parts = nn.Flatten(), nn.Linear(5, 3)
    refused(lambda: AutoEncoderDiscriminator(*parts, power=3), "1 (absolute errors)", "3")
    refused(
        lambda: AutoEncoderDiscriminator(*parts, bounded=False), "unbounded copies", "Linear does not have a method"
    )
    AutoEncoderDiscriminator(*parts)
