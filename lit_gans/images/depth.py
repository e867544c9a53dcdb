"""Pictures of more than 8 bits, or of floats: finds which numbers are black and white, and scales to 8 bits."""

import io
import struct
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageOps

Range = tuple[float, float]

_PNG = b"\x89PNG\r\n\x1a\n"
_BITS, _INVERTED, _LEAST, _MOST, _KIND, _DEPICTED_LEAST, _DEPICTED_MOST = 258, 262, 280, 281, 339, 340, 341  # of TIFF
_ORIENTATION = 274  # of EXIF
_ASK = ": give data.file_range=[low, high], the numbers of black and white, or save it in 8 bits"
SAVE = ": save it in 8 bits"


class CorruptPicture(Exception):
    """A picture that cannot be decoded.

    Args:
        fault: what is wrong with it.
        in_a_set: which setting of a data set would take it, to go on with.
        alone: what to do where a model takes a picture, and there is no set, to go on with.
    """

    def __init__(self, fault: str, in_a_set: str = "", alone: str = "") -> None:
        super().__init__(fault + in_a_set)
        self.alone = fault + alone


def in_bytes(picture: Image.Image, data: bytes, file_range: Range | None) -> Image.Image:
    """Turns a picture upright and scales its numbers to 8 bits, 0 for black and 255 for white.

    The numbers that are black and white are ``file_range``, else what the file says: a TIFF's SMinSampleValue and
    SMaxSampleValue, the bits of its numbers, a PNG's sBIT. If neither is there, the range of 16 bits is 0 to 65535,
    and that of floats 0 to 1 if all lie within it, else 0 to 255.

    Args:
        picture: as Pillow opened it.
        data: the bytes of its file.
        file_range: applies to pictures of 8 bits only if it lies within 0 to 255, so that sets may mix them.

    Raises:
        CorruptPicture: if nothing says which numbers are black and white, or some are NaN or infinite.
    """
    if _deep_colour(picture):
        return _colours(picture, data, file_range)
    ImageOps.exif_transpose(picture, in_place=True)
    if is_deep(picture):
        return Image.fromarray(_scaled(*_numbers(picture, data, file_range)))
    if file_range is None or file_range[0] < 0 or file_range[1] > 255:
        return picture
    alpha = picture.convert("RGBA").getchannel("A") if picture.has_transparency_data else None
    image = picture.convert("L" if picture.mode in ("1", "L", "LA", "La") else "RGB")
    image = Image.fromarray(_scaled(np.asarray(image), file_range))
    if alpha is not None:
        image.putalpha(alpha)
    return image


def numbers_in(
    picture: Image.Image, data: bytes, file_range: Range | None, usual: Range | None, eights: Range
) -> tuple[np.ndarray, Range]:
    """The numbers (H, W, bands) of a picture as its file has them, upright, and the two that are black and white.

    A picture that has transparency gives four bands.

    Args:
        picture: as Pillow opened it.
        data: the bytes of its file.
        file_range: as in `in_bytes`.
        usual: the range of floats, and of integers of 32 bits, where neither ``file_range`` nor the file says it.
        eights: the range of pictures of 8 bits.

    Raises:
        CorruptPicture: as `in_bytes`, or if numbers are outside ``usual``.
    """
    if _deep_colour(picture):
        numbers = _whole(picture, data)
        solid = numbers.shape[2] - (picture.mode in ("LA", "RGBA"))
        turn = 1 if picture.format == "TIFF" else picture.getexif().get(_ORIENTATION, 1)  # Pillow turns TIFFs itself
        limits = file_range or _declared(picture, data, numbers[..., :solid]) or (0, 65535)
        if numbers.shape[2] == 2:  # grey and transparency
            numbers = numbers[..., [0, 0, 0, 1]]
        return _upright(numbers, turn), limits
    ImageOps.exif_transpose(picture, in_place=True)
    if is_deep(picture):
        numbers, limits = _numbers(picture, data, file_range, usual)
        return numbers[..., None], limits
    grey = picture.mode in ("1", "L")
    numbers = np.asarray(picture.convert("RGBA" if picture.has_transparency_data else "L" if grey else "RGB"))
    return np.atleast_3d(numbers), eights


