"""Shards: files of many pictures each, read by LitData from a folder or from an object store."""

import json
import logging
import os
import warnings
import zlib
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_gans.data.decoded_file import TYPES
from lit_gans.data.shard_order import OPEN
from lit_gans.errors import UsageError, reason
from lit_gans.images import kinds
from lit_gans.images.kinds import FULL, Kind

INDEX, LABELS = "index.json", "labels"  # names in the folder of a split: LitData's list of shards, and the labels
_KEY = "lit_gans"  # of what lit_gans adds to the index
_FORMAT = 1  # of shards of 8 bits, as all were at first
_DEEP = 2  # of others, which older versions cannot read
_TRIES = 3  # to read a shard from elsewhere
_HELD = 2 * OPEN  # shards in memory: a round of `ShardStream` touches at most two for each that it mixes
_NEEDED = "shards need LitData, which is not installed: pip install 'lit_gans[shards]'"


@dataclass(frozen=True)
class About:
    """What is known of the shards of a split, kept in their index.

    Args:
        splits: all that were made together.
        shape: (C, H, W) of every picture.
        size: (height, width) that they are meant to be trained with, not larger.
        classes: the names of the classes; empty if there are no labels.
        sizes: the number of pictures in each shard.
        checksums: the CRC-32 of each shard's pixels.
        bits: of each number, see `decoded_file.TYPES`.
        limits: the numbers in the files that the shards were made of that are -1 and 1.
    """

    splits: list[str]
    shape: list[int]
    size: list[int]
    classes: list[str]
    sizes: list[int]
    checksums: list[int]
    bits: int = 8
    limits: tuple[float, float] = FULL[8]

    @property
    def kind(self) -> Kind:
        """The kind of numbers of the files that the shards were made of."""
        return Kind(self.bits, (float(self.limits[0]), float(self.limits[1])))

    def write(self, folder: Path) -> None:
        """Adds it to LitData's index in a folder."""
        index = json.loads((folder / INDEX).read_text())
        said = {"format": _FORMAT if self.bits == 8 else _DEEP, **asdict(self)}
        if self.bits == 8:
            del said["bits"], said["limits"]
        (folder / INDEX).write_text(json.dumps({**index, _KEY: said}))


