"""Texts of a data set as rows of numbers: kept without filling, and filled up to the longest of a batch."""

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import chain

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from lit_gans.errors import UsageError, at_least
from lit_gans.text import END, PAD, SPECIAL, Vocabulary, VocabularyKind

_LONG, _TIMES = 1_000, 10  # a text of more tokens, and of so many times the usual number, is worth a warning


class TokenRows:
    """Rows of numbers of different lengths; a batch of them is a tensor (n, T) int64, T that of its longest.

    Args:
        rows: the numbers of each.

    Examples:
        >>> rows = TokenRows([[5, 2], [7, 8, 2], [2]])
        >>> rows.index_select(0, torch.tensor([0, 1]))
        tensor([[5, 2, 0],
                [7, 8, 2]])
        >>> rows.lengths
        tensor([2, 3, 1])
    """

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        self.numbers = torch.tensor([*chain.from_iterable(rows), PAD], dtype=torch.int32)
        #: (N,) int64, without filling
        self.lengths = torch.tensor([len(row) for row in rows], dtype=torch.long)
        self.starts = self.lengths.cumsum(0) - self.lengths

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def longest(self) -> int:
        """The length of the longest row."""
        return int(self.lengths.max()) if len(self) else 0

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Some of the rows, as a tensor's method of that name gives them; ``dim`` is 0."""
        lengths = self.lengths.index_select(dim, index)
        place = torch.arange(int(lengths.max()) if len(lengths) else 0)
        inside = place < lengths[:, None]  # (n, T)
        where = self.starts.index_select(dim, index)[:, None] + place
        return self.numbers[where.masked_fill(~inside, len(self.numbers) - 1)].long()


class Tokens:
    """How a data set's texts become rows of numbers.

    The vocabulary and the greatest length are those of the training texts alone, and are found once, on first use. They
    depend on these texts only, so that every process finds the same.

    Args:
        texts: gives the training texts.
        kind: of the tokens, as in `Vocabulary.learn`.
        size: most tokens of the vocabulary, with the five special ones; by default as in `Vocabulary.learn`.
        length: most tokens of a text with its end; by default those of the longest training text.
        lowercase: whether capital letters are read as small ones.
        sample: gives texts to learn the vocabulary from, if they are others than the training texts.
        others: gives texts that the greatest length must also be enough for.

    Raises:
        UsageError: if a number is out of range.
    """

    def __init__(
        self,
        texts: Callable[[], Sequence[str]],
        kind: VocabularyKind = "words",
        size: int | None = None,
        length: int | None = None,
        lowercase: bool = False,
        sample: Callable[[], Sequence[str]] | None = None,
        others: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        at_least(len(SPECIAL) + 1, vocabulary_size=size)
        at_least(2, length=length)
        self.texts, self.kind, self.size, self.length, self.lowercase = texts, kind, size, length, lowercase
        self.sample, self.others = sample or texts, others

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Learned from the training texts, or from the sample."""
        return Vocabulary.learn(self.sample(), self.kind, self.size, self.lowercase)

    @cached_property
    def training_rows(self) -> list[list[int]]:
        """The rows of the training texts."""
        return self.rows(self.texts())

    def rows(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of every text, with ``END`` behind; texts may be longer than the greatest length."""
        return [[*row, END] for row in self.vocabulary.rows(texts)]

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(length, vocabulary): most tokens of a text with its end, and how many tokens there are."""
        others = [] if self.others is None else self.rows(self.others())
        if self.length is not None:
            return self.length, len(self.vocabulary)
        lengths = sorted(map(len, [*self.training_rows, *others]))
        usual, longest = lengths[len(lengths) // 2], lengths[-1]
        if longest > max(_LONG, _TIMES * usual):
            rank_zero_warn(
                f"the longest text has {longest:,} tokens and half of all have at most {usual:,}: the networks are "
                "made for the longest, which takes much memory and time; data.length leaves longer ones out"
            )
        return longest, len(self.vocabulary)

    def facts(self) -> str:
        """The vocabulary and the length in words."""
        return f"{self.shape[1]:,} {self.kind}, at most {self.shape[0]:,} a text with its end"


def too_long(count: int, of: int, length: int, split: str, first: str) -> str:
    """The sentence that says how many texts are left out, and what to do.

    Raises:
        UsageError: if none is left.
    """
    shown = repr(first if len(first) <= 40 else f"{first[:37]}...")
    if count == of:
        raise UsageError(
            f"all {of:,} {split} texts are longer than {length} tokens, say {shown}; raise data.length or leave it out"
        )
    return (
        f"{count:,} of {of:,} {split} texts are longer than {length} tokens with their end and are left out, say "
        f"{shown}; data.length raises the limit"
    )
