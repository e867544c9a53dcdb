"""Images of any number of channels, and of 8 or 16 bits or floats: from the bytes of a file to a tensor."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lit_gans.images.depth import SAVE, CorruptPicture, Range, numbers_in, refuse_outside
from lit_gans.images.formats import array_in
from lit_gans.images.shape import resize

_LUMA = np.array([0.299, 0.587, 0.114])  # of red, green and blue, as Pillow has it
ANY: Range = (-np.inf, np.inf)


class Numbers(NamedTuple):
    """The numbers of an image: (H, W, C) as in the file, and the two of them that are -1 and 1 for networks."""

    values: np.ndarray
    limits: Range

    @property
    def bits(self) -> int:
        """The bits of the smallest kind that holds them all: 8, 16, or 32 for floats and large integers."""
        kind = self.values.dtype
        return 32 if kind.kind == "f" else min(32, max(8, 8 * kind.itemsize))


def read_numbers(
    opened: Callable[[], Image.Image],
    data: bytes,
    file_range: Range | None,
    usual: Range | None,
    deep: bool = False,
) -> Numbers:
    """The numbers in a file.

    Args:
        opened: opens it by Pillow.
        data: its bytes.
        file_range: the numbers that are black and white, whatever the file says; for 8 bits only within 0 to 255.
        deep: it is that of a set of more bits, and not that of files of 8 bits.
        usual: those of floats, and of integers that have no usual range, in files that say nothing.

    Raises:
        CorruptPicture: if it cannot be read, has NaN, or nothing says what is black and white.
    """
    within = file_range is not None and not deep and file_range[0] >= 0 and file_range[1] <= 255
    eights = file_range if file_range is not None and within else (0, 255)
    if (array := array_in(data)) is None:
        with opened() as picture:
            return Numbers(*numbers_in(picture, data, file_range, usual, eights))
    if array.dtype == bool:
        return Numbers(array.astype(np.uint8), (0, 1))
    if not np.isfinite(array).all():
        raise CorruptPicture("some of its numbers are NaN or infinite")
    if array.dtype == np.uint8:
        return Numbers(array, eights)
    if file_range is not None or array.dtype == np.uint16:
        return Numbers(array, file_range or (0, 65535))
    if usual is None:
        low, high = float(array.min()), float(array.max())
        raise CorruptPicture(
            f"its {array.dtype} numbers go from {low:g} to {high:g} and nothing says which are black and white",
            ": give data.file_range=[low, high]",
            SAVE,
        )
    refuse_outside(array, usual)
    return Numbers(array, usual)


def to_tensor(numbers: Numbers, channels: int, bits: int, size: tuple[int, int]) -> Tensor:
    """The numbers as data keep them, (channels, *size): uint8, int16 from -32768 for 16 bits, or float32 in [-1, 1].

    Images that have another number of channels are converted as `with_channels` says. Transparent pixels count for
    nothing when an image is resized, and become white, since nobody sees their colour.

    Raises:
        CorruptPicture: if the channels cannot be converted.
    """
    low, high = numbers.limits
    values = numbers.values
    share = ((values.astype(np.float64) - low) / (high - low)).clip(0, 1)
    if values.shape[2] == 4 and values.dtype.kind == "u":
        share[..., 3] = values[..., 3] / np.iinfo(values.dtype).max
    share = with_channels(share, channels)
    if bits == 8 and channels != 4:
        whole = torch.from_numpy((share * 255).round().astype(np.uint8)).permute(2, 0, 1)
        return resize(whole[None].contiguous(), size)[0]
    image = torch.from_numpy(np.ascontiguousarray(share.transpose(2, 0, 1)))[None]  # (1, C, H, W)
    image = _premultiplied(image, size, bits) if channels == 4 else _sized(image, size)
    return _kept(image[0], bits)


def with_channels(share: np.ndarray, channels: int) -> np.ndarray:
    """Images (H, W, C) in [0, 1] with another number of channels: grey, colour, and colour with transparency (4).

    What is transparent is laid on white where the set has no transparency, and other images are opaque where it has.

    Raises:
        CorruptPicture: if one number of channels is neither 1, 3 nor 4.
    """
    has = share.shape[2]
    if has == channels:
        return share
    if has not in (1, 3, 4) or channels not in (1, 3, 4):
        raise CorruptPicture(
            f"it has {has} channel{'s' * (has != 1)}, not {channels}",
            f": give data.channels={has} if all files have them",
        )
    colour, opaque = share[..., : min(has, 3)], share[..., 3:] if has == 4 else np.ones_like(share[..., :1])
    if channels == 4:
        return np.concatenate([np.broadcast_to(colour, (*share.shape[:2], 3)), opaque], 2)
    colour = colour * opaque + 1 - opaque
    if channels == 1:
        return (colour @ _LUMA)[..., None] if colour.shape[2] == 3 else colour
    return np.broadcast_to(colour, (*share.shape[:2], 3))


def _sized(image: Tensor, size: tuple[int, int]) -> Tensor:
    return image if tuple(image.shape[2:]) == size else resize(image.float(), size).clamp(0, 1)


def _premultiplied(image: Tensor, size: tuple[int, int], bits: int) -> Tensor:
    """Resizes colours by how opaque they are, (1, 4, H, W) in [0, 1]."""
    colour, opaque = image[:, :3], image[:, 3:]
    if tuple(image.shape[2:]) != size:
        opaque = _sized(image[:, 3:], size)
        colour = (resize((image[:, :3] * image[:, 3:]).float(), size) / opaque.clamp(min=1e-6)).clamp(0, 1)
    least = 0.5 / (255 if bits == 8 else 65535)  # less is kept as 0
    return torch.cat([torch.where(opaque < least, torch.ones_like(colour), colour), opaque], 1)


def _kept(share: Tensor, bits: int) -> Tensor:
    """Numbers in [0, 1] as data keep them."""
    if bits == 8:
        return (share * 255).round().to(torch.uint8)
    return ((share * 65535).round() - 32768).to(torch.int16) if bits == 16 else (share * 2 - 1).float()
