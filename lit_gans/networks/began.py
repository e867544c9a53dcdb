"""The convolutional encoder and decoder of Berthelot et al. 2017 (BEGAN), for any height, width and channel count."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, log2, prod

import torch
from torch import Tensor, nn

from lit_gans.errors import at_least
from lit_gans.networks.base import Backbone, Discriminator, Generator
from lit_gans.networks.layers import WEIGHTED, Norm, Upsampling, crop, doublings, norm_layers, reparametrise, upsample

_COARSE = 8  # side of the coarsest map, or the nearest that halving gives


def levels(image_shape: Sequence[int]) -> int:
    """The number of halvings of the encoder and doublings of the decoder: the coarsest short side has 6 to 11 pixels.

    Raises:
        UsageError: if a side is below 8 pixels.
    """
    doublings(image_shape)  # refuses images that are too small
    return round(log2(min(image_shape[1:]) / _COARSE))


class VanishingResidual(nn.Module):
    """``carry * x + (1 - carry) * layer(x)``: an identity while ``carry`` is 1, the layer alone when it is 0.

    Berthelot et al. 2017, arXiv:1703.10717. ``carry`` is a buffer that training moves from 1 to 0; it begins at 0.
    """

    carry: Tensor

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("carry", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Any tensor whose shape the layer keeps, to the same shape."""
        return self.carry * x + (1 - self.carry) * self.layer(x)


class ConvEncoder(Discriminator):
    """BEGAN's encoder: pairs of 3x3 convolutions with ELU, halved by a stride of 2, then one linear layer.

    With one output it is a discriminator like any other.

    Args:
        image_shape: (channels, height, width) of the images; both sides at least 8.
        outputs: size of a code, or number of scores of an image.
        width: channels of the finest map; the next has twice as many, the third three times, and so on.
        norm: norm of the hidden maps or of the weights; ``none`` in the paper.
        vanishing: make every layer that keeps its shape a `VanishingResidual`.

    Raises:
        UsageError: if a side is below 8 pixels or ``norm`` is unknown.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        outputs: int = 64,
        width: int = 64,
        norm: Norm = "none",
        vanishing: bool = False,
    ) -> None:
        super().__init__()
        at_least(1, outputs=outputs, width=width)
        n = levels(image_shape)
        channels, height, image_width = image_shape
        layers: list[nn.Module] = [_block(channels, width, norm)]
        for level in range(n + 1):
            features = width * (level + 1)
            layers += [_block(features, features, norm, vanishing=vanishing) for _ in range(2)]
            if level < n:
                layers += [_block(features, features + width, norm, stride=2)]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.size, self.norm = features * ceil(height / 2**n) * ceil(image_width / 2**n), norm
        self.judge = nn.Linear(self.size, outputs)
        _initialise(self, norm)

    def features(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to the features (N, size) that the last layer judges by."""
        return self.layers(image.contiguous(memory_format=torch.channels_last))


class ConvDecoder(Generator):
    """BEGAN's decoder, which is its generator too: one linear layer, then pairs of 3x3 convolutions with ELU, doubled.

    All hidden maps have the same number of channels. A side that is not a multiple of the last doubling is drawn a few
    pixels too large and cropped around the centre.

    Args:
        image_shape: (channels, height, width) of the images; both sides at least 8.
        latent_dim: size of a code, or of the noise.
        width: channels of every hidden map.
        upsampling: how a map is doubled: ``resize`` (nearest, as in the paper) and ``bilinear`` have no convolution of
            their own, since two follow anyway; ``transposed`` and ``subpixel`` have one.
        norm: norm of the hidden maps or of the weights; ``none`` in the paper.
        skip: whether every doubled map is joined with the coarsest one, resized: the paper's skip connections.
        vanishing: make every layer that keeps its shape a `VanishingResidual`.

    Raises:
        UsageError: if a side is below 8 pixels, or ``upsampling`` or ``norm`` is unknown.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 64,
        width: int = 64,
        upsampling: Upsampling = "resize",
        norm: Norm = "none",
        skip: bool = False,
        vanishing: bool = False,
    ) -> None:
        super().__init__()
        at_least(1, latent_dim=latent_dim, width=width)
        n = levels(image_shape)
        self.latent_dim, self.skip = latent_dim, skip
        channels, self.height, self.width = image_shape
        self.coarse = (width, ceil(self.height / 2**n), ceil(self.width / 2**n))
        self.project = nn.Linear(latent_dim, prod(self.coarse))
        self.levels, self.doubles = nn.ModuleList(), nn.ModuleList()
        for level in range(n + 1):
            plan = [width * (2 if skip and level else 1), width, width]
            self.levels.append(nn.Sequential(*[_block(i, o, norm, vanishing=vanishing) for i, o in pairwise(plan)]))
            if level < n:
                self.doubles.append(_double(width, upsampling, norm))
        self.draw = nn.Conv2d(width, channels, 3, 1, 1)
        _initialise(self, norm)

    def logits(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to unbounded (N, C, H, W)."""
        coarse = self.project(noise).view(-1, *self.coarse)  # (N, width, 6 to 11, ...)
        coarse = coarse.contiguous(memory_format=torch.channels_last)
        x = self.levels[0](coarse)
        for double, level in zip(self.doubles, self.levels[1:], strict=True):
            x = double(x)
            if self.skip:
                x = torch.cat([x, nn.functional.interpolate(coarse, x.shape[2:])], 1)  # (N, 2 width, ...)
            x = level(x)
        return crop(self.draw(x), self.height, self.width)


