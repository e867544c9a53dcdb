"""MNIST and Fashion-MNIST in their IDX files."""

import struct
from math import prod
from pathlib import Path
from typing import Any

import torch
from torchvision import datasets
from torchvision.transforms.v2 import functional as transforms

from lit_gans.data.base import ImageData, Samples, Sized, find_root, height_width
from lit_gans.errors import UsageError


class MNIST(ImageData):
    """The 70,000 handwritten digits of LeCun et al., http://yann.lecun.com/exdb/mnist.

    Read from ``<root>/MNIST/raw``; what is missing there is downloaded. All 60,000 training digits train.

    Args:
        root: the folder that holds the data sets; by default ``$LIT_GANS_DATA``, else ``./data``.
        size: side length or (height, width) in pixels; other sizes than 28 are resized (bilinear, antialiased).
        val_size: training images held out for validation. With 0, validation looks at the test split, as is customary
            for generators; hold some out to select a classifier.
        batch_size: images a device and batch.
        num_workers: worker processes; 0 is fastest for a set in memory.
        seed: of the order of the images.

    Raises:
        UsageError: if the folder does not exist, a file is truncated or cannot be fetched.
    """

    num_classes = 10
    source: Any = datasets.MNIST

    def __init__(
        self,
        root: str | None = None,
        size: Sized = 28,
        val_size: int = 0,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        self.root, self.val_size = root, val_size
        self.image_shape = (1, *height_width(size))

    def prepare_data(self) -> None:
        """Downloads the files that are not there, on one process of each machine."""
        root = find_root(self.root)
        name = self.source.__name__
        raw = root / name / "raw"
        for file in sorted(raw.glob("*-ubyte")):
            check_idx(file)
        try:
            self.source(root, download=True)
        except (RuntimeError, OSError) as error:
            names = ", ".join(Path(url).name for url, _ in self.source.resources)
            raise UsageError(
                f"{name} is not in {raw} and could not be downloaded ({' '.join(str(error).split())}); put {names} "
                f"there by hand, or set data.root to the folder that holds {name}/"
            ) from None

    def load(self, split: str) -> Samples:
        """All images of a split, resized once."""
        held_out = split == "val" and self.val_size > 0
        try:
            source = self.source(find_root(self.root), train=split == "train" or held_out)
        except RuntimeError as error:
            raise UsageError(f"{self.source.__name__} cannot be read ({error}); call prepare_data() first") from None
        images, labels = source.data.unsqueeze(1), source.targets
        if split != "test" and self.val_size and not 0 < self.val_size < len(images):
            raise UsageError(f"val_size must leave images to train on: 0 to {len(images) - 1}, got {self.val_size}")
        if split == "train" and self.val_size:
            images, labels = images[: -self.val_size], labels[: -self.val_size]
        elif held_out:
            images, labels = images[-self.val_size :], labels[-self.val_size :]
        if images.shape[2:] != torch.Size(self.image_shape[1:]):
            images = torch.cat([transforms.resize(part, list(self.image_shape[1:])) for part in images.split(5000)])
        return Samples(images, labels)


class FashionMNIST(MNIST):
    """The 70,000 articles of clothing of Xiao et al. 2017, arXiv:1708.07747, in MNIST's form.

    Read from ``<root>/FashionMNIST/raw``; what is missing there is downloaded. The arguments are `MNIST`'s.
    """

    source = datasets.FashionMNIST


def check_idx(path: Path) -> None:
    """Compares a file's size with what its header promises.

    Raises:
        UsageError: if they differ.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(4)
        rank = header[3] if len(header) == 4 else 0
        sizes = file.read(4 * rank)
    dimensions = struct.unpack(f">{len(sizes) // 4}I", sizes[: len(sizes) // 4 * 4])
    expected = 4 + 4 * rank + prod(dimensions)
    if size != expected or not rank or len(dimensions) != rank:
        raise UsageError(
            f"{path} is truncated or damaged: its header promises {expected} bytes, it has {size}; delete it and run "
            "again to download it anew"
        )
