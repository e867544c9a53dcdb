"""Colour hints for a grey image: simulated for training, or placed by a user."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.images.lab import rgb_to_lab
from lit_gans.images.shape import to_float
from lit_gans.precision import full

#: the most hints of one image; a geometric number exceeds it once in thirty million images
MOST = 128
_LARGEST = 9  # pixels, as in the paper
_FEWEST = 3  # pixels; from single pixels alone a network learns slowly
_SIDES = 28  # an image's shorter side over that of its largest square, between these limits

Hint = tuple[float, float, Sequence[int]]


def largest_side(height: int, width: int) -> int:
    """The side of the largest hints in pixels: nine for images from 252 pixels up, three below 112."""
    return max(_FEWEST, min(_LARGEST, min(height, width) // _SIDES))


def simulate_hints(
    ab: Tensor,
    count: int | None = None,
    *,
    stop: float = 1 / 8,
    everything: float = 0.01,
    largest: int | None = None,
    uniform: bool = False,
    rng: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Draws squares of an image's true colours as hints: Zhang et al. 2017, arXiv:1705.02999, section 3.2.

    Their number is geometric, `P(n) = stop (1 - stop)^n`: seven on average, and none in one image of eight. Sides are
    uniform from one pixel to ``largest``, places are Gaussian about the middle with a standard deviation of a quarter
    of the image's side, and every square shows its mean colour. A later square hides an earlier one.

    The random draws do not depend on ``count``: from the same state of ``rng``, fewer hints are the first of more.

    Args:
        ab: (N, 2, H, W) colours.
        count: hints of every image; by default geometric.
        stop: the geometric distribution's parameter.
        everything: share of images whose colours are all revealed, if ``count`` is not given.
        largest: pixels of the largest square's side; by default `largest_side`.
        uniform: spread the squares evenly over the image.
        rng: source of the random numbers; by default the global generator of the colours' device.

    Returns:
        Hints (N, 2, H, W), 0 where there are none, and mask (N, 1, H, W), 1 where there are.

    Raises:
        UsageError: if ``count`` is negative or above `MOST`, or ``largest`` below 1.

    Examples:
        >>> hints, mask = simulate_hints(torch.full((4, 2, 32, 32), 50.0), count=3)
        >>> torch.allclose(hints, 50 * mask), int(mask.sum((1, 2, 3)).max()) <= 3 * 3**2
        (True, True)
    """
    if count is not None and not 0 <= count <= MOST:
        raise UsageError(f"count must be from 0 to {MOST} hints an image, got {count}")
    if largest is not None and largest < 1:
        raise UsageError(f"largest is the side of a hint in pixels and must be at least 1, got {largest}")
    n, _, height, width = ab.shape
    limit = min(largest or largest_side(height, width), height, width)
    device = ab.device if rng is None else rng.device
    draw = torch.rand if uniform else torch.randn
    place = draw(n, MOST, 2, generator=rng, device=device).to(ab.device)
    side, how_many = torch.rand(n, MOST + 2, generator=rng, device=device).to(ab.device).split([MOST, 2], 1)
    side = (side * limit).long().clamp(max=limit - 1) + 1
    free = torch.tensor([height, width], device=ab.device) - side.unsqueeze(2)
    corner = place * (free + 1) if uniform else free / 2 + free / 4 * place
    corner = torch.minimum(corner.floor().clamp(min=0), free).long()
    if count is None:  # the inverse of the distribution function; 1 - u is never 0
        number = (torch.log1p(-how_many[:, 0]) / math.log1p(-stop)).long()
    else:
        number = torch.full((n,), count, device=ab.device)
    hints, mask = _paint(ab, corner, side, number, limit)
    if count is None:
        whole = (how_many[:, 1] < everything).view(n, 1, 1, 1)
        hints, mask = torch.where(whole, ab, hints), torch.where(whole, 1.0, mask)
    return hints, mask


