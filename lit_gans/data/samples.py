"""Samples that are indexed by whole batches."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from lit_gans.data.tokens import TokenRows
from lit_gans.text import PAD

Batch = dict[str, Any]

DRAWS = "draws"  # a batch's entry with random numbers: for each of its other names (N, 4), the columns of `Draws`


class Draws(NamedTuple):
    """Random numbers (N,) in [0, 1), by which N images are mirrored and cropped and their captions chosen.

    They are drawn with the order of the samples, as one tensor, so that a resumed run draws the same.
    """

    flip: Tensor
    top: Tensor
    left: Tensor
    caption: Tensor

    @classmethod
    def of(cls, numbers: Tensor | None) -> "Draws | None":
        """The columns of (N, 4) numbers; None if these are None."""
        return None if numbers is None else cls(*numbers.unbind(1))


class Pick(NamedTuple):
    """The samples of a batch: rows of each group, and random numbers if they are to be augmented."""

    rows: tuple[Tensor, ...]
    draws: Tensor | None = None  # (N, groups, 4)


class Samples(Dataset[Batch]):
    """Samples in memory or in a mapped file, indexed by a whole batch at a time, or by one number as any data set.

    Args:
        groups: for each group that is drawn by itself a dict of name to values: (N, C, H, W) uint8, or float in
            [-1, 1]; labels (N,) int64, -1 for unlabelled; lists of anything. Images and their labels are one group,
            two unpaired domains are two. Within a group all have the same length.

    Examples:
        >>> samples = Samples({"image": torch.zeros(5, 1, 8, 8), "label": torch.arange(5)})
        >>> samples[[3, 1]]["label"], samples[3]["image"].shape
        (tensor([3, 1]), torch.Size([1, 8, 8]))
    """

    def __init__(self, *groups: dict[str, Any]) -> None:
        self.groups = list(groups)
        self.rows: list[Tensor | None] = [None] * len(groups)

    @property
    def sizes(self) -> list[int]:
        """Number of samples of every group."""
        whole = [len(next(iter(group.values()))) for group in self.groups]
        return [n if rows is None else len(rows) for n, rows in zip(whole, self.rows, strict=True)]

    def __len__(self) -> int:
        return max(self.sizes)

    def __getitem__(self, index: Any) -> Batch:
        if isinstance(index, int):  # one sample, as `torch.utils.data.DataLoader` asks a data set for
            return {name: self._alone(name, values[0]) for name, values in self[[index]].items()}
        if not isinstance(index, Pick):  # smaller groups start again
            rows = torch.arange(len(self))[index]
            index = Pick(tuple(rows % size for size in self.sizes))
        batch: Batch = {}
        draws = {}
        for number, (group, subset, rows) in enumerate(zip(self.groups, self.rows, index.rows, strict=True)):
            rows = rows if subset is None else subset[rows]
            for name, values in group.items():
                batch[name] = _take(values, rows)
                if index.draws is not None:
                    draws[name] = index.draws[:, number]
        return {**batch, DRAWS: draws} if draws else batch

    def _alone(self, name: str, value: Any) -> Any:
        """A sample's value; tokens are filled up, so that any loader can put samples together."""
        rows = next(group[name] for group in self.groups if name in group)
        return F.pad(value, (0, rows.longest - len(value)), value=PAD) if isinstance(rows, TokenRows) else value

    def subset(self, *rows: Tensor) -> "Samples":
        """The given rows of every group, without a copy."""
        part = Samples(*self.groups)
        part.rows = [new if old is None else old[new] for old, new in zip(self.rows, rows, strict=True)]
        return part

    def beside(self, other: "Samples") -> "Samples":
        """These groups and another's, each drawn by itself."""
        both = Samples(*self.groups, *other.groups)
        both.rows = [*self.rows, *other.rows]
        return both

    def size(self, name: str) -> int:
        """Number of samples of the group that has values of a name."""
        return next(size for group, size in zip(self.groups, self.sizes, strict=True) if name in group)

    def values(self, name: str) -> Any:
        """All values of a name, e.g. ``label``, or None."""
        for group, rows in zip(self.groups, self.rows, strict=True):
            if name in group:
                return group[name] if rows is None else _take(group[name], rows)
        return None


def _take(values: Any, rows: Tensor) -> Any:
    """Some of the values; ``index_select`` is much faster than ``values[rows]``."""
    return [values[row] for row in rows.tolist()] if isinstance(values, list) else values.index_select(0, rows)
