"""Pictures that somebody uploads: read within bounds, or refused in a sentence that says what was expected."""

from pathlib import Path

from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.images.formats import SUFFIXES
from lit_gans.images.photos import read_picture

BYTES = 20_000_000
MEGAPIXELS = 25.0
LEAST = 8  # pixels of a short side
KINDS = ", ".join(suffix for suffix in SUFFIXES if suffix != ".jpeg")


def read_upload(file: str, channels: int = 3, size: tuple[int, int] | None = None) -> Tensor:
    """Reads an uploaded picture: (1, channels, H, W) in [-1, 1].

    Args:
        file: where it was put; only its last part is named.
        channels: 1 for grey, 3 for colour.
        size: (height, width) to cut and resize it to, as the data modules do; by default it keeps its size.

    Raises:
        UsageError: if it has another ending, too many bytes or pixels, too few pixels, or is no picture.
    """
    path = Path(file)
    expected = f"upload a picture ({KINDS}) of at most {BYTES // 10**6} MB and {MEGAPIXELS:g} megapixels"
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path.name} is no picture by its name: {expected}")
    if not path.is_file() or not 0 < path.stat().st_size <= BYTES:
        size_of = f"{path.stat().st_size / 1e6:.1f} MB" if path.is_file() else "not there"
        raise UsageError(f"{path.name} is {size_of}: {expected}")
    try:
        image = read_picture(path, channels, size, megapixels=MEGAPIXELS)
    except UsageError as error:
        said = str(error).removeprefix(str(path)).partition(", which is there because")[0]
        raise UsageError(f"{path.name}{said}: {expected}") from None
    if min(image.shape[2:]) < LEAST:
        height, width = image.shape[2:]
        raise UsageError(f"{path.name} is only {width}x{height} pixels: upload one of at least {LEAST} a side")
    return image
