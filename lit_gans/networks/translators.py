"""Networks that make an image of an image: U-Net and the residual one, for any height and width."""

from collections.abc import Sequence
from math import log2

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.errors import at_least
from lit_gans.networks.base import Generator
from lit_gans.networks.blocks import Norm, Upsampling, norm_layers, reparametrise, upsample
from lit_gans.networks.init import normal

_WIDEST = 8  # channels never exceed this many times the width


class Translator(Generator):
    """Maps images (N, C, H, W) to images (N, C', H, W) in [-1, 1], whatever H and W are.

    A subclass writes `translate` for sides that are multiples of ``stride``; others are padded by reflection, all
    around, and cropped back.
    """

    latent_dim = 0
    stride: int

    def translate(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H, W), sides being multiples of ``stride``."""
        raise NotImplementedError

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H, W) in [-1, 1]."""
        height, width = image.shape[2:]
        down, right = -height % self.stride, -width % self.stride
        image = image.contiguous(memory_format=torch.channels_last)
        if not down and not right:
            return self.translate(image).contiguous()
        top, left = down // 2, right // 2
        mode = "reflect" if down - top < height and right - left < width else "replicate"  # reflection needs room
        image = self.translate(F.pad(image, (left, right - left, top, down - top), mode=mode))
        return image[:, :, top : top + height, left : left + width].contiguous()


class UNet(Translator):
    """Halved until hardly a pixel is left and doubled again, every map on the way up joined with its like.

    Isola et al. 2017, arXiv:1611.07004, section 6.1. Dropout in the three coarsest doublings is the game's noise and
    therefore also there when images are translated.

    Args:
        image_shape: (channels, height, width) of the images that it makes.
        source_shape: of those that it is given; only the channels may differ. By default the same.
        width: channels of the finest map; each coarser one has twice as many, up to eight times.
        norm: on all but the finest and the coarsest map.
        dropout: share of values dropped.
        upsampling: how a map is doubled.

    Raises:
        UsageError: if ``norm`` or ``upsampling`` is unknown.

    Examples:
        >>> UNet((3, 64, 64), (1, 64, 64), width=8)(torch.zeros(1, 1, 50, 70)).shape
        torch.Size([1, 3, 50, 70])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        source_shape: Sequence[int] | None = None,
        width: int = 64,
        norm: Norm = "instance",
        dropout: float = 0.5,
        upsampling: Upsampling = "transposed",
    ) -> None:
        super().__init__()
        at_least(1, width=width)
        # as deep as the smallest side allows: at 256 pixels eight times
        levels = max(2, min(8, int(log2(min(image_shape[1:])))))
        self.stride = 2**levels
        widths = [width * min(2**level, _WIDEST) for level in range(levels)]
        inputs = [(source_shape or image_shape)[0], *widths[:-1]]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (i, o) in enumerate(zip(inputs, widths, strict=True)):
            after = [] if level in (0, levels - 1) else norm_layers(o, norm)
            before = [] if level == 0 else [nn.LeakyReLU(0.2)]
            self.down.append(nn.Sequential(*before, nn.Conv2d(i, o, 4, 2, 1, bias=not after), *after))
        for level in reversed(range(levels)):
            i = widths[level] * (1 if level == levels - 1 else 2)
            o = widths[level - 1] if level else image_shape[0]
            after = norm_layers(o, norm) if level else []
            noise = [Noise(dropout)] if dropout and level and levels - 4 <= level - 1 < levels - 1 else []
            self.up.append(nn.Sequential(nn.ReLU(), upsample(i, o, upsampling, bias=not after), *after, *noise))
        self.apply(normal)
        reparametrise(self, norm)
        self.to(memory_format=torch.channels_last)

    def translate(self, image: Tensor) -> Tensor:
        """Down and up again."""
        maps = []
        for layer in self.down:
            image = layer(image)
            maps.append(image)
        image = self.up[0](maps.pop())
        for layer in self.up[1:]:
            image = layer(torch.cat([image, maps.pop()], 1))
        return image.tanh()


class ResNetTranslator(Translator):
    """Two halvings, residual blocks, two doublings, all padded by reflection.

    Johnson et al. 2016, arXiv:1603.08155, as Zhu et al. 2017, arXiv:1703.10593, use it.

    Args:
        image_shape: (channels, height, width) of the images that it makes.
        source_shape: of those that it is given; only the channels may differ. By default the same.
        width: channels of the finest map; the blocks have four times as many.
        blocks: how many residual blocks; by default 9 from 256 pixels up and 6 below, as in the paper.
        norm: on all maps.
        upsampling: how a map is doubled.

    Raises:
        UsageError: if ``norm`` or ``upsampling`` is unknown.

    Examples:
        >>> ResNetTranslator((3, 64, 64), width=8, blocks=1)(torch.zeros(1, 3, 45, 66)).shape
        torch.Size([1, 3, 45, 66])
    """

    stride = 4

    def __init__(
        self,
        image_shape: Sequence[int],
        source_shape: Sequence[int] | None = None,
        width: int = 64,
        blocks: int | None = None,
        norm: Norm = "instance",
        upsampling: Upsampling = "transposed",
    ) -> None:
        super().__init__()
        at_least(1, width=width)
        at_least(0, blocks=blocks)
        if blocks is None:
            blocks = 9 if min(image_shape[1:]) >= 256 else 6

        def joined(layer: nn.Module, features: int) -> list[nn.Module]:
            return [layer, *norm_layers(features, norm), nn.ReLU()]

        bias = not norm_layers(width, norm)
        encoder = [
            *joined(
                nn.Conv2d((source_shape or image_shape)[0], width, 7, 1, 3, padding_mode="reflect", bias=bias), width
            ),
            *joined(nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias), 2 * width),
            *joined(nn.Conv2d(2 * width, 4 * width, 3, 2, 1, bias=bias), 4 * width),
            *(ReflectBlock(4 * width, norm) for _ in range(blocks)),
        ]
        decoder = [
            *joined(upsample(4 * width, 2 * width, upsampling, bias), 2 * width),
            *joined(upsample(2 * width, width, upsampling, bias), width),
            nn.Conv2d(width, image_shape[0], 7, 1, 3, padding_mode="reflect"),
            nn.Tanh(),
        ]
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)
        self.apply(normal)
        reparametrise(self, norm)
        self.to(memory_format=torch.channels_last)

    def translate(self, image: Tensor) -> Tensor:
        """Through all layers."""
        return self.decoder(self.encoder(image))


class ReflectBlock(nn.Module):
    """Two 3x3 convolutions with norm and padding by reflection, added to their input."""

    def __init__(self, features: int, norm: Norm) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for last in (False, True):
            after = norm_layers(features, norm)
            layers += [nn.Conv2d(features, features, 3, 1, 1, padding_mode="reflect", bias=not after), *after]
            layers += [] if last else [nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, features, H, W) to the same."""
        return maps + self.layers(maps)


class Noise(nn.Module):
    """Dropout that is there in evaluation mode too.

    Args:
        share: of the values that are dropped.
    """

    def __init__(self, share: float = 0.5) -> None:
        super().__init__()
        self.share = share

    def forward(self, maps: Tensor) -> Tensor:
        """Any shape to the same."""
        return F.dropout(maps, self.share, True)
