"""The residual players: the papers' tables, shapes, blocks and initialisation."""

import pytest
import torch
import torch.nn.functional as F
from conftest import refused
from players import SHAPES, check_discriminator, check_generator
from torch import nn

from lit_gans.networks import ResNetDiscriminator, ResNetGenerator
from lit_gans.networks.resnet import ResidualBlock

shapes = pytest.mark.parametrize("shape", [*SHAPES, (3, 48, 48), (1, 50, 90)], ids=str)


def maps_of(player, inputs):
    """Channels and short side of what each block gives."""
    seen = []
    for block in player.modules():
        if isinstance(block, ResidualBlock):
            block.register_forward_hook(lambda module, i, output: seen.append((output.shape[1], min(output.shape[2:]))))
    player(inputs)
    return seen


@shapes
@pytest.mark.parametrize("attention", [None, 8])
def test_players(shape, attention):
    torch.manual_seed(0)
    check_generator(ResNetGenerator(shape, 5, 2, attention=attention), shape)
    check_discriminator(ResNetDiscriminator(shape, 4, norm="layer", attention=attention), shape)


@pytest.mark.parametrize(
    "side, start, generator, discriminator",
    [  # Miyato et al. 2018, tables 3 (32), 4 (48) and 5 (128), in units of 64 channels
        (32, 4, [(4, 8), (4, 16), (4, 32)], [(2, 16), (2, 8), (2, 8), (2, 8)]),
        (48, 6, [(4, 12), (2, 24), (1, 48)], [(1, 24), (2, 12), (4, 6), (8, 3), (16, 3)]),
        (
            128,
            4,
            [(16, 8), (8, 16), (4, 32), (2, 64), (1, 128)],
            [(1, 64), (2, 32), (4, 16), (8, 8), (16, 4), (16, 4)],
        ),
        (28, 7, [(4, 14), (4, 28)], [(2, 14), (2, 7), (2, 7), (2, 7)]),
    ],
)
def test_the_papers_tables(side, start, generator, discriminator):
    network = ResNetGenerator((3, side, side), width=2)
    assert maps_of(network, torch.randn(2, 128)) == [(2 * c, s) for c, s in generator]
    widest = {32: 4, 28: 4, 48: 8, 128: 16}[side]
    assert network.coarse == (2 * widest, start, start)
    network = ResNetDiscriminator((3, side, side), width=2)
    assert maps_of(network, torch.rand(2, 3, side, side)) == [(2 * c, s) for c, s in discriminator]


def test_size_at_32_pixels():
    """By hand from table 3: 256 channels in the generator and 128 in the discriminator."""
    generator = 128 * 4096 + 4096 + 3 * (2 * 256 * 2304 + 256 + 256 * 256 + 4 * 256) + 512 + 2304 * 3 + 3
    first = 27 * 128 + 128 + 1152 * 128 + 128 + 3 * 128
    down = 2 * (1152 * 128 + 128) + 128 * 128
    discriminator = first + down + 2 * 2 * (1152 * 128 + 128) + 128 + 1
    assert sum(p.numel() for p in ResNetGenerator((3, 32, 32)).parameters()) == generator
    assert sum(p.numel() for p in ResNetDiscriminator((3, 32, 32)).parameters()) == discriminator


def block(resample, **arguments):
    torch.manual_seed(0)
    return ResidualBlock(4, 6, "none", resample, **{"hidden": 6, **arguments})


def test_up_block():
    """The shortcut is resized after its 1x1 convolution, which is the papers' order in other words."""
    layer, maps = block("up"), torch.randn(2, 4, 5, 7)
    big = F.interpolate(maps, scale_factor=2.0)
    expected = layer.shortcut(big) + layer.conv2(layer.conv1(big.relu()).relu())
    torch.testing.assert_close(layer(maps), expected)


@pytest.mark.parametrize("first", [False, True])
def test_down_block(first):
    layer, maps = block("down", first=first), torch.randn(2, 4, 6, 8)
    inner = maps if first else maps.relu()
    expected = F.avg_pool2d(layer.shortcut(maps) + layer.conv2(layer.conv1(inner).relu()), 2)
    torch.testing.assert_close(layer(maps), expected)


def test_plain_block_keeps_its_input():
    layer, maps = ResidualBlock(4, 4, "none", "none", hidden=4), torch.randn(2, 4, 5, 5)
    assert isinstance(layer.shortcut, nn.Identity)
    nn.init.zeros_(layer.conv2.weight)
    assert torch.equal(layer(maps), maps)
    kinds = [type(m) for m in ResidualBlock(4, 4, "batch", "none", hidden=4).modules() if not list(m.children())]
    assert kinds == [nn.BatchNorm2d, nn.ReLU, nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Conv2d, nn.Identity]


def test_the_image_is_neither_normalised_nor_rectified():
    network = ResNetDiscriminator((3, 32, 32), width=4, norm="layer")
    first = next(m for m in network.modules() if isinstance(m, ResidualBlock))
    assert not list(first.before) and isinstance(first.between[0], nn.GroupNorm)


def test_sum_over_places():
    network = ResNetDiscriminator((3, 32, 32), width=4, norm="none")
    image = torch.rand(2, 3, 32, 32)
    maps = network.layers(image)
    assert (maps >= 0).all() and maps.shape == (2, 8, 8, 8)
    torch.testing.assert_close(network(image), (maps.sum((2, 3)) @ network.judge.weight.T + network.judge.bias)[:, 0])


def test_initial_variance():
    """Glorot's variance, doubled before a ReLU, so that no block shrinks its input or more than doubles its power."""
    torch.manual_seed(0)
    layer = ResidualBlock(64, 64, "none", "none", hidden=64)
    for weight, variance in ((layer.conv1.weight, 2 / 576), (layer.conv2.weight, 2 / 576)):
        assert float(weight.detach().var()) == pytest.approx(variance, rel=0.05)
    assert not layer.conv1.bias.any() and not layer.conv2.bias.any()
    maps = torch.randn(8, 64, 16, 16)
    for _ in range(4):
        layer, power = ResidualBlock(64, 64, "none", "none", hidden=64), maps.square().mean()
        maps = layer(maps)
        assert 1.2 < maps.square().mean() / power < 2.5
    network = ResNetGenerator((3, 64, 64), width=8)
    image = network(torch.randn(16, 128))
    assert 0.2 < image.std() < 0.9  # neither grey nor saturated


def test_too_small():
    for network in (ResNetGenerator, ResNetDiscriminator):
        refused(lambda network=network: network((1, 7, 64)), "at least 8x8", (1, 7, 64))
