"""What the page does with a model that translates pictures, or colours them."""

import re
from typing import Any

from PIL import Image, ImageColor, ImageDraw
from torch import Tensor
from torch.nn.functional import interpolate

from lit_gans.errors import UsageError, reason
from lit_gans.images.grid import to_image
from lit_gans.images.hints import Hint, largest_side
from lit_gans.images.lab import with_colours
from lit_gans.images.shape import to_uint8

SIDE = 512  # pixels of the short side of what is translated; a larger picture is reduced
_LARGE = 640  # pixels that a picture is enlarged to, if it is smaller


def channels_of(model: Any, to: str) -> int:
    """The channels of the pictures that a model translates to a domain."""
    shape = model.image_shape if to == "a" else model.source_shape
    return 3 if shape is None else int(shape[0])


def reduced(image: Tensor, side: int = SIDE) -> Tensor:
    """An image (1, C, H, W) whose short side has at most so many pixels."""
    height, width = image.shape[2:]
    if min(height, width) <= side:
        return image
    scale = side / min(height, width)
    return interpolate(image, (round(height * scale), round(width * scale)), mode="bilinear", antialias=True)


def with_channels(image: Tensor, channels: int) -> Tensor:
    """An image (1, C, H, W) in grey, the mean of its channels, or with equal ones."""
    return image.mean(1, keepdim=True).expand(-1, channels, -1, -1)


def translated(model: Any, image: Tensor, to: str, seed: int = 0) -> tuple[Image.Image, Tensor]:
    """The translation of an image (1, C, H, W) in [-1, 1]: as a picture, see `shown`, and as (1, C', H, W).

    Raises:
        UsageError: if the networks cannot translate a picture of this size.
    """
    try:
        made: Tensor = model.translate(image, to=to, seed=seed).cpu()
        return shown(made), made
    except (RuntimeError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        height, width = image.shape[2:]
        raise UsageError(f"a picture of {width}x{height} pixels cannot be translated ({reason(error)})") from None


def shown(image: Tensor) -> Image.Image:
    """An image (1, C, H, W) in [-1, 1] as a picture, enlarged by a whole number if it is small."""
    picture = to_image(to_uint8(image.float().cpu())[0])
    factor = max(1, _LARGE // max(picture.size))
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


# -------------------------------------------------------------------- colours


def grey(photo: Tensor, hints: list[Hint]) -> Image.Image:
    """A photograph (1, 3, H, W) without its colours, with the hints as squares of their colours."""
    picture = shown(with_colours(photo, photo.new_zeros(1, 2, *photo.shape[2:]))).convert("RGB")
    factor = picture.width / photo.shape[3]
    half = max(6.0, factor * largest_side(*photo.shape[2:]) / 2)
    pen = ImageDraw.Draw(picture)
    for x, y, colour in hints:
        middle = (x + 0.5) * factor, (y + 0.5) * factor
        pen.rectangle(
            (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half),
            fill=tuple(colour),
            outline="white" if sum(colour) < 384 else "black",
            width=2,
        )
    return picture


def place(photo: Tensor, x: int, y: int) -> tuple[int, int]:
    """The pixel of a photograph (1, 3, H, W) at a place of the picture that `shown` makes of it."""
    height, width = photo.shape[2:]
    factor = max(1, _LARGE // max(height, width))
    return min(width - 1, max(0, x // factor)), min(height - 1, max(0, y // factor))


def coloured(model: Any, photo: Tensor, hints: list[Hint]) -> Image.Image:
    """A photograph (1, 3, H, W) with the colours that a Colorizer gives it."""
    return shown(model.colorize_photo(photo, hints))


def colour_of(text: str) -> tuple[int, int, int]:
    """Red, green and blue of a colour as the page's picker gives it: ``#rrggbb``, or ``rgba(1.0, 2, 3, 1)``.

    Raises:
        UsageError: if it is something else.

    Examples:
        >>> colour_of("#ff8000"), colour_of("rgba(255.0, 127.6, 0.2, 1)")
        ((255, 128, 0), (255, 128, 0))
    """
    if numbers := re.fullmatch(r"\s*rgba?\(([\d.]+),\s*([\d.]+),\s*([\d.]+)(?:,[^)]*)?\)\s*", text):
        red, green, blue = (min(255, round(float(number))) for number in numbers.groups())
        return red, green, blue
    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError:
        raise UsageError(f"a colour is #rrggbb, say #c08040, got {text!r:.40}") from None
    return red, green, blue