def _paint(ab: Tensor, corner: Tensor, side: Tensor, number: Tensor, limit: int) -> tuple[Tensor, Tensor]:
    """Paints the squares of all images at once; returns hints and mask as `simulate_hints` does.

    Args:
        ab: (N, 2, H, W).
        corner: (N, K, 2) row and column where squares begin.
        side: (N, K) of squares, at most ``limit``.
        number: (N,) of squares that are shown.
        limit: largest side.
    """
    n, _, height, width = ab.shape
    order = torch.arange(side.shape[1], device=ab.device)
    steps = torch.arange(limit, device=ab.device)
    inside = steps < side.unsqueeze(2)
    inside = inside.unsqueeze(3) & inside.unsqueeze(2)  # (N, K, limit, limit)
    rows = (corner[:, :, :1] + steps).clamp(max=height - 1)
    columns = (corner[:, :, 1:] + steps).clamp(max=width - 1)
    pixel = (rows.unsqueeze(3) * width + columns.unsqueeze(2)).flatten(1)  # (N, K limit^2)
    colours = full(ab).flatten(2).gather(2, pixel.unsqueeze(1).expand(-1, 2, -1))  # (N, 2, K limit^2)
    colours = colours.view(n, 2, len(order), -1)  # (N, 2, K, limit^2)
    mean = (colours * inside.flatten(2).unsqueeze(1)).sum(3) / side.square().unsqueeze(1)  # (N, 2, K)
    shown = inside & (order < number.unsqueeze(1)).view(n, -1, 1, 1)
    painter = torch.where(shown, (order + 1).view(1, -1, 1, 1), 0).flatten(1)  # (N, K limit^2), a number from 1 or 0
    last = torch.zeros(n, height * width, dtype=torch.long, device=ab.device)
    last = last.scatter_reduce(1, pixel, painter, "amax")  # (N, H W), the last square that covers each pixel
    mask = (last > 0).unsqueeze(1).to(ab.dtype)
    hints = mean.gather(2, (last - 1).clamp(min=0).unsqueeze(1).expand(-1, 2, -1)) * mask
    return hints.view(n, 2, height, width), mask.view(n, 1, height, width)


def place_hints(shape: Sequence[int], hints: Sequence[Hint], side: int | None = None) -> tuple[Tensor, Tensor]:
    """Turns the hints that a user gives for one image into tensors.

    Args:
        shape: (height, width) in pixels.
        hints: (x, y, (r, g, b)): pixels from the left and from the top, and a colour in [0, 255]. Of the colour only
            a and b count, because an image keeps its lightness. A later hint hides an earlier one.
        side: of the square about each place, in pixels; by default `largest_side`.

    Returns:
        Hints (1, 2, H, W) in units of a and b, 0 where there are none, and mask (1, 1, H, W), 1 where there are.

    Raises:
        UsageError: if a hint is outside the image, or a colour is not three numbers from 0 to 255.

    Examples:
        >>> hints, mask = place_hints((40, 30), [(12, 34, (255, 0, 0))])
        >>> hints[0, :, 34, 12].round(decimals=1), int(mask.sum())
        (tensor([80.1000, 67.2000]), 9)
    """
    height, width = shape[-2:]
    side = side or largest_side(height, width)
    ab, mask = torch.zeros(1, 2, height, width), torch.zeros(1, 1, height, width)
    refuse_outside(shape, hints)
    for x, y, colour in hints:
        if len(colour) != 3 or not all(0 <= level <= 255 for level in colour):
            raise UsageError(f"a hint's colour is red, green and blue from 0 to 255 each, got {tuple(colour)}")
        lab = rgb_to_lab(to_float(torch.tensor(colour).view(1, 3, 1, 1)))
        top, left = max(0, int(y) - side // 2), max(0, int(x) - side // 2)
        square = (
            slice(None),
            slice(None),
            slice(top, int(y) - side // 2 + side),
            slice(left, int(x) - side // 2 + side),
        )
        ab[square], mask[square] = lab[:, 1:], 1
    return ab, mask


def refuse_outside(shape: Sequence[int], hints: Sequence[Hint]) -> None:
    """Refuses hints that are outside of an image of shape (..., height, width).

    Raises:
        UsageError: naming the first of them.
    """
    height, width = shape[-2:]
    for x, y, _ in hints:
        if not (0 <= x < width and 0 <= y < height):
            raise UsageError(f"the hint at x={x:g}, y={y:g} is outside the picture of {width}x{height} pixels")
