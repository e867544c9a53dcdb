"""The discriminator that judges patches."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_gans.errors import UsageError, at_least
from lit_gans.networks.base import Discriminator
from lit_gans.networks.blocks import Norm, norm_layers, reparametrise
from lit_gans.networks.init import normal

_WIDEST = 8


class PatchDiscriminator(Discriminator):
    """Judges every patch of an image by itself: one logit a place.

    Isola et al. 2017, arXiv:1611.07004, section 6.1.2: convolutions of 4x4, ``layers`` of them with stride 2 and two
    with stride 1. Three halvings see 70x70 pixels, two 34x34, one 16x16.

    Args:
        image_shape: (channels, height, width) of what is judged, source and target joined where both are.
        width: channels after the first convolution; each further one has twice as many, up to eight times.
        layers: halvings; by default three from 200 pixels up, two from 32 and one below.
        norm: on all but the first and the last map, or ``spectral`` or ``weight`` norm on all weights.

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
        at_least(1, width=width, layers=layers)
        side = min(image_shape[1:])
        halvings = layers if layers is not None else 3 if side >= 200 else 2 if side >= 32 else 1
        if (least := 3 * 2**halvings) > side:
            raise UsageError(
                f"a discriminator of patches that halves {halvings} times needs images of at least {least}x{least} "
                f"pixels, got {image_shape[1]}x{image_shape[2]}; use larger images or fewer layers"
            )
        widths = [width * min(2**level, _WIDEST) for level in range(halvings + 1)]
        parts: list[nn.Module] = [nn.Conv2d(image_shape[0], width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for level in range(1, halvings + 1):
            after = norm_layers(widths[level], norm)
            stride = 2 if level < halvings else 1
            parts += [nn.Conv2d(widths[level - 1], widths[level], 4, stride, 1, bias=not after), *after]
            parts += [nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*parts, nn.Conv2d(widths[-1], 1, 4, 1, 1))
        self.apply(normal)
        reparametrise(self, norm)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to logits (N, 1, h, w)."""
        return self.layers(image.contiguous(memory_format=torch.channels_last))