def is_deep(picture: Image.Image) -> bool:
    """Whether the pixels of a picture are numbers of more than 8 bits, or signed ones."""
    grey = picture.mode.startswith("I") or picture.mode == "F" or _tag(picture, _KIND) == 2
    return grey or _deep_colour(picture)


def refuse_outside(numbers: np.ndarray, limits: Range) -> None:
    """Refuses numbers outside of limits that nobody gave.

    Raises:
        CorruptPicture: with what they are.
    """
    low, high = float(numbers.min()), float(numbers.max())
    if low < limits[0] or high > limits[1]:
        raise CorruptPicture(
            f"its {numbers.dtype} numbers go from {low:g} to {high:g}, and those of other files from {limits[0]:g} to "
            f"{limits[1]:g}",
            ": give data.file_range=[low, high], the numbers of black and white",
            SAVE,
        )


def _upright(numbers: np.ndarray, turn: int) -> np.ndarray:
    """Turns an array (H, W, bands) as EXIF's orientation, 1 to 8, says."""
    if turn in (5, 6, 7, 8):
        numbers = numbers.swapaxes(0, 1)
    numbers = numbers[::-1] if turn in (3, 4, 7, 8) else numbers
    return numbers[:, ::-1] if turn in (2, 3, 6, 7) else numbers


def _numbers(
    picture: Image.Image, data: bytes, file_range: Range | None, usual: Range | None = None
) -> tuple[np.ndarray, Range]:
    """The numbers of a grey picture, and the two of them that are black and white."""
    numbers = np.asarray(picture)
    if picture.mode == "I" and _tag(picture, _BITS) == 32 and _tag(picture, _KIND) in (None, 1):
        numbers = numbers.view(np.uint32)  # Pillow takes them for signed ones
    elif picture.mode == "L":
        numbers = numbers.view(np.int8)
    if not np.isfinite(numbers).all():
        raise CorruptPicture("some of its numbers are NaN or infinite")
    known = file_range or _declared(picture, data, numbers)
    if known is None and usual is not None and not _has_usual(picture):
        refuse_outside(numbers, usual)
        known = usual
    low, high = known or _usual(picture, numbers)
    return numbers, (high, low) if _tag(picture, _INVERTED) == 0 else (low, high)


def _declared(picture: Image.Image, data: bytes, numbers: np.ndarray) -> Range | None:
    """The range that the file itself gives, or None."""
    low, high = _tag(picture, _DEPICTED_LEAST), _tag(picture, _DEPICTED_MOST)
    if high is not None and np.isfinite(high) and (low or 0) < high:
        return low or 0, high
    most, bits = _tag(picture, _MOST), _tag(picture, _BITS)
    if most and int(most) & int(most) + 1 == 0:  # all bits set: the numbers' depth, not the largest that came
        return _tag(picture, _LEAST) or 0, most
    if bits is not None and 8 < bits < 16:
        return 0, 2**bits - 1
    return _significant(data, numbers)


def _significant(data: bytes, numbers: np.ndarray) -> Range | None:
    """The range that a PNG's sBIT gives; None if its numbers are stretched to 16 bits, as the standard asks."""
    bits = max(next((body for name, body in _chunks(data) if name == b"sBIT"), b"\0")[:3], default=0)
    if not 0 < bits < 16 or int(numbers.max(initial=0)) >= 2**bits:
        return None
    rest = 16 - bits
    kept = numbers.astype(np.int64) >> rest << rest
    stretched = kept | kept >> bits
    return None if np.array_equal(numbers, kept) or np.array_equal(numbers, stretched) else (0, 2**bits - 1)


