"""Checks of the images that a measure is given."""

import torch
from torch import Tensor

from lit_gans.errors import UsageError

_SLACK = 0.1  # beyond [-1, 1]: the overshoot of a filter that enlarges or sharpens
# a batch in [0, 1] is told from one in [-1, 1] by its extremes, if it is of so many images
_MANY, _DARK, _BRIGHT = 8, 0.25, 0.75
_CURE = "normalise them with image * 2 - 1 if they are in [0, 1], or image / 127.5 - 1 if they are in [0, 255]"


def checked_images(images: Tensor, metric: str, smallest: int) -> Tensor:
    """Returns (N, C, H, W) images in float32, without gradients, if they can be measured; uint8 becomes [-1, 1].

    Raises:
        UsageError: if they are of another shape or type, smaller than ``smallest`` pixels a side, or not finite.
    """
    if images.ndim != 4 or min(images.shape[2:]) < smallest:
        raise UsageError(
            f"{metric} expects (N, C, H, W) images of {smallest} x {smallest} pixels or more, got {tuple(images.shape)}"
        )
    if images.dtype == torch.uint8:
        return images.float() / 127.5 - 1
    if not images.is_floating_point():
        raise UsageError(f"{metric} expects images as floats in [-1, 1] or as uint8, got {images.dtype}")
    images = images.detach().float()
    if not bool(images.isfinite().all()):
        raise UsageError(f"{metric} expects finite images, got NaN or infinity: check the generator's output")
    return images


def refuse_other_range(images: Tensor, what: str) -> None:
    """Refuses images that are certainly not in [-1, 1], as all networks here take them; uint8 is always right.

    Eight images or more without a value below 0, of which one is dark and one bright, are in [0, 1].

    Args:
        images: (N, ...), as floats in [-1, 1] or as uint8.
        what: their name in the error.

    Raises:
        UsageError: if they are of another type or range.
    """
    if images.dtype == torch.uint8 or not images.numel():
        return
    if not images.is_floating_point():
        raise UsageError(f"{what} must be floats in [-1, 1] or uint8 in [0, 255], got {images.dtype}")
    low, high = float(images.min()), float(images.max())
    halved = len(images) >= _MANY and 0 <= low < _DARK and _BRIGHT < high <= 1
    if halved or low < -1 - _SLACK or high > 1 + _SLACK:
        raise UsageError(f"{what} must be floats in [-1, 1] or uint8 in [0, 255], got [{low:g}, {high:g}]; {_CURE}")
