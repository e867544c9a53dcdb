"""Translators, which make an image from an image of any height and width, and a discriminator of patches."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.errors import UsageError, at_least
from lit_gans.networks.base import Discriminator, Generator, TranslationBackbone
from lit_gans.networks.layers import (
    Norm,
    Upsampling,
    norm_layers,
    normal,
    order_with,
    reparametrise,
    upsample,
    widths,
)
from lit_gans.networks.recomputing import Stages, recomputed, refuse_recomputing


class Translator(Generator):
    """Maps images (N, C, H, W) to images (N, C', H, W) in [-1, 1], whatever H and W are.

    A subclass writes `translate` for sides that are multiples of ``stride``; images with other sides are padded all
    around by reflection, and their translations are cropped again.
    """

    latent_dim = 0
    stride: int
    #: the memory order of weights and maps; `UNet` keeps this one, in which it is up to 1.4 times as fast on a CPU
    order = torch.contiguous_format

    def translate(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H, W); H and W are multiples of ``stride``."""
        raise NotImplementedError

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H, W) in [-1, 1]."""
        height, width = image.shape[2:]
        down, right = -height % self.stride, -width % self.stride
        image = image.contiguous(memory_format=self.order)
        if not down and not right:
            return self.translate(image).contiguous()
        top, left = down // 2, right // 2
        mode = "reflect" if down - top < height and right - left < width else "replicate"  # reflection needs room
        image = self.translate(F.pad(image, (left, right - left, top, down - top), mode=mode))
        return image[:, :, top : top + height, left : left + width].contiguous()


def _refuse_other_shapes(*shapes: Sequence[int] | None) -> None:
    for shape in shapes:
        if shape is not None and (len(shape) != 3 or min(shape) < 1):
            raise UsageError(
                f"translators and discriminators of patches take images (channels, height, width), got {tuple(shape)}"
            )


class UNet(Translator):
    """Halves an image down to a few pixels and doubles it again, every doubled map joined with the halved one.

    Isola et al. 2017, arXiv:1611.07004, section 6.1. Dropout in the three coarsest doublings is the game's noise, so it
    stays on in evaluation too.

    Args:
        image_shape: (channels, height, width) of the images that it makes.
        source_shape: shape of the images that it is given; only the channels may differ. By default the same.
        width: channels of the finest map; each coarser one has twice as many, up to eight times.
        norm: norm of all but the finest and the coarsest map.
        dropout: share of values that are dropped.
        upsampling: how a map is doubled.
        recompute: keep few maps for the backward pass and compute the others again, see `ResNetTranslation`.
        innermost_dropout: whether the first of the three is the coarsest, as in the paper. False leaves that one out:
            dropout is in the others that have ``8 * width`` channels on both sides, as in the authors' PyTorch program.

    Raises:
        UsageError: if a shape is not (channels, height, width), ``norm`` or ``upsampling`` is unknown, or ``recompute``
            meets batch or spectral norm.

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
        recompute: bool = False,
        innermost_dropout: bool = True,
    ) -> None:
        super().__init__()
        _refuse_other_shapes(image_shape, source_shape)
        at_least(1, width=width)
        if recompute:
            refuse_recomputing(norm)
        self.recompute = recompute
        # as deep as the smallest side allows: at 256 pixels eight times
        levels = max(2, min(8, int(log2(min(image_shape[1:])))))
        self.stride = 2**levels
        plan = widths(width, levels)
        # of doublings, by the level that they begin at
        noisy = range(max(1, levels - 3), levels) if innermost_dropout else range(4, levels - 1)
        inputs = [(source_shape or image_shape)[0], *plan[:-1]]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (i, o) in enumerate(zip(inputs, plan, strict=True)):
            after = [] if level in (0, levels - 1) else norm_layers(o, norm)
            before = [] if level == 0 else [nn.LeakyReLU(0.2)]
            self.down.append(nn.Sequential(*before, nn.Conv2d(i, o, 4, 2, 1, bias=not after), *after))
        for level in reversed(range(levels)):
            i = plan[level] * (1 if level == levels - 1 else 2)
            o = plan[level - 1] if level else image_shape[0]
            after = norm_layers(o, norm) if level else []
            noise = [AlwaysDropout(dropout)] if dropout and level in noisy else []
            self.up.append(_Joined(nn.ReLU(), upsample(i, o, upsampling, bias=not after), *after, *noise))
        self.apply(normal)
        reparametrise(self, norm)

    def translate(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H, W), through all halvings and doublings."""
        maps = []
        for layer in self.down:
            image = self._run(layer, image)
            maps.append(image)
        image = self._run(self.up[0], maps.pop())
        for layer in self.up[1:]:
            image = self._run(layer, image, maps.pop())
        return image.tanh()

    def _run(self, layer: nn.Module, *maps: Tensor) -> Tensor:
        made: Tensor = recomputed(layer, *maps) if self.recompute else layer(*maps)
        return made


class _Joined(nn.Sequential):
    """Layers that take several maps, joined along their channels."""

    def forward(self, *maps: Tensor) -> Tensor:
        return super().forward(torch.cat(maps, 1) if len(maps) > 1 else maps[0])


class ResNetTranslator(Translator):
    """Two halvings, residual blocks, two doublings, all padded by reflection.

    Johnson et al. 2016, arXiv:1603.08155, as Zhu et al. 2017, arXiv:1703.10593, use it.

    Args:
        image_shape: (channels, height, width) of the images that it makes.
        source_shape: shape of the images that it is given; only the channels may differ. By default the same.
        width: channels of the finest map; the blocks have four times as many.
        blocks: number of residual blocks; by default 9 from 256 pixels up and 6 below, as in the paper.
        norm: norm of all maps.
        upsampling: how a map is doubled.
        recompute: keep few maps for the backward pass and compute the others again, see `ResNetTranslation`.
        dropout: share of values that are dropped inside each block; it is noise, which stays on in evaluation.

    Raises:
        UsageError: if a shape is not (channels, height, width), ``norm`` or ``upsampling`` is unknown, or ``recompute``
            meets batch or spectral norm.

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
        recompute: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        _refuse_other_shapes(image_shape, source_shape)
        at_least(1, width=width)
        at_least(0, blocks=blocks)
        if recompute:
            refuse_recomputing(norm)
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
            *(ReflectBlock(4 * width, norm, dropout) for _ in range(blocks)),
        ]
        decoder = [
            *joined(upsample(4 * width, 2 * width, upsampling, bias), 2 * width),
            *joined(upsample(2 * width, width, upsampling, bias), width),
            nn.Conv2d(width, image_shape[0], 7, 1, 3, padding_mode="reflect"),
            nn.Tanh(),
        ]
        self.encoder, self.decoder = Stages(*encoder), Stages(*decoder)
        self.encoder.recompute = self.decoder.recompute = recompute
        self.apply(normal)
        reparametrise(self, norm)
        self.order = order_with(norm)
        self.to(memory_format=self.order)

    def translate(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H, W), through encoder and decoder."""
        return self.decoder(self.encoder(image))


class ReflectBlock(nn.Module):
    """Two 3x3 convolutions with norm and padding by reflection, added to their input."""

    def __init__(self, features: int, norm: Norm, dropout: float = 0.0) -> None:
        super().__init__()
        # one layer, so that weights have the same names with and without dropout
        between = nn.Sequential(nn.ReLU(), AlwaysDropout(dropout)) if dropout else nn.ReLU()
        layers: list[nn.Module] = []
        for last in (False, True):
            after = norm_layers(features, norm)
            layers += [nn.Conv2d(features, features, 3, 1, 1, padding_mode="reflect", bias=not after), *after]
            layers += [] if last else [between]
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, features, H, W) to the same shape."""
        return maps + self.layers(maps)