def _usual(picture: Image.Image, numbers: np.ndarray) -> Range:
    """The usual range of a picture whose file gives none.

    Raises:
        CorruptPicture: if its kind of numbers has no usual range, or they are outside it.
    """
    low, high = float(numbers.min(initial=0)), float(numbers.max(initial=0))
    if picture.mode == "F" and low >= 0 and high <= 255:
        return (0, 1) if high <= 1 else (0, 255)
    if _has_usual(picture):
        return 0, 65535
    raise CorruptPicture(
        f"its {numbers.dtype} numbers go from {low:g} to {high:g} and it does not say which are black and white",
        _ASK,
        SAVE,
    )


def _has_usual(picture: Image.Image) -> bool:
    """Whether numbers are of 16 bits, which are full unless somebody says otherwise."""
    return picture.mode.startswith("I;16") or picture.format in ("PNG", "PPM")


def _scaled(numbers: np.ndarray, limits: Range) -> np.ndarray:
    """Numbers as uint8, from 0 at the first limit to 255 at the second."""
    if limits == (0, 65535) and numbers.dtype.kind in "ui":
        return (numbers.clip(0, 65535) // 257).astype(np.uint8)
    low, high = limits
    share = (numbers.astype(np.float64) - low) / (high - low)
    return (share.clip(0, 1) * 255).round().astype(np.uint8)


def _deep_colour(picture: Image.Image) -> bool:
    """Whether each pixel has several numbers of 16 bits, of which Pillow keeps the upper 8."""
    tiles = getattr(picture, "tile", None)
    raw = tiles[0].args if tiles else ""
    return len(picture.getbands()) > 1 and ";16" in str(raw if isinstance(raw, str) or not raw else raw[0])


def _colours(picture: Image.Image, data: bytes, file_range: Range | None) -> Image.Image:
    """Turns a picture of 16 bits a colour upright and scales it to 8 bits."""
    declared = _tag(picture, _DEPICTED_MOST) or _tag(picture, _MOST) or 65535
    if file_range is None and declared == 65535 and all(name != b"sBIT" for name, _ in _chunks(data)):
        ImageOps.exif_transpose(picture, in_place=True)  # the upper 8 bits are what is wanted
        return picture
    numbers = _whole(picture, data)
    solid = numbers.shape[2] - (picture.mode in ("LA", "RGBA"))
    limits = file_range or _declared(picture, data, numbers[..., :solid]) or (0, 65535)
    layers = [_scaled(numbers[..., :solid], limits), _scaled(numbers[..., solid:], (0, 65535))]
    image = Image.fromarray(np.concatenate(layers, 2))
    image.info = {name: value for name, value in picture.info.items() if "exif" in name}
    if picture.format != "TIFF":  # Pillow has turned a TIFF upright already
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _whole(picture: Image.Image, data: bytes) -> np.ndarray:
    """All 16 bits of each number, (H, W, bands) uint16.

    Pillow keeps the upper byte of each number. Told the opposite byte order, it keeps the lower one.
    """
    other = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    lower: Any
    with Image.open(io.BytesIO(data)) as lower:
        tiles = []
        for tile in lower.tile:
            raw, *rest = (tile[3],) if isinstance(tile[3], str) else tile[3]
            raw = raw[:-1] + other[raw[-1]]
            arguments = raw if isinstance(tile[3], str) else (raw, *rest)
            tiles.append(getattr(tile, "_make", tuple)([*tile[:3], arguments]))
        lower.tile = tiles
        try:
            low = np.asarray(lower)
        except ValueError:  # Pillow does not read this kind in the other byte order
            raise CorruptPicture("of its 16 bits only the upper 8 can be read: save it in 8 bits") from None
    return np.asarray(picture).astype(np.uint16) << 8 | low


def _tag(picture: Image.Image, number: int) -> Any:
    """The value of a TIFF's tag, the first if it has several; None if the tag is missing."""
    value = getattr(picture, "tag_v2", {}).get(number)
    return (value[0] if value else None) if isinstance(value, tuple) else value


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The names and contents of a PNG's chunks before its pixels."""
    file = io.BytesIO(data)
    if file.read(8) != _PNG:
        return
    while len(head := file.read(8)) == 8 and head[4:] not in (b"IDAT", b"IEND"):
        (length,) = struct.unpack(">I", head[:4])
        yield head[4:], file.read(length)
        file.read(4)
