"""The order of the samples, which depends on the seed and on how far the run is, and on nothing else."""

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from typing import Any
from weakref import ref

import torch
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler, SequentialSampler

from lit_gans.data.samples import Draws, Pick
from lit_gans.errors import UsageError

_BLOCK = 50  # batches that are sorted by length together: enough for little filling, and few enough to mix


class BatchStream(DistributedSampler[Any], SequentialSampler):
    """The batches from a position on, which depend on seed and position alone, so that any run can be resumed.

    Every epoch is a new permutation of all samples, cut into whole batches; each device takes its own share of every
    batch. Each group is permuted by itself, and a smaller one comes again and again.

    With ``lengths`` a batch has samples of similar length: each 50 batches of the permutation are sorted by length
    before they are cut, and the batches then come in a random order. All devices' shares of a batch are similar, too.

    Lightning takes it for a ``DistributedSampler``, and with ``overfit_batches`` for a ``SequentialSampler``, and
    leaves it in place: a sampler of Lightning's would yield single samples.

    Args:
        sizes: how many samples each group has.
        batch_size: samples a device and batch.
        seed: of the permutations.
        position: says how many batches the run has begun when an iterator is made.
        rank: this device's number.
        world_size: number of devices.
        augmented: whether every sample comes with random numbers.
        lengths: (N,) of the samples of the first group, if batches are put together by length.

    Raises:
        UsageError: if the samples do not fill one batch.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        batch_size: int,
        seed: int,
        position: Callable[[], int],
        rank: int = 0,
        world_size: int = 1,
        augmented: bool = False,
        lengths: Tensor | None = None,
    ) -> None:
        self.lengths = lengths
        self.sizes, self.batch_size, self.seed, self.position = sizes, batch_size, seed, position
        self.rank, self.world_size, self.augmented = rank, world_size, augmented
        self.batches = max(sizes) // (batch_size * world_size)
        if self.batches == 0:
            raise UsageError(
                f"batch_size={batch_size} on {world_size} device(s) needs {batch_size * world_size} training samples, "
                f"but there are {max(sizes)}; lower data.batch_size"
            )

    def __len__(self) -> int:
        return self.batches

    def set_epoch(self, epoch: int) -> None:
        """Does nothing: the position says which epoch it is."""

    def __iter__(self) -> Iterator[Pick]:  # type: ignore[override]
        return self._walk(self.position())  # the position is read now, not when the first batch is fetched

    def _walk(self, start: int) -> Iterator[Pick]:
        epoch, orders, draws = -1, [torch.empty(0)], None
        for position in range(start, start + self.batches):
            if position // self.batches != epoch:
                epoch = position // self.batches
                orders, draws = self._order(epoch)
            first = (position % self.batches * self.world_size + self.rank) * self.batch_size
            share = slice(first, first + self.batch_size)
            yield Pick(tuple(order[share] for order in orders), None if draws is None else draws[share])

    def _order(self, epoch: int) -> tuple[list[Tensor], Tensor | None]:
        """The rows of every group and the random numbers of one epoch."""
        rng = torch.Generator().manual_seed(self.seed + epoch)
        length = self.batches * self.batch_size * self.world_size
        orders = [
            torch.cat([torch.randperm(size, generator=rng) for _ in range(-(-length // size))])[:length]
            for size in self.sizes
        ]
        if self.lengths is not None:
            orders[0] = self._by_length(orders[0], rng)
        return orders, torch.rand(length, len(orders), len(Draws._fields), generator=rng) if self.augmented else None

    def _by_length(self, order: Tensor, rng: torch.Generator) -> Tensor:
        """The same rows, in batches of similar length."""
        assert self.lengths is not None
        batch = self.batch_size * self.world_size
        blocks = order.split(_BLOCK * batch)
        ordered = torch.cat([block[self.lengths[block].argsort(stable=True)] for block in blocks])
        return ordered.view(-1, batch)[torch.randperm(self.batches, generator=rng)].flatten()


class StreamLoader(DataLoader[Any]):
    """Tells Lightning that it can resume. It keeps no state: the sampler computes its place from a `Position`."""

    passes = 0

    def __iter__(self) -> Any:
        self.passes += 1
        return super().__iter__()

    def state_dict(self) -> dict[str, Any]:
        """Empty: the position is the trainer's."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to do."""


class Position:
    """The number of batches that a run has begun; without a trainer, that of earlier passes over the loader."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self._loader: Callable[[], StreamLoader | None] = lambda: None

    def follow(self, loader: StreamLoader) -> None:
        """Sets the loader whose batches they are."""
        self._loader = ref(loader)  # a loader that holds itself would keep its workers until the garbage is collected

    def __call__(self) -> int:
        """The number at this moment."""
        trainer, loader = self.data.trainer, self._loader()
        if trainer is None:
            return 0 if loader is None else (loader.passes - 1) * len(loader)
        begun = trainer.fit_loop.epoch_loop.batch_progress.total.ready
        by_heart = getattr(trainer, "overfit_batches", 0)
        if not by_heart or loader is None:
            return begun
        # the first batches of the first epoch again and again
        few = by_heart if isinstance(by_heart, int) else int(by_heart * len(loader))
        return begun % max(1, min(few, len(loader)))


class InOrder(DistributedSampler[Any], SequentialSampler):
    """All samples in order; every device takes each ``world_size``-th batch, all the same number of them.

    Devices must run equally many batches, so that the first batches come again at the end: `repeated` tells which.
    """

    def __init__(self, sizes: Sequence[int], batch_size: int, rank: int, world_size: int) -> None:
        batches = [Pick(tuple(rows % size for size in sizes)) for rows in torch.arange(max(sizes)).split(batch_size)]
        total = len(batches) + -len(batches) % world_size
        self.batches = list(islice(cycle(batches), total))[rank::world_size]
        self.own = len(batches[rank::world_size])

    def __len__(self) -> int:
        return len(self.batches)

    def set_epoch(self, epoch: int) -> None:
        """The order never changes."""

    def __iter__(self) -> Iterator[Pick]:  # type: ignore[override]
        return iter(self.batches)


def repeated(loader: Any, batch_idx: int) -> int | None:
    """The number of samples at the end of a device's batch that are repeated, so that all devices have equally many.

    Args:
        loader: one of this library's, or one whose sampler Lightning has replaced by a ``DistributedSampler``.
        batch_idx: the batch's number on this device.

    Returns:
        The number; None for all of them.
    """
    sampler = getattr(loader, "sampler", None)
    if isinstance(sampler, InOrder):
        return 0 if batch_idx < sampler.own else None
    if not isinstance(sampler, DistributedSampler) or isinstance(sampler, BatchStream):
        return 0
    last = (sampler.num_samples - 1) * sampler.num_replicas + sampler.rank  # the place of this device's last sample
    return int(batch_idx == len(loader) - 1 and last >= len(sampler.dataset))  # type: ignore[arg-type]


def size_of(batch: Any) -> int | None:
    """The number of samples of a batch, by its first tensor."""
    parts = batch.values() if isinstance(batch, dict) else batch if isinstance(batch, (list, tuple)) else [batch]
    return next((len(part) for part in parts if isinstance(part, Tensor) and part.ndim), None)


def first_of(batch: Any, count: int) -> Any:
    """The first samples of a batch: of its tensors, and of its lists of texts."""
    if isinstance(batch, dict):
        return {name: first_of(part, count) for name, part in batch.items()}
    if isinstance(batch, (list, tuple)) and not any(isinstance(part, str) for part in batch):
        return [first_of(part, count) for part in batch]
    return batch[:count] if isinstance(batch, (Tensor, list, tuple)) else batch
