"""The networks of DF-GAN (Tao et al. 2022, arXiv:2008.05865): deep fusion of a vector with the maps of an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, prod
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.errors import at_least
from lit_gans.networks.base import Backbone, Discriminator, Generator, refuse_norm
from lit_gans.networks.layers import Norm, crop, doublings, widths


class Affine(nn.Module):
    """Scales and shifts every channel of a map by what two layers make of a vector; at first it changes nothing.

    Args:
        inputs: size of the vector.
        channels: of the map.
        hidden: units between the two layers.
    """

    def __init__(self, inputs: int, channels: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), last := nn.Linear(hidden, 2 * channels))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(cast(Tensor, last.bias))

    def forward(self, maps: Tensor, vector: Tensor) -> Tensor:
        """(N, channels, H, W) and (N, inputs) to (N, channels, H, W)."""
        gain, shift = self.layers(vector)[:, :, None, None].chunk(2, 1)  # (N, channels, 1, 1) each
        return torch.addcmul(shift.to(maps), maps, 1 + gain.to(maps))


class FusionBlock(nn.Module):
    """Doubles a map, then twice: two affine changes by the vector with leaky ReLU, and a 3x3 convolution.

    The paper's figure 2: the vector enters four times a block, and there is no norm that would take its mark off again.

    Args:
        in_channels: of the map.
        out_channels: of the result.
        inputs: size of the vector.
        hidden: units inside each affine change.
    """

    def __init__(self, in_channels: int, out_channels: int, inputs: int, hidden: int) -> None:
        super().__init__()
        sizes = (in_channels, in_channels, out_channels, out_channels)
        self.affine = nn.ModuleList(Affine(inputs, channels, hidden) for channels in sizes)
        self.conv = nn.ModuleList(
            nn.Conv2d(channels, out_channels, 3, 1, 1) for channels in (in_channels, out_channels)
        )
        self.shortcut = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, maps: Tensor, vector: Tensor) -> Tensor:
        """(N, in_channels, H, W) and (N, inputs) to (N, out_channels, 2 H, 2 W)."""
        # nearest resizing commutes with 1x1 convolutions and what happens in each place: in this order it is cheaper
        shortcut = F.interpolate(self.shortcut(maps), scale_factor=2.0)
        for number, conv in enumerate(self.conv):
            for affine in self.affine[2 * number : 2 * number + 2]:
                maps = F.leaky_relu(affine(maps, vector), 0.2)
            maps = conv(F.interpolate(maps, scale_factor=2.0) if number == 0 else maps)
        return shortcut + maps


class FusionGenerator(Generator):
    """A vector, projected to a coarse map, which it changes again and again on the way to the image; no norm.

    In DF-GAN the vector is noise and a sentence's. The paper's first layer sees the noise alone, this one all of it.

    Args:
        image_shape: (channels, height, width) of the images to draw; both sides at least 8.
        latent_dim: size of the vector.
        width: channels of the finest map; each coarser one has twice as many, up to eight times.
        hidden: units inside each affine change, 256 in the paper.

    Raises:
        UsageError: if a side is below 8 pixels.
    """

    def __init__(self, image_shape: Sequence[int], latent_dim: int = 100, width: int = 32, hidden: int = 256) -> None:
        super().__init__()
        at_least(1, latent_dim=latent_dim, width=width, hidden=hidden)
        n = doublings(image_shape)
        self.latent_dim = latent_dim
        channels, self.height, self.width = image_shape
        plan = widths(width, n + 1)[::-1]
        self.coarse = (plan[0], ceil(self.height / 2**n), ceil(self.width / 2**n))
        self.project = nn.Linear(latent_dim, prod(self.coarse))
        self.blocks = nn.ModuleList(FusionBlock(i, o, latent_dim, hidden) for i, o in pairwise(plan))
        self.last = nn.Conv2d(plan[-1], channels, 3, 1, 1)
        self.to(memory_format=torch.channels_last)

    def logits(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to unbounded (N, C, H, W)."""
        maps = self.project(noise).view(-1, *self.coarse)  # (N, most channels, 4 to 7, ...)
        maps = maps.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            maps = block(maps, noise)
        return crop(self.last(F.leaky_relu(maps, 0.2)), self.height, self.width)


class FusionDiscriminator(Discriminator):
    """Residual blocks that halve, whose branches begin at zero, then one linear layer; no norm.

    Args:
        image_shape: (channels, height, width) of the images to judge; both sides at least 8.
        width: channels of the finest map; each coarser one has twice as many, up to eight times.
        outputs: number of scores of an image.

    Raises:
        UsageError: if a side is below 8 pixels.
    """

    def __init__(self, image_shape: Sequence[int], width: int = 32, outputs: int = 1) -> None:
        super().__init__()
        at_least(1, width=width, outputs=outputs)
        n = doublings(image_shape)
        channels, height, image_width = image_shape
        plan = widths(width, n + 1)
        self.first = nn.Conv2d(channels, plan[0], 3, 1, 1)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(i, o, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(o, o, 3, 1, 1), nn.LeakyReLU(0.2))
            for i, o in pairwise(plan)
        )
        self.shortcuts = nn.ModuleList(nn.Conv2d(i, o, 1) if i != o else nn.Identity() for i, o in pairwise(plan))
        self.gains = nn.Parameter(torch.zeros(n))
        self.places = (height >> n) * (image_width >> n)
        self.size = plan[-1] * self.places
        self.judge = nn.Linear(self.size, outputs)
        self.to(memory_format=torch.channels_last)

    def features(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to the features (N, size) that the last layer judges by."""
        maps = self.first(image.contiguous(memory_format=torch.channels_last))
        for branch, shortcut, gain in zip(self.branches, self.shortcuts, self.gains, strict=True):
            maps = shortcut(F.avg_pool2d(maps, 2)) + gain.to(maps) * branch(maps)
        return maps.flatten(1)


@dataclass(frozen=True)
class FusionBackbone(Backbone):
    """The networks of DF-GAN: see `FusionGenerator` and `FusionDiscriminator`.

    Tao et al. 2022, *DF-GAN: A Simple and Effective Baseline for Text-to-Image Synthesis*, arXiv:2008.05865.

    Args:
        width: channels of the finest maps; each coarser one has twice as many, up to eight times.
        latent_dim: size of the noise.
        hidden: units inside each affine change.

    Examples:
        >>> FusionBackbone(width=8).generator((3, 32, 40), inputs=10)(torch.randn(2, 10)).shape
        torch.Size([2, 3, 32, 40])
    """

    width: int = 32
    latent_dim: int = 100
    hidden: int = 256

    def generator(self, image_shape: Sequence[int], inputs: int) -> FusionGenerator:
        """A network that draws from vectors (N, inputs)."""
        return FusionGenerator(image_shape, inputs, self.width, self.hidden)

    def discriminator(
        self, image_shape: Sequence[int], outputs: int = 1, norm: Norm | None = None
    ) -> FusionDiscriminator:
        """A network that gives ``outputs`` scores; it has no norm.

        Raises:
            UsageError: if the game needs one.
        """
        refuse_norm(self, norm, "networks have none")
        return FusionDiscriminator(image_shape, self.width, outputs)
