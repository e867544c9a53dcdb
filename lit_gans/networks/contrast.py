"""What a contrastive game compares: maps of an encoder, at places drawn at random, seen through a small head each."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lit_gans.errors import UsageError
from lit_gans.networks.base import evaluating
from lit_gans.networks.layers import normal
from lit_gans.networks.translators import ReflectBlock

_PROBE = 32  # side of the image by which channels are counted


class PatchProjector(nn.Module):
    """A multilayer perceptron of two layers for the features of every map.

    Park et al. 2020, arXiv:2007.15651, section 3.2.

    Args:
        channels: of each map.
        features: hidden units, and as many outputs.

    Examples:
        >>> heads = PatchProjector((3, 8), features=4)
        >>> [out.shape for out in heads([torch.zeros(1, 10, 3), torch.zeros(1, 10, 8)])]
        [torch.Size([1, 10, 4]), torch.Size([1, 10, 4])]
    """

    def __init__(self, channels: Sequence[int], features: int = 256) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(i, features), nn.ReLU(), nn.Linear(features, features)) for i in channels
        )
        self.apply(normal)

    def forward(self, picked: Sequence[Tensor]) -> list[Tensor]:
        """(N, P, channels) of every map to (N, P, features)."""
        return [head(values) for head, values in zip(self.heads, picked, strict=True)]


class Translation(NamedTuple):
    """What a translator has made, and what its encoder saw on the way."""

    images: Tensor
    #: the decoder's output, with whatever padding the images have been cropped from
    whole: Tensor
    #: one a layer, in their order
    maps: list[Tensor]


def encoder_of(translator: nn.Module) -> nn.Sequential:
    """The encoder of a translator.

    Raises:
        UsageError: if it has not both an encoder and a decoder to tap.
    """
    encoder, decoder = getattr(translator, "encoder", None), getattr(translator, "decoder", None)
    if not isinstance(encoder, nn.Sequential) or not isinstance(decoder, nn.Module):
        raise UsageError(
            "features of patches are those of the generator's encoder: it must have an nn.Sequential 'encoder' and a "
            f"module 'decoder', as ResNetTranslator has, but {type(translator).__name__} has not"
        )
    return encoder


def spread_layers(encoder: nn.Sequential) -> tuple[int, ...]:
    """The layers that the paper compares: the pixels, the convolutions that halve, the first and the fifth block.

    Of fewer than five blocks the last stands for the fifth. Layer 0 is the image, layer n what the n-th module gives.

    Raises:
        UsageError: if there are none but the pixels.

    Examples:
        >>> from lit_gans.networks import ResNetTranslator
        >>> spread_layers(ResNetTranslator((3, 64, 64), width=4).encoder)
        (0, 4, 7, 10, 14)
    """
    modules = list(enumerate(encoder, 1))
    halving = [n for n, module in modules if isinstance(module, nn.Conv2d) and max(module.stride) > 1]
    blocks = [n for n, module in modules if isinstance(module, ReflectBlock)]
    layers = (0, *halving, *sorted({*blocks[:1], *blocks[:5][-1:]}))
    if len(layers) == 1:
        raise UsageError(
            "an encoder without strided convolutions and ReflectBlocks does not say which of its layers to compare; "
            f"give layers, numbers from 0 (the image) to {len(encoder)}"
        )
    return layers


def encode(encoder: nn.Sequential, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
    """The maps (N, C, H, W) of some layers, as deep as the last of them needs."""
    maps = {0: images.contiguous(memory_format=torch.channels_last)}
    for number, module in enumerate(encoder[: max(layers)], 1):
        maps[number] = module(maps[number - 1])
    return [maps[layer] for layer in layers]


def map_channels(encoder: nn.Sequential, channels: int, layers: Sequence[int]) -> list[int]:
    """How many channels the maps of some layers have.

    Raises:
        UsageError: if there is no such layer.
    """
    if not layers or min(layers) < 0 or max(layers) > len(encoder):
        raise UsageError(
            f"layers are numbers from 0 (the image) to {len(encoder)} (the encoder's last), got {tuple(layers)}"
        )
    reference = next(encoder.parameters())
    with evaluating(encoder), torch.no_grad():
        maps = encode(encoder, reference.new_zeros(1, channels, _PROBE, _PROBE), layers)
    return [layer.shape[1] for layer in maps]


def translate_tapped(translator: nn.Module, images: Tensor, layers: Sequence[int]) -> Translation:
    """One forward of a translator that also gives the maps of some layers of its encoder."""
    encoder, decoder = encoder_of(translator), translator.get_submodule("decoder")
    seen: dict[int, Tensor] = {}
    whole: list[Tensor] = []
    hooks = [
        encoder.register_forward_pre_hook(lambda _, given: seen.__setitem__(0, given[0])),
        decoder.register_forward_hook(lambda _, __, made: whole.append(made)),
    ]
    for layer in set(layers) - {0}:
        hooks.append(
            encoder[layer - 1].register_forward_hook(lambda _, __, made, layer=layer: seen.__setitem__(layer, made))
        )
    try:
        made = translator(images)
    finally:
        for hook in hooks:
            hook.remove()
    return Translation(made, whole[-1], [seen[layer] for layer in layers])


def draw_places(maps: Sequence[Tensor], patches: int) -> list[Tensor]:
    """For every map that many places, none of them twice, or all of them where there are fewer."""
    return [torch.randperm(m.shape[2] * m.shape[3], device=m.device)[:patches] for m in maps]


def pick(maps: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
    """Features (N, P, C) of maps (N, C, H, W) at places."""
    # of maps in channels_last order this is a view
    return [m.permute(0, 2, 3, 1).flatten(1, 2)[:, p] for m, p in zip(maps, places, strict=True)]
