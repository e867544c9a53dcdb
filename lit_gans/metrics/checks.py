"""Checks of the images that a measure is given."""

from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.images.shape import WHOLE, to_float


def checked_images(images: Tensor, metric: str, smallest: int) -> Tensor:
    """Returns (N, C, H, W) images in float32, without gradients, if they can be measured; uint8 becomes [-1, 1].

    Raises:
        UsageError: if they are of another shape or type, smaller than ``smallest`` pixels a side, or not finite.
    """
    if images.ndim != 4 or min(images.shape[2:]) < smallest:
        raise UsageError(
            f"{metric} expects (N, C, H, W) images of {smallest} x {smallest} pixels or more, got {tuple(images.shape)}"
        )
    if images.dtype in WHOLE:
        return to_float(images)
    if not images.is_floating_point():
        raise UsageError(f"{metric} expects images as floats in [-1, 1] or as uint8, got {images.dtype}")
    images = images.detach().float()
    if not bool(images.isfinite().all()):
        raise UsageError(f"{metric} expects finite images, got NaN or infinity: check the generator's output")
    return images
