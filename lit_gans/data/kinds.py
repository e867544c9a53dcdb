"""Finds what kind of images a set of somebody's own has: how many channels and bits, and which numbers are black."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lit_gans.data.sources import Source
from lit_gans.errors import UsageError
from lit_gans.images.depth import Range, is_deep
from lit_gans.images.formats import is_array
from lit_gans.images.frame import MEGAPIXELS, limited
from lit_gans.images.kinds import FULL, Kind
from lit_gans.images.numbers import ANY, Numbers, read_numbers

_SOME = 32  # pictures that are looked at, spread over the set
_WIDE = 512  # channels: more are a mistake
_USUAL: tuple[Range, ...] = ((0, 1), (-1, 1), (0, 255))  # of floats, the first that holds all of them


@dataclass(frozen=True)
class Seen:
    """One picture: its channels, 4 only if some of it is transparent, its bits, and its numbers if they are deep."""

    channels: int
    bits: int = 8
    limits: Range = FULL[8]
    lowest: float = 0.0
    highest: float = 255.0
    whole: bool = True  # its numbers are integers, for which no range is usual


def find_kind(
    sources: list[Source],
    channels: int | None = None,
    bits: int | None = None,
    file_range: Range | None = None,
    megapixels: float = MEGAPIXELS,
) -> tuple[int, Kind]:
    """The number of channels and the kind of a set's images, from some of its pictures, where nobody says it.

    Channels: those of arrays; 4 if all pictures have transparency, 1 if all are grey and of more than 8 bits, else 3.
    Bits: those of all pictures, 8 if they differ. Limits: ``file_range``, else what all files say or is usual.

    Raises:
        UsageError: if nothing says which numbers of floats are black and white, or a number is out of range.
    """
    if channels is not None and not 1 <= channels <= _WIDE:
        raise UsageError(
            f"channels must be 1 for grey, 3 for colour, 4 for colour and transparency, or what arrays have, got "
            f"{channels}"
        )
    if bits not in (None, 8, 16, 32):
        raise UsageError(f"bits must be 8, 16, or 32 for floats, got {bits}")
    told = channels in (1, 3, 4) and bits == 8
    seen = [] if told else _looked_at(sources, megapixels)
    if channels is None:
        channels = _channels(seen)
    elif channels not in (1, 3, 4) and seen and channels not in (found := {picture.channels for picture in seen}):
        raise UsageError(
            f"the pictures in {sources[0].place} have {' or '.join(map(str, sorted(found)))} channels, not {channels}: "
            "leave data.channels out to take what they have"
        )
    if bits is None:
        bits = seen[0].bits if seen and len({picture.bits for picture in seen}) == 1 else 8
    if bits == 8:
        return channels, Kind()
    if file_range is not None:
        return channels, Kind(bits, file_range)
    limits = {picture.limits for picture in seen if picture.bits > 8} - {ANY}
    if len(limits) == 1 and all(picture.limits != ANY for picture in seen):
        low, high = limits.pop()
        return channels, Kind(bits, (min(low, high), max(low, high)))
    if all(picture.limits != ANY for picture in seen):
        return channels, Kind(bits, FULL[bits])
    low, high = min(picture.lowest for picture in seen), max(picture.highest for picture in seen)
    usual = next((each for each in _USUAL if each[0] <= low and high <= each[1]), None)
    if usual is None or any(picture.limits == ANY and picture.whole for picture in seen):
        raise UsageError(
            f"the numbers in {len(seen)} pictures of {sources[0].place} go from {low:g} to {high:g}, and nothing says "
            "which are black and white: give data.file_range=[low, high]"
        )
    return channels, Kind(bits, usual)


def _channels(seen: list[Seen]) -> int:
    found = {picture.channels for picture in seen}
    if found == {1} and all(picture.bits > 8 for picture in seen):
        return 1
    return found.pop() if len(found) == 1 and found != {1} else 3


def _looked_at(sources: list[Source], megapixels: float) -> list[Seen]:
    """Some pictures, without those that cannot be read: decoding says so, or was told to leave them out."""
    seen = []
    for source in sources:
        some = _SOME // len(sources)
        for number in sorted({*np.linspace(0, len(source) - 1, min(some, len(source))).round().astype(int).tolist()}):
            try:
                with limited(megapixels):
                    seen.append(look(source.read(number)))
            except Exception:  # whatever Pillow's plugins raise
                continue
        source.close()  # an LMDB must not be open when other processes are made
    return seen


def look(data: bytes) -> Seen:
    """Looks at one picture.

    Raises:
        CorruptPicture: if it cannot be read.
    """
    if is_array(data):
        numbers = read_numbers(lambda: Image.open(io.BytesIO(data)), data, None, ANY)
        return _seen(numbers, numbers.values.shape[2])
    with Image.open(io.BytesIO(data)) as picture:
        deep, transparent = is_deep(picture), picture.has_transparency_data
        grey = picture.mode in ("1", "L", "I", "F") or picture.mode.startswith("I;")
        if not deep:
            clear = transparent and picture.convert("RGBA").getchannel("A").getextrema()[0] < 255  # type: ignore[operator]
            return Seen(4 if clear else 1 if grey else 3)
    numbers = read_numbers(lambda: Image.open(io.BytesIO(data)), data, None, ANY)
    channels = numbers.values.shape[2]
    if channels == 4 and int(numbers.values[..., 3].min()) == 65535:
        channels = 3
    return _seen(numbers, channels)


def _seen(numbers: Numbers, channels: int) -> Seen:
    return Seen(
        channels,
        numbers.bits,
        numbers.limits,
        float(numbers.values.min()),
        float(numbers.values.max()),
        numbers.values.dtype.kind != "f",
    )