@dataclass(frozen=True)
class BEGANBackbone(Backbone):
    """The networks of BEGAN: pairs of 3x3 convolutions with ELU. See `ConvEncoder` and `ConvDecoder`.

    Berthelot et al. 2017, arXiv:1703.10717.

    Args:
        width: channels of the finest hidden maps; 64 and 128 in the paper.
        latent_dim: size of the noise.
        upsampling: how a map is doubled; ``resize`` (nearest) as in the paper.
        generator_norm: norm of the generator, and an autoencoder's decoder; nothing in the paper.
        discriminator_norm: norm of discriminator and encoder; by default the one that the game needs, else ``none``.
        skip: skip connections from the coarsest map, which sharpen images.
        vanishing: make every layer that keeps its shape a `VanishingResidual`, for a game that lets them fade.

    Examples:
        >>> BEGANBackbone(width=4).encoder((3, 32, 40), outputs=7)(torch.zeros(2, 3, 32, 40)).shape
        torch.Size([2, 7])
    """

    width: int = 64
    latent_dim: int = 64
    upsampling: Upsampling = "resize"
    generator_norm: Norm = "none"
    discriminator_norm: Norm | None = None
    skip: bool = False
    vanishing: bool = False

    def generator(self, image_shape: Sequence[int], inputs: int) -> ConvDecoder:
        """A network that draws from vectors (N, inputs)."""
        options = self.upsampling, self.generator_norm, self.skip, self.vanishing
        return ConvDecoder(image_shape, inputs, self.width, *options)

    def discriminator(self, image_shape: Sequence[int], outputs: int = 1, norm: Norm | None = None) -> ConvEncoder:
        """A network that gives ``outputs`` scores; its norm is this backbone's, else ``norm``, else ``none``."""
        kind: Norm = self.discriminator_norm or norm or "none"
        return ConvEncoder(image_shape, outputs, self.width, kind, self.vanishing)


def _block(in_channels: int, out_channels: int, norm: Norm, stride: int = 1, vanishing: bool = False) -> nn.Module:
    layer = nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, 1), *norm_layers(out_channels, norm), nn.ELU(inplace=True)
    )
    return VanishingResidual(layer) if vanishing and in_channels == out_channels and stride == 1 else layer


def _double(features: int, kind: Upsampling, norm: Norm) -> nn.Module:
    if kind == "resize" or kind == "bilinear":
        return nn.Upsample(scale_factor=2, mode="nearest" if kind == "resize" else kind)
    return nn.Sequential(upsample(features, features, kind, bias=True), *norm_layers(features, norm), nn.ELU())


def _initialise(network: nn.Module, norm: Norm) -> None:
    """Glorot's weights, which keep the scale of ELU maps through many layers, and zero biases."""
    for module in network.modules():
        if isinstance(module, WEIGHTED):
            nn.init.xavier_uniform_(module.weight)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    reparametrise(network, norm)
    network.to(memory_format=torch.channels_last)
