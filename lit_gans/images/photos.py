"""Finds, reads and writes picture files of any size and format."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.files import replacing
from lit_gans.images.deep_png import deep_png
from lit_gans.images.depth import CorruptPicture
from lit_gans.images.formats import ARRAY, SUFFIXES, WRITTEN, are_pictures, array_in
from lit_gans.images.frame import MEGAPIXELS, NO_PICTURE, Frame, limited
from lit_gans.images.grid import to_image
from lit_gans.images.kinds import FULL, Kind
from lit_gans.images.shape import as_float, to_uint8

_ORIGIN = ("Software", "lit_gans")
_QUALITY = 95  # of lossy files


def picture_names(folder: Path, endings: tuple[str, ...] = SUFFIXES) -> list[str]:
    """The names of the pictures in a folder and below it, relative to it and sorted, see `are_pictures`.

    Names that begin with a dot or ``__`` are skipped. Links to folders are followed, but no folder is entered twice, so
    that a link that leads back causes no endless loop.
    """
    names, links, seen = [], [folder], set[tuple[int, int]]()
    while links:  # links come last, so that a picture has the name in its own folder
        for place, inner, files in os.walk(links.pop(0)):
            found = Path(place).stat()
            if (key := (found.st_dev, found.st_ino)) in seen:
                inner.clear()
                continue
            seen.add(key)
            inner[:] = sorted(name for name in inner if not name.startswith((".", "__")))
            links += [Path(place, name) for name in inner if Path(place, name).is_symlink()]
            relative = Path(place).relative_to(folder)
            shown = [name for name in files if name.lower().endswith(endings) and not name.startswith(".")]
            names += [(relative / name).as_posix() for name in shown]
    return sorted(are_pictures(names, endings))


def find_pictures(place: str | os.PathLike[str]) -> list[Path]:
    """A picture, or all pictures in a folder and below, in the order of their names.

    Raises:
        UsageError: if there is none.
    """
    path = Path(place)
    if not path.exists():
        raise UsageError(f"there is no file or folder {place}; name a picture or a folder of them")
    if path.is_file():
        return [path]
    names = picture_names(path)
    if not names:
        raise UsageError(f"the folder {place} holds no picture, a file that ends in {', '.join(SUFFIXES)}")
    return [path / name for name in names]


def read_picture(
    file: str | os.PathLike[str],
    channels: int = 3,
    size: tuple[int, int] | None = None,
    crop: int | None = None,
    megapixels: float = MEGAPIXELS,
    kind: Kind | None = None,
) -> Tensor:
    """Reads a picture and turns it upright: (1, channels, H, W) in [-1, 1]; see `read_pixels`."""
    return as_float(read_pixels(file, channels, size, crop, megapixels, kind)[None])


def read_pixels(
    file: str | os.PathLike[str],
    channels: int = 3,
    size: tuple[int, int] | None = None,
    crop: int | None = None,
    megapixels: float = MEGAPIXELS,
    kind: Kind | None = None,
) -> Tensor:
    """Reads a picture and turns it upright: (channels, H, W) as data keep them, uint8 unless ``kind`` is another.

    Args:
        file: a picture in any format that `Frame` reads.
        channels: 1 for grey, 3 for colour, 4 for colour and transparency; any other number is that of the file.
        size: (height, width) to resize it to, as the data modules do; by default it keeps its size.
        crop: side of the middle square to cut out first.
        megapixels: the most that it may have.
        kind: the kind of numbers of the images that a model has learned from; by default of 8 bits.

    Raises:
        UsageError: if it is not there, or cannot be decoded or cut.
    """
    path, kind = Path(file), kind or Kind()
    if not path.is_file():
        raise UsageError(f"there is no file {file}; name a picture")
    told = kind.limits if kind.bits == 16 and kind.limits != FULL[16] else None
    how: dict[str, Any] = {"file_range": told, "usual": kind.limits if kind.bits > 8 else None}
    try:
        height, width = _measured(path, megapixels) if size is None else size
        frame = Frame((height, width), channels, crop=crop, megapixels=megapixels, bits=kind.bits, **how)
        return frame(path.read_bytes())
    except UnidentifiedImageError:
        raise UsageError(f"{file} cannot be used as a picture: {NO_PICTURE}") from None
    except CorruptPicture as error:
        fault = error.alone.replace("data.max_megapixels", "--max_megapixels")
        raise UsageError(f"{file} cannot be used as a picture: {fault}") from None
    except Exception as error:  # Pillow's plugins raise whatever they please
        raise UsageError(f"{file} cannot be used as a picture: {error}") from None


def _measured(path: Path, megapixels: float) -> tuple[int, int]:
    """The height and width of a picture that is upright."""
    if (array := array_in(path.read_bytes())) is not None:
        return array.shape[0], array.shape[1]
    with limited(megapixels, "--max_megapixels"), Image.open(path) as picture:
        if (frames := getattr(picture, "n_frames", 1)) > 1:
            print(f"note: {path} holds {frames} pictures, of which only the first is used", file=sys.stderr)
        width, height = ImageOps.exif_transpose(picture).size
    return height, width


def write_picture(picture: Tensor | Image.Image, path: str | os.PathLike[str], drawn: bool = True) -> None:
    """Writes a picture in the format of the file's ending, to a temporary file beside it that is then renamed.

    Args:
        picture: uint8 (1, 3 or 4, H, W), or Pillow's own.
        path: ends in one of `WRITTEN`.
        drawn: mark a PNG, in its text, as drawn by this library, see `is_drawn`.

    Raises:
        OSError: if the folder cannot be written to, or the format cannot hold such a picture.
        UsageError: if the ending is not one of `WRITTEN`.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in WRITTEN:
        raise UsageError(f"{path} is no name for a picture; it must end in {', '.join(WRITTEN)}")
    form = Image.registered_extensions()[suffix]
    origin = PngInfo()
    if drawn:
        origin.add_text(*_ORIGIN)
    image = to_image(picture) if isinstance(picture, Tensor) else picture
    with replacing(path) as temporary:
        image.save(temporary, format=form, quality=_QUALITY, pnginfo=origin)


