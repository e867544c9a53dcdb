"""The base of the data modules of texts alone: tokens, and batches of texts of similar length."""

from abc import abstractmethod
from functools import partial
from typing import Any, ClassVar

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from lit_gans.data.base import BaseData
from lit_gans.data.samples import Samples
from lit_gans.data.tokens import TokenRows, Tokens, too_long
from lit_gans.text import VocabularyKind


class TextData(BaseData):
    """Base of the data modules of texts alone.

    A subclass gives the texts of a split. Batches have their tokens, (N, T) int64: each text, ``END``, then ``PAD`` up
    to the longest of the batch. The vocabulary is learned from the training texts alone, when it is first asked for.
    Texts that are longer than ``length`` are left out, with one warning that says how many.

    Args:
        tokens: what a text is cut into: ``words``, ``subwords``, ``characters`` or ``bytes``, see `Vocabulary.learn`.
        vocabulary_size: most tokens of a vocabulary, with the five special ones; rarer ones are read as unknown. By
            default 500 for subwords, no limit for the others.
        length: most tokens of a text with its end; by default those of the longest training text, or of the longest of
            all if the set is made on the spot.
        by_length: whether training batches hold texts of similar length, which need less filling. Every text still
            comes once an epoch.
        loading: arguments of `BaseData`: batch_size, num_workers and seed.

    Raises:
        UsageError: if a number is out of range, or there is no text.
    """

    #: the batch's names of the tokens: the source, if there is one, and the text that is to be written
    names: ClassVar[tuple[str, ...]] = ("tokens",)
    #: whether texts are made on the spot, so that the longest of all splits is known
    drawn: ClassVar[bool] = False

    def __init__(
        self,
        tokens: VocabularyKind = "words",
        vocabulary_size: int | None = None,
        length: int | None = None,
        by_length: bool = True,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self.by_length = by_length
        for name in self.names:
            others = partial(self._held_out, name) if self.drawn else None
            self.tokens[name] = Tokens(partial(self._training, name), tokens, vocabulary_size, length, others=others)
        self._texts: dict[str, dict[str, list[str]]] = {}

    @abstractmethod
    def read(self, split: str) -> dict[str, list[str]]:
        """The texts of one of ``own_splits``, by the names that a batch has for their tokens."""

    def beside(self, split: str) -> dict[str, Any]:
        """What a batch has beside the tokens: for each name a value for every text of the split."""
        return {}

    def texts(self, split: str) -> dict[str, list[str]]:
        """The texts of a split as they are, which are read once."""
        if split not in self._texts:
            self._texts[split] = self.read(split)
        return self._texts[split]

    def load(self, split: str) -> Samples:
        """The tokens of a split."""
        texts = self.texts(split)
        rows = {name: self._rows(name, split, texts[name]) for name in self.names}
        samples = Samples({**{name: TokenRows(values) for name, values in rows.items()}, **self.beside(split)})
        fits = torch.stack([samples.groups[0][n].lengths <= self.tokens[n].shape[0] for n in self.names]).all(0)
        if not fits.all():
            row = int((~fits).nonzero()[0])
            name = next(n for n in self.names if len(rows[n][row]) > self.tokens[n].shape[0])
            count, limit = int((~fits).sum()), self.tokens[name].shape[0]
            rank_zero_warn(too_long(count, len(fits), limit, split, texts[name][row]))
            samples = samples.subset(fits.nonzero()[:, 0])
        return samples

    def _training(self, name: str) -> list[str]:
        return self.texts("train")[name]

    def _held_out(self, name: str) -> list[str]:
        return [text for split in self.own_splits[1:] for text in self.texts(split)[name]]

    def _rows(self, name: str, split: str, texts: list[str]) -> list[list[int]]:
        return self.tokens[name].training_rows if split == "train" else self.tokens[name].rows(texts)

    def lengths(self, samples: Samples) -> Tensor | None:
        """The tokens of every training sample, by which batches are put together; None if they need not be."""
        if not self.by_length:
            return None
        total = torch.stack([samples.groups[0][name].lengths for name in self.names]).sum(0)
        return total if samples.rows[0] is None else total[samples.rows[0]]
