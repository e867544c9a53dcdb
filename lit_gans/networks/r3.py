"""The plain residual networks of Huang et al. 2024 (R3GAN), for sides of 8 pixels or more."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.errors import UsageError, at_least
from lit_gans.networks.base import Backbone, Discriminator, Generator, refuse_norm
from lit_gans.networks.layers import Norm, crop, doublings, strided_each, widths

_SLOPE = 0.2
_GAIN = (2 / (1 + _SLOPE**2)) ** 0.5  # keeps the second moment through a leaky ReLU

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def scaled(layer: Layer, fan_in: int, gain: float = 1.0) -> Layer:
    """Draws a layer's weight from N(0, gain^2 / fan_in) and zeroes its bias."""
    nn.init.normal_(layer.weight, 0.0, gain / fan_in**0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class R3Block(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with leaky ReLU in between, added to the input; at first it is the identity.

    Its last convolution begins at zero and the others are scaled down by the fourth root of the network's number of
    blocks, so that no norm is needed (Zhang et al. 2019, *Fixup*, arXiv:1901.09321, with three convolutions a block).

    Args:
        channels: channels of input and output.
        depth: number of blocks of the network.
        expansion: channels inside the block, as a multiple of ``channels``.
        group_size: channels of a group of the 3x3 convolution; None for a plain convolution.
    """

    def __init__(self, channels: int, depth: int, expansion: int = 1, group_size: int | None = None) -> None:
        super().__init__()
        inside = expansion * channels
        size = inside if group_size is None else group_size
        if size < 1 or inside % size:
            raise UsageError(
                f"group_size must divide the {inside} channels inside a block (expansion x width), got {group_size}; "
                "choose a divisor, or None for plain convolutions"
            )
        gain = _GAIN * depth**-0.25
        self.widen = scaled(nn.Conv2d(channels, inside, 1), channels, gain)
        self.spatial = scaled(nn.Conv2d(inside, inside, 3, 1, 1, groups=inside // size), 9 * size, gain)
        self.narrow = nn.Conv2d(inside, channels, 1, bias=False)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        branch = F.leaky_relu(self.widen(maps), _SLOPE)
        branch = F.leaky_relu(self.spatial(branch), _SLOPE)
        return maps + self.narrow(branch)


class Resample(nn.Module):
    """Doubles or halves a map with the filter [1, 2, 1] in both directions, and changes its channels where they differ.

    In a doubled map every second pixel is an old one and the others are means of two or four. A halved map has every
    second pixel of the smoothed one.
    """

    smoother: Tensor

    def __init__(self, in_channels: int, out_channels: int, up: bool) -> None:
        super().__init__()
        self.up = up
        line = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("smoother", line[:, None] * line, persistent=False)
        self.mix: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.mix = scaled(nn.Conv2d(in_channels, out_channels, 1, bias=False), in_channels)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, 2H, 2W) or (N, out_channels, H // 2, W // 2)."""
        if self.up:
            nearest = F.interpolate(self.mix(maps), scale_factor=2.0)
            return F.avg_pool2d(F.pad(nearest, (0, 1, 0, 1), mode="replicate"), 2, 1)
        channels = maps.shape[1]
        smoother = self.smoother.expand(channels, 1, 3, 3)  # (C, 1, 3, 3)
        edged = F.pad(maps, (1, 0, 1, 0), mode="replicate")
        return self.mix(strided_each(edged, smoother, 2))


class R3Generator(Generator):
    """A learned coarse map whose channels the noise scales, then stages of residual blocks, each twice as large.

    Huang et al. 2024, *The GAN is dead; long live the GAN! A Modern Baseline GAN*, arXiv:2501.05441, section 4: no
    normalisation, no style, no noise maps. The last layer here is a tanh, because images are in [-1, 1].

    The defaults are for a CPU: channels double from stage to stage, and blocks are plain and no wider inside. The
    paper's network for 32x32 is ``width=(768, 768, 768, 768), expansion=2, group_size=16``. At equal widths its blocks
    take 1.2 to 1.5 times as long as the plain ones on one CPU core (measured with R1), with fewer weights.

    Args:
        image_shape: (channels, height, width) of the images to draw; both sides at least 8.
        latent_dim: size of the noise.
        width: channels of the finest stage, of which each coarser one has twice as many, up to eight times; or one
            number a stage, from the coarsest to the finest.
        blocks: residual blocks a stage.
        expansion: how many times wider a block is inside; 2 in the paper.
        group_size: channels of a group of a 3x3 convolution, 16 in the paper; None for plain convolutions.

    Raises:
        UsageError: if a side is below 8 pixels, there is not one width a stage, or ``group_size`` does not divide the
            channels inside a block.

    Examples:
        >>> R3Generator((1, 28, 28), width=(16, 8, 8))(torch.randn(2, 64)).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 64,
        width: int | Sequence[int] = 32,
        blocks: int = 2,
        expansion: int = 1,
        group_size: int | None = None,
    ) -> None:
        super().__init__()
        at_least(1, latent_dim=latent_dim, expansion=expansion)
        at_least(0, blocks=blocks)
        n = doublings(image_shape)
        self.latent_dim = latent_dim
        channels, self.height, self.width = image_shape
        plan = _stages(width, n + 1)
        coarse = (ceil(self.height / 2**n), ceil(self.width / 2**n))
        self.basis = nn.Parameter(torch.randn(plan[0], *coarse))
        self.modulate = scaled(nn.Linear(latent_dim, plan[0], bias=False), latent_dim)
        layers: list[nn.Module] = []
        for level, features in enumerate(plan):
            if level:
                layers.append(Resample(plan[level - 1], features, up=True))
            layers += [R3Block(features, blocks * (n + 1), expansion, group_size) for _ in range(blocks)]
        self.layers = nn.Sequential(*layers, scaled(nn.Conv2d(plan[-1], channels, 1), plan[-1]))
        self.to(memory_format=torch.channels_last)

    def logits(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to unbounded (N, C, H, W)."""
        coarse = self.basis * self.modulate(noise)[:, :, None, None]  # (N, most channels, 4 to 7, ...)
        return crop(self.layers(coarse.contiguous(memory_format=torch.channels_last)), self.height, self.width)


class R3Discriminator(Discriminator):
    """Stages of residual blocks, each half as large, then one learned weight a place and channel, and a linear layer.

    The mirror image of `R3Generator`, whose docstring names the paper and the differences from it.

    Args:
        image_shape: (channels, height, width) of the images to judge; both sides at least 8.
        width: channels of the finest stage, of which each coarser one has twice as many, up to eight times; or one
            number a stage, from the coarsest to the finest, as for the generator.
        blocks: residual blocks a stage.
        expansion: how many times wider a block is inside; 2 in the paper.
        group_size: channels of a group of a 3x3 convolution, 16 in the paper; None for plain convolutions.
        outputs: number of scores of an image.

    Raises:
        UsageError: if a side is below 8 pixels, there is not one width a stage, or ``group_size`` does not divide the
            channels inside a block.

    Examples:
        >>> R3Discriminator((1, 28, 28), width=(16, 8, 8))(torch.randn(2, 1, 28, 28)).shape
        torch.Size([2])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        width: int | Sequence[int] = 32,
        blocks: int = 2,
        expansion: int = 1,
        group_size: int | None = None,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        at_least(1, expansion=expansion, outputs=outputs)
        at_least(0, blocks=blocks)
        n = doublings(image_shape)
        channels, height, image_width = image_shape
        plan = _stages(width, n + 1)[::-1]
        layers: list[nn.Module] = [scaled(nn.Conv2d(channels, plan[0], 1), channels)]
        for level, features in enumerate(plan):
            if level:
                layers.append(Resample(plan[level - 1], features, up=False))
            layers += [R3Block(features, blocks * (n + 1), expansion, group_size) for _ in range(blocks)]
        self.layers = nn.Sequential(*layers)
        coarse = (height >> n, image_width >> n)
        self.size = plan[-1]
        self.basis = nn.Parameter(torch.randn(self.size, *coarse) / (coarse[0] * coarse[1]) ** 0.5)
        self.judge = scaled(nn.Linear(self.size, outputs), self.size)
        self.to(memory_format=torch.channels_last)

    def features(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to the features (N, size) that the last layer judges by."""
        maps = self.layers(image.contiguous(memory_format=torch.channels_last))
        return (maps * self.basis).sum((2, 3))  # a depthwise convolution as large as the map


@dataclass(frozen=True)
class R3Backbone(Backbone):
    """The residual networks of R3GAN, which have no normalisation. See `R3Generator` and `R3Discriminator`.

    Huang et al. 2024, arXiv:2501.05441.

    Args:
        width: channels of the finest stage, of which each coarser one has twice as many, up to eight times; or one
            number a stage, from the coarsest to the finest.
        latent_dim: size of the noise.
        blocks: residual blocks a stage.
        expansion: how many times wider a block is inside; 2 in the paper.
        group_size: channels of a group of a 3x3 convolution, 16 in the paper; None for plain convolutions.

    Examples:
        >>> R3Backbone(width=4, blocks=1).generator((1, 28, 28), inputs=10)(torch.randn(2, 10)).shape
        torch.Size([2, 1, 28, 28])
    """

    width: int | tuple[int, ...] = 32
    latent_dim: int = 64
    blocks: int = 2
    expansion: int = 1
    group_size: int | None = None

    def generator(self, image_shape: Sequence[int], inputs: int) -> R3Generator:
        """A network that draws from vectors (N, inputs)."""
        return R3Generator(image_shape, inputs, self.width, self.blocks, self.expansion, self.group_size)

    def discriminator(self, image_shape: Sequence[int], outputs: int = 1, norm: Norm | None = None) -> R3Discriminator:
        """A network that gives ``outputs`` scores; refuses a game that needs a norm."""
        refuse_norm(self, norm, "blocks begin as the identity and have no norms")
        return R3Discriminator(image_shape, self.width, self.blocks, self.expansion, self.group_size, outputs)


def _stages(width: int | Sequence[int], stages: int) -> list[int]:
    """The width of every stage, from the coarsest to the finest."""
    plan = list(width) if isinstance(width, Sequence) else widths(width, stages)[::-1]
    if len(plan) != stages or min(plan) < 1:
        raise UsageError(
            f"width must be one positive number, or one for each of the {stages} stages that images of this size "
            f"have, from the coarsest to the finest, got {width}"
        )
    return plan
