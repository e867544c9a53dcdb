"""The order of samples that lie in shards: mixed across shards and within them, with a few shards open at a time."""

from collections.abc import Callable, Iterator
from math import gcd

import torch
from torch import Tensor

from lit_gans.data.order import BatchStream
from lit_gans.data.samples import Draws, Pick

OPEN = 8  # shards whose samples are mixed with each other
LANES = 8  # parts of an epoch that are read side by side: up to as many machines read no shard that another one reads


class ShardStream(BatchStream):
    """The batches from a position on, as in `BatchStream`, so that each shard is read once an epoch.

    The shards of an epoch come in a random order, one after the other. This row of samples is cut into lanes of one
    length, and every batch takes equally many of each lane; a device takes the samples of its own lanes. The batches
    of a round, which are as many as ``OPEN`` shards hold, are drawn without order from the part of each lane that is
    theirs. Only the rows of one round are in memory.

    The batches depend on the seed, the position and the size of the whole batch: not on how many devices share it, nor
    on the number of workers.

    Args:
        shards: (S,) how many samples each shard has, of those that are to be seen.
        batch_size: samples a device and batch.
        seed: of the order.
        position: says how many batches the run has begun when an iterator is made.
        rank: this device's number.
        world_size: number of devices.
        augmented: whether every sample comes with random numbers.

    Raises:
        UsageError: if the samples do not fill one batch.
    """

    def __init__(
        self,
        shards: Tensor,
        batch_size: int,
        seed: int,
        position: Callable[[], int],
        rank: int = 0,
        world_size: int = 1,
        augmented: bool = False,
    ) -> None:
        samples = int(shards.sum())
        super().__init__([samples], batch_size, seed, position, rank, world_size, augmented)
        self.shards, self.whole = shards, batch_size * world_size
        self.lanes = gcd(LANES, self.whole) if len(shards) > OPEN else 1
        self.round = max(1, OPEN * samples // (len(shards) * self.whole))

    def _walk(self, start: int) -> Iterator[Pick]:
        at, rows, draws = (-1, -1), torch.empty(0), None
        for position in range(start, start + self.batches):
            epoch, batch = divmod(position, self.batches)
            if (epoch, batch // self.round) != at:
                at = (epoch, batch // self.round)
                rows, draws = self._drawn(*at)
            number = batch % self.round
            yield Pick((rows[number],), None if draws is None else draws[number])

    def _drawn(self, epoch: int, number: int) -> tuple[Tensor, Tensor | None]:
        """This device's rows (batches, batch_size) of one round, and random numbers (batches, batch_size, 1, 4)."""
        rng = torch.Generator().manual_seed(self.seed + epoch)
        order = torch.randperm(len(self.shards), generator=rng)
        rng.manual_seed(int(torch.randint(2**62, (), generator=rng)) + number)
        batches = min(self.round, self.batches - number * self.round)
        share = self.whole // self.lanes
        begin, length = number * self.round * share, batches * share
        lanes = [
            lane * self.batches * share + begin + torch.randperm(length, generator=rng) for lane in range(self.lanes)
        ]
        places = torch.stack(lanes).view(self.lanes, batches, share).transpose(0, 1).reshape(batches, self.whole)
        own = slice(self.rank * self.batch_size, (self.rank + 1) * self.batch_size)
        rows = self._rows(order, places[:, own].contiguous())
        if not self.augmented:
            return rows, None
        return rows, torch.rand(batches, self.whole, 1, len(Draws._fields), generator=rng)[:, own]

    def _rows(self, order: Tensor, places: Tensor) -> Tensor:
        """The rows of places in the samples of all shards, which come in this order."""
        sizes = self.shards[order]
        ends, starts = sizes.cumsum(0), (self.shards.cumsum(0) - self.shards)[order]
        which = torch.searchsorted(ends, places, right=True)
        return starts[which] + places - (ends - sizes)[which]
