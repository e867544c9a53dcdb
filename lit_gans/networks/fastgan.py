"""The light networks of Liu et al. 2021 (FastGAN), for sides of 8 pixels or more."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2, prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.errors import at_least
from lit_gans.networks.base import Backbone, Discriminator, Generator
from lit_gans.networks.layers import (
    Norm,
    crop,
    doublings,
    initialise,
    needs_bias,
    norm_layers,
    reparametrise,
    widths,
)
from lit_gans.precision import full

_SKIP = 4  # doublings that an excitation leaps over: from 4 to 64 pixels, from 8 to 128, from 16 to 256
_JUDGED = 7  # the shortest side of the last map of a discriminator, whose scores are of regions


class Gate(nn.Module):
    """One half of the channels gates the other: a gated linear unit (Dauphin et al. 2016, arXiv:1612.08083).

    ``nn.GLU`` gives its gradient in standard order whatever the order of the maps is, and batch norm takes a CPU three
    to six times as long where both orders meet.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """(N, 2 C, H, W) to (N, C, H, W)."""
        given, gate = maps.chunk(2, 1)
        return given * gate.sigmoid()


class GatedUp(nn.Sequential):
    """Doubles height and width: nearest resizing, a 3x3 convolution to twice the channels, norm, and a `Gate`."""

    def __init__(self, in_channels: int, out_channels: int, norm: Norm) -> None:
        super().__init__(nn.Upsample(scale_factor=2.0), *gated(in_channels, out_channels, norm))


def gated(in_channels: int, out_channels: int, norm: Norm) -> list[nn.Module]:
    """A 3x3 convolution to twice the channels, norm, and the half that gates the other."""
    conv = nn.Conv2d(in_channels, 2 * out_channels, 3, 1, 1, bias=needs_bias(norm))
    return [conv, *norm_layers(2 * out_channels, norm), Gate()]


