"""A user's own pictures with texts."""

from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn

from lit_gans.data.image_folder import ImageFolder
from lit_gans.data.samples import DRAWS, Batch, Draws, Samples
from lit_gans.data.sources import Folder
from lit_gans.data.tokens import Tokens, too_long
from lit_gans.errors import UsageError
from lit_gans.text import VocabularyKind, padded


class Captions(ImageFolder):
    """Pictures with texts: beside each picture a text file of the same name, one caption a line.

    Batches have ``image``, ``caption``, a list of strings, and its ``tokens``: in training any of a picture's captions,
    else the first. Capital letters are read as small ones. Captions that are longer than ``length`` are left out, and
    with them pictures that have no other, with a warning that says how many.

    Args:
        root: the folder; folders in it are as in `ImageFolder`.
        texts: the folder of the text files, if it is another one, with the same folders in it.
        tokens: what a caption is cut into, see `Vocabulary.learn`; None leaves tokens out. The vocabulary is that of
            all training pictures' captions.
        vocabulary_size: most tokens of the vocabulary, with the five special ones; rarer ones are read as unknown.
        length: most tokens of a caption with its end; by default those of the longest of training.
        pictures: arguments of `PictureData` and `ImageData`: size, channels, fit, load_size, skip_corrupt, cache,
            batch_size, num_workers, seed, flip, val_size, labels_per_class and label_fraction.

    Raises:
        UsageError: if a picture has no text, or the text file is empty.
    """

    def __init__(
        self,
        root: str,
        texts: str | None = None,
        tokens: VocabularyKind | None = "words",
        vocabulary_size: int | None = None,
        length: int | None = None,
        **pictures: Any,
    ) -> None:
        super().__init__(root, **pictures)
        if not isinstance(getattr(self.source, "source", self.source), Folder):
            raise UsageError(f"captions are read from a folder of pictures and text files: unpack {root}")
        self.texts = self.place if texts is None else Path(texts).expanduser()
        self._captions: dict[str, list[str]] = {}
        self._rows: dict[str, list[int]] = {}
        if tokens is not None:
            self.tokens["tokens"] = Tokens(self._training, tokens, vocabulary_size, length, lowercase=True)
        elif vocabulary_size is not None or length is not None:
            raise UsageError("vocabulary_size and length are of tokens: leave them out, or tokens in")

    @property
    def augmented(self) -> bool:
        """True: a caption is drawn."""
        return True

    def unread(self) -> Counter[str]:
        """The same without the texts."""
        kinds = super().unread()
        del kinds[".txt"]
        return kinds

    def describe(self, pictures: list[tuple[str, str]]) -> dict[str, Any]:
        """Labels, if any, and all captions of every picture."""
        captions = [self._read(whole) for _, whole in pictures]
        if self.tokens:
            texts = list(dict.fromkeys(chain.from_iterable(captions)))
            self._rows |= zip(texts, self.tokens["tokens"].rows(texts), strict=True)
        return {**super().describe(pictures), "caption": captions}

    def load(self, split: str) -> Samples:
        """The pictures of a split that have a caption which is not too long."""
        samples = super().load(split)
        if not self.tokens:
            return samples
        group, limit = samples.groups[0], self.tokens["tokens"].shape[0]
        before = [text for captions in group["caption"] for text in captions]
        if not (long := [text for text in before if len(self._rows[text]) > limit]):
            return samples
        rank_zero_warn(too_long(len(long), len(before), limit, split, long[0]))
        group["caption"] = [[t for t in captions if len(self._rows[t]) <= limit] for captions in group["caption"]]
        rows = torch.arange(len(group["caption"])) if samples.rows[0] is None else samples.rows[0]
        left = torch.tensor(
            [place for place, row in enumerate(rows.tolist()) if group["caption"][row]], dtype=torch.long
        )
        return samples.subset(left)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Chooses a caption for each picture; images are treated as in every data module."""
        draws = Draws.of(batch.get(DRAWS, {}).get("caption"))
        batch["caption"] = [
            lines[0 if draws is None else int(draws.caption[place] * len(lines))]
            for place, lines in enumerate(batch["caption"])
        ]
        if self.tokens:
            tokens = padded([self._rows[caption] for caption in batch["caption"]])
            batch["tokens"] = tokens.to(batch["image"].device)
        return super().on_after_batch_transfer(batch, dataloader_idx)

    def facts(self) -> dict[str, str]:
        """Also how many captions there are."""
        found = super().facts()
        if "train" in self.splits:
            found["captions"] = f"{sum(map(len, self.splits['train'].values('caption'))):,} to train on"
        return found

    def _training(self) -> list[str]:
        return [text for _, whole in self.parts["train"] for text in self._read(whole)]

    def _read(self, name: str) -> list[str]:
        """The captions of a picture, which are read once."""
        if name not in self._captions:
            self._captions[name] = self._lines(name)
        return self._captions[name]

    def _lines(self, name: str) -> list[str]:
        path = (self.texts / name).with_suffix(".txt")
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{self.place / name} has no readable captions in {path} ({error})") from None
        if not lines:
            raise UsageError(f"{path} is empty; write a caption on every line of it")
        return lines
