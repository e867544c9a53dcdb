"""A batch that goes through the players in parts, whose gradients add up: for batches that do not fit into memory."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from lit_gans.devices import RandomNumbers

Turn = tuple[float, Any, Any]


class MicroBatches:
    """The parts of a batch with their fakes, which are drawn without a graph, and drawn again where one is needed.

    Only one part's graph is in memory at a time. The second draw has the same random numbers, so that all players see
    the same fakes, as in a batch that is whole.

    Args:
        generate: makes the fakes of a batch.
        batch: entries of N rows each, tensors or lists; other entries are every part's.
        count: number of parts; fewer if there are fewer rows.
    """

    def __init__(self, generate: Callable[[Any], Any], batch: dict[str, Any], count: int) -> None:
        self.generate = generate
        self.rows = len(next(iter(batch.values())))
        size = -(-self.rows // count)  # rounded up
        self.parts = [
            {name: _rows(entry, self.rows, first, first + size) for name, entry in batch.items()}
            for first in range(0, self.rows, size)
        ]
        self.sizes = [min(size, self.rows - first) for first in range(0, self.rows, size)]
        device = next((entry.device for entry in batch.values() if isinstance(entry, Tensor)), torch.device("cpu"))
        self.numbers: list[RandomNumbers] = []
        self.fakes = []
        with torch.no_grad():
            for part in self.parts:
                self.numbers.append(RandomNumbers(device))
                self.fakes.append(generate(part))

    @property
    def fake(self) -> Any:
        """The fakes of the whole batch, without a graph."""
        return _joined(self.fakes)

    def turns(self, with_graph: bool) -> Iterator[Turn]:
        """The share of the rows, the batch and the fakes of every part, these with their graph or without."""
        for size, part, fake, numbers in zip(self.sizes, self.parts, self.fakes, self.numbers, strict=True):
            if with_graph:
                with numbers.again():
                    fake = self.generate(part)
            yield size / self.rows, part, fake


def _rows(entry: Any, rows: int, first: int, last: int) -> Any:
    has_rows = isinstance(entry, (list, tuple)) or (isinstance(entry, Tensor) and entry.ndim > 0)
    return entry[first:last] if has_rows and len(entry) == rows else entry


def _joined(fakes: list[Any]) -> Any:
    """Fakes of all parts in one: tensors one after the other, in whatever collection they are."""
    first = fakes[0]
    if isinstance(first, Tensor):
        return torch.cat(fakes) if first.ndim else torch.stack(fakes).mean()
    if isinstance(first, dict):
        return {name: _joined([fake[name] for fake in fakes]) for name in first}
    if isinstance(first, (tuple, list)):
        parts = [_joined(list(each)) for each in zip(*fakes, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    return first
