"""Stacked MNIST: a thousand modes that a classifier of digits can count."""

from typing import Any

import torch
from torch import Tensor

from lit_gans.data.array_data import ArrayData
from lit_gans.data.image_data import Sized
from lit_gans.data.mnist import MNIST
from lit_gans.data.samples import Samples
from lit_gans.errors import UsageError

_TEST = 26_000  # images, as many as the protocol draws from a model


class StackedMNIST(ArrayData):
    """Three random digits of MNIST as the channels of one image: 1,000 equally likely modes.

    The protocol of VEEGAN and PacGAN (Srivastava et al. 2017, arXiv:1705.07761; Lin et al. 2018, arXiv:1712.04086):
    128,000 images of 28x28, drawn once, with replacement. Training images stack training digits, the 26,000 test
    images stack test digits. ``label`` is the number that the three digits are written as, from 0 to 999.

    ``seed`` decides which digits an image is made of; the images themselves are put together batch by batch,
    so that the set takes no more memory than MNIST.

    Args:
        root: the folder that holds the data sets, or MNIST's own; by default ``$LIT_GANS_DATA``, else ``./data``.
        size: side length or (height, width) in pixels; other sizes than 28 are resized (bicubic, antialiased).
        count: number of training images.
        loading: arguments of `ImageData`: batch_size, num_workers, seed, flip, val_size, labels_per_class and
            label_fraction.

    Raises:
        UsageError: if there are no images to make, the folder does not exist, a file is truncated or cannot be fetched.
    """

    num_classes = 1000

    def __init__(self, root: str | None = None, size: Sized = 28, count: int = 128_000, **loading: Any) -> None:
        super().__init__(root, size, channels=3, **loading)
        if count < 1:
            raise UsageError(f"count must be at least 1, got {count}")
        self.count = count
        self.digits = MNIST(root, size)

    def prepare_data(self) -> None:
        """Downloads MNIST if it is not there, on one process of each machine."""
        self.digits.prepare_data()

    def load(self, split: str) -> Samples:
        """The stacks of a split, which depend on the seed and the split alone."""
        digits = self.digits.load(split)
        image, label = digits.values("image"), digits.values("label")
        train = split == "train"
        rng = torch.Generator().manual_seed(2 * self.seed + (not train))
        rows = torch.randint(len(label), (self.count if train else _TEST, 3), generator=rng)
        return Samples({"image": Stacks(image, rows), "label": label[rows] @ torch.tensor([100, 10, 1])})


class Stacks:
    """(N, K, H, W) images whose channels are rows of a set of grey ones; a batch is gathered when it is asked for.

    Args:
        images: (M, 1, H, W), the grey images.
        rows: (N, K), the rows that each image is made of.

    Examples:
        >>> stacks = Stacks(torch.arange(4.0).view(4, 1, 1, 1), torch.tensor([[0, 1, 2], [3, 3, 0]]))
        >>> stacks.index_select(0, torch.tensor([1])).flatten()
        tensor([3., 3., 0.])
    """

    def __init__(self, images: Tensor, rows: Tensor) -> None:
        self.images, self.rows = images, rows

    def __len__(self) -> int:
        return len(self.rows)

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Some of the images, as a tensor's method of that name gives them; ``dim`` is 0."""
        rows = self.rows.index_select(dim, index)  # (n, K)
        return self.images.index_select(0, rows.flatten()).view(*rows.shape, *self.images.shape[2:])
