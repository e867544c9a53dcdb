"""Networks that compute their maps twice: the same gradients as those that keep them, to any order, and less memory."""

from dataclasses import replace

import pytest
import torch
from conftest import data_for, fit, refused, small
from torch import nn

from lit_gans import CUT, CycleGAN, Pix2Pix, StyleGAN2, UnrolledGAN
from lit_gans.networks import ResNetTranslation, StyleBackbone, UNetTranslation
from lit_gans.penalties import zero_centered

SHAPE = (3, 32, 32)
BACKBONES = [
    ResNetTranslation(width=4, blocks=2),
    ResNetTranslation(width=4, blocks=2, norm="weight", upsampling="subpixel"),
    UNetTranslation(width=4),  # with dropout
    StyleBackbone(width=4, latent_dim=8, style_dim=8, mixing=0.9),  # with noise at every pixel
]


def players(backbone):
    """A generator and what it is given, and a discriminator."""
    torch.manual_seed(0)
    if isinstance(backbone, StyleBackbone):
        generator, given = backbone.generator(SHAPE, 8), torch.randn(2, 8)
        for layer in generator.modules():
            if hasattr(layer, "strength"):
                nn.init.ones_(layer.strength)  # of the noise, which begins without any
        return generator, given, backbone.discriminator(SHAPE)
    return backbone.generator(SHAPE, SHAPE), torch.rand(1, *SHAPE), backbone.discriminator(SHAPE)


def learnt(backbone, bf16=False):
    """What a generator makes, all gradients, and the random number that comes next."""
    generator, given, judge = players(backbone)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        made = generator(given)
        loss = judge(made).float().square().mean()
    loss.backward()
    gradients = [p.grad for network in (generator, judge) for p in network.parameters()]
    return made, *gradients, torch.rand(1)


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("backbone", BACKBONES, ids=lambda backbone: type(backbone).__name__)
def test_gradients_are_the_same(backbone, bf16):
    for kept, again in zip(learnt(backbone, bf16), learnt(replace(backbone, recompute=True), bf16), strict=True):
        torch.testing.assert_close(again, kept, rtol=0, atol=0)


def test_penalties_differentiate_twice():
    def penalty(recompute):
        torch.manual_seed(0)
        judge = StyleBackbone(width=4, recompute=recompute).discriminator(SHAPE)
        penalty = zero_centered(judge, torch.rand(4, *SHAPE))
        penalty.backward()
        return penalty, *(p.grad for p in judge.parameters() if p.grad is not None)

    torch.testing.assert_close(penalty(True), penalty(False))
