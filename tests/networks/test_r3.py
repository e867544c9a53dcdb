"""The R3GAN players: the identity at first, Fixup's scales, resampling, and any shape."""

import copy

import pytest
import torch
import torch.nn.functional as F
from conftest import refused
from players import SHAPES, check_discriminator, check_generator
from torch import nn

from lit_gans.networks import R3Discriminator, R3Generator
from lit_gans.networks.r3 import R3Block, Resample
from lit_gans.penalties import zero_centered

PLAIN = (nn.Conv2d, nn.Linear, nn.Identity)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("arguments", [{}, {"expansion": 2, "group_size": 4, "blocks": 1}], ids=["plain", "grouped"])
def test_players(shape, arguments):
    torch.manual_seed(0)
    check_generator(R3Generator(shape, 5, 4, **arguments), shape)
    check_discriminator(R3Discriminator(shape, 4, **arguments), shape)


def test_nothing_but_convolutions():
    """The paper's point: no norm, no style, no noise but the input."""
    for player in (R3Generator((3, 32, 32), width=4), R3Discriminator((3, 32, 32), width=4)):
        assert all(isinstance(m, PLAIN) for m in player.modules() if not list(m.children()) and type(m) is not Resample)
    noise = torch.randn(3, 64)
    player = R3Generator((3, 32, 32), width=4)
    assert torch.equal(player(noise), player(noise))
    torch.testing.assert_close(player(noise), torch.cat([player(row[None]) for row in noise]))


@pytest.mark.parametrize("group_size", [None, 8])
def test_a_block_is_the_identity_at_first(group_size):
    layer, maps = R3Block(16, 6, 2, group_size), torch.randn(2, 16, 5, 5)
    assert torch.equal(layer(maps), maps)
    assert layer.narrow.bias is None and not layer.narrow.weight.any()
    for player in (R3Generator((3, 32, 32), width=4), R3Discriminator((3, 32, 32), width=4)):
        assert all(not m.narrow.weight.any() for m in player.modules() if isinstance(m, R3Block))


@pytest.mark.parametrize("group_size", [None, 16])
@pytest.mark.parametrize("depth", [1, 16])
def test_fixup_scales(group_size, depth):
    """With L blocks of m = 3 convolutions all but the last are scaled by L^(-1 / (2m - 2))."""
    torch.manual_seed(0)
    layer = R3Block(64, depth, 2, group_size)
    assert layer.spatial.groups == (1 if group_size is None else 8)
    scale = depth ** (-1 / (2 * 3 - 2))
    for conv, fan_in in ((layer.widen, 64), (layer.spatial, 9 * (group_size or 128))):
        he = (2 / (1 + 0.2**2) / fan_in) ** 0.5
        assert float(conv.weight.detach().std()) == pytest.approx(scale * he, rel=0.03)
        assert conv.bias is not None and not conv.bias.any()
    # so both of them together give a branch 1 / L of the input's power, and L branches as much as the input
    maps = torch.randn(8, 64, 16, 16)
    with torch.no_grad():
        branch = F.leaky_relu(layer.spatial(F.leaky_relu(layer.widen(maps), 0.2)), 0.2)[..., 1:-1, 1:-1]
    assert float(branch.square().mean()) == pytest.approx(1 / depth, rel=0.3)


def test_the_scale_counts_all_blocks_of_a_network():
    torch.manual_seed(0)
    for blocks in (1, 4):
        for player in (R3Generator((3, 32, 32), width=32, blocks=blocks), R3Discriminator((3, 32, 32), 32, blocks)):
            layers = [m for m in player.modules() if isinstance(m, R3Block)]
            assert len(layers) == 4 * blocks
            wide = layers[0 if isinstance(player, R3Generator) else -1].widen.weight.detach()
            assert wide.shape[:2] == (256, 256)
            expected = (2 / 1.04 / 256) ** 0.5 * (4 * blocks) ** -0.25
            assert float(wide.std()) == pytest.approx(expected, rel=0.03)


def test_initial_variance_through_depth():
    torch.manual_seed(0)
    powers = []
    for blocks in (1, 6):
        player = R3Discriminator((3, 16, 16), 16, blocks)
        for layer in player.modules():
            if isinstance(layer, R3Block):  # as if trained: the last convolution is as large as it can be without loss
                nn.init.normal_(layer.narrow.weight, 0, layer.narrow.in_channels**-0.5)
        with torch.no_grad():
            powers.append(float(player.layers(torch.randn(16, 3, 16, 16)).square().mean()))
            image = R3Generator((3, 16, 16), width=16, blocks=blocks)(torch.randn(16, 64))
        assert 0.2 < image.std() < 0.9  # neither grey nor saturated
    assert 0.5 < powers[1] / powers[0] < 2  # six times as many blocks


