"""The range of images, [-1, 1] as all networks here take them, and what is certainly another."""

from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.images.shape import WHOLE

_SLACK = 0.1  # beyond [-1, 1]: the overshoot of a filter that enlarges or sharpens
# a batch in [0, 1] is told from one in [-1, 1] by its extremes, if it is of so many images
_MANY, _DARK, _BRIGHT = 8, 0.25, 0.75
_CURE = "normalise them with image * 2 - 1 if they are in [0, 1], or image / 127.5 - 1 if they are in [0, 255]"


def is_halved(images: Tensor) -> bool:
    """Whether so many images have dark and bright values and none below 0 that they must be in [0, 1]."""
    few = len(images) < _MANY or not images.is_floating_point()
    return not few and 0 <= float(images.min()) < _DARK and _BRIGHT < float(images.max()) <= 1


def refuse_other_range(images: Tensor, what: str) -> None:
    """Refuses images that are certainly not in [-1, 1], as all networks here take them; uint8 is always right.

    Eight images or more without a value below 0, of which one is dark and one bright, are in [0, 1].

    Args:
        images: (N, ...), as floats in [-1, 1] or as uint8.
        what: their name in the error.

    Raises:
        UsageError: if they are of another type or range.
    """
    if images.dtype in WHOLE or not images.numel():
        return
    if not images.is_floating_point():
        raise UsageError(f"{what} must be floats in [-1, 1] or uint8 in [0, 255], got {images.dtype}")
    low, high = float(images.min()), float(images.max())
    if is_halved(images) or low < -1 - _SLACK or high > 1 + _SLACK:
        raise UsageError(f"{what} must be floats in [-1, 1] or uint8 in [0, 255], got [{low:g}, {high:g}]; {_CURE}")
