"""Draws labelled rows of pictures, and animations, for the commands that need only a checkpoint."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from lit_gans.errors import UsageError
from lit_gans.files import replacing

ANIMATED = (".gif", ".webp")
_GAP, _LINE, _TEXT = 12, 2, 14  # pixels between blocks and pictures, and of the words
_PAPER, _INK = "white", "black"


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
