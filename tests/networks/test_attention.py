"""Self-attention: zero at first, the paper's formula, and twice differentiable."""

import copy

import pytest
import torch
import torch.nn.functional as F
from conftest import refused
from torch import nn

from lit_gans.networks import DCGANBackbone, ResNetBackbone, ResNetDiscriminator, ResNetGenerator, SelfAttention


def opened(channels=16, gain=0.7):
    torch.manual_seed(0)
    layer = SelfAttention(channels)
    layer.gain.data.fill_(gain)
    return layer


@pytest.mark.parametrize("shape", [(16, 8, 8), (3, 5, 7), (9, 1, 4)], ids=str)
def test_nothing_at_first(shape):
    layer, maps = SelfAttention(shape[0]), torch.randn(2, *shape)
    assert not layer.gain.any() and torch.equal(layer(maps), maps)
    layer.gain.data.fill_(1.0)
    assert layer(maps).shape == maps.shape and not torch.equal(layer(maps), maps)


def test_the_papers_formula():
    """A loop over places, from the paper: s_ij = f(x_i)^T g(x_j) without a scale, o_j = v(sum_i beta_ji h(x_i))."""
    layer, maps = opened(), torch.randn(2, 16, 4, 6)
    assert [m.out_channels for m in (layer.query, layer.key, layer.value, layer.out)] == [2, 2, 8, 16]
    key, value = (F.max_pool2d(m(maps), 2) for m in (layer.key, layer.value))
    expected = maps.clone()
    for n in range(2):
        for y in range(4):
            for x in range(6):
                query = layer.query.weight.flatten(1) @ maps[n, :, y, x]
                scores = torch.stack([query @ key[n, :, i, j] for i in range(2) for j in range(3)])
                share = torch.exp(scores) / torch.exp(scores).sum()
                gathered = sum(
                    s * value[n, :, i, j]
                    for s, (i, j) in zip(share, [(i, j) for i in range(2) for j in range(3)], strict=True)
                )
                expected[n, :, y, x] += layer.gain * (layer.out.weight.flatten(1) @ gathered)
    torch.testing.assert_close(layer(maps), expected, rtol=1e-4, atol=1e-5)


def test_sees_far():
    """A change in one corner reaches the other, which no 3x3 convolution does."""
    layer, maps = opened(), torch.randn(1, 16, 12, 12)
    changed = maps.clone()
    changed[..., 0, 0] += 10
    assert (layer(changed) - layer(maps))[..., -1, -1].abs().max() > 1e-3


def test_double_backward():
    layer = opened(8).double()
    maps = torch.randn(1, 8, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, maps)
    assert torch.autograd.gradgradcheck(layer, maps)


def test_bf16_and_copy():
    layer, maps = opened(), torch.randn(2, 16, 8, 8)
    other = SelfAttention(16)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(maps), layer(maps)) and torch.equal(copy.deepcopy(layer)(maps), layer(maps))
    with torch.autocast("cpu", torch.bfloat16):
        low = layer(maps)
    torch.testing.assert_close(low.float(), layer(maps), rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    "wanted, generator, discriminator",
    [(16, 16, 16), (8, 8, 8), (1, 8, 8), (100, 32, 16), (12, 8, 8), (20, 16, 16)],
)
def test_place_in_the_players(wanted, generator, discriminator):
    seen = []
    players = (
        ResNetGenerator((3, 40, 32), 5, 2, attention=wanted),
        ResNetDiscriminator((3, 40, 32), 4, attention=wanted),
    )
    for player in players:
        (layer,) = [m for m in player.modules() if isinstance(m, SelfAttention)]
        layer.register_forward_hook(lambda module, inputs, output: seen.append(min(output.shape[2:])))
    players[1](players[0](torch.randn(2, 5)))
    assert seen == [generator, discriminator]


@pytest.mark.parametrize("backbone", [DCGANBackbone, ResNetBackbone])
@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_no_attention_is_none_and_not_zero(backbone, player):
    make = getattr(backbone(4, attention=0), player)
    refused(lambda: make((1, 16, 16), 5), "attention must be at least 1, got 0")


@pytest.mark.parametrize("wanted, generator, discriminator", [(14, 14, 14), (1, 7, 7), (100, 14, 14)])
def test_place_in_dcgans_players(wanted, generator, discriminator):
    backbone, seen = DCGANBackbone(width=4, dense=2, attention=wanted), []
    players = (
        backbone.generator((1, 28, 28), 5),
        backbone.discriminator((1, 28, 28)),
        backbone.encoder((1, 28, 28), 3),
    )
    for player in players:
        (layer,) = [m for m in player.modules() if isinstance(m, SelfAttention)]
        layer.register_forward_hook(lambda module, inputs, output: seen.append(min(output.shape[2:])))
    images = players[0](torch.randn(2, 5))
    assert images.shape == (2, 1, 28, 28)
    players[1](images), players[2](images)
    assert seen == [generator, discriminator, discriminator]


def test_none_without_being_asked_for():
    for player in (ResNetGenerator((3, 32, 32), width=2), ResNetDiscriminator((3, 32, 32), width=2)):
        assert not any(isinstance(m, SelfAttention) for m in player.modules())
        assert not any(isinstance(m, nn.MaxPool2d) for m in player.modules())
