"""Data that is held in memory: one index operation a batch, moved as uint8, normalised on the device."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from lit_gans.errors import UsageError

Batch = dict[str, Tensor]
Sized = int | tuple[int, int]


class Samples(Dataset[Batch]):
    """Images and labels in memory, indexed by a whole batch at a time.

    Args:
        image: (N, C, H, W) uint8, or float in [-1, 1].
        label: (N,) int64, -1 for unlabelled; left out if None.
    """

    def __init__(self, image: Tensor, label: Tensor | None = None) -> None:
        self.tensors = {"image": image} if label is None else {"image": image, "label": label}

    def __len__(self) -> int:
        return len(self.tensors["image"])

    def __getitem__(self, index: Any) -> Batch:
        return {name: tensor[index] for name, tensor in self.tensors.items()}


class BatchStream(DistributedSampler[Any]):
    """Indices of the batches from a position on: a function of seed and position alone, so that any run can go on.

    Every epoch is a new permutation of all samples, cut into whole batches; each device takes its own share of every
    batch. It counts as a ``DistributedSampler`` to Lightning, which therefore leaves it in place.

    Args:
        samples: how many there are.
        batch_size: samples a device and batch.
        seed: of the permutations.
        position: says how many batches the run has begun when an iterator is made.
        rank: this device's number.
        world_size: number of devices.

    Raises:
        UsageError: if the samples do not fill one batch.
    """

    def __init__(
        self, samples: int, batch_size: int, seed: int, position: Callable[[], int], rank: int = 0, world_size: int = 1
    ) -> None:
        self.samples, self.batch_size, self.seed, self.position = samples, batch_size, seed, position
        self.rank, self.world_size = rank, world_size
        self.batches = samples // (batch_size * world_size)
        if self.batches == 0:
            raise UsageError(
                f"batch_size={batch_size} on {world_size} device(s) needs {batch_size * world_size} training samples, "
                f"but there are {samples}; lower data.batch_size"
            )

    def __len__(self) -> int:
        return self.batches

    def set_epoch(self, epoch: int) -> None:
        """Ignored: the position says it all."""

    def __iter__(self) -> Iterator[Tensor]:
        return self._walk(self.position())  # the position is read now, not when the first batch is fetched

    def _walk(self, start: int) -> Iterator[Tensor]:
        epoch, order = -1, torch.empty(0)
        for position in range(start, start + self.batches):
            if position // self.batches != epoch:
                epoch = position // self.batches
                order = torch.randperm(self.samples, generator=torch.Generator().manual_seed(self.seed + epoch))
            first = (position % self.batches * self.world_size + self.rank) * self.batch_size
            yield order[first : first + self.batch_size]


class StreamLoader(DataLoader[Any]):
    """A loader that says it can resume, which is true: its sampler knows the run's position."""

    passes = 0

    def __iter__(self) -> Any:
        self.passes += 1
        return super().__iter__()

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the position is the trainer's."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to do."""


class ImageData(LightningDataModule, ABC):
    """Base of the data modules whose sets fit in memory.

    A subclass says ``image_shape`` and ``num_classes`` and loads a split; batches are ``{"image", "label"}``, uint8
    until they are on the device, then float in [-1, 1].

    Args:
        batch_size: samples a device and batch.
        num_workers: worker processes; 0 is fastest for a set in memory.
        seed: of the order of the samples, and of whatever the set draws.
    """

    image_shape: tuple[int, int, int]
    num_classes: int | None = None

    def __init__(self, batch_size: int = 64, num_workers: int = 0, seed: int = 0) -> None:
        super().__init__()
        if batch_size < 1:
            raise UsageError(f"batch_size must be at least 1, got {batch_size}")
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.splits: dict[str, Samples] = {}

    @abstractmethod
    def load(self, split: str) -> Samples:
        """The samples of ``train``, ``val`` or ``test``."""

    def setup(self, stage: str | None = None) -> None:
        """Loads what a stage needs, once."""
        needed = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ("test",)}
        for split in needed.get(stage or "", ("train", "val", "test")):
            if split not in self.splits:
                self.splits[split] = self.load(split)

    def train_dataloader(self) -> StreamLoader:
        """Shuffled whole batches, for ever new permutations."""
        samples = self.splits["train"]

        def position() -> int:
            """Batches begun by the run; without a trainer, by earlier passes over the loader."""
            if self.trainer is not None:
                return self.trainer.fit_loop.epoch_loop.batch_progress.total.ready
            return (loader.passes - 1) * len(loader)

        sampler = BatchStream(len(samples), self.batch_size, self.seed, position, *self._share())
        loader = self._loader(samples, sampler)
        return loader

    def val_dataloader(self) -> StreamLoader:
        """The validation split in order."""
        return self._in_order("val")

    def test_dataloader(self) -> StreamLoader:
        """The test split in order."""
        return self._in_order("test")

    def predict_dataloader(self) -> StreamLoader:
        """The test split in order: one prediction for each of its entries."""
        return self._in_order("test")

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """uint8 [0, 255] to float [-1, 1], on the device."""
        return {k: v.float().div_(127.5).sub_(1) if v.dtype == torch.uint8 else v for k, v in batch.items()}

    def _in_order(self, split: str) -> StreamLoader:
        samples = self.splits[split]
        return self._loader(samples, _InOrder(len(samples), self.batch_size, *self._share()))

    def _share(self) -> tuple[int, int]:
        """This device's number and how many there are."""
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def _loader(self, samples: Samples, sampler: Any) -> StreamLoader:
        return StreamLoader(
            samples,
            batch_size=None,  # the sampler yields whole batches
            sampler=sampler,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # its own, so that making an iterator leaves the global state alone
        )


class _InOrder(DistributedSampler[Any]):
    """All samples in order; every device takes each ``world_size``-th batch, all the same number of them."""

    def __init__(self, samples: int, batch_size: int, rank: int, world_size: int) -> None:
        batches = torch.arange(samples).split(batch_size)
        total = len(batches) + -len(batches) % world_size  # devices must run equally many, so the first are repeated
        self.batches = list(islice(cycle(batches), total))[rank::world_size]

    def __len__(self) -> int:
        return len(self.batches)

    def set_epoch(self, epoch: int) -> None:
        """The order never changes."""

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.batches)


def find_root(root: str | os.PathLike[str] | None) -> Path:
    """The folder that holds the data sets: as given, else ``$LIT_GANS_DATA``, else ``./data``.

    Raises:
        UsageError: if it was given, by argument or variable, and does not exist; only ``./data`` is made.
    """
    given = root or os.environ.get("LIT_GANS_DATA")
    if given and not Path(given).expanduser().is_dir():
        origin = "data.root" if root else "the environment variable LIT_GANS_DATA"
        raise UsageError(f"the data folder {given}, from {origin}, does not exist; create it or give the right one")
    return Path(given).expanduser() if given else Path("data")


def height_width(size: Sized) -> tuple[int, int]:
    """A side length or (height, width) as (height, width).

    Raises:
        UsageError: if it is neither.
    """
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or min(sides) < 1:
        raise UsageError(f"size must be a side length or (height, width) in pixels, got {size!r}")
    return sides
