"""The convolutional players of Radford et al. 2015, for any height, width and channel count from 8 by 8 up."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, log2, prod

import torch
from torch import Tensor, nn

from lit_gans.errors import UsageError
from lit_gans.networks.base import Discriminator, Generator
from lit_gans.networks.blocks import Upsampling, upsample
from lit_gans.networks.init import normal

_SMALLEST = 4  # side of the coarsest feature map
_WIDEST = 8  # channels never exceed this many times the width


def doublings(image_shape: Sequence[int]) -> int:
    """How many times the generator doubles and the discriminator halves: as long as the short side keeps 4 pixels.

    Raises:
        UsageError: if the image has a side below 8 pixels, which leaves no room for one doubling.
    """
    channels, height, width = image_shape
    if min(height, width) < 2 * _SMALLEST or channels < 1:
        raise UsageError(
            f"a DCGAN network draws images of at least 8x8 pixels (one doubling from 4x4), got image_shape "
            f"{tuple(image_shape)} (channels, height, width); use larger images, or GAN, whose MLP draws any shape"
        )
    return int(log2(min(height, width) / _SMALLEST))


class DCGANGenerator(Generator):
    """Noise, projected to a coarse map, doubled with batch norm and ReLU until it covers the image, then tanh.

    A side that is not a multiple of the last doubling is drawn a few pixels too large and cropped around the centre.

    Args:
        image_shape: (channels, height, width) of the images to draw; both sides at least 8.
        latent_dim: size of the noise.
        width: channels of the finest hidden map; each coarser one has twice as many, up to eight times.
        upsampling: ``transposed`` convolutions as in the paper, or ``resize`` and convolve.

    Raises:
        UsageError: if a side is below 8 pixels or ``upsampling`` is unknown.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 100,
        width: int = 64,
        upsampling: Upsampling = "transposed",
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        channels, self.height, self.width = image_shape
        n = doublings(image_shape)
        widths = [width * min(2**level, _WIDEST) for level in reversed(range(n))]
        self.coarse = (widths[0], ceil(self.height / 2**n), ceil(self.width / 2**n))
        self.project = nn.Linear(latent_dim, prod(self.coarse), bias=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for wide, narrow in pairwise(widths):
            layers += [upsample(wide, narrow, upsampling), nn.BatchNorm2d(narrow), nn.ReLU()]
        self.layers = nn.Sequential(*layers, upsample(widths[-1], channels, upsampling, bias=True), nn.Tanh())
        self.apply(normal)
        self.to(memory_format=torch.channels_last)  # a tenth faster in float32, a quarter in bfloat16

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to (N, C, H, W) in [-1, 1]."""
        coarse = self.project(noise).view(-1, *self.coarse).contiguous(memory_format=torch.channels_last)
        image = self.layers(coarse)
        top, left = (image.shape[2] - self.height) // 2, (image.shape[3] - self.width) // 2
        return image[:, :, top : top + self.height, left : left + self.width].contiguous()


class DCGANDiscriminator(Discriminator):
    """Strided convolutions with leaky ReLU, batch norm on all but the first, then one linear logit.

    Args:
        image_shape: (channels, height, width) of the images to judge; both sides at least 8.
        width: channels after the first convolution; each further one has twice as many, up to eight times.
        batch_norm: normalise all but the first layer as in the paper; switch it off under a gradient penalty.

    Raises:
        UsageError: if a side is below 8 pixels.
    """

    def __init__(self, image_shape: Sequence[int], width: int = 64, batch_norm: bool = True) -> None:
        super().__init__()
        n = doublings(image_shape)
        channels, height, image_width = image_shape
        layers: list[nn.Module] = []
        for level in range(n):
            features = width * min(2**level, _WIDEST)
            normalised = batch_norm and level > 0
            layers.append(nn.Conv2d(channels, features, 4, 2, 1, bias=not normalised))
            if normalised:
                layers.append(nn.BatchNorm2d(features))
            layers.append(nn.LeakyReLU(0.2))
            channels = features
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.judge = nn.Linear(channels * (height >> n) * (image_width >> n), 1)
        self.apply(normal)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to logits (N,)."""
        return self.judge(self.layers(image.contiguous(memory_format=torch.channels_last))).squeeze(1)
