"""Base of the data sets that are files of pictures: decoded once, then mapped into memory."""

from collections import Counter
from math import inf
from typing import Any, Literal

import torch
from lightning.pytorch.utilities import rank_zero_info

from lit_gans.data import facts
from lit_gans.data.base import find_root
from lit_gans.data.cache import decoded
from lit_gans.data.cache_folder import cache_folder, kept
from lit_gans.data.image_data import ImageData, Sized, height_width
from lit_gans.data.kinds import find_kind
from lit_gans.data.look import look_at
from lit_gans.data.samples import Samples
from lit_gans.data.sources import Source
from lit_gans.errors import UsageError
from lit_gans.images.frame import MEGAPIXELS, Frame


class PictureData(ImageData):
    """Base of the data modules that read encoded pictures.

    Every picture is decoded, cut and resized once (bicubic, antialiased), by all cores, into a file of pixels (uint8,
    int16 from -32768 for 16 bits, or float32 in [-1, 1]) that training maps into memory. The file's name has a key of
    everything that decides its pixels, so another size, or a picture that was replaced, makes another file; any of them
    may be deleted. They are kept in ``cache``, else in ``$LIT_GANS_CACHE``, else in the user's cache folder, and never
    beside the pictures.

    Args:
        root: the folder that holds the data sets, or the set's own; by default ``$LIT_GANS_DATA``, else ``./data``.
        size: side length or (height, width) in pixels.
        channels: 1 for grey, 3 for colour, 4 for colour and transparency, to which pictures of the others are
            converted; any other number for arrays that have as many. By default, for pictures of your own, what all of
            them have: 4 if each is transparent somewhere, 1 if each is grey and of more than 8 bits, an array's number;
            else 3.
        bits: 8, 16, or 32 for floats: how images are kept and drawn. By default, for pictures of your own, what all of
            them have, and 8 if they differ.
        fit: ``crop`` cuts the middle out of pictures that have another shape, ``stretch`` distorts them.
        load_size: size that training images are kept in, to take random crops of ``size`` from. Validation images that
            are held out of the training images, or are the same, are their centre crops.
        skip_corrupt: leave out pictures that cannot be decoded, and say how many, instead of stopping at the first.
        cache: folder for decoded images.
        file_range: (low, high), the numbers in the files that are black and white (-1 and 1 for networks), for files
            that do not say it or say it wrongly; what lies outside is cut off. Else 8 and 16 bits are taken as full,
            and floats as the first of 0 to 1, -1 to 1 and 0 to 255 that holds all of the set's. Sets may have pictures
            of 8 bits beside deeper ones: the range applies to them only if it lies within 0 to 255 and ``bits`` is 8.
        max_megapixels: larger pictures are refused, since a small file can unpack until the memory is full.
        loading: arguments of `ImageData`: batch_size, num_workers, seed, flip, val_size, labels_per_class and
            label_fraction.

    Raises:
        UsageError: if the set is not there or cannot be read.
    """

    def __init__(
        self,
        root: str | None = None,
        size: Sized = 64,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        load_size: Sized | None = None,
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        if fit not in ("crop", "stretch"):
            raise UsageError(f"fit must be 'crop' or 'stretch', got {fit!r}")
        if file_range is not None and not (len(file_range) == 2 and -inf < file_range[0] < file_range[1] < inf):
            raise UsageError(f"file_range must be the numbers of black and white, say (0, 4095), got {file_range!r}")
        if not 0 < max_megapixels < inf:
            raise UsageError(f"max_megapixels must be a positive number of millions, got {max_megapixels}")
        self.file_range = None if file_range is None else (float(file_range[0]), float(file_range[1]))
        self.max_megapixels = max_megapixels
        self.root, self.fit, self.skip_corrupt, self.cache = root, fit, skip_corrupt, cache
        found, self.image_kind = find_kind(self.own_pictures(), channels, bits, self.file_range, max_megapixels)
        self.image_shape = (found, *height_width(size))
        self.load_size = self.image_shape[1:] if load_size is None else height_width(load_size)
        if min(a - b for a, b in zip(self.load_size, self.image_shape[1:], strict=True)) < 0:
            raise UsageError(f"load_size must be at least size, to crop from, got {load_size} and size {size}")
        self._told = False
        #: names of pictures that could not be decoded
        self.corrupt: list[str] = []

    def own_pictures(self) -> list[Source]:
        """Somebody's own pictures, which say what kind of images the set has; none if that is known."""
        return []

    def prepare_data(self) -> None:
        """Fetches and decodes what is missing, on one process of each machine, and says where that is kept."""
        self.fetch()
        self.setup(None if self.trainer is None or self.trainer.state.fn is None else self.trainer.state.fn.value)
        if not self._told:
            self._told = True
            folder = cache_folder(self.cache)
            total = sum(file.size for file in kept(folder))
            rank_zero_info(f"decoded images: {folder} ({total / 1e6:,.1f} MB; see 'lit-gans cache list')")

    def fetch(self) -> None:
        """Downloads the set if it is missing and can be downloaded."""

    @property
    def augmented(self) -> bool:
        """Whether training images are changed at random."""
        return self.flip or self.load_size != self.image_shape[1:]

    def decode(self, title: str, split: str, *parts: tuple[str, Source, dict[str, Any]], **more: Any) -> Samples:
        """The samples of one group: each part's pictures under its name, and more values beside them.

        Args:
            title: the beginning of the names of the files of decoded images.
            split: of the pictures; training images are kept in ``load_size``.
            parts: for each the name in the batch, the pictures, and the fields of their `Frame` that are not as usual.
            more: other values for each picture, say labels, by their names in the batch.
        """
        size = self.load_size if split == "train" else self.image_shape[1:]
        values: dict[str, Any] = {}
        rows = None
        for name, source, special in parts:
            frame = Frame(**{**self.frame(size), **special})
            values[name], good = decoded(source, frame, cache_folder(self.cache), f"{title}-{name}", self.skip_corrupt)
            look_at(values[name], good, source)
            if len(good) < len(source):
                self.corrupt += [source.where(row) for row in sorted({*range(len(source))} - {*good.tolist()})]
            rows = good if rows is None else rows[torch.isin(rows, good)]
        samples = Samples({**values, **more})
        assert rows is not None
        return samples if len(rows) == len(samples) else samples.subset(rows)

    def frame(self, size: tuple[int, int]) -> dict[str, Any]:
        """The fields of the `Frame` by which pictures are decoded to a (height, width)."""
        return {
            "size": size,
            "channels": self.image_shape[0],
            "fit": self.fit,
            "file_range": self.file_range,
            "megapixels": self.max_megapixels,
            "bits": self.image_kind.bits,
            "usual": self.image_kind.limits if self.image_kind.bits > 8 else None,
        }

    def facts(self) -> dict[str, str]:
        """Also the pictures that are left out, and how those that are kept are cut."""
        found = super().facts()
        cut = "cut to the middle" if self.fit == "crop" else "stretched"
        if self.load_size != self.image_shape[1:]:
            cut += f", random crops of {'x'.join(map(str, self.load_size))}"
        found["size"] += f"; other shapes are {cut}"
        if said := facts.left_out(self.unread(), list(dict.fromkeys(self.corrupt))):
            found["left out"] = said
        return found

    def unread(self) -> Counter[str]:
        """The endings of files that are not read as pictures, where somebody may have put his own."""
        return Counter()

    def missing(self, what: str, remedy: str) -> UsageError:
        """The error for a data set that was not found."""
        return UsageError(f"{what} is not in {find_root(self.root)}; {remedy}, or set data.root to where it is")
