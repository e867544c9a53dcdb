"""Decodes pictures: the bytes of a file become an array of pixels."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from lit_gans.images.depth import CorruptPicture, Range, in_bytes
from lit_gans.images.formats import is_array
from lit_gans.images.numbers import Numbers, read_numbers, to_tensor
from lit_gans.images.shape import resize

__all__ = ["MEGAPIXELS", "CorruptPicture", "Frame"]

MEGAPIXELS = 179.0  # Pillow's own limit against files that unpack until the memory is full
NO_PICTURE = "it is no picture that Pillow knows, or is damaged"
_LARGE = 32e6  # pixels; a larger picture is first reduced by a whole number, to save memory
_SPARE = 4  # times the final width and height: enough pixels for the filter that resizes it


@dataclass(frozen=True)
class Frame:
    """The settings that, together with its file, decide the pixels of a decoded picture.

    Args:
        size: (height, width) of the result.
        channels: 1 for grey, 3 for colour, 4 for colour and transparency; any other number is that of the files.
        fit: ``crop`` cuts the middle out in the shape of ``size``, ``stretch`` changes the shape instead.
        crop: side of the middle square that is cut out before anything else.
        half: the one to take, where a file has two pictures side by side.
        file_range: the numbers in the file that are black and white, where it does not say so itself.
        megapixels: the most that a picture may have; more are refused.
        bits: 8, 16, or 32 for floats: how the pixels are kept.
        usual: the numbers that are black and white in files of floats that do not say it, where ``bits`` is not 8.
    """

    size: tuple[int, int]
    channels: int = 3
    fit: Literal["crop", "stretch"] = "crop"
    crop: int | None = None
    half: Literal["left", "right"] | None = None
    file_range: tuple[float, float] | None = None
    megapixels: float = field(default=MEGAPIXELS, repr=False)  # changes no pixel, see cache.py
    bits: int = field(default=8, repr=False)  # this and the next are in the name of a decoded file by themselves
    usual: Range | None = field(default=None, repr=False)

    def __call__(self, data: bytes) -> Tensor:
        """Decodes a picture to (C, H, W): uint8, or for 16 bits int16, from -32768, or for floats float32 in [-1, 1].

        Raises:
            CorruptPicture: if it cannot be decoded or cut.
        """
        try:
            with limited(self.megapixels):
                if self.bits != 8 or self.channels not in (1, 3) or is_array(data):
                    return self._whole(data)
                with Image.open(io.BytesIO(data)) as picture:
                    image = self._decode(picture, data)
        except CorruptPicture:
            raise
        except MemoryError:
            raise CorruptPicture("it takes more memory than there is") from None
        except UnidentifiedImageError:  # its text is about an object that nobody knows
            raise CorruptPicture(NO_PICTURE) from None
        except Exception as error:  # Pillow's plugins raise whatever they please
            raise CorruptPicture(f"{type(error).__name__}: {error}".replace("\n", " ")) from None
        pixels = np.asarray(image)
        tensor = torch.from_numpy(pixels.reshape(image.height, image.width, self.channels).copy()).permute(2, 0, 1)
        return resize(tensor[None], self.size)[0]

    def _whole(self, data: bytes) -> Tensor:
        """All numbers of the part that is kept, whatever their kind."""
        found = read_numbers(
            lambda: Image.open(io.BytesIO(data)), data, self.file_range, self.usual, deep=self.bits > 8
        )
        height, width = found.values.shape[:2]
        if height * width > self.megapixels * 1e6:
            raise _too_large(height * width / 1e6, self.megapixels, "data.max_megapixels")
        left, top, right, bottom = self._box(width, height)
        part = Numbers(found.values[top:bottom, left:right], found.limits)
        return to_tensor(part, self.channels, self.bits, self.size)

    def _decode(self, picture: Image.Image, data: bytes) -> Image.Image:
        """The part of the picture that is kept, upright, in grey or colour, and white where it is transparent."""
        if self.crop is None and self.half is None:
            factor = self._spare(*picture.size)
            picture.draft(None, (picture.width // factor, picture.height // factor))
        image = in_bytes(picture, data, self.file_range)
        box = self._box(*image.size)
        if box != (0, 0, *image.size):
            image = image.crop(box)
        factor = self._spare(*image.size)
        if factor > 1:
            image = (image if image.mode in ("L", "LA", "RGB", "RGBA") else _converted(image, 3)).reduce(factor)
        return _converted(image, self.channels)

    def _box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the part of a picture that is kept."""
        left, top = 0, 0
        if self.half is not None:
            if width % 2:
                raise CorruptPicture(f"a pair side by side has an even width, but this is {width}x{height} pixels")
            width //= 2
            left = width if self.half == "right" else 0
        if self.crop is not None:
            if self.crop > min(width, height):
                raise CorruptPicture(f"it is {width}x{height} pixels, smaller than the crop of {self.crop}")
            left, top = left + round((width - self.crop) / 2), top + round((height - self.crop) / 2)
            width = height = self.crop
        if self.fit == "crop":
            shape = self.size[1] / self.size[0]
            inner = min(width, round(height * shape)) or 1, min(height, round(width / shape)) or 1
            left, top = left + (width - inner[0]) // 2, top + (height - inner[1]) // 2
            width, height = inner
        return left, top, left + width, top + height

    def _spare(self, width: int, height: int) -> int:
        """The whole number that a large picture may be reduced by before it is resized; 1 for all others."""
        if width * height <= _LARGE:
            return 1
        return max(1, min(width // (_SPARE * self.size[1]), height // (_SPARE * self.size[0])))


@contextmanager
def limited(megapixels: float = MEGAPIXELS, option: str = "data.max_megapixels") -> Iterator[None]:
    """A context in which Pillow refuses pictures of more megapixels; ``option`` allows more.

    Raises:
        CorruptPicture: if a picture has more.
    """
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = int(megapixels * 5e5)  # Pillow warns above this and refuses above twice this
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    except Image.DecompressionBombError as error:
        found = re.search(r"\d+", str(error))
        has = int(found[0]) / 1e6 if found else 0
        raise _too_large(has, megapixels, option) from None
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _too_large(has: float, limit: float, option: str) -> CorruptPicture:
    return CorruptPicture(
        f"it has {has:.0f} megapixels, more than the limit of {limit:g}, which is there because a small file can "
        f"unpack until the memory is full; if you trust it, raise {option}, or make it smaller"
    )


def _converted(image: Image.Image, channels: int) -> Image.Image:
    """The picture in grey or colour, and white where it is transparent."""
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image.convert("L" if channels == 1 else "RGB")
