"""The formats of files of images: their endings, and how those are opened that need more than Pillow alone."""

import io
import struct
from importlib.util import find_spec
from math import prod
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError, features

from lit_gans.images.depth import CorruptPicture

ARRAY = ".npy"
MOVING = (".mp4", ".mov", ".mkv", ".webm", ".avi")  # videos, whose frames are images on request
_HEIC = (".heic", ".heif") if find_spec("pillow_heif") else ()
_AVIF = (".avif",) if features.check("avif") else ()
_JPEG2000 = (".jp2", ".j2k") if features.check("jpg_2000") else ()
#: formats that pictures are written in, and all that are read
WRITTEN = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp", ".jfif")
SUFFIXES = (*WRITTEN, *_HEIC, *_AVIF, *_JPEG2000, ARRAY)
_EXTRA = "pip install 'lit_gans[formats]'"
_NPY, _TIFF = b"\x93NUMPY", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SAMPLES = 277  # TIFF's tag of the channels
_WIDE = 512  # channels: more are a mistake
_FOUR = 4  # channels that Pillow has at most
_CHANNELS = "CSQ"  # axes of a TIFF that are channels, not time or depth


def cure(ending: str) -> str:
    """What helps so that files of an ending are read; empty if nothing does.

    Examples:
        >>> cure(".jpg")
        ''
    """
    if ending in MOVING:
        return "their frames with data.frames=1"
    if ending in (".heic", ".heif") and not _HEIC:
        return _EXTRA
    return "pip install 'pillow>=11.3'" if ending == ".avif" and not _AVIF else ""


def are_pictures(names: list[str], endings: tuple[str, ...] = SUFFIXES) -> list[str]:
    """Those of some files' names that are pictures: by their endings, and .npy only if there are no others.

    An array beside photographs is mostly something that was computed from them.

    Examples:
        >>> are_pictures(["a.jpg", "b.npy", "c.txt"]), are_pictures(["b.npy", "c.txt"])
        (['a.jpg'], ['b.npy'])
    """
    found = [name for name in names if name.lower().endswith(endings)]
    others = [name for name in found if not name.lower().endswith(ARRAY)]
    return others or found


def array_in(data: bytes) -> np.ndarray | None:
    """The numbers (H, W, C) of a file that Pillow does not read, or not wholly: .npy, or TIFF; None for all others.

    Pillow is made ready for these others.

    Arrays are (H, W), (H, W, C) or (C, H, W): the smaller one of the first and the last size is the channels.

    Raises:
        CorruptPicture: if they are none of these, or the TIFF needs what is not installed.
    """
    _make_ready(data)
    if data.startswith(_NPY):
        array = np.load(io.BytesIO(data), allow_pickle=False)
        return _channels_last(array.astype(array.dtype.newbyteorder("="), copy=False))
    if not data.startswith(_TIFF) or not _beyond_pillow(data):
        return None
    with _tifffile().TiffFile(io.BytesIO(data)) as file:
        series, page = file.series[0], file.pages[0]
        whole = series if _stacked(series) else page
        _refuse_large(dict(zip(whole.axes, whole.shape, strict=True)))
        array, axes = whole.asarray(), whole.axes
    array = array.squeeze(tuple(n for n, axis in enumerate(axes) if axis not in "YX" and array.shape[n] == 1))
    return np.moveaxis(array, 0, -1) if array.ndim == 3 and axes.endswith("YX") else _channels_last(array)


def is_array(data: bytes) -> bool:
    """Whether `array_in` reads a file: its numbers are channels, which nothing says the colours of."""
    _make_ready(data)
    return data.startswith(_NPY) or (data.startswith(_TIFF) and _beyond_pillow(data))


def _make_ready(data: bytes) -> None:
    """Lets Pillow read HEIC: only once there is such a file, because that takes a tenth of a second."""
    if _HEIC and data[4:8] == b"ftyp" and "HEIF" not in Image.OPEN:
        import pillow_heif

        pillow_heif.register_heif_opener()


def _beyond_pillow(data: bytes) -> bool:
    """Whether a TIFF has more channels, numbers or stacked channels than Pillow reads."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            tags: Any = getattr(picture, "tag_v2", {})
            if tags.get(_SAMPLES, 1) > _FOUR:
                return True
            pages = getattr(picture, "n_frames", 1)
    except (UnidentifiedImageError, OSError, struct.error):
        return True
    if pages == 1 or not find_spec("tifffile"):
        return False
    with _tifffile().TiffFile(io.BytesIO(data)) as file:
        return _stacked(file.series[0])


def _refuse_large(sizes: dict[str, int]) -> None:
    """Refuses a TIFF as Pillow does it, before it is unpacked."""
    pixels, others = sizes.get("Y", 1) * sizes.get("X", 1), prod(sizes.values())
    if Image.MAX_IMAGE_PIXELS is not None and pixels > 2 * Image.MAX_IMAGE_PIXELS:
        raise Image.DecompressionBombError(f"Image size ({pixels} pixels) exceeds the limit")
    if others > _WIDE * pixels:
        raise CorruptPicture(f"it has {others // pixels} numbers a pixel; an image has at most {_WIDE} channels")


def _stacked(series: Any) -> bool:
    """Whether the pages of a TIFF are the channels of one image, as it says itself."""
    axes = "".join(axis for axis, size in zip(series.axes, series.shape, strict=True) if size > 1 or axis in "YX")
    return len(axes) == 3 and axes.replace("Y", "").replace("X", "") in _CHANNELS


def _tifffile() -> Any:
    try:
        import tifffile
    except ImportError:
        raise CorruptPicture(f"a TIFF of more channels, or other numbers, than Pillow reads needs {_EXTRA}") from None
    return tifffile


def _channels_last(array: np.ndarray) -> np.ndarray:
    """(H, W), (H, W, C) or (C, H, W) as (H, W, C).

    Raises:
        CorruptPicture: if it has another number of dimensions, or holds no numbers.
    """
    if array.dtype.kind not in "buif" or array.ndim not in (2, 3) or not array.size:
        raise CorruptPicture(
            f"it holds {array.dtype} of the shape {array.shape}; an image is numbers of the shape (height, width), "
            "(height, width, channels) or (channels, height, width), one image a file"
        )
    if array.ndim == 2:
        return array[..., None]
    return np.moveaxis(array, 0, -1) if array.shape[0] < array.shape[2] else array
