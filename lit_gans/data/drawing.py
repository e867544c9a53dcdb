"""Draws the images of the data sets that need no download, in batches: shapes, backgrounds, stripes and colours.

A master is the drawing of one shape or character, which every sample of it is warped from. A ground is the background
of an image, and ink (N, 1, H, W) in [0, 1] says where a shape covers it. A point of an image is measured from its
centre in halves of its shorter side, so that shapes keep their proportions in images that are not square. Colours are
(N, C) and images (N, C, H, W), both float in [0, 1].
"""

from functools import cache
from math import cos, pi, sin

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

MASTER = 96  # side of the drawings that every sample is warped from
STROKES = (0, 2, 4)  # stroke widths of the drawings, in pixels of the master
_AT_ONCE = 250  # drawings that are warped together: their maps stay in the processor's caches

Point = tuple[float, float]


def _star(points: int, inner: float = 1.0) -> list[Point]:
    """A star's corners; with ``inner`` 1, a regular polygon of twice as many."""
    radii = [(1.0, inner)[i % 2] for i in range(2 * points)]
    return [(r * sin(pi * i / points), -r * cos(pi * i / points)) for i, r in enumerate(radii)]


def _heart(t: float) -> Point:
    return sin(t) ** 3, -(13 * cos(t) - 5 * cos(2 * t) - 2 * cos(3 * t) - cos(4 * t)) / 16