def write_image(image: Tensor, path: Path, kind: Kind, drawn: bool = True) -> None:
    """Writes an image (C, H, W) in [-1, 1] as files of its kind hold it; ``path`` ends as `Kind.ending` says.

    Raises:
        OSError: if the folder cannot be written to.
    """
    if kind.bits == 8 and path.suffix.lower() != ARRAY:
        return write_picture(to_uint8(image).cpu(), path, drawn)
    with replacing(path) as temporary:
        temporary.write_bytes(encoded(image, kind, path.suffix, drawn))


def encoded(image: Tensor, kind: Kind, ending: str, drawn: bool = True) -> bytes:
    """The bytes of a .png or .npy file with an image (C, H, W) in [-1, 1]."""
    numbers = kind.numbers(image)
    if ending == ".png" and kind.bits == 16:
        return deep_png(numbers, _ORIGIN if drawn else None)
    file = io.BytesIO()
    if ending == ".png":
        to_image(to_uint8(image).cpu()).save(file, format="png")
    else:
        np.save(file, numbers[..., 0] if numbers.shape[2] == 1 else numbers)
    return file.getvalue()


def place_for(path: Path, kind: Kind, channels: int) -> Path:
    """The name of a picture's file, with another ending if files of that format cannot hold images of a kind."""
    transparent = kind.bits == 8 and channels == 4 and path.suffix.lower() in (".webp", ".tif", ".tiff")
    if transparent or (kind.plain(channels) and path.suffix.lower() not in {*SUFFIXES} - {*WRITTEN}):
        return path
    return path.with_suffix(kind.ending(channels))


def is_drawn(file: Path) -> bool:
    """Whether a file is a PNG that this library has drawn, and not a picture of a user's own."""
    try:
        with Image.open(file) as picture:
            return picture.info.get(_ORIGIN[0]) == _ORIGIN[1]
    except OSError:
        return False
