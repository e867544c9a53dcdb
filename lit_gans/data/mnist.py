"""MNIST and Fashion-MNIST in their IDX files."""

import gzip
import struct
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lit_gans.data.array_data import ArrayData
from lit_gans.data.base import Sized, find_folder, find_root, not_found, to_shape
from lit_gans.data.download import Remote, fetch, unpack
from lit_gans.data.samples import Samples
from lit_gans.errors import UsageError

_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class MNIST(ArrayData):
    """The 70,000 handwritten digits of LeCun et al., http://yann.lecun.com/exdb/mnist.

    Read from ``<root>/MNIST/raw``; what is missing there is downloaded. All 60,000 training digits train.

    Args:
        root: the folder that holds the data sets, or the set's own; by default ``$LIT_GANS_DATA``, else ``./data``.
        size: side length or (height, width) in pixels; other sizes than 28 are resized (bicubic, antialiased).
        channels: 1, or 3 for three equal ones.
        loading: arguments of `ImageData`: batch_size, num_workers, seed, flip, val_size, labels_per_class and
            label_fraction.

    Raises:
        UsageError: if the folder does not exist, a file is truncated or cannot be fetched.
    """

    folder = "MNIST"
    mirrors: tuple[str, ...] = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    )
    digests: tuple[str, ...] = (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    )

    def __init__(self, root: str | None = None, size: Sized = 28, channels: int = 1, **loading: Any) -> None:
        super().__init__(root, size, channels, **loading)

    def prepare_data(self) -> None:
        """Downloads the files that are not there, on one process of each machine."""
        raw = self._raw() or find_root(self.root) / self.folder / "raw"
        for name, digest in zip(_FILES, self.digests, strict=True):
            if not (raw / name).exists() and not (raw / f"{name}.gz").exists():
                remotes = [Remote(f"{mirror}{name}.gz", digest) for mirror in self.mirrors]
                unpack(fetch(remotes, raw, page=self.mirrors[-1]), raw)

    def load(self, split: str) -> Samples:
        """All images of a split, resized once."""
        if (raw := self._raw()) is None:
            raise not_found(self.folder, self.root, f"{self.folder}/raw")
        names = _FILES[:2] if split == "train" else _FILES[2:]
        images, label = (read_idx(raw / name) for name in names)
        if len(images) != len(label):
            raise UsageError(f"{raw} holds {len(images)} images and {len(label)} labels of {names[0]}; fetch it anew")
        return Samples({"image": to_shape(images.unsqueeze(1), self.image_shape), "label": label.long()})

    def _raw(self) -> Path | None:
        places = (f"{self.folder}/raw", self.folder, "raw")
        return find_folder(self.root, *places, marks=[mark for name in _FILES for mark in (name, f"{name}.gz")])


class FashionMNIST(MNIST):
    """The 70,000 articles of clothing of Xiao et al. 2017, arXiv:1708.07747, in MNIST's form.

    Read from ``<root>/FashionMNIST/raw``; what is missing there is downloaded. The arguments are `MNIST`'s.
    """

    folder = "FashionMNIST"
    mirrors = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
    digests = (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    )


def read_idx(path: Path) -> Tensor:
    """An IDX file of bytes, or ``path.gz``.

    Raises:
        UsageError: if it is not there, or its size is not what its header promises.
    """
    packed = path.with_name(f"{path.name}.gz")
    try:
        data = path.read_bytes() if path.exists() or not packed.exists() else gzip.decompress(packed.read_bytes())
    except FileNotFoundError:
        raise UsageError(f"{path} is missing; call prepare_data() to download it") from None
    except (EOFError, OSError) as error:
        raise UsageError(f"{packed} is damaged ({error}); delete it and run again to download it anew") from None
    rank = data[3] if len(data) > 3 else 0
    shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank]) if len(data) >= 4 + 4 * rank else ()
    expected = 4 + 4 * rank + prod(shape)
    if len(data) != expected or not shape:
        raise UsageError(
            f"{path} is truncated or damaged: its header promises {expected} bytes, it has {len(data)}; delete it and "
            "run again to download it anew"
        )
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape).copy())