def test_resampling_filter():
    line = torch.tensor([1.0, 2.0, 1.0])
    kernel = (line[:, None] * line / 16).expand(3, 1, 3, 3)
    up, down, maps = Resample(3, 3, up=True), Resample(3, 3, up=False), torch.randn(2, 3, 6, 8)
    halved = F.conv2d(maps, kernel, padding=1, stride=2, groups=3)
    torch.testing.assert_close(down(maps)[..., 1:, 1:], halved[..., 1:, 1:])  # the edge is repeated, not zero
    doubled = F.conv_transpose2d(maps, 4 * kernel, padding=1, stride=2, output_padding=1, groups=3)
    torch.testing.assert_close(up(maps)[..., :-1, :-1], doubled[..., :-1, :-1])
    assert torch.equal(up(maps)[..., ::2, ::2], maps)
    flat = torch.full((1, 3, 6, 8), 0.7)
    torch.testing.assert_close(down(flat), flat[..., :3, :4])
    torch.testing.assert_close(up(flat), torch.full((1, 3, 12, 16), 0.7))
    assert down(torch.randn(1, 3, 7, 9)).shape == (1, 3, 3, 4)
    assert list(up.parameters()) == list(down.parameters()) == [] and not down.state_dict()
    assert [p.shape for p in Resample(3, 5, up=True).parameters()] == [(5, 3, 1, 1)]


def test_begins_and_ends_with_a_basis():
    generator, discriminator = R3Generator((3, 28, 40), 5, 4), R3Discriminator((3, 28, 40), 4)
    assert generator.basis.shape == discriminator.basis.shape == (16, 7, 10)
    noise = torch.randn(2, 5)
    seen = []
    generator.layers.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    generator(noise)
    gains = noise @ generator.modulate.weight.T
    torch.testing.assert_close(seen[0], torch.einsum("nc,chw->nchw", gains, generator.basis))
    image = torch.rand(2, 3, 28, 40)
    depthwise = F.conv2d(discriminator.layers(image), discriminator.basis[:, None], groups=16).flatten(1)
    torch.testing.assert_close(discriminator(image), discriminator.judge(depthwise)[:, 0])


@pytest.mark.parametrize(
    "width, widths", [(2, [16, 16, 8, 4, 2]), (3, [24, 24, 12, 6, 3]), ((9, 8, 7, 6, 5), [9, 8, 7, 6, 5])]
)
def test_widths(width, widths):
    shape = (3, 64, 64)
    generator, discriminator = R3Generator(shape, width=width, blocks=1), R3Discriminator(shape, width, blocks=1)
    for player, expected in ((generator, widths), (discriminator, widths[::-1])):
        assert [m.narrow.out_channels for m in player.modules() if isinstance(m, R3Block)] == expected


def test_double_backward_bf16_and_copies():
    torch.manual_seed(0)
    for arguments in ({}, {"expansion": 2, "group_size": 4}):
        player, image = R3Discriminator((1, 16, 16), 4, **arguments), torch.rand(4, 1, 16, 16)
        for layer in player.modules():
            if isinstance(layer, R3Block):
                nn.init.normal_(layer.narrow.weight, 0, 0.1)
        zero_centered(player, image).backward()
        weights = {n: p.grad for n, p in player.named_parameters() if not n.endswith("judge.bias")}
        assert all(g is not None and g.isfinite().all() and g.any() for n, g in weights.items() if "weight" in n)
        assert torch.equal(copy.deepcopy(player)(image), player(image))
        other = R3Discriminator((1, 16, 16), 4, **arguments)
        other.load_state_dict(player.state_dict())
        assert torch.equal(other(image), player(image))
        for network, inputs in ((player, image), (R3Generator((1, 16, 16), width=4, **arguments), torch.randn(4, 64))):
            with torch.autocast("cpu", torch.bfloat16):
                assert network(inputs).isfinite().all()


def test_the_gradient_of_a_penalty_is_right():
    player = R3Discriminator((1, 8, 8), 2, blocks=1).double()
    for parameter in player.parameters():
        nn.init.normal_(parameter, 0, 0.4)
    image = torch.rand(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: player(x).pow(2), image)


def test_refusals():
    for player in (R3Generator, R3Discriminator):
        refused(lambda p=player: p((1, 7, 64)), "at least 8x8")
        refused(lambda p=player: p((1, 32, 32), width=(8, 8)), "each of the 4 stages", "(8, 8)")
        refused(lambda p=player: p((1, 32, 32), width=8, group_size=3), "group_size must divide", "got 3")