class SkipExcitation(nn.Module):
    """Scales the channels of a fine map by what a coarse one says: a shortcut for gradients over many layers.

    Liu et al. 2021, arXiv:2101.04775, eq. 1: the coarse map is pooled to 4x4, which a 4x4 convolution makes one pixel
    of; a leaky ReLU, a 1x1 convolution and a sigmoid give a factor in (0, 1) for each channel.
    """

    def __init__(self, coarse_channels: int, fine_channels: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(4),
            nn.Conv2d(coarse_channels, fine_channels, 4),
            nn.LeakyReLU(0.1),
            nn.Conv2d(fine_channels, fine_channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """(N, coarse_channels, h, w) and (N, fine_channels, H, W) to (N, fine_channels, H, W)."""
        return fine * self.weigh(coarse)


class FastGANGenerator(Generator):
    """One gated convolution a resolution, and excitations that leap from coarse maps to fine ones.

    Liu et al. 2021, *Towards Faster and Stabilized GAN Training for High-fidelity Few-shot Image Synthesis*,
    arXiv:2101.04775, section 3.1. As in the paper an excitation leaps over four doublings: from 4 pixels to 64, from 8
    to 128, from 16 to 256; an image of fewer has one, from the coarsest map to the finest. Left out are the noise that
    the authors' code adds at every second resolution, its second convolution there, and spectral norm, which
    ``norm="spectral"`` gives in place of batch norm.

    Args:
        image_shape: (channels, height, width) of the images to draw; both sides at least 8.
        latent_dim: size of the noise; 256 in the paper.
        width: channels of the finest map; each coarser one has twice as many, up to sixteen times.
        norm: norm of all maps (``batch`` in the paper, ``layer``), or of all weights.

    Raises:
        UsageError: if a side is below 8 pixels or ``norm`` is unknown.

    Examples:
        >>> FastGANGenerator((3, 64, 64), width=4)(torch.randn(2, 256)).shape
        torch.Size([2, 3, 64, 64])
    """

    def __init__(
        self, image_shape: Sequence[int], latent_dim: int = 256, width: int = 32, norm: Norm = "batch"
    ) -> None:
        super().__init__()
        at_least(1, latent_dim=latent_dim, width=width)
        n = doublings(image_shape)
        self.latent_dim = latent_dim
        channels, self.height, self.width = image_shape
        plan = widths(width, n + 1, most=16)[::-1]
        self.coarse = (2 * plan[0], ceil(self.height / 2**n), ceil(self.width / 2**n))
        self.project = nn.Linear(latent_dim, prod(self.coarse), bias=needs_bias(norm))
        self.first = nn.Sequential(*norm_layers(self.coarse[0], norm), Gate())
        self.stages = nn.ModuleList(GatedUp(plan[level], plan[level + 1], norm) for level in range(n))
        self.leap = min(_SKIP, n)
        self.excitations = nn.ModuleList(
            SkipExcitation(plan[level], plan[level + self.leap]) for level in range(n + 1 - self.leap)
        )
        self.last = nn.Conv2d(plan[-1], channels, 3, 1, 1)
        initialise(self, norm)
        reparametrise(self, norm)
        self.to(memory_format=torch.channels_last)

    def logits(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to unbounded (N, C, H, W)."""
        coarse = self.project(noise).view(-1, *self.coarse)  # (N, twice the most channels, 4 to 7, ...)
        maps = [self.first(coarse.contiguous(memory_format=torch.channels_last))]
        for level, stage in enumerate(self.stages, 1):
            finer = stage(maps[-1])
            if level >= self.leap:
                finer = self.excitations[level - self.leap](maps[level - self.leap], finer)
            maps.append(finer)
        return crop(self.last(maps[-1]), self.height, self.width)


class HalvingBlock(nn.Module):
    """Halves a map in two ways, whose mean is taken: two convolutions, and a mean of 2x2 pixels with a 1x1 convolution.

    Liu et al. 2021, arXiv:2101.04775, figure 4. An odd side loses its last row.
    """

    def __init__(self, in_channels: int, out_channels: int, norm: Norm) -> None:
        super().__init__()
        bias, slope = needs_bias(norm), 0.2
        self.deep = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 4, 2, 1, bias=bias),
            *norm_layers(out_channels, norm),
            nn.LeakyReLU(slope),
            nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=bias),
            *norm_layers(out_channels, norm),
            nn.LeakyReLU(slope),
        )
        self.direct = nn.Sequential(
            nn.AvgPool2d(2),
            nn.Conv2d(in_channels, out_channels, 1, bias=bias),
            *norm_layers(out_channels, norm),
            nn.LeakyReLU(slope),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H // 2, W // 2)."""
        return (self.deep(maps) + self.direct(maps)) / 2


class FastGANDiscriminator(Discriminator):
    """Halvings to a map of 7 to 13 pixels, which is judged as a whole; two of its maps can be decoded.

    Liu et al. 2021, arXiv:2101.04775, section 3.2. Two things differ: one linear layer judges the last map, where the
    authors' code takes scores of its regions, and the image comes in at one resolution and not at two.

    Args:
        image_shape: (channels, height, width) of the images to judge; both sides at least 8.
        width: channels of the first map; each coarser one has twice as many, up to sixteen times.
        norm: norm of all maps but the first (``batch`` in the paper, ``layer``), or of all weights. Not ``batch`` under
            a gradient penalty.
        outputs: number of scores of an image.

    Raises:
        UsageError: if a side is below 8 pixels or ``norm`` is unknown.

    Examples:
        >>> FastGANDiscriminator((3, 64, 64), width=4)(torch.randn(2, 3, 64, 64)).shape
        torch.Size([2])
    """

    def __init__(self, image_shape: Sequence[int], width: int = 32, norm: Norm = "batch", outputs: int = 1) -> None:
        super().__init__()
        at_least(1, width=width, outputs=outputs)
        doublings(image_shape)  # refuses what is no image, or is too small
        n = max(1, int(log2(min(image_shape[1:]) / _JUDGED)))
        channels, height, image_width = image_shape
        plan = widths(width, n, most=16)
        self.stem = nn.Sequential(nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2))
        self.blocks = nn.ModuleList(HalvingBlock(plan[level], plan[level + 1], norm) for level in range(n - 1))
        #: channels of the last map, and of the one before it
        self.coarse_channels, self.fine_channels = plan[-1], plan[max(n - 2, 0)]
        self.squeeze = nn.Sequential(
            nn.Conv2d(plan[-1], plan[-1], 1, bias=needs_bias(norm)),
            *norm_layers(plan[-1], norm),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
        )
        self.places = (height >> n) * (image_width >> n)
        self.size, self.norm = plan[-1] * self.places, norm
        self.judge = nn.Linear(self.size, outputs)
        initialise(self, norm)
        reparametrise(self, norm)
        self.to(memory_format=torch.channels_last)

    def maps(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) to the last map but one and the last, the same one where there is one only."""
        coarse = fine = self.stem(image.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            fine, coarse = coarse, block(coarse)
        return fine, coarse

    def features_of(self, coarse: Tensor) -> Tensor:
        """The last map to the features (N, size)."""
        return self.squeeze(coarse)

    def features(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to the features (N, size) that the last layer judges by."""
        return self.features_of(self.maps(image)[1])


class Reconstructing(nn.Module):
    """A discriminator with two small decoders, which draw the image from its maps, and a part of it from a part.

    Liu et al. 2021, arXiv:2101.04775, section 3.2: the last map is decoded to the whole image, and one quarter of the
    map before it to that quarter of the image, so that neither forgets what it saw. The image that comes out has half
    the sides of the one that went in, the quarter has its full ones.

    Args:
        discriminator: a `FastGANDiscriminator`, or another one with its ``maps``.
        channels: channels of the images.

    Examples:
        >>> network = Reconstructing(FastGANDiscriminator((3, 32, 32), width=4), 3)
        >>> scores, distance = network(torch.rand(2, 3, 32, 32), reconstruct=True)
        >>> scores.shape, distance.shape
        (torch.Size([2]), torch.Size([]))
    """

    def __init__(self, discriminator: FastGANDiscriminator, channels: int) -> None:
        super().__init__()
        self.discriminator = discriminator
        norm, doubled = discriminator.norm, len(discriminator.blocks)
        # a map of 1/2^(n) of the sides becomes an image of 1/2 of them, a quarter of one of 1/2^(n - 1) a whole quarter
        self.whole = _decoder(discriminator.coarse_channels, channels, doubled, norm)
        self.quarter = _decoder(discriminator.fine_channels, channels, max(doubled, 1), norm)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor, reconstruct: bool = False) -> Any:
        """(N, C, H, W) to scores (N,); with ``reconstruct`` also to the distance of the decoded images, 0-dim."""
        fine, coarse = self.discriminator.maps(image)
        scores = self.discriminator.judge(self.discriminator.features_of(coarse)).squeeze(1)
        if not reconstruct:
            return scores
        row, column = (int(part) for part in torch.randint(0, 2, (2,)))
        quarter = self.quarter(_quarter(fine, row, column))
        return scores, pyramid_distance(self.whole(coarse), image) + pyramid_distance(
            quarter, _quarter(image, row, column)
        )


def pyramid_distance(drawn: Tensor, image: Tensor, levels: int = 3) -> Tensor:
    """The mean absolute difference of two batches of images, over ``levels`` resolutions, each half the one before.

    Args:
        drawn: (N, C, h, w); ``image`` is brought to its size.
        image: (N, C, H, W).
        levels: how many resolutions, fewer where a side would be below 2 pixels.

    Returns:
        A 0-dim float32 tensor.
    """
    drawn, image = full(drawn), full(F.adaptive_avg_pool2d(image, (drawn.shape[2], drawn.shape[3])))
    distances = []
    for level in range(levels):
        if level and min(drawn.shape[2:]) < 4:
            break
        if level:
            drawn, image = F.avg_pool2d(drawn, 2), F.avg_pool2d(image, 2)
        distances.append((drawn - image).abs().mean())
    return torch.stack(distances).mean()


def _quarter(maps: Tensor, row: int, column: int) -> Tensor:
    """One of the four quarters (N, C, H // 2, W // 2) of maps or images."""
    height, width = (side // 2 for side in maps.shape[2:])
    return maps[:, :, row * height : (row + 1) * height, column * width : (column + 1) * width]


def _decoder(in_channels: int, channels: int, doubled: int, norm: Norm) -> nn.Sequential:
    plan = [max(in_channels >> level, 4) for level in range(doubled + 1)]
    layers: list[nn.Module] = []
    for level in range(doubled):
        layers.append(GatedUp(plan[level], plan[level + 1], norm))
    decoder = nn.Sequential(*layers, nn.Conv2d(plan[-1], channels, 3, 1, 1), nn.Tanh())
    initialise(decoder, norm)
    reparametrise(decoder, norm)
    return decoder


@dataclass(frozen=True)
class FastGANBackbone(Backbone):
    """The light networks of FastGAN, with skip-layer excitation. See `FastGANGenerator` and `FastGANDiscriminator`.

    Liu et al. 2021, arXiv:2101.04775.

    Args:
        width: channels of the finest maps; each coarser one has twice as many, up to sixteen times.
        latent_dim: size of the noise.
        generator_width: width of the generator, where it is not ``width``.
        generator_norm: norm of the generator.
        discriminator_norm: norm of discriminator and encoder; by default the one that the game needs, else ``batch``.

    Examples:
        >>> FastGANBackbone(width=4).generator((3, 32, 40), inputs=10)(torch.randn(2, 10)).shape
        torch.Size([2, 3, 32, 40])
    """

    width: int = 32
    latent_dim: int = 256
    generator_width: int | None = None
    generator_norm: Norm = "batch"
    discriminator_norm: Norm | None = None

    def generator(self, image_shape: Sequence[int], inputs: int) -> FastGANGenerator:
        """A network that draws from vectors (N, inputs)."""
        return FastGANGenerator(image_shape, inputs, self.generator_width or self.width, self.generator_norm)

    def discriminator(
        self, image_shape: Sequence[int], outputs: int = 1, norm: Norm | None = None
    ) -> FastGANDiscriminator:
        """A network that gives ``outputs`` scores; its norm is this backbone's, else ``norm``, else ``batch``."""
        kind: Norm = self.discriminator_norm or norm or "batch"
        return FastGANDiscriminator(image_shape, self.width, kind, outputs)