class ShardedImages:
    """(N, C, H, W) images in shards, of a type in `TYPES`, of which a few are in memory at a time.

    Other processes get the place and open the shards themselves.

    Args:
        place: the folder that `lit-gans shard` made, or its address: ``s3://``, ``gs://``, ``r2://`` or ``azure://``.
        split: ``train``, ``val`` or ``test``.
        cache: the folder in which shards from elsewhere are kept.
        most: bytes that these may take there; the ones read first are deleted.

    Raises:
        UsageError: if there are no such shards, one is missing or too short, or LitData is not installed.
    """

    def __init__(self, place: str, split: str, cache: Path, most: int) -> None:
        self.place, self.split, self.cache, self.most = place, split, cache, most
        self._data: Any = None
        self._held: OrderedDict[int, Tensor] = OrderedDict()
        self._process = os.getpid()
        self.about = self._look()
        self.shards = torch.tensor(self.about.sizes)
        self.ends = self.shards.cumsum(0)

    @property
    def remote(self) -> bool:
        """Whether the shards have to be fetched."""
        return is_address(self.place)

    def room(self, workers: int) -> int:
        """Bytes that the shards take which so many worker processes read at a time, or all if these are fewer."""
        largest = self.about.shape[0] * self.about.shape[1] * self.about.shape[2] * int(self.shards.max())
        return largest * self.about.bits // 8 * min(len(self.shards), _HELD * max(1, workers))

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_data", "_held")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """A copy of some images, (len(rows), C, H, W).

        Raises:
            UsageError: if a shard cannot be read, or is not what was written.
        """
        images = torch.empty(len(rows), *self.about.shape, dtype=TYPES[self.about.bits])
        if len(rows):
            which, places = torch.searchsorted(self.ends, rows, right=True).sort()
            numbers, counts = which.unique_consecutive(return_counts=True)
            inner = (rows[places] - (self.ends - self.shards)[which]).split(counts.tolist())
            parts = [self._shard(n).index_select(0, part) for n, part in zip(numbers.tolist(), inner, strict=True)]
            images[places] = torch.cat(parts)
        return images

    def count(self, rows: Tensor) -> Tensor:
        """How many of some rows, (S,), each shard has."""
        return torch.bincount(torch.searchsorted(self.ends, rows, right=True), minlength=len(self.shards))

    def labels(self) -> Tensor:
        """The labels (N,) int64 of all images.

        Raises:
            UsageError: if they cannot be read.
        """
        label: Tensor = self._read(self._open(LABELS), 0, "the labels")["label"]
        if label.shape != (len(self),) or not 0 <= int(label.min()) <= int(label.max()) < len(self.about.classes):
            raise self._damaged("the labels", "they do not go with the pictures")
        return label

    def _shard(self, number: int) -> Tensor:
        """All images of a shard; the one that has not been used for the longest time is forgotten."""
        if self._process != os.getpid():  # an open file must not be shared with the process that this was forked from
            self._forget()
        if number not in self._held:
            if self._data is None:
                self._data = self._open()
            images = self._read(self._data, number, f"shard {number}")["image"]
            if images.shape != (self.about.sizes[number], *self.about.shape) or images.dtype != TYPES[self.about.bits]:
                raise self._damaged(f"shard {number}", "it has other pictures than its index says")
            if zlib.crc32(images.contiguous().numpy().view("u1").data) != self.about.checksums[number]:
                raise self._damaged(f"shard {number}", "its pictures differ from their checksum")
            self._held[number] = images
            if len(self._held) > _HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(number)
        return self._held[number]

    def _forget(self) -> None:
        """Lets go of what another process has opened."""
        self._data, self._held, self._process = None, OrderedDict(), os.getpid()

    # ---------------------------------------------------------------- LitData

    def _open(self, inner: str = "") -> Any:
        """LitData's reader of the split's shards, or of something in it."""
        data_set = litdata().StreamingDataset
        where = "/".join(filter(None, (self.place, self.split, inner)))
        elsewhere = {"cache_dir": str(self.cache), "max_cache_size": self.most} if self.remote else {}
        try:
            return data_set(where, batch_decode="all", **elsewhere)
        except Exception as error:  # whatever a client of an object store raises
            raise UsageError(f"{where} cannot be read as shards ({reason(error)}); {_ADVICE}") from None

    def _read(self, data: Any, number: int, name: str, tries: int = _TRIES) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "The given buffer is not writable")
                item = data[number]
            if self.remote:  # from the second on whole shards are fetched, which all workers of a machine share
                data.on_demand_bytes = False
            return item
        except Exception as error:  # another worker can delete what this one is about to open
            if self.remote and isinstance(error, OSError) and tries > 1:
                return self._read(data, number, name, tries - 1)
            raise self._damaged(name, reason(error)) from None

    def _look(self) -> About:
        """What the index says, if all files that it names are there and whole."""
        folder = Path(self._open().input_dir.path) if self.remote else Path(self.place).expanduser() / self.split
        try:
            index = json.loads((folder / INDEX).read_text())
            said = dict(index[_KEY])
            if (version := said.pop("format")) not in (_FORMAT, _DEEP):
                raise UsageError(
                    f"the shards in {self.place} have the format {version}, but this version reads {_DEEP}"
                )
            about = About(**said)
            if kinds.usable(about.kind.plainly()) is None:
                raise ValueError(f"its bits are {about.bits!r} and its limits {about.limits!r}")
            files = [(chunk["filename"], int(chunk["chunk_bytes"])) for chunk in index["chunks"]]
        except FileNotFoundError:
            raise UsageError(f"{self.place} holds no shards ({self.split}/{INDEX} is missing); {_ADVICE}") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(f"{folder / INDEX} is no index of shards ({reason(error)}); {_ADVICE}") from None
        if len(files) != len(about.sizes) or len(files) != len(about.checksums) or min(about.sizes, default=0) < 1:
            raise self._damaged("the index", "its lists do not go with each other")
        for name, size in () if self.remote else files:
            there = (folder / name).stat().st_size if (folder / name).is_file() else None
            if there != size:
                what = "is missing" if there is None else f"has {there:,} bytes, not {size:,}"
                raise self._damaged(f"{self.split}/{name}", f"it {what}")
        return about

    def _damaged(self, name: str, why: str) -> UsageError:
        return UsageError(f"{name} of the shards in {self.place} cannot be used ({why}); copy it anew, or {_ADVICE}")


_ADVICE = "make shards with 'lit-gans shard FOLDER --output SHARDS'"


def is_address(place: str) -> bool:
    """Whether a place is an address of an object store, as LitData knows it, and not a folder."""
    return "://" in place or place.startswith("local:")


def litdata() -> Any:
    """The module LitData.

    Raises:
        UsageError: if it is not installed.
    """
    try:
        import litdata as module
    except ImportError as error:
        raise UsageError(f"{_NEEDED} ({reason(error)})") from None
    logging.getLogger("litdata.streaming.dataset").addFilter(_is_news)
    return module


def _is_news(record: logging.LogRecord) -> bool:
    """Whether LitData says more than that a cache is small, which is what a user has asked for."""
    return "`max_cache_size` is less than" not in record.getMessage()
