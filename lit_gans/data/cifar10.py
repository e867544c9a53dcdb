"""CIFAR-10 in the files of its Python version."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lit_gans.data.array_data import ArrayData, whole_numbers
from lit_gans.data.base import find_folder, find_root, not_found
from lit_gans.data.download import Remote, fetch, unpack
from lit_gans.data.samples import Samples
from lit_gans.errors import UsageError
from lit_gans.images.shape import to_shape

_PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
_ARCHIVE = Remote("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a")
_FOLDER = "cifar-10-batches-py"
_PARTS = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}


class CIFAR10(ArrayData):
    """The 50,000 training and 10,000 test pictures of Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html.

    Read from ``<root>/cifar-10-batches-py``; what is missing there is downloaded. The arguments are `ArrayData`'s.
    """

    class_names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

    def prepare_data(self) -> None:
        """Downloads the set if it is not there, on one process of each machine."""
        if self._folder() is None:
            root = find_root(self.root)
            unpack(fetch(_ARCHIVE, root, page=_PAGE), root)

    def load(self, split: str) -> Samples:
        """All pictures of a split, resized once."""
        if (folder := self._folder()) is None:
            raise not_found("CIFAR-10", self.root, _FOLDER)
        parts = [folder / name for name in _PARTS[split] if (folder / name).exists()]  # some of the files are enough
        if not parts:
            raise UsageError(f"{folder} has no {_PARTS[split][0]}; delete the folder and run again to fetch it anew")
        images, labels = zip(*map(_read, parts), strict=True)
        return Samples({"image": to_shape(torch.cat(images), self.image_shape), "label": torch.cat(labels)})

    def _folder(self) -> Path | None:
        return find_folder(
            self.root, _FOLDER, f"CIFAR10/{_FOLDER}", f"cifar10/{_FOLDER}", marks=["data_batch_*", "test_batch"]
        )


class _Arrays(pickle.Unpickler):
    """Makes numpy arrays and nothing else, whatever a pickle asks for."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return super().find_class(module, name)
        if module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray") and name in (
            "_reconstruct",
            "ndarray",
            "dtype",
        ):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which the official files do not")


def _read(path: Path) -> tuple[Tensor, Tensor]:
    """Reads one file: (N, 3, 32, 32) uint8 images and (N,) int64 labels."""
    try:
        with path.open("rb") as file:
            content = _Arrays(file, encoding="bytes").load()
        pixels = np.asarray(content[b"data"])
        if pixels.dtype != np.uint8:
            raise ValueError(f"its pixels are {pixels.dtype}, not uint8")
        image = torch.from_numpy(pixels.reshape(-1, 3, 32, 32).copy())
        label = whole_numbers(content[b"labels"], 0, 9).flatten()
        if len(image) != len(label):
            raise ValueError(f"{len(image)} images and {len(label)} labels")
    except Exception as error:  # a damaged pickle raises anything
        raise UsageError(
            f"{path} is damaged ({type(error).__name__}: {error}); delete its folder and run again to fetch it anew"
        ) from None
    return image, label
