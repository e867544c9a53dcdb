"""Networks that compute their maps twice: the same gradients as those that keep them, to any order, and less memory."""

from dataclasses import replace

import pytest
import torch
from conftest import assert_equal, data_for, fit, refused, small
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call

from lit_gans import CUT, StyleGAN2
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


@pytest.mark.parametrize(
    "game, backbone, options",
    [
        (CUT, ResNetTranslation(width=4, blocks=1), {}),  # takes maps out of the networks
        (StyleGAN2, StyleBackbone(width=4, style_dim=8), {"path_length": 2.0, "path_length_every": 2}),
    ],
)
def test_a_game_is_the_same(game, backbone, options, tmp_path):
    states = []
    for recompute in (False, True):
        model = small(game, backbone=replace(backbone, recompute=recompute), **options)
        states.append(fit(tmp_path / str(recompute), model, data_for(game), max_steps=2, limit_val_batches=0))
    assert_equal(states[0]["state_dict"], states[1]["state_dict"])
    assert_equal(states[0]["random_states"], states[1]["random_states"])


def kept(backbone):
    """Values that wait for a generator's backward pass, weights aside."""
    generator, given, _ = players(backbone)
    weights = {weight.data_ptr() for weight in generator.parameters()}
    maps = {}

    def pack(tensor):
        if tensor.data_ptr() not in weights:
            maps[tensor.data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        made = generator(given)
    assert made.requires_grad
    return sum(tensor.numel() for tensor in maps.values())


@pytest.mark.parametrize("backbone", BACKBONES, ids=lambda backbone: type(backbone).__name__)
def test_little_is_kept(backbone):
    assert kept(replace(backbone, recompute=True)) < 0.6 * kept(backbone)


@pytest.mark.parametrize("norm", ["batch", "spectral"])
@pytest.mark.parametrize("backbone", [ResNetTranslation, UNetTranslation])
def test_norms_that_change_with_every_pass_are_refused(backbone, norm):
    refused(lambda: backbone(norm=norm, recompute=True).generator(SHAPE, SHAPE), "recompute", norm, "instance")


def test_layers_that_are_run_with_other_weights_are_refused():
    """A discriminator that is unrolled: recomputed, it would judge by today's weights."""
    _, _, judge = players(StyleBackbone(width=4, recompute=True))
    others = {name: weight.detach().requires_grad_() for name, weight in judge.named_parameters()}
    verdict = functional_call(judge, others, (torch.rand(2, *SHAPE),)).sum()
    refused(lambda: torch.autograd.grad(verdict, [*others.values()]), "recompute", "other weights")
