"""The memory order of weights and maps: one for a whole network, so that no layer re-orders what it is given."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from lit_gans.networks import (
    BEGANBackbone,
    DCGANBackbone,
    FastGANBackbone,
    R3Backbone,
    ResNetBackbone,
    ResNetTranslation,
    UNetTranslation,
    WeightNormBackbone,
)
from lit_gans.networks.layers import NORMS, InstanceNorm

SHAPE = (3, 32, 32)
LAST, STANDARD = torch.channels_last, torch.contiguous_format
LAYERS = (nn.Conv2d, nn.ConvTranspose2d, InstanceNorm, *NORMS)


def orders(network, given):
    """The layers that are given maps, or have weights, in another order than most, by name."""
    found = {LAST: [], STANDARD: []}

    def look(name):
        def hook(layer, inputs):
            weight = getattr(layer, "weight", None)
            for tensor in (inputs[0], weight):
                # a map or kernel of one channel or one pixel is in both orders
                if (
                    tensor is not None
                    and tensor.ndim == 4
                    and len({tensor.is_contiguous(memory_format=o) for o in found}) == 2
                ):
                    found[LAST if tensor.is_contiguous(memory_format=LAST) else STANDARD].append(name)

        return hook

    for name, layer in network.named_modules():
        if isinstance(layer, LAYERS):
            layer.register_forward_pre_hook(look(name))
    network(given)
    assert found[LAST] or found[STANDARD]
    return found


@pytest.mark.parametrize(
    "backbone", [DCGANBackbone, FastGANBackbone, ResNetBackbone, R3Backbone, WeightNormBackbone, BEGANBackbone]
)
def test_networks_that_draw_are_in_channels_last_order(backbone):
    backbone = replace(backbone(), width=4)
    assert not orders(backbone.generator(SHAPE, 4), torch.randn(2, 4))[STANDARD]
    assert not orders(backbone.discriminator(SHAPE), torch.rand(2, *SHAPE))[STANDARD]


@pytest.mark.parametrize("backbone", [DCGANBackbone, FastGANBackbone, ResNetBackbone])
def test_gradients_reach_batch_norm_in_the_order_of_its_maps(backbone):
    backbone, other = replace(backbone(), width=4), []
    for network, given in (
        (backbone.generator(SHAPE, 4), torch.randn(2, 4)),
        (backbone.discriminator(SHAPE), torch.rand(2, *SHAPE)),
    ):
        for name, layer in network.named_modules():
            if isinstance(layer, nn.BatchNorm2d):

                def listen(layer, inputs, maps, name=name):
                    def look(gradient):
                        if not gradient.is_contiguous(memory_format=LAST):
                            other.append(name)

                    maps.register_hook(look)

                layer.register_forward_hook(listen)
        made = network(given)
        sum(part.square().sum() for part in (made if isinstance(made, tuple) else [made])).backward()
    assert not other


@pytest.mark.parametrize("norm, order", [("instance", STANDARD), ("layer", LAST)])
def test_translators_are_in_the_order_of_their_norm(norm, order):
    image, other = torch.rand(2, *SHAPE), LAST if order is STANDARD else STANDARD
    residual, joined = ResNetTranslation(width=4, blocks=1, norm=norm), UNetTranslation(width=4, norm=norm)
    assert not orders(residual.generator(SHAPE, SHAPE), image)[other]
    assert not orders(residual.discriminator(SHAPE), image)[other]
    assert not orders(joined.generator(SHAPE, SHAPE), image)[LAST]  # whatever its norm
