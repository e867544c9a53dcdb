"""Policies that only pick pixels: each value of the result is one of the image, or 0."""

import torch
from torch import Tensor

from lit_gans.augment.draws import happens, integers


def translation(images: Tensor, p: Tensor) -> Tensor:
    """Shifts by whole pixels, up to 1/8 of each side, and fills up with 0 (DiffAugment, arXiv:2006.10738)."""
    height, width = images.shape[2:]
    row, column = _shifted(images, p)  # (N, H, 1) and (N, 1, W)
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    picked = pick(images, row.clamp(0, height - 1), column.clamp(0, width - 1))
    return picked.masked_fill(~inside.unsqueeze(1), 0)  # mask (N, 1, H, W)


def cutout(images: Tensor, p: Tensor) -> Tensor:
    """Sets a rectangle of half of each side to 0, its centre anywhere in the image (DiffAugment, arXiv:2006.10738)."""
    height, width = images.shape[2:]
    hole = _stripe(height, images).unsqueeze(2) & _stripe(width, images).unsqueeze(1)  # (N, H, W)
    return images.masked_fill((hole & _each(happens(images, p))).unsqueeze(1), 0)  # mask (N, 1, H, W)


def blit(images: Tensor, p: Tensor) -> Tensor:
    """Mirror images, quarter turns and whole-pixel shifts of ADA (Karras et al. 2020, arXiv:2006.06676, appendix B).

    With probability 1/2 mirrors left to right; turns by a random multiple of 90 degrees, or of 180 where height and
    width differ; shifts by up to 1/8 of each side, where the image is reflected at its border.
    """
    height, width = images.shape[2:]
    mirrored = _each(integers(images, p, 0, 1)) == 1
    turns = _each(integers(images, p, 0, 3) if height == width else 2 * integers(images, p, 0, 1))
    row, column = _shifted(images, p)
    row, column = reflect(row, height), reflect(column, width)
    # a quarter turn counterclockwise reads row r, column c from row c, column (last - r)
    sideways = turns % 2 == 1
    row, column = torch.where(sideways, column, row), torch.where(sideways, row, column)
    row = torch.where(turns >= 2, height - 1 - row, row)
    column = torch.where(((turns == 1) | (turns == 2)) ^ mirrored, width - 1 - column, column)
    return pick(images, row, column)


def nudge(images: Tensor) -> Tensor:
    """Mirrors half of the images, and shifts each by up to 1/8 of its sides, where it is reflected at its border.

    The transform of Zhang et al. 2020, arXiv:1910.12027, section 3.1. A photograph that was mirrored and shifted is
    still a likely photograph.
    """
    height, width = images.shape[2:]
    always = torch.ones((), device=images.device)
    row, column = _shifted(images, always)
    row, column = reflect(row, height), reflect(column, width)
    mirrored = _each(integers(images, always, 0, 1)) == 1
    return pick(images, row, torch.where(mirrored, width - 1 - column, column))


def pick(images: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Reads each pixel from a place of its own.

    Args:
        images: (N, C, H, W).
        row: int64, broadcasts with ``column`` to (N, H, W): the rows to read.
        column: the columns to read.

    Returns:
        (N, C, H, W).
    """
    n, channels, height, width = images.shape
    index = (row * width + column).reshape(n, 1, height * width).expand(-1, channels, -1)  # (N, C, H W)
    return images.flatten(2).gather(2, index).view_as(images)  # (N, C, H W) to (N, C, H, W)


def reflect(position: Tensor, size: int) -> Tensor:
    """Folds positions outside of 0 ... size - 1 back in, as if a mirror stood on the first and on the last pixel."""
    last = size - 1
    return (last - (position.remainder(max(2 * last, 1)) - last).abs()).clamp(min=0)


def _shifted(images: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (N, H, 1) and columns (N, 1, W) that each pixel is shifted from, perhaps outside of the image."""
    height, width = images.shape[2:]
    both = happens(images, p).float()  # one coin for the two sides of a shift: each then has probability 1 or 0
    down = _each(integers(images, both, -(height // 8), height // 8))
    right = _each(integers(images, both, -(width // 8), width // 8))
    return _positions(height, images).view(-1, 1) - down, _positions(width, images) - right


def _stripe(size: int, images: Tensor) -> Tensor:
    """A stripe (N, size), bool: true for half of the positions, in a row, without those outside of the image."""
    length = (size + 1) // 2
    # an even stripe has its centre between two pixels, and one place more for it
    centre = torch.randint(size + 1 - length % 2, (len(images), 1), device=images.device)
    offset = _positions(size, images) - (centre - length // 2)
    return (offset >= 0) & (offset < length)


def _positions(size: int, images: Tensor) -> Tensor:
    return torch.arange(size, device=images.device)


def _each(values: Tensor) -> Tensor:
    """Draws (N,) in a shape (N, 1, 1) that broadcasts with (N, H, W)."""
    return values.view(-1, 1, 1)
