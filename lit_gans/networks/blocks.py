"""Layers that several networks share."""

from typing import Literal

from torch import nn

from lit_gans.errors import UsageError

Upsampling = Literal["transposed", "resize"]
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def upsample(in_channels: int, out_channels: int, kind: Upsampling, bias: bool = False) -> nn.Module:
    """Doubles height and width.

    ``transposed`` is a 4x4 transposed convolution of stride 2 (the kernel is a multiple of the stride, so all outputs
    see equally many inputs); ``resize`` is nearest-neighbour resizing and a 3x3 convolution, which cannot draw a
    checkerboard (Odena et al. 2016, doi:10.23915/distill.00003).

    Raises:
        UsageError: if ``kind`` is neither.
    """
    if kind == "transposed":
        return nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, bias=bias)
    if kind == "resize":
        return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=bias))
    raise UsageError(f"upsampling must be 'transposed' or 'resize', got {kind!r}")
