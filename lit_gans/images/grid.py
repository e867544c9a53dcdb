"""Batches of images as one picture: grids, images side by side, and points in the plane."""

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from lit_gans.errors import UsageError, at_least
from lit_gans.images.shape import in_colour, to_uint8

_CANVAS = 256  # side of the picture that points in the plane are drawn on


def grid(images: Tensor, columns: int | None = None) -> Tensor:
    """Lays a batch of images out as one picture.

    Args:
        images: (N, C, H, W) in [-1, 1]. Points in the plane, (N, 2, 1, 1), are drawn as dots on a square. Four channels
            are colour and transparency, shown on a checkerboard; of more the first three are shown, two are averaged.
        columns: pictures in a row; by default about as many as there are rows.

    Returns:
        (3, H', W') uint8.

    Raises:
        UsageError: if ``columns`` is below 1.
    """
    at_least(1, columns=columns)
    images = images.detach().cpu()
    if tuple(images.shape[1:]) == (2, 1, 1):
        return _scatter(images.flatten(1))
    images = in_colour(images, _checkerboard(images.shape[2], images.shape[3]))
    columns = columns or max(1, round(len(images) ** 0.5 + 0.4))
    return make_grid(to_uint8(images), nrow=columns, padding=2)


def refuse_undrawable(images: Tensor) -> None:
    """Refuses a batch that a picture cannot show as it is.

    Raises:
        UsageError: unless it holds images of any number of channels, or points in the plane.
    """
    shape = tuple(images.shape[1:])
    if len(shape) != 3:
        raise UsageError(f"pictures have the shape (channels, height, width), and these samples have the shape {shape}")


def beside(images: Sequence[Tensor]) -> Tensor:
    """Joins n batches (N, C, H, W) side by side, (N, C', H, n W).

    If they have unlike channels, all are as `grid` shows them, and grey ones become colour if another has colour.
    """
    if len({image.shape[1] for image in images}) > 1:
        images = [in_colour(image, _checkerboard(*image.shape[2:]).to(image.device)) for image in images]
    channels = max(image.shape[1] for image in images)
    return torch.cat([image.expand(-1, channels, -1, -1) for image in images], 3)


def _checkerboard(height: int, width: int) -> Tensor:
    """What is shown under transparent images: (height, width), white and light grey in [-1, 1], 8 squares a side."""
    square = max(1, min(height, width) // 8)
    rows, columns = torch.arange(height) // square, torch.arange(width) // square
    return 1 - 0.4 * ((rows[:, None] + columns) % 2).float()


def to_image(picture: Tensor) -> Image.Image:
    """Converts a uint8 (1, 3 or 4, H, W) tensor to a Pillow image."""
    array = picture.permute(1, 2, 0).contiguous().cpu().numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def _scatter(points: Tensor) -> Tensor:
    """Draws (N, 2) points in [-1, 1] as dark dots on white, y upwards: (3, side, side) uint8."""
    picture = torch.full((3, _CANVAS, _CANVAS), 255, dtype=torch.uint8)
    pixels = ((points.clamp(-1, 1) + 1) / 2 * (_CANVAS - 3)).round().long() + 1
    for right in (-1, 0, 1):
        for down in (-1, 0, 1):
            x = (pixels[:, 0] + right).clamp(0, _CANVAS - 1)
            y = (_CANVAS - 1 - pixels[:, 1] + down).clamp(0, _CANVAS - 1)
            picture[:, y, x] = torch.tensor([[31], [73], [125]], dtype=torch.uint8)
    return picture
