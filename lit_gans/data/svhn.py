"""SVHN: house numbers from street views, one digit in the middle of every picture."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lit_gans.data.array_data import ArrayData, whole_numbers
from lit_gans.data.base import find_folder, find_root, not_found
from lit_gans.data.download import Remote, fetch
from lit_gans.data.image_data import Sized
from lit_gans.data.samples import Samples
from lit_gans.errors import UsageError
from lit_gans.images.shape import to_shape

_PAGE = "http://ufldl.stanford.edu/housenumbers/"
_DIGESTS = {
    "train": "e26dedcc434d2e4c54c9b2d4a06d8373",
    "test": "eb5a983be6a315427106f1b164d9cef3",
    "extra": "a93ce644f1a588dc4d68dda5feec44a7",
}


class SVHN(ArrayData):
    """The 73,257 training and 26,032 test digits of Netzer et al. 2011, http://ufldl.stanford.edu/housenumbers.

    Format 2 (cropped digits), read from ``<root>/SVHN/*_32x32.mat``; what is missing there is downloaded. The digit 0,
    which the files call 10, has label 0.

    Args:
        root: the folder that holds the data sets, or the set's own; by default ``$LIT_GANS_DATA``, else ``./data``.
        size: side length or (height, width) in pixels; other sizes than 32 are resized (bicubic, antialiased).
        channels: 3, or 1 for grey.
        extra: also train on the 531,131 easier digits of the extra split.
        loading: arguments of `ImageData`: batch_size, num_workers, seed, flip, val_size, labels_per_class and
            label_fraction.

    Raises:
        UsageError: if the folder does not exist, a file is damaged or cannot be fetched.
    """

    def __init__(
        self, root: str | None = None, size: Sized = 32, channels: int = 3, extra: bool = False, **loading: Any
    ) -> None:
        super().__init__(root, size, channels, **loading)
        self.extra = extra

    def prepare_data(self) -> None:
        """Downloads the files that are not there, on one process of each machine."""
        folder = self._folder() or find_root(self.root) / "SVHN"
        for split in ("train", "test", *(["extra"] if self.extra else [])):
            fetch(Remote(f"{_PAGE}{split}_32x32.mat", _DIGESTS[split]), folder, page=_PAGE)

    def load(self, split: str) -> Samples:
        """All digits of a split, resized once."""
        if (folder := self._folder()) is None:
            raise not_found("SVHN", self.root, "train_32x32.mat")
        parts = [split, "extra"] if split == "train" and self.extra else [split]
        images, labels = zip(*(read_mat(folder / f"{part}_32x32.mat") for part in parts), strict=True)
        image = to_shape(torch.cat(images) if len(images) > 1 else images[0], self.image_shape)
        return Samples({"image": image, "label": torch.cat(labels)})

    def _folder(self) -> Path | None:
        return find_folder(self.root, "SVHN", "svhn", marks=["*_32x32.mat"])


def read_mat(path: Path) -> tuple[Tensor, Tensor]:
    """Reads a file in SVHN's format 2.

    Returns:
        (N, 3, 32, 32) uint8 images and (N,) int64 labels from 0 to 9.

    Raises:
        UsageError: if the file is missing, truncated or of another form.
    """
    from scipy.io import loadmat  # takes a moment to import

    if not path.exists():
        raise UsageError(f"{path} is missing; call prepare_data() to download it")
    try:
        content = loadmat(path)
        pixels, label = content["X"], content["y"].ravel()
        if pixels.shape != (32, 32, 3, len(label)) or pixels.dtype != np.uint8:
            raise ValueError(f"X is {pixels.dtype} {pixels.shape} for {len(label)} labels")
        digits = whole_numbers(label, 0, 10) % 10  # its 10 is a 0
    except Exception as error:  # scipy raises whatever a cut file leads it to
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(
            f"{path} is truncated or not in SVHN's format 2 ({reason}); delete it and run again to download it anew"
        ) from None
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(3, 2, 0, 1)))  # (N, 3, 32, 32)
    return images, digits
