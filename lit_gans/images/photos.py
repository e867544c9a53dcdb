"""Pictures of any size and kind, in and out."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_QUALITY = 95  # of lossy files


def read_photo(file: str, channels: int = 3) -> "Tensor":
    """A picture in its own size, upright, (1, channels, H, W) in [-1, 1].

    Raises:
        UsageError: if it is not there or cannot be decoded.
    """
    from PIL import Image, ImageOps

    from lit_gans.errors import UsageError
    from lit_gans.images.frame import Frame, limited

    path = Path(file)
    if not path.is_file():
        raise UsageError(f"there is no file {file}; name a picture")
    try:
        with limited(), Image.open(path) as picture:
            if (frames := getattr(picture, "n_frames", 1)) > 1:
                print(f"note: {file} holds {frames} pictures, of which only the first is used", file=sys.stderr)
            width, height = ImageOps.exif_transpose(picture).size
        pixels = Frame(size=(height, width), channels=channels)(path.read_bytes())
    except Exception as error:  # Pillow's plugins raise whatever they please
        raise UsageError(f"{file} cannot be used as a picture: {error}") from None
    return pixels[None].float() / 127.5 - 1


def write_photo(image: "Tensor", path: Path) -> None:
    """Writes (C, H, W) in [-1, 1] in the form that the file's ending says, to a temporary file that is then renamed.

    Raises:
        OSError: if the folder cannot be written to, or the form cannot hold such a picture.
        UsageError: if the ending is that of no picture.
    """
    from PIL import Image

    from lit_gans.data.sources import SUFFIXES
    from lit_gans.errors import UsageError
    from lit_gans.files import replacing
    from lit_gans.images.grid import to_image, to_uint8

    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path} is no name for a picture; it must end in {', '.join(SUFFIXES)}")
    form = Image.registered_extensions()[path.suffix.lower()]
    with replacing(path) as temporary:
        to_image(to_uint8(image)).save(temporary, format=form, quality=_QUALITY)
