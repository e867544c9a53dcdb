"""House numbers and handwritten digits as two domains."""

from typing import Any

from lit_gans.data.array_data import ArrayData
from lit_gans.data.image_data import Sized
from lit_gans.data.mnist import MNIST
from lit_gans.data.samples import Samples
from lit_gans.data.svhn import SVHN


class SVHN2MNIST(ArrayData):
    """SVHN's digits in colour (a) and MNIST's in grey (b), without pairs.

    Batches also have the classes, ``label_a`` and ``label_b``. No translator learns from them; they serve to test
    whether a translation keeps the digit.

    Args:
        root: the folder that holds the data sets; by default ``$LIT_GANS_DATA``, else ``./data``.
        size: side length or (height, width) in pixels; MNIST's 28 are resized (bicubic, antialiased).
        batch_size: digits of each domain, a device and batch.
        loading: arguments of `ImageData`: num_workers, seed and val_size.

    Raises:
        UsageError: if a folder does not exist, a file is damaged or cannot be fetched.
    """

    num_classes = 10

    def __init__(self, root: str | None = None, size: Sized = 32, batch_size: int = 16, **loading: Any) -> None:
        super().__init__(root, size, channels=1, batch_size=batch_size, **loading)
        self.a, self.b = SVHN(root, size), MNIST(root, size)
        self.source_shape = self.a.image_shape

    def prepare_data(self) -> None:
        """Downloads what is not there, on one process of each machine."""
        self.a.prepare_data()
        self.b.prepare_data()

    def load(self, split: str) -> Samples:
        """The digits of both domains, two groups."""
        groups = []
        for name, digits in (("a", self.a), ("b", self.b)):
            (group,) = digits.load(split).groups
            groups.append({name: group["image"], f"label_{name}": group["label"]})
        return Samples(*groups)
