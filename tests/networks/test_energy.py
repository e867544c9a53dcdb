"""The autoencoder's parts, and the discriminator that judges by the copy."""

import pytest
import torch
from conftest import refused
from torch import nn

from lit_gans.networks.autoencoder import (
    AutoEncoderDiscriminator,
    ConvDecoder,
    ConvEncoder,
    VanishingResidual,
    levels,
)

SHAPES = [(1, 8, 8), (3, 9, 8), (4, 15, 16), (1, 28, 28), (3, 17, 31), (1, 12, 40), (3, 64, 64)]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


@pytest.mark.parametrize("side, n", [(8, 0), (11, 0), (12, 1), (16, 1), (28, 2), (32, 2), (64, 3), (128, 4)])
def test_the_coarsest_map_is_about_8_pixels(side, n):
    assert levels((3, side, 2 * side)) == n and 5 < side / 2**n < 12


@shapes
@pytest.mark.parametrize(
    "options",
    [{}, {"skip": True, "vanishing": True}, {"norm": "batch"}, {"norm": "weight"}, {"strided": True, "norm": "batch"}],
    ids=lambda options: "-".join(options) or "plain",
)
def test_discriminator(shape, options):
    net = AutoEncoderDiscriminator(shape, width=4, code_dim=5, **options)
    image = (torch.rand(3, *shape) * 2 - 1).requires_grad_()
    energies, codes = net(image, return_codes=True)
    assert energies.shape == (3,) and energies.min() > 0 and codes.shape == (3, 5)
    assert net.reconstruct(image).shape == image.shape
    energies.sum().backward()
    assert image.grad.flatten(1).abs().sum(1).gt(0).all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("power", [1, 2])
def test_energy_is_the_mean_error_of_the_copy(power):
    net = AutoEncoderDiscriminator((3, 16, 12), width=4, power=power).eval()
    image = torch.rand(4, 3, 16, 12) * 2 - 1
    expected = [
        (a - b).abs().pow(power).sum() / (3 * 16 * 12) for a, b in zip(image, net.reconstruct(image), strict=True)
    ]
    torch.testing.assert_close(net(image), torch.stack(expected))
    torch.testing.assert_close(net(image, return_codes=True)[1], net.encode(image))


def test_energy_is_float32_under_autocast():
    net = AutoEncoderDiscriminator((1, 16, 16), width=4)
    with torch.autocast("cpu", torch.bfloat16):
        assert net(torch.rand(2, 1, 16, 16)).dtype == torch.float32


@shapes
@pytest.mark.parametrize("upsampling", ["resize", "bilinear", "transposed", "subpixel"])
def test_decoder(shape, upsampling):
    net = ConvDecoder(shape, latent_dim=5, width=4, upsampling=upsampling, norm="layer", skip=True)
    image = net(2 * torch.randn(3, 5))
    assert image.shape == (3, *shape) and image.is_contiguous() and image.abs().max() <= 1 and image.std() > 0
    image.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_filters_grow_linearly_in_the_encoder_and_not_in_the_decoder():
    encoder, decoder = ConvEncoder((3, 64, 64), width=4), ConvDecoder((3, 64, 64), width=4)
    convs = [[m for m in net.modules() if isinstance(m, nn.Conv2d)] for net in (encoder, decoder)]
    widths = [4, 4, 4, 8, 8, 8, 12, 12, 12, 16, 16, 16]
    assert [conv.out_channels for conv in convs[0]] == widths
    assert [conv.stride[0] for conv in convs[0]] == [1, 1, 1, 2, 1, 1, 2, 1, 1, 2, 1, 1]
    assert [conv.out_channels for conv in convs[1]] == [4] * 8 + [3]
    assert sum(isinstance(m, nn.ELU) for m in encoder.modules()) == 12
    assert not any(isinstance(m, nn.BatchNorm2d) for net in (encoder, decoder) for m in net.modules())


def test_skip_connections_bring_the_coarsest_map_to_every_level():
    net = ConvDecoder((1, 32, 32), latent_dim=3, width=4, skip=True)
    assert [level[0][0].in_channels for level in net.levels] == [4, 8, 8]
    seen = []
    net.levels[2].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    code = torch.randn(2, 3)
    net(code)
    coarse = net.project(code).view(2, 4, 8, 8)
    torch.testing.assert_close(seen[0][:, 4:], coarse.repeat_interleave(4, 2).repeat_interleave(4, 3))


def test_vanishing_residual():
    net, x = VanishingResidual(nn.Linear(3, 3)), torch.randn(2, 3)
    assert torch.equal(net(x), net.layer(x))
    net.carry.fill_(0.25)
    torch.testing.assert_close(net(x), 0.25 * x + 0.75 * net.layer(x))
    fading = AutoEncoderDiscriminator((1, 16, 16), width=4, vanishing=True)
    assert sum(isinstance(m, VanishingResidual) for m in fading.modules()) == 8
    assert not any(isinstance(m, VanishingResidual) for m in AutoEncoderDiscriminator((1, 16, 16), width=4).modules())


def test_refused():
    refused(lambda: ConvEncoder((1, 7, 28)), "at least 8x8", "(1, 7, 28)")
    refused(lambda: ConvDecoder((0, 28, 28)), "at least 8x8")
    refused(lambda: AutoEncoderDiscriminator((1, 28, 28), power=3), "1 (absolute errors)", "3")
