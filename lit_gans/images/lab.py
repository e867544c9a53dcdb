"""CIE Lab: lightness and two axes of colour, in which equal distances look about equally far apart."""

import torch
from torch import Tensor

from lit_gans.precision import full

# linear sRGB to XYZ for the white point D65, IEC 61966-2-1
_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
# each row is divided by its sum, which is white, so that for greys a and b are 0
_FROM_RGB = [[weight / sum(row) for weight in row] for row in _XYZ]
_TO_RGB = torch.tensor(_FROM_RGB, dtype=torch.float64).inverse().tolist()
_KNEE = 6 / 29  # a cube root below this is replaced by a straight line
AB = 110.0  # sRGB's colours have a and b within +-110


def rgb_to_lab(images: Tensor) -> Tensor:
    """SRGB images in [-1, 1] to CIE 1976 L*a*b*, for the white point D65; differentiable, in float32.

    Args:
        images: (N, 3, H, W) in [-1, 1].

    Returns:
        (N, 3, H, W): L in [0, 100], a in [-87, 99] (green to red), b in [-108, 95] (blue to yellow).

    Examples:
        >>> red = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1)
        >>> rgb_to_lab(red).flatten().round(decimals=1)
        tensor([53.2000, 80.1000, 67.2000])
    """
    value = (full(images) + 1) / 2
    # where() differentiates both branches, and a power has no gradient at 0: each branch gets values of its own side
    linear = torch.where(value > 0.04045, ((value.clamp(min=0.04) + 0.055) / 1.055).pow(2.4), value / 12.92)
    xyz = _mix(linear, _FROM_RGB)
    line = xyz / (3 * _KNEE**2) + 4 / 29
    x, y, z = torch.where(xyz > _KNEE**3, xyz.clamp(min=_KNEE**3).pow(1 / 3), line).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """CIE 1976 L*a*b* to sRGB, the inverse of `rgb_to_lab`; differentiable, in float32.

    Args:
        lab: (N, 3, H, W), as `rgb_to_lab` gives it.

    Returns:
        (N, 3, H, W), in [-1, 1] where sRGB has the colour, and beyond where it does not have it.

    Examples:
        >>> lab_to_rgb(torch.tensor([100.0, 0.0, 0.0]).view(1, 3, 1, 1)).flatten().round(decimals=3)
        tensor([1., 1., 1.])
    """
    lightness, a, b = full(lab).unbind(1)
    y = (lightness + 16) / 116
    root = torch.stack([y + a / 500, y, y - b / 200], 1)
    linear = _mix(torch.where(root > _KNEE, root.pow(3), 3 * _KNEE**2 * (root - 4 / 29)), _TO_RGB)
    curve = 1.055 * linear.clamp(min=0.003).pow(1 / 2.4) - 0.055
    return 2 * torch.where(linear > 0.0031308, curve, 12.92 * linear) - 1


def with_colours(images: Tensor, ab: Tensor) -> Tensor:
    """Combines the lightness of images with other colours.

    Args:
        images: (N, 1, H, W) grey or (N, 3, H, W) in colour, in [-1, 1].
        ab: (N, 2, H, W) in units of a and b.

    Returns:
        (N, 3, H, W) in [-1, 1], on the device of the colours.
    """
    grey = images.to(ab.device).expand(-1, 3, -1, -1)
    return lab_to_rgb(torch.cat([rgb_to_lab(grey)[:, :1], ab], 1)).clamp(-1, 1)


def _mix(images: Tensor, matrix: list[list[float]]) -> Tensor:
    """Multiplies the channels by a 3x3 matrix, written as sums: autocast would round a matrix product to 16 bits."""
    first, second, third = images.unbind(1)
    return torch.stack([r * first + g * second + b * third for r, g, b in matrix], 1)
