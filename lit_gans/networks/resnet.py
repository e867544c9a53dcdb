"""The residual networks of Gulrajani et al. 2017 and Miyato et al. 2018, for sides of 8 pixels or more."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import ceil, log2, prod
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.errors import at_least
from lit_gans.networks.attention import SelfAttention, nearest_side
from lit_gans.networks.base import Backbone, Discriminator, Generator
from lit_gans.networks.layers import Norm, crop, doublings, norm_layers, reparametrise, widths

_WIDEST = 16  # in the papers channels are at most this many times the width
_PYRAMID = 48  # short side from which the papers' finer maps have fewer channels

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def glorot(layer: Layer, gain: float = 1.0) -> Layer:
    """Draws a layer's weight from Glorot's uniform distribution and zeroes its bias."""
    nn.init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """Norm, ReLU, 3x3 convolution, twice, added to a 1x1 convolution of the input.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        norm: the norm before both ReLUs.
        resample: ``up`` doubles (nearest) before the first convolution, ``down`` halves (mean) after the second,
            ``none`` keeps the size; without a change of channels the input is then added as it is.
        hidden: channels between the convolutions.
        first: whether the input is an image, which is neither normalised nor rectified.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        norm: Norm,
        resample: str,
        hidden: int,
        first: bool = False,
    ) -> None:
        super().__init__()
        self.resample = resample
        between = norm_layers(hidden, norm)
        before: list[nn.Module] = [] if first else [*norm_layers(in_channels, norm), nn.ReLU()]
        self.before = nn.Sequential(*before)
        self.conv1 = glorot(nn.Conv2d(in_channels, hidden, 3, 1, 1, bias=not between), 2**0.5)
        self.between = nn.Sequential(*between, nn.ReLU())
        self.conv2 = glorot(nn.Conv2d(hidden, out_channels, 3, 1, 1), 2**0.5)
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels or resample != "none":  # without a bias: the second convolution has one
            self.shortcut = glorot(nn.Conv2d(in_channels, out_channels, 1, bias=False))

    def forward(self, maps: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, ...), with both sides doubled, halved or the same."""
        branch = self.before(maps)
        if self.resample == "up":
            branch = F.interpolate(branch, scale_factor=2.0)
        branch = self.conv2(self.between(self.conv1(branch)))
        if self.resample == "up":  # nearest resizing and a 1x1 convolution commute; in this order it is cheaper
            return branch + F.interpolate(self.shortcut(maps), scale_factor=2.0)
        if self.resample == "down":
            return F.avg_pool2d(branch, 2) + self.shortcut(F.avg_pool2d(maps, 2))
        return branch + self.shortcut(maps)


class ResNetGenerator(Generator):
    """Noise, projected to a coarse map, doubled by residual blocks until it covers the image, then tanh.

    Below 48 pixels all maps are four times as wide as ``width``; from there on the finest one has ``width`` channels
    and each coarser one twice as many, up to sixteen times. A side that is not a multiple of the last doubling is drawn
    a few pixels too large and cropped around the centre.

    Gulrajani et al. 2017, arXiv:1704.00028; Miyato et al. 2018, arXiv:1802.05957, tables 3 to 5.

    Args:
        image_shape: (channels, height, width) of the images to draw; both sides at least 8.
        latent_dim: size of the noise.
        width: channels, see above; 64 in the papers.
        norm: ``batch`` or ``layer`` norm on all maps, ``weight`` norm on all weights or ``none``; ``spectral`` is
            spectral norm on all weights and batch norm on all maps, as in SAGAN.
        attention: puts `SelfAttention` on the map whose short side is nearest to this many pixels.

    Raises:
        UsageError: if a side is below 8 pixels, ``attention`` below 1, or ``norm`` unknown.

    Examples:
        >>> ResNetGenerator((3, 32, 32), width=8, attention=16)(torch.randn(2, 128)).shape
        torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 128,
        width: int = 64,
        norm: Norm = "batch",
        attention: int | None = None,
    ) -> None:
        super().__init__()
        at_least(1, latent_dim=latent_dim, width=width, attention=attention)
        n = doublings(image_shape)
        self.latent_dim = latent_dim
        channels, self.height, self.width = image_shape
        on_maps: Norm = "batch" if norm == "spectral" else norm
        pyramid = min(self.height, self.width) >= _PYRAMID
        plan = widths(width, n + 1, _WIDEST)[::-1] if pyramid else [4 * width] * (n + 1)
        self.coarse = (plan[0], ceil(self.height / 2**n), ceil(self.width / 2**n))
        self.project = glorot(nn.Linear(latent_dim, prod(self.coarse)))
        blocks: list[nn.Module] = [ResidualBlock(i, o, on_maps, "up", hidden=o) for i, o in pairwise(plan)]
        if attention is not None:
            sides = [min(self.coarse[1:]) << level for level in range(1, n + 1)]
            place = nearest_side(sides, attention)
            blocks.insert(place + 1, SelfAttention(plan[place + 1]))
        last = glorot(nn.Conv2d(plan[-1], channels, 3, 1, 1))
        self.layers = nn.Sequential(*blocks, *norm_layers(plan[-1], on_maps), nn.ReLU(), last)
        reparametrise(self, norm)
        self.to(memory_format=torch.channels_last)

    def logits(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to unbounded (N, C, H, W)."""
        coarse = self.project(noise).view(-1, *self.coarse)  # (N, most channels, 4 to 7, ...)
        return crop(self.layers(coarse.contiguous(memory_format=torch.channels_last)), self.height, self.width)


class ResNetDiscriminator(Discriminator):
    """Residual blocks that halve by mean pooling, then ReLU, a sum over all places and one linear layer.

    Below 48 pixels there are four blocks of twice ``width``, of which two halve. From there on the blocks have
    ``width``, two, four, ... up to sixteen times as many channels and halve until 4 pixels or fewer are left; one more
    block does not halve.

    Gulrajani et al. 2017, arXiv:1704.00028; Miyato et al. 2018, arXiv:1802.05957, tables 3 to 5.

    Args:
        image_shape: (channels, height, width) of the images to judge; both sides at least 8.
        width: channels, see above; 64 in the papers.
        norm: ``spectral`` or ``weight`` norm on all weights, ``batch`` or ``layer`` norm on all maps, or ``none``;
            ``layer`` or ``none`` under a gradient penalty.
        attention: puts `SelfAttention` on the map whose short side is nearest to this many pixels.
        outputs: number of scores of an image.

    Raises:
        UsageError: if a side is below 8 pixels, ``attention`` below 1, or ``norm`` unknown.

    Examples:
        >>> ResNetDiscriminator((3, 32, 32), width=8, attention=16)(torch.randn(2, 3, 32, 32)).shape
        torch.Size([2])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        width: int = 64,
        norm: Norm = "spectral",
        attention: int | None = None,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        at_least(1, width=width, outputs=outputs, attention=attention)
        doublings(image_shape)  # refuses images that are too small
        channels, short = image_shape[0], min(image_shape[1:])
        plan, halvings = [2 * width] * 4, 2
        if short >= _PYRAMID:
            halvings = ceil(log2(short / 4))
            plan = widths(width, halvings + 1, _WIDEST)
        down = [level < halvings for level in range(len(plan))]
        blocks: list[nn.Module] = [
            ResidualBlock(i, o, norm, "down" if d else "none", hidden=o if level == 0 else i, first=level == 0)
            for level, ((i, o), d) in enumerate(zip(pairwise([channels, *plan]), down, strict=True))
        ]
        if attention is not None:
            sides = list(accumulate(down, lambda side, d: side >> d, initial=short))[1:]
            place = nearest_side(sides, attention)
            blocks.insert(place + 1, SelfAttention(plan[place]))
        self.layers = nn.Sequential(*blocks, *norm_layers(plan[-1], norm), nn.ReLU())
        self.size, self.norm = plan[-1], norm
        self.judge = glorot(nn.Linear(self.size, outputs))
        reparametrise(self, norm)
        self.to(memory_format=torch.channels_last)

    def features(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to the features (N, size) that the last layer judges by."""
        return self.layers(image.contiguous(memory_format=torch.channels_last)).sum((2, 3))


@dataclass(frozen=True)
class ResNetBackbone(Backbone):
    """The residual networks of WGAN-GP, SNGAN and SAGAN. See `ResNetGenerator` and `ResNetDiscriminator`.

    Gulrajani et al. 2017, arXiv:1704.00028; Miyato et al. 2018, arXiv:1802.05957; Zhang et al. 2018, arXiv:1805.08318.

    Args:
        width: channels, see the networks; 64 in the papers.
        latent_dim: size of the noise.
        generator_norm: norm of the generator; ``spectral`` is spectral norm on all weights and batch norm on
            all maps.
        discriminator_norm: norm of discriminator and encoder; by default the one that the game needs, else
            ``spectral``.
        attention: puts `SelfAttention` on the maps whose short side is nearest to this many pixels, in both networks.

    Examples:
        >>> ResNetBackbone(width=4).discriminator((3, 32, 40), norm="none")(torch.zeros(2, 3, 32, 40)).shape
        torch.Size([2])
    """

    width: int = 64
    latent_dim: int = 128
    generator_norm: Norm = "batch"
    discriminator_norm: Norm | None = None
    attention: int | None = None

    def generator(self, image_shape: Sequence[int], inputs: int) -> ResNetGenerator:
        """A network that draws from vectors (N, inputs)."""
        return ResNetGenerator(image_shape, inputs, self.width, self.generator_norm, self.attention)

    def discriminator(
        self, image_shape: Sequence[int], outputs: int = 1, norm: Norm | None = None
    ) -> ResNetDiscriminator:
        """A network that gives ``outputs`` scores; its norm is this backbone's, else ``norm``, else ``spectral``."""
        kind: Norm = self.discriminator_norm or norm or "spectral"
        return ResNetDiscriminator(image_shape, self.width, kind, self.attention, outputs)
