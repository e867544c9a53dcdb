"""Draws labelled rows of pictures, and animations, for the commands that need only a checkpoint."""

import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.files import replacing
from lit_gans.images.grid import grid, to_image

ANIMATED = (".gif", ".webp")
_GAP, _LINE, _TEXT = 12, 2, 14  # pixels between blocks and pictures, and of the words
_PAPER, _INK = "white", "black"
_SMALL = 10  # pixels of the words under a picture of a grid


@dataclass
class Row:
    """Pictures side by side with a label on their left; ``None`` in place of a picture is a gap."""

    words: str
    pictures: Sequence[Image.Image | None]
    #: whether it is drawn right under the row before
    joined: bool = False


def sheet(rows: Sequence[Row], smallest: int = 64) -> Image.Image:
    r"""Draws labelled rows on white.

    Args:
        rows: what to show, from top to bottom; ``\n`` breaks a label's line.
        smallest: pictures are enlarged by the whole number that makes the shorter side of the first at least that.
    """
    first = next(picture for row in rows for picture in row.pictures if picture is not None)
    factor = max(1, -(-smallest // min(first.size)))
    font = ImageFont.load_default(_TEXT)
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    margin = round(max(pen.multiline_textbbox((0, 0), row.words, font)[2] for row in rows)) + 2 * _GAP
    strips = [_strip(row.pictures, factor) for row in rows]
    lines = [row.words.count("\n") + 1 for row in rows]
    heights = [max(strip.height, n * (_TEXT + 4)) for strip, n in zip(strips, lines, strict=True)]
    width = margin + max(strip.width for strip in strips) + _GAP
    gaps = [_LINE if row.joined else _GAP for row in rows]
    page = Image.new("RGB", (width, sum(heights) + sum(gaps) + _GAP), _PAPER)
    pen, top = ImageDraw.Draw(page), 0
    for row, strip, height, gap in zip(rows, strips, heights, gaps, strict=True):
        top += gap
        pen.multiline_text((_GAP, top + height // 2), row.words, _INK, font, anchor="lm")
        page.paste(strip, (margin, top + (height - strip.height) // 2))
        top += height
    return page


def _strip(pictures: Sequence[Image.Image | None], factor: int) -> Image.Image:
    large = [p and p.resize((p.width * factor, p.height * factor), Image.Resampling.NEAREST) for p in pictures]
    widths = [_GAP if p is None else p.width + _LINE for p in large]
    strip = Image.new("RGB", (max(1, sum(widths) - _LINE), max((p.height for p in large if p), default=1)), _PAPER)
    left = 0
    for picture, width in zip(large, widths, strict=True):
        if picture is not None:
            strip.paste(picture, (left, 0))
        left += width
    return strip


def caption(picture: Image.Image, words: str) -> Image.Image:
    """Draws a line of words under a picture."""
    page = Image.new("RGB", (picture.width, picture.height + _TEXT + 8), _PAPER)
    page.paste(picture, (0, 0))
    font = ImageFont.load_default(_TEXT)
    ImageDraw.Draw(page).text((picture.width // 2, picture.height + 4), words, _INK, font, anchor="mt")
    return page


def captioned(images: Tensor, words: Sequence[str], columns: int | None = None, smallest: int = 96) -> Tensor:
    """Lays a batch of images out as one picture, with words under each of them.

    Args:
        images: (N, C, H, W) in [-1, 1].
        words: N sentences, broken into lines.
        columns: pictures in a row; by default about as many as there are rows.
        smallest: images are enlarged by the whole number that makes them at least so wide.

    Returns:
        (3, H', W') uint8.
    """
    columns = min(len(images), columns or max(1, round(len(images) ** 0.5 + 0.4)))
    factor = max(1, -(-smallest // images.shape[3]))
    width, height = images.shape[3] * factor, images.shape[2] * factor
    font = ImageFont.load_default(_SMALL)
    broken = [textwrap.wrap(line, max(8, round(width / (0.52 * _SMALL)))) for line in words]
    step = height + (_SMALL + 3) * max(map(len, broken), default=0) + 2 * _LINE
    rows = -(-len(images) // columns)
    page = Image.new("RGB", (columns * (width + 2 * _LINE), rows * step), _PAPER)
    pen = ImageDraw.Draw(page)
    for number, (image, lines) in enumerate(zip(images.split(1), broken, strict=True)):
        left, top = _LINE + number % columns * (width + 2 * _LINE), _LINE + number // columns * step
        page.paste(to_image(grid(image)).resize((width, height), Image.Resampling.NEAREST), (left, top))
        pen.multiline_text((left + width // 2, top + height + 1), "\n".join(lines), _INK, font, "ma", 1, "center")
    return torch.from_numpy(np.array(page)).permute(2, 0, 1)  # (H, W, 3) to (3, H, W)


def write_animation(frames: Sequence[Image.Image], path: str | os.PathLike[str], milliseconds: Sequence[int]) -> None:
    """Writes frames of any sizes as a GIF or WebP that loops for ever; smaller ones are centred.

    Args:
        frames: at least one.
        path: ends in .gif or .webp.
        milliseconds: how long each frame is shown.

    Raises:
        UsageError: if the name has another ending.
    """
    kind = Path(path).suffix.lower()
    if kind not in ANIMATED:
        raise UsageError(f"an animation must end in {' or '.join(ANIMATED)}, got {path}")
    size = (max(frame.width for frame in frames), max(frame.height for frame in frames))
    pages = []
    for frame in frames:
        page = Image.new("RGB", size, _PAPER)
        page.paste(frame, ((size[0] - frame.width) // 2, (size[1] - frame.height) // 2))
        pages.append(page)
    quality = {"quality": 90, "method": 4} if kind == ".webp" else {}
    with replacing(path) as temporary:
        pages[0].save(
            temporary,
            format=kind[1:],
            save_all=True,
            append_images=pages[1:],
            duration=list(milliseconds),
            loop=0,
            **quality,
        )