class AlwaysDropout(nn.Module):
    """Dropout that stays on in evaluation mode.

    Args:
        share: share of the values that are dropped.
    """

    def __init__(self, share: float = 0.5) -> None:
        super().__init__()
        self.share = share

    def forward(self, maps: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return F.dropout(maps, self.share, True)


class PatchDiscriminator(Discriminator):
    """Judges every patch of an image separately: one logit a patch.

    Isola et al. 2017, arXiv:1611.07004, section 6.1.2: convolutions of 4x4, ``layers`` of them with stride 2 and two
    with stride 1. With three halvings a patch has 70x70 pixels, with two 34x34, with one 16x16.

    Args:
        image_shape: (channels, height, width) of the images to judge; source and target joined, where it judges both.
        width: channels after the first convolution; each further one has twice as many, up to eight times.
        layers: number of halvings; by default three from 200 pixels up, two from 32 and one below.
        norm: norm of all but the first and the last map, or ``spectral`` or ``weight`` norm on all weights.

    Raises:
        UsageError: if ``norm`` is unknown, or a side is too short for so many halvings.

    Examples:
        >>> PatchDiscriminator((3, 256, 256), width=8)(torch.zeros(1, 3, 256, 256)).shape
        torch.Size([1, 1, 30, 30])
    """

    def __init__(
        self, image_shape: Sequence[int], width: int = 64, layers: int | None = None, norm: Norm = "instance"
    ) -> None:
        super().__init__()
        _refuse_other_shapes(image_shape)
        at_least(1, width=width, layers=layers)
        side = min(image_shape[1:])
        halvings = layers if layers is not None else 3 if side >= 200 else 2 if side >= 32 else 1
        if (least := 3 * 2**halvings) > side:
            raise UsageError(
                f"a discriminator of patches that halves {halvings} times needs images of at least {least}x{least} "
                f"pixels, got {image_shape[1]}x{image_shape[2]}; use larger images or fewer layers"
            )
        plan = widths(width, halvings + 1)
        parts: list[nn.Module] = [nn.Conv2d(image_shape[0], width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for level in range(1, halvings + 1):
            after = norm_layers(plan[level], norm)
            stride = 2 if level < halvings else 1
            parts += [nn.Conv2d(plan[level - 1], plan[level], 4, stride, 1, bias=not after), *after]
            parts += [nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*parts, nn.Conv2d(plan[-1], 1, 4, 1, 1))
        self.norm = norm
        self.apply(normal)
        reparametrise(self, norm)
        self.order = order_with(norm)
        self.to(memory_format=self.order)

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to logits (N, 1, h, w)."""
        return self.layers(image.contiguous(memory_format=self.order))


@dataclass(frozen=True)
class ResNetTranslation(TranslationBackbone):
    """The networks of CycleGAN: a residual translator and a discriminator of patches.

    See `ResNetTranslator` and `PatchDiscriminator`. Zhu et al. 2017, arXiv:1703.10593.

    Args:
        width: channels of the finest maps.
        blocks: residual blocks; by default 9 from 256 pixels up and 6 below, as in the paper.
        norm: norm of the translator.
        upsampling: how a map is doubled.
        discriminator_norm: norm of the discriminator, where it is not ``norm``.
        recompute: compute a translator's maps again in the backward pass and keep few: less memory, more time.
        dropout: share of values that are dropped inside each block, in evaluation too.

    Examples:
        >>> ResNetTranslation(width=4, blocks=1).generator((3, 32, 32), (1, 32, 32))(torch.zeros(1, 1, 32, 32)).shape
        torch.Size([1, 3, 32, 32])
    """

    width: int = 64
    blocks: int | None = None
    norm: Norm = "instance"
    upsampling: Upsampling = "transposed"
    discriminator_norm: Norm | None = None
    recompute: bool = False
    dropout: float = 0.0

    def generator(self, image_shape: Sequence[int], source_shape: Sequence[int]) -> ResNetTranslator:
        """A translator of images of ``source_shape`` to images of ``image_shape``."""
        options = (self.width, self.blocks, self.norm, self.upsampling, self.recompute, self.dropout)
        return ResNetTranslator(image_shape, source_shape, *options)

    def discriminator(self, image_shape: Sequence[int]) -> PatchDiscriminator:
        """A network that judges the patches of an image."""
        return PatchDiscriminator(image_shape, self.width, norm=self.discriminator_norm or self.norm)


@dataclass(frozen=True)
class UNetTranslation(TranslationBackbone):
    """The networks of pix2pix: a U-Net and a discriminator of patches.

    See `UNet` and `PatchDiscriminator`. Isola et al. 2017, arXiv:1611.07004.

    Args:
        width: channels of the finest maps.
        norm: norm of the translator.
        dropout: share of values that the translator drops, in evaluation too.
        upsampling: how a map is doubled.
        discriminator_norm: norm of the discriminator, where it is not ``norm``.
        recompute: compute a translator's maps again in the backward pass and keep few: less memory, more time.
        innermost_dropout: whether the coarsest doubling drops values too, as in the paper; False is the authors' later
            program.

    Examples:
        >>> UNetTranslation(width=4).discriminator((4, 32, 32))(torch.zeros(1, 4, 32, 32)).shape
        torch.Size([1, 1, 6, 6])
    """

    width: int = 64
    norm: Norm = "instance"
    dropout: float = 0.5
    upsampling: Upsampling = "transposed"
    discriminator_norm: Norm | None = None
    recompute: bool = False
    innermost_dropout: bool = True

    def generator(self, image_shape: Sequence[int], source_shape: Sequence[int]) -> UNet:
        """A translator of images of ``source_shape`` to images of ``image_shape``."""
        options = (self.width, self.norm, self.dropout, self.upsampling, self.recompute, self.innermost_dropout)
        return UNet(image_shape, source_shape, *options)

    def discriminator(self, image_shape: Sequence[int]) -> PatchDiscriminator:
        """A network that judges the patches of an image."""
        return PatchDiscriminator(image_shape, self.width, norm=self.discriminator_norm or self.norm)
