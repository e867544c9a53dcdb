"""Looks at some pictures of a data set, and warns of those that a model should not learn from unnoticed."""

import io
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from PIL import Image
from torch import Tensor

from lit_gans.data.sources import Source
from lit_gans.images.formats import is_array
from lit_gans.images.frame import limited
from lit_gans.images.shape import as_float, to_uint8

_SOME = 16  # pictures that are looked at
_DARK, _LIGHT = 23, 232  # of 255: no pixel above, or none below
_MOVING = (".gif", ".webp", ".tif", ".tiff", ".png")  # formats that may hold several pictures


def look_at(images: Any, good: Tensor, source: Source) -> None:
    """Warns of sets that came out nearly black or white, and of files that hold more than the picture that is used.

    Args:
        images: (N, C, H, W) as data keep them.
        good: the numbers of those that could be decoded.
        source: the files that they are from.
    """
    _warn_of_brightness(images, good, source)
    _warn_of_animations(source)


def _warn_of_brightness(images: Any, good: Tensor, source: Source) -> None:
    chosen = good[torch.linspace(0, len(good) - 1, min(_SOME, len(good))).long()]
    looked = [to_uint8(as_float(images.index_select(0, row[None]))) for row in chosen]
    if looked and looked[0].shape[1] == 4:
        return  # a black drawing on nothing is as it should be
    for colour, is_so in (
        ("black", [int(image.max()) <= _DARK for image in looked]),
        ("white", [int(image.min()) >= _LIGHT for image in looked]),
    ):
        if 2 * sum(is_so) > len(looked):
            first = source.where(int(chosen[is_so.index(True)]))
            rank_zero_warn(
                f"{sum(is_so)} of {len(looked)} pictures that were looked at in {source.place} came out nearly "
                f"{colour}, {first} for one; if black and white are other numbers in these files, give "
                "data.file_range=[low, high]"
            )


def _warn_of_animations(source: Source) -> None:
    numbers = [number for number, name in enumerate(source.names) if name.lower().endswith(_MOVING)]
    for number in numbers[:: max(1, len(numbers) // _SOME)]:
        try:
            data = source.read(number)
            if is_array(data):  # the pages are channels
                continue
            with limited(), Image.open(io.BytesIO(data)) as picture:
                frames = getattr(picture, "n_frames", 1)
        except Exception:  # whatever Pillow's plugins raise: decoding says so, or was told to leave it out
            continue
        if frames > 1:
            rank_zero_warn(f"{source.where(number)} holds {frames} pictures, of which only the first is used")
            break
    source.close()  # as before: an LMDB must not be open when other processes are made
