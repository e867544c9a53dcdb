"""BEGAN's encoder and decoder: any shape, filters that grow linearly, skips and vanishing residuals."""

import pytest
import torch
from conftest import refused
from players import SHAPES, check_discriminator, check_generator
from torch import nn

from lit_gans.networks import BEGANBackbone
from lit_gans.networks.began import ConvDecoder, ConvEncoder, VanishingResidual, levels

shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


@pytest.mark.parametrize("side, n", [(8, 0), (11, 0), (12, 1), (16, 1), (28, 2), (32, 2), (64, 3), (128, 4)])
def test_the_coarsest_map_is_about_8_pixels(side, n):
    assert levels((3, side, 2 * side)) == n and 5 < side / 2**n < 12


@shapes
@pytest.mark.parametrize("upsampling", ["resize", "bilinear", "transposed", "subpixel"])
def test_decoder(shape, upsampling):
    check_generator(ConvDecoder(shape, latent_dim=5, width=4, upsampling=upsampling, norm="layer", skip=True), shape)


@shapes
@pytest.mark.parametrize("options", [{}, {"vanishing": True}, {"norm": "layer"}, {"norm": "weight"}], ids=str)
def test_an_encoder_with_one_output_is_a_discriminator(shape, options):
    for outputs in (1, 5):
        check_discriminator(ConvEncoder(shape, outputs, width=4, **options), shape, outputs)


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
    for fading in (True, False):
        backbone = BEGANBackbone(width=4, vanishing=fading)
        players = backbone.encoder((1, 16, 16), 5), backbone.generator((1, 16, 16), 5)
        assert sum(isinstance(m, VanishingResidual) for player in players for m in player.modules()) == 8 * fading


def test_refused():
    refused(lambda: ConvEncoder((1, 7, 28)), "at least 8x8", "(1, 7, 28)")
    refused(lambda: ConvDecoder((0, 28, 28)), "(channels, height, width)", "(0, 28, 28)")
