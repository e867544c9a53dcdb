"""The policy ``geometry``: one affine map an image, for which the image is resampled once."""

from math import pi

import torch
from torch import Tensor

from lit_gans.augment.draws import happens, normal, uniform
from lit_gans.augment.pixels import pick, reflect


def geometry(images: Tensor, p: Tensor) -> Tensor:
    """Scaling, rotation, stretching and shifts of ADA (Karras et al. 2020, arXiv:2006.06676, appendix B).

    Scales by 2^N(0, 0.2^2); turns by an angle from U(-pi, pi); stretches one axis by 2^N(0, 0.2^2) and shrinks the
    other as much; turns again, so that the stretched axis has any direction; shifts by N(0, 0.125^2) of each side. Each
    of the two turns has probability 1 - sqrt(1 - p), so that with probability p there is any turn at all.
    """
    turning = 1 - (1 - p).sqrt()
    scale = torch.exp2(normal(images, p, 0.2))
    first = _rotation(uniform(images, turning, pi))
    stretch = torch.exp2(normal(images, p, 0.2))
    second = _rotation(uniform(images, turning, pi))
    both = happens(images, p).float()  # one coin for the two sides of a shift: each then has probability 1 or 0
    shift = torch.stack([normal(images, both, 0.125) * side for side in images.shape[2:]], 1)  # (N, 2)
    stretched = torch.stack([stretch, 1 / stretch], 1).unsqueeze(2) * second  # (N, 2, 2)
    return warp(images, _product(first, stretched) / scale.view(-1, 1, 1), shift)


def warp(images: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    """Draws each pixel from where an affine map puts it, bilinearly; beyond its border the image is reflected.

    Gathers pixels rather than calling ``grid_sample``, which cannot be differentiated twice.

    Args:
        images: (N, C, H, W).
        matrix: (N, 2, 2) maps a pixel of the result, (row, column) from the centre with the shift subtracted, to the
            place in ``images`` that it is read from.
        shift: (N, 2) pixels by which the result is moved, (down, right).

    Returns:
        (N, C, H, W).
    """
    height, width = images.shape[2:]
    # (N, 2, 2, 1, 1) and (N, 2, 1, 1)
    m, shift = matrix.to(images.dtype)[..., None, None], shift.to(images.dtype)[..., None, None]
    rows = _from_centre(height, images).view(-1, 1) - shift[:, 0]  # (N, H, 1)
    columns = _from_centre(width, images) - shift[:, 1]  # (N, 1, W)
    row = reflect(m[:, 0, 0] * rows + m[:, 0, 1] * columns + (height - 1) / 2, height)  # (N, H, W)
    column = reflect(m[:, 1, 0] * rows + m[:, 1, 1] * columns + (width - 1) / 2, width)
    (top, bottom, low), (left, right, far) = _neighbours(row, height), _neighbours(column, width)
    upper = pick(images, top, left) * (1 - far) + pick(images, top, right) * far
    lower = pick(images, bottom, left) * (1 - far) + pick(images, bottom, right) * far
    return upper * (1 - low) + lower * low


def _neighbours(position: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The pixels before and after each position (N, H, W), and the share (N, 1, H, W) of the one after."""
    before = position.floor().clamp(max=max(size - 2, 0))
    index = before.long()
    return index, (index + 1).clamp(max=size - 1), (position - before).unsqueeze(1)


def _from_centre(size: int, images: Tensor) -> Tensor:
    return torch.arange(size, device=images.device, dtype=images.dtype) - (size - 1) / 2


def _rotation(angle: Tensor) -> Tensor:
    """Matrices (N, 2, 2) that read a picture turned counterclockwise by the angles (N,)."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, sin, -sin, cos], 1).view(-1, 2, 2)  # (N, 4) to (N, 2, 2)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """``left @ right``, but in full precision also where matrix products may use TF32."""
    return (left.unsqueeze(3) * right.unsqueeze(1)).sum(2)  # (N, 2, 2, 2), summed to (N, 2, 2)