_ARM = [(-0.3, -1), (0.3, -1), (0.3, -0.3), (1, -0.3), (1, 0.3), (0.3, 0.3)]
#: the corners of every shape, in a circle of about radius 1; those that look alike follow one another
SHAPES: dict[str, list[Point]] = {
    "circle": _star(40),
    "hexagon": _star(3),
    "square": [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
    "triangle": [(1.05 * x, 1.05 * y) for x, y in _star(3)[::2]],
    "arrow": [(0, -1), (0.85, 0), (0.35, 0), (0.35, 0.95), (-0.35, 0.95), (-0.35, 0), (-0.85, 0)],
    "heart": [_heart(2 * pi * i / 80) for i in range(80)],
    "star": _star(5, 0.42),
    "cross": _ARM + [(-x, -y) for x, y in _ARM],
}


# -------------------------------------------------------------------- masters


@cache  # the splits share them
def draw(characters: str) -> Tensor:
    """Draws every character at every stroke width.

    Returns:
        (characters, strokes, side, side) float in [0, 1], white ink on black.
    """
    pages = [_letter(character, MASTER, stroke) for character in characters for stroke in STROKES]
    return (_pixels(pages) / 255).view(len(characters), len(STROKES), MASTER, MASTER)


@cache  # as above
def depths(kinds: tuple[str, ...]) -> Tensor:
    """The distance of every point of a master to the outline of its shape or character; negative outside it.

    Unlike drawings, these give sharp edges at every size and outlines of any width.

    Args:
        kinds: names of ``SHAPES``, or single characters.

    Returns:
        (kinds, side, side), in halves of the master's side.
    """
    pages = [_polygon(SHAPES[k]) if k in SHAPES else _letter(k, 2 * MASTER, 2) for k in kinds]
    inside = _pixels(pages) > 127
    axis = 2.0 * torch.arange(MASTER) + 0.5  # between the pixels of the pages, which are twice as fine
    points = torch.cartesian_prod(axis, axis)
    fields = []
    for page in inside:
        across, down = (page[:, 1:] != page[:, :-1]).nonzero(), (page[1:] != page[:-1]).nonzero()
        edge = torch.cat([across + torch.tensor([0, 0.5]), down + torch.tensor([0.5, 0])])
        distance = torch.cat([torch.cdist(part, edge).amin(1) for part in points.split(2048)])
        fields.append(torch.where(page[::2, ::2].flatten(), distance, -distance) / MASTER)
    return torch.stack(fields).view(len(kinds), MASTER, MASTER)


def _letter(character: str, side: int, stroke: int) -> Image.Image:
    page = Image.new("L", (side, side))
    font = ImageFont.load_default(size=side * 0.8)
    ImageDraw.Draw(page).text((side / 2, side / 2), character, fill=255, font=font, anchor="mm", stroke_width=stroke)
    return page


def _polygon(corners: list[Point]) -> Image.Image:
    page = Image.new("L", (2 * MASTER, 2 * MASTER))
    ImageDraw.Draw(page).polygon([(MASTER * (1 + 0.8 * x), MASTER * (1 + 0.8 * y)) for x, y in corners], fill=255)
    return page


def _pixels(pages: list[Image.Image]) -> Tensor:
    return torch.stack([torch.from_numpy(np.asarray(page, dtype=np.float32)) for page in pages])


# -------------------------------------------------------------------- warps


def wild_warps(count: int, distortion: float, size: tuple[int, int], rng: torch.Generator) -> Tensor:
    """(N, 2, 3) affine maps from image to master coordinates: turn, shear, scale, shift."""
    turn, shear, grow, stretch, right, down = (2 * torch.rand(6, count, generator=rng) - 1) * distortion
    angle, scale, stretch = turn * pi / 8, torch.exp(0.25 * grow), torch.exp(0.15 * stretch)
    lean = torch.stack(
        [torch.stack([scale * stretch, 0.4 * shear], 1), torch.stack([0 * scale, scale / stretch], 1)], 1
    )
    turned = _rotations(angle) @ lean * half_sides(size)
    return torch.cat([turned, 0.2 * torch.stack([right, down], 1).unsqueeze(2)], 2)


def place(angle: Tensor, scale: Tensor, centre: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 2, 3) maps that put masters, turned and scaled, at (N, 2) points of the image, x first."""
    turned = _rotations(angle) / scale.view(-1, 1, 1)
    return torch.cat([turned * half_sides(size), -turned @ centre.unsqueeze(2)], 2)


def moved(warps: Tensor, right: Tensor, size: tuple[int, int]) -> Tensor:
    """Changes maps so that what they draw is moved to the right by ``right`` (N,)."""
    step = warps[:, :, 0] * (right / half_sides(size)[0]).unsqueeze(1)
    return torch.cat([warps[:, :, :2], (warps[:, :, 2] - step).unsqueeze(2)], 2)


def half_sides(size: tuple[int, int]) -> Tensor:
    """Half the width and half the height of an image; the shorter is 1."""
    height, width = size
    return torch.tensor([max(width / height, 1.0), max(height / width, 1.0)])


def _rotations(angle: Tensor) -> Tensor:
    cosine, sine = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)


def stamp(masters: Tensor, label: Tensor, stroke: Tensor, warps: Tensor, size: tuple[int, int]) -> Tensor:
    """Warps the drawings of characters (N,) in strokes (N,) to ink (N, 1, H, W)."""
    parts = zip(label.split(_AT_ONCE), stroke.split(_AT_ONCE), warps.split(_AT_ONCE), strict=True)
    return torch.cat([_stamp(masters[character, pen], theirs, size) for character, pen, theirs in parts])


def _stamp(drawings: Tensor, warps: Tensor, size: tuple[int, int]) -> Tensor:
    grid = F.affine_grid(warps, [len(warps), 1, 2 * size[0], 2 * size[1]], align_corners=False)
    ink = F.grid_sample(drawings.unsqueeze(1), grid, align_corners=False)
    return F.avg_pool2d(ink, 2)  # drawn at twice the size: smooth edges


def warped_depths(fields: Tensor, warps: Tensor, size: tuple[int, int]) -> Tensor:
    """Warps `depths` (N, side, side) to depths (N, 1, H, W) in pixels of the image."""
    grid = F.affine_grid(warps, [len(warps), 1, *size], align_corners=False)
    found = F.grid_sample(fields.unsqueeze(1), grid, padding_mode="border", align_corners=False)
    found = found - (grid.abs() - 1).clamp(min=0).amax(3).unsqueeze(1)  # beyond the master, less the way to it
    pixel = (torch.det(warps[:, :, :2]).abs() * 4 / (size[0] * size[1])).sqrt()
    return found / pixel.view(-1, 1, 1, 1)


def filled(depth: Tensor) -> Tensor:
    """The ink of filled shapes, from `warped_depths`."""
    return (depth + 0.5).clamp(0, 1)


def outlined(depth: Tensor, width: float) -> Tensor:
    """The ink of their outlines, ``width`` pixels wide."""
    return (0.5 + width / 2 - depth.abs()).clamp(0, 1)


# -------------------------------------------------------------------- grounds, stripes and inks


def texture(mean: Tensor, strength: float, size: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Grounds like those of photographs, (N, C, H, W): clouds of colour about a mean, with a slope and an edge."""
    count, channels = mean.shape
    cells = [max(2, round(4 * float(half))) for half in half_sides(size).flip(0)]
    # mostly light and shade, some colour
    noise = 0.4 * torch.randn(count, 1, *cells, generator=rng)
    noise = noise + 0.25 * torch.randn(count, channels, *cells, generator=rng)
    clouds = F.interpolate(noise, size=size, mode="bicubic", align_corners=True)
    slope = _along(count, size, rng) * (2 * torch.rand(count, channels, 1, 1, generator=rng) - 1)
    offset = 2 * torch.rand(count, 1, 1, 1, generator=rng) - 1
    beyond = torch.sigmoid((_along(count, size, rng) - offset) * 12) - 0.5
    edge = beyond * (2 * torch.rand(count, channels, 1, 1, generator=rng) - 1)
    return (mean[:, :, None, None] + strength * (clouds + 0.5 * slope + edge)).clamp(0, 1)


def stripes(period: Tensor, size: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Bands in random directions, (N, 1, H, W) in [0, 1], with ``period`` (N,) pixels from one to the next."""
    period = period.view(-1, 1, 1, 1)
    phase = torch.rand(period.shape, generator=rng)
    waves = torch.sin(2 * pi * (_along(len(period), size, rng) * min(size) / 2 / period + phase))
    return (0.5 + waves * period / (2 * pi)).clamp(0, 1)  # edges one pixel wide


def _along(count: int, size: tuple[int, int], rng: torch.Generator) -> Tensor:
    """The place (N, 1, H, W) of every pixel along a random direction for each image."""
    angle = (2 * pi * torch.rand(count, generator=rng)).view(-1, 1, 1, 1)
    x, y = (
        half * ((2 * torch.arange(n) + 1) / n - 1)
        for half, n in zip(half_sides(size).tolist(), (size[1], size[0]), strict=True)
    )
    return angle.cos() * x + angle.sin() * y[:, None]


def brightness(colours: Tensor) -> Tensor:
    """The brightness (N, ...) that colours (N, C, ...) have for the eye."""
    weights = torch.tensor([0.299, 0.587, 0.114] if colours.shape[1] == 3 else [1.0])
    return torch.einsum("nc...,c->n...", colours, weights)


def colours(target: Tensor, channels: int, rng: torch.Generator, vivid: float = 1.0) -> Tensor:
    """(N, C) random colours of the given brightnesses; with ``vivid`` 0, grey."""
    random = 0.02 + 0.96 * torch.rand(len(target), channels, generator=rng)
    light, target = brightness(random).unsqueeze(1), target.unsqueeze(1)
    found = torch.where(target < light, random * target / light, 1 - (1 - random) * (1 - target) / (1 - light))
    return target + vivid * (found - target)


def contrasting(ground: Tensor, gap: float, channels: int, rng: torch.Generator) -> Tensor:
    """(N, C) random colours at least ``gap`` (below a half) lighter or darker than grounds of the given brightness."""
    share, side = torch.rand(2, len(ground), generator=rng)
    lighter, darker = ground + gap + share * (1 - ground - gap), share * (ground - gap)
    up = torch.where((ground + gap < 1) & (ground > gap), side < 1 - ground, ground < 0.5)
    return colours(torch.where(up, lighter, darker).clamp(0, 1), channels, rng)


def uniform(low: float, high: float, count: int, rng: torch.Generator) -> Tensor:
    """(N,) random numbers."""
    return low + (high - low) * torch.rand(count, generator=rng)


def to_bytes(images: Tensor) -> Tensor:
    """Converts floats in [0, 1], or a little beyond, to uint8."""
    return images.clamp(0, 1).mul(255).round().to(torch.uint8)


def start(count: int, seed: int, split: str) -> tuple[int, torch.Generator]:
    """The size of a split and its generator of random numbers, another one for each seed and split."""
    number = ("train", "val", "test").index(split)
    return count if number == 0 else count // 10, torch.Generator().manual_seed(3 * seed + number)


def at_a_time(size: tuple[int, int]) -> int:
    """The number of images to draw at a time, so that they stay in the processor's cache."""
    return max(1, 2**18 // (size[0] * size[1]))
