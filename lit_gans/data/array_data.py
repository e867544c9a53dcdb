"""Base of the data sets that come as arrays of small pictures and fit in memory."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lit_gans.data.image_data import ImageData, Sized, channels_height_width


class ArrayData(ImageData):
    """Base of the data modules whose sets are held in memory; all have a training and a test split.

    Args:
        root: the folder that holds the data sets, or the set's own; by default ``$LIT_GANS_DATA``, else ``./data``.
        size: side length or (height, width) in pixels; other sizes than the set's are resized (bicubic, antialiased).
        channels: 1 for grey, 3 for colour; pictures of the other kind are converted.
        loading: arguments of `ImageData`: batch_size, num_workers, seed, flip, val_size, labels_per_class and
            label_fraction.

    Raises:
        UsageError: if the folder does not exist, a file is damaged or cannot be fetched.
    """

    num_classes = 10

    def __init__(self, root: str | None = None, size: Sized = 32, channels: int = 3, **loading: Any) -> None:
        super().__init__(**loading)
        self.root = root
        self.image_shape = channels_height_width(channels, size)

    @property
    def own_splits(self) -> tuple[str, ...]:
        """The training and the test split."""
        return ("train", "test")


def whole_numbers(values: Any, least: int, most: int) -> Tensor:
    """Converts labels or pixels to int64, if they are whole numbers in a range.

    Args:
        values: an array, or a list of numbers.
        least: the smallest that there may be.
        most: the largest.

    Raises:
        ValueError: if one is not a whole number or is out of range.
    """
    numbers = np.asarray(values)
    if numbers.dtype.kind not in "uif":
        raise ValueError(f"it holds {numbers.dtype} where whole numbers from {least} to {most} should be")
    wrong = ~((numbers >= least) & (numbers <= most) & (numbers == np.round(numbers)))  # NaN is wrong, too
    if wrong.any():
        raise ValueError(f"it holds {numbers[wrong][0]:g} where whole numbers from {least} to {most} should be")
    return torch.from_numpy(numbers.astype(np.int64))
