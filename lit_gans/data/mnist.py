"""MNIST and Fashion-MNIST in their IDX files."""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lit_gans.data.array_data import ArrayData, whole_numbers
from lit_gans.data.base import find_folder, find_root, not_found
from lit_gans.data.download import Remote, fetch, unpack
from lit_gans.data.image_data import Sized
from lit_gans.data.samples import Samples
from lit_gans.errors import UsageError
from lit_gans.images.shape import to_shape

_BYTES = 8  # the code for bytes in the header of an IDX file
_MOST = 2**30  # bytes that a packed file may hold: more would fill the memory of small machines
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
        images, label = read_idx(raw / names[0], 3), read_idx(raw / names[1], 1)
        try:
            label = whole_numbers(label, 0, self.num_classes - 1)
        except ValueError as error:
            raise UsageError(f"{raw / names[1]} is damaged or of another set ({error}); fetch it anew") from None
        if len(images) != len(label):
            raise UsageError(f"{raw} holds {len(images)} images and {len(label)} labels of {names[0]}; fetch it anew")
        return Samples({"image": to_shape(images.unsqueeze(1), self.image_shape), "label": label})

    def _raw(self) -> Path | None:
        places = (f"{self.folder}/raw", self.folder, "raw")
        return find_folder(self.root, *places, marks=[mark for name in _FILES for mark in (name, f"{name}.gz")])


class FashionMNIST(MNIST):
    """The 70,000 articles of clothing of Xiao et al. 2017, arXiv:1708.07747, in MNIST's form.

    Read from ``<root>/FashionMNIST/raw``; what is missing there is downloaded. The arguments are `MNIST`'s.
    """

    folder = "FashionMNIST"
    class_names = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
    mirrors = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
    digests = (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    )


def read_idx(path: Path, rank: int | None = None) -> Tensor:
    """Reads an IDX file of bytes, or ``path.gz``.

    Args:
        path: the file.
        rank: how many dimensions it should have: 3 for images, 1 for labels; by default any.

    Returns:
        uint8, of the shape in its header.

    Raises:
        UsageError: if it is not there, holds something else, or its size is not what its header promises.
    """
    packed = path.with_name(f"{path.name}.gz")
    place = path if path.exists() or not packed.exists() else packed
    try:
        with gzip.open(place) if place == packed else place.open("rb") as file:
            data = file.read(4 + 4 * 255)  # as long as a header can be
            shape, promised = _header(data, rank)
            if place == packed and promised > _MOST:
                raise ValueError(f"its header promises {promised / 1e9:.1f} GB, and more than 1 GB is not unpacked")
            data += file.read(max(0, promised - len(data)) + 1)
    except FileNotFoundError:
        raise UsageError(f"{path} is missing; call prepare_data() to download it") from None
    except (EOFError, OSError, ValueError, zlib.error, MemoryError) as error:
        reason = str(error) or "it takes more memory than there is"
        raise UsageError(f"{place} is damaged ({reason}); delete it and run again to download it anew") from None
    if len(data) != promised:
        has = place.stat().st_size if place == path else len(data)
        raise UsageError(
            f"{place} is truncated or damaged: its header promises {promised} bytes, it has {has}; delete it and "
            "run again to download it anew"
        )
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=4 + 4 * len(shape)).reshape(shape).copy())


def _header(data: bytes, rank: int | None) -> tuple[tuple[int, ...], int]:
    """The shape in the header of an IDX file, empty if the header is cut, and the bytes that the file should have.

    Raises:
        ValueError: if it is of another type or rank.
    """
    has = data[3] if len(data) > 3 else 0
    if len(data) < 4 + 4 * has or not has:
        return (), 4 + 4 * max(has, 1)
    if data[:3] != bytes([0, 0, _BYTES]):
        raise ValueError(f"it begins with {data[:3].hex(' ')}, but a file of bytes with 00 00 {_BYTES:02x}")
    if has != (rank or has) or has > 8:
        raise ValueError(f"it has {has} dimensions{f', not {rank}' if rank else ''}")
    shape = struct.unpack(f">{has}I", data[4 : 4 + 4 * has])
    return shape, 4 + 4 * has + prod(shape)
