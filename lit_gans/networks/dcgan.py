"""The convolutional players of Radford et al. 2015, for any height, width and channel count from 8 by 8 up."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, prod

import torch
from torch import Tensor, nn

from lit_gans.errors import at_least
from lit_gans.networks.base import Discriminator, Generator
from lit_gans.networks.blocks import (
    Norm,
    Upsampling,
    crop,
    dense_layers,
    doublings,
    halvings,
    needs_bias,
    norm_layers,
    reparametrise,
    upsample,
)
from lit_gans.networks.init import normal

_WIDEST = 8  # channels never exceed this many times the width


class DCGANGenerator(Generator):
    """Noise, projected to a coarse map, doubled with norm and ReLU until it covers the image, then tanh.

    A side that is not a multiple of the last doubling is drawn a few pixels too large and cropped around the centre.

    Args:
        image_shape: (channels, height, width) of the images to draw; both sides at least 8.
        latent_dim: size of the noise.
        width: channels of the finest hidden map; each coarser one has twice as many, up to eight times.
        upsampling: ``transposed`` convolutions as in the paper, nearest (``resize``) or ``bilinear`` resizing before a
            convolution, or ``subpixel`` convolutions, which begin as nearest resizing.
        norm: ``batch`` norm as in the paper or ``layer`` norm on all hidden maps, or ``weight`` or ``spectral`` norm on
            all weights, or ``none``.
        dense: units of a fully connected layer between noise and coarse map, with norm and ReLU; 0 is none, as in the
            paper.

    Raises:
        UsageError: if a side is below 8 pixels, or ``upsampling`` or ``norm`` is unknown.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 100,
        width: int = 64,
        upsampling: Upsampling = "transposed",
        norm: Norm = "batch",
        dense: int = 0,
    ) -> None:
        super().__init__()
        at_least(1, latent_dim=latent_dim, width=width)
        at_least(0, dense=dense)
        self.latent_dim = latent_dim
        channels, self.height, self.width = image_shape
        n = doublings(image_shape)
        widths = [width * min(2**level, _WIDEST) for level in reversed(range(n))]
        self.coarse = (widths[0], ceil(self.height / 2**n), ceil(self.width / 2**n))
        self.dense = nn.Sequential(*dense_layers(latent_dim, dense, norm, nn.ReLU()))
        self.project = nn.Linear(dense or latent_dim, prod(self.coarse), bias=needs_bias(norm))
        layers = [*norm_layers(widths[0], norm), nn.ReLU()]
        for wide, narrow in pairwise(widths):
            layers += [upsample(wide, narrow, upsampling, needs_bias(norm)), *norm_layers(narrow, norm), nn.ReLU()]
        self.layers = nn.Sequential(*layers, upsample(widths[-1], channels, upsampling, bias=True), nn.Tanh())
        initialise(self, norm)
        reparametrise(self, norm)
        self.to(memory_format=torch.channels_last)  # a tenth faster in float32, a quarter in bfloat16

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to (N, C, H, W) in [-1, 1]."""
        coarse = self.project(self.dense(noise)).view(-1, *self.coarse).contiguous(memory_format=torch.channels_last)
        return crop(self.layers(coarse), self.height, self.width)


class DCGANDiscriminator(Discriminator):
    """Strided convolutions with leaky ReLU, a norm on all but the first, then one linear logit.

    Args:
        image_shape: (channels, height, width) of the images to judge; both sides at least 8.
        width: channels after the first convolution; each further one has twice as many, up to eight times.
        norm: ``batch`` norm as in the paper or ``layer`` norm on all but the first map, or ``weight`` or ``spectral``
            norm on all weights, or ``none``. Under a gradient penalty, which is about single images, not ``batch``.
        dense: units of a fully connected layer before the last, with norm and leaky ReLU; 0 is none, as in the paper.

    Raises:
        UsageError: if a side is below 8 pixels or ``norm`` is unknown.
    """

    def __init__(self, image_shape: Sequence[int], width: int = 64, norm: Norm = "batch", dense: int = 0) -> None:
        super().__init__()
        at_least(1, width=width)
        at_least(0, dense=dense)
        # a fully connected layer judges whole figures by itself and needs no last halving
        count = doublings(image_shape) if dense else halvings(image_shape)
        self.layers, size = halving(image_shape, width, norm, count=count)
        self.layers.extend(dense_layers(size, dense, norm, nn.LeakyReLU(0.2)))
        self.judge = nn.Linear(dense or size, 1)
        initialise(self, norm)
        reparametrise(self, norm)
        self.to(memory_format=torch.channels_last)

    def features(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to what the last layer judges by, (N, features)."""
        return self.layers(image.contiguous(memory_format=torch.channels_last))

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to logits (N,)."""
        return self.judge(self.features(image)).squeeze(1)


def halving(
    image_shape: Sequence[int], width: int, norm: Norm, normalise_first: bool = False, count: int | None = None
) -> tuple[nn.Sequential, int]:
    """Strided 4x4 convolutions with leaky ReLU, flattened, and how many values a sample then has.

    Args:
        image_shape: (channels, height, width); both sides at least 8.
        width: channels after the first convolution; each further one has twice as many, up to eight times.
        norm: what follows every convolution but the first.
        normalise_first: whether it follows the first too.
        count: how many; by default `halvings`.

    Raises:
        UsageError: if a side is below 8 pixels or ``norm`` is unknown.
    """
    n = halvings(image_shape) if count is None else count
    channels, height, image_width = image_shape
    layers: list[nn.Module] = []
    for level in range(n):
        features = width * min(2**level, _WIDEST)
        after = norm_layers(features, norm) if level > 0 or normalise_first else []
        layers += [nn.Conv2d(channels, features, 4, 2, 1, bias=not after), *after, nn.LeakyReLU(0.2)]
        channels = features
    return nn.Sequential(*layers, nn.Flatten()), channels * (height >> n) * (image_width >> n)


def initialise(network: nn.Module, norm: Norm) -> None:
    """The paper's N(0, 0.02) where a norm restores the scale of the maps; PyTorch's own where nothing does."""
    if norm in ("batch", "instance", "layer"):
        network.apply(normal)
