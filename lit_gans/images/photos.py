"""Finds, reads and writes picture files of any size and format."""

import os
import sys
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.files import replacing
from lit_gans.images.frame import MEGAPIXELS, NO_PICTURE, Frame, limited
from lit_gans.images.grid import to_image
from lit_gans.images.shape import to_float

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
_ORIGIN = ("Software", "lit_gans")
_QUALITY = 95  # of lossy files


def picture_names(folder: Path) -> list[str]:
    """The names of the pictures in a folder and below it, relative to it and sorted.

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
            pictures = [name for name in files if name.lower().endswith(SUFFIXES) and not name.startswith(".")]
            names += [(relative / name).as_posix() for name in pictures]
    return sorted(names)


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
) -> Tensor:
    """Reads a picture and turns it upright: (1, channels, H, W) in [-1, 1]; see `read_pixels`."""
    return to_float(read_pixels(file, channels, size, crop, megapixels)[None])


def read_pixels(
    file: str | os.PathLike[str],
    channels: int = 3,
    size: tuple[int, int] | None = None,
    crop: int | None = None,
    megapixels: float = MEGAPIXELS,
) -> Tensor:
    """Reads a picture and turns it upright: (channels, H, W) uint8.

    Args:
        file: a picture in any format that Pillow reads.
        channels: 1 for grey, 3 for colour.
        size: (height, width) to resize it to, as the data modules do; by default it keeps its size.
        crop: side of the middle square to cut out first.
        megapixels: the most that it may have.

    Raises:
        UsageError: if it is not there, or cannot be decoded or cut.
    """
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"there is no file {file}; name a picture")
    try:
        with limited(megapixels, "--max_megapixels"), Image.open(path) as picture:
            if (frames := getattr(picture, "n_frames", 1)) > 1:
                print(f"note: {file} holds {frames} pictures, of which only the first is used", file=sys.stderr)
            width, height = ImageOps.exif_transpose(picture).size if size is None else size[::-1]
        return Frame(size=(height, width), channels=channels, crop=crop, megapixels=megapixels)(path.read_bytes())
    except UnidentifiedImageError:
        raise UsageError(f"{file} cannot be used as a picture: {NO_PICTURE}") from None
    except Exception as error:  # Pillow's plugins raise whatever they please
        raise UsageError(f"{file} cannot be used as a picture: {error}") from None


def write_picture(picture: Tensor | Image.Image, path: str | os.PathLike[str], drawn: bool = True) -> None:
    """Writes a picture in the format of the file's ending, to a temporary file beside it that is then renamed.

    Args:
        picture: uint8 (1 or 3, H, W), or Pillow's own.
        path: ends in one of `SUFFIXES`.
        drawn: mark a PNG, in its text, as drawn by this library, see `is_drawn`.

    Raises:
        OSError: if the folder cannot be written to, or the format cannot hold such a picture.
        UsageError: if the ending is not one of `SUFFIXES`.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path} is no name for a picture; it must end in {', '.join(SUFFIXES)}")
    form = Image.registered_extensions()[suffix]
    origin = PngInfo()
    if drawn:
        origin.add_text(*_ORIGIN)
    image = to_image(picture) if isinstance(picture, Tensor) else picture
    with replacing(path) as temporary:
        image.save(temporary, format=form, quality=_QUALITY, pnginfo=origin)


def is_drawn(file: Path) -> bool:
    """Whether a file is a PNG that this library has drawn, and not a picture of a user's own."""
    try:
        with Image.open(file) as picture:
            return picture.info.get(_ORIGIN[0]) == _ORIGIN[1]
    except OSError:
        return False
