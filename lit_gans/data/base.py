"""The base of all data modules: splits, loaders, and the order of the samples."""

import os
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from lit_gans.checkpoints.recording import Recorded
from lit_gans.data import facts
from lit_gans.data.order import BatchStream, InOrder, Position, StreamLoader
from lit_gans.data.samples import Samples
from lit_gans.data.tokens import Tokens
from lit_gans.errors import UsageError, at_least, usable_seed
from lit_gans.text import Vocabulary

SPLIT_SEED = 2014  # of the samples held out: the same for every seed, so that runs can be compared

_SPLITS_OF_STAGE = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ("test",)}
_FALLBACKS = {"val": ("val", "test", "train"), "test": ("test", "val", "train")}
_MOST_WORKERS = 1024  # a mistyped number must not start processes until the machine stands still


class BaseData(LightningDataModule, metaclass=Recorded):
    """Base of all data modules: of images in `ImageData`, of texts in `TextData`.

    A subclass loads a split, and may download in `prepare_data`. Batches are dicts.

    Args:
        batch_size: samples a device and batch.
        num_workers: worker processes; 0 is fastest for sets in memory and for decoded ones that memory can hold.
        seed: of the order of the samples, and of whatever the data set draws.
        val_size: training samples held out for validation, where the set has no such split of its own. With 0,
            validation looks at the test split (without one, at the training samples), as is customary for generators;
            hold some out to select a classifier.

    Raises:
        UsageError: if a number is out of range.
    """

    #: of the images, if the data has them
    image_shape: tuple[int, int, int] | None = None
    num_classes: int | None = None
    #: of the images that translations begin with, if the data has them
    source_shape: tuple[int, int, int] | None = None

    def __init__(self, batch_size: int = 64, num_workers: int = 0, seed: int = 0, val_size: int = 0) -> None:
        super().__init__()
        #: the arguments of the call, which a checkpoint keeps, so that a resumed run can say what has changed
        self.given: dict[str, Any] = self.recorded  # type: ignore[attr-defined]
        at_least(1, batch_size=batch_size)
        at_least(0, num_workers=num_workers, val_size=val_size)
        usable_seed(seed=seed)
        if num_workers > _MOST_WORKERS:
            raise UsageError(f"num_workers is a number of processes, at most {_MOST_WORKERS}, got {num_workers}")
        self.batch_size, self.num_workers, self.seed, self.val_size = batch_size, num_workers, seed, val_size
        #: how texts become tokens, by the batch's name of these: ``tokens``, or ``source`` and ``target``
        self.tokens: dict[str, Tokens] = {}
        self.splits: dict[str, Samples] = {}
        self._own: dict[str, Samples] = {}

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        """The vocabularies of the batches' texts: of ``tokens``, or of ``source`` and ``target``."""
        return {name: tokens.vocabulary for name, tokens in self.tokens.items()}

    @property
    def text_shape(self) -> tuple[int, int] | None:
        """(length, vocabulary) of texts, of the target if they are translated; None if the data has none."""
        tokens = self.tokens.get("target") or self.tokens.get("tokens")
        return None if tokens is None else tokens.shape

    @property
    def source_text_shape(self) -> tuple[int, int] | None:
        """The same of texts that translations begin with."""
        return self.tokens["source"].shape if "source" in self.tokens else None

    @property
    def own_splits(self) -> tuple[str, ...]:
        """The splits that the data set itself has."""
        return ("train", "val", "test")

    @abstractmethod
    def load(self, split: str) -> Samples:
        """The samples of one of ``own_splits``."""

    def setup(self, stage: str | None = None) -> None:
        """Loads the splits that a stage needs, once."""
        for split in _SPLITS_OF_STAGE.get(stage or "", ("train", "val", "test")):
            if split not in self.splits:
                self.splits[split] = self._split(split)

    def samples(self, split: str) -> Samples:
        """The samples of ``train``, ``val`` or ``test``, which are loaded if `setup` has not done so."""
        if split not in self.splits:
            self.splits[split] = self._split(split)
        return self.splits[split]

    def some(self, split: str, count: int) -> Tensor:
        """At most ``count`` rows of a split: a fixed random choice, since the first need not be like the rest."""
        return torch.randperm(len(self.samples(split)), generator=torch.Generator().manual_seed(0))[:count]

    def _split(self, split: str) -> Samples:
        """A split that the data set has, or the one that stands in for it."""
        if self.val_size and "val" in self.own_splits:
            raise UsageError(f"{type(self).__name__} has a validation split of its own: leave val_size at 0")
        if self.val_size and not (split == "test" and "test" in self.own_splits):
            train = self._load("train")
            if not 0 < self.val_size < min(train.sizes):
                limit = min(train.sizes) - 1
                raise UsageError(f"val_size must leave samples to train on: 0 to {limit}, got {self.val_size}")
            rng = torch.Generator().manual_seed(SPLIT_SEED)
            orders = [torch.randperm(size, generator=rng) for size in train.sizes]
            kept = slice(self.val_size, None) if split == "train" else slice(self.val_size)
            samples = train.subset(*(order[kept].sort().values for order in orders))
        else:
            samples = self._load(self._stand_in(split))
        return samples

    def _load(self, split: str) -> Samples:
        """Loads a split, once even if it also stands in for another."""
        if split not in self._own:
            self._own[split] = self.load(split)
        return self._own[split]

    def facts(self) -> dict[str, str]:
        """The set in words, for the table that a run begins with: what is said, by what it is about.

        A subclass adds to it. The splits have been loaded when it is called.
        """
        stands_for = {} if self.val_size else {s: self._stand_in(s) for s in self.splits if s not in self.own_splits}
        found = {"data": type(self).__name__}
        if self.splits:
            found["samples"] = facts.split_sizes(self.splits, stands_for)
        if said := self._classes_in_words():
            found["classes"] = said
        found |= {name: tokens.facts() for name, tokens in self.tokens.items()}
        return found

    def _classes_in_words(self) -> str:
        """The classes of the training samples; empty if there is nothing to say."""
        label = self.splits["train"].values("label") if "train" in self.splits else None
        if not isinstance(label, Tensor) or label.ndim != 1:
            return ""
        return facts.class_counts(label, self.class_names, self.num_classes)

    @property
    def class_names(self) -> Sequence[str] | None:
        """The names of the classes, or of the attributes, in their order; None where they have numbers only."""
        return None

    def _stand_in(self, split: str) -> str:
        """The split whose samples one has that the set itself lacks."""
        return next(s for s in _FALLBACKS.get(split, (split,)) if s in self.own_splits)

    # ---------------------------------------------------------------- loaders

    def train_dataloader(self) -> StreamLoader:
        """Shuffled whole batches, in a new order every epoch; smaller ones if there are too few samples for one."""
        samples = self.samples("train")
        devices = self._share()[1]
        most = max(samples.sizes) // devices
        if self.batch_size > most > 0:
            on = f" on each of {devices} devices" if devices > 1 else ""
            rank_zero_warn(
                f"batch_size={self.batch_size} is more than the {max(samples.sizes)} training samples: batches of "
                f"{most}{on} are taken"
            )
            self.batch_size = most

        position = Position(self)
        loader = self._loader(samples, self.stream(samples, position))
        position.follow(loader)
        return loader

    def stream(self, samples: Samples, position: Position) -> BatchStream:
        """The order of the training samples, which depends on the seed and the position."""
        return BatchStream(
            samples.sizes,
            self.batch_size,
            self.seed,
            position,
            *self._share(),
            augmented=self.augmented,
            lengths=self.lengths(samples),
        )

    def val_dataloader(self) -> StreamLoader:
        """The validation split in order."""
        return self._in_order("val")

    def test_dataloader(self) -> StreamLoader:
        """The test split in order."""
        return self._in_order("test")

    def predict_dataloader(self) -> StreamLoader:
        """The test split in order: one prediction for each of its entries."""
        return self._in_order("test")

    @property
    def augmented(self) -> bool:
        """Whether training samples are changed at random."""
        return False

    def lengths(self, samples: Samples) -> Tensor | None:
        """The length of every training sample, if batches are put together by it."""
        return None

    def _in_order(self, split: str) -> StreamLoader:
        samples = self.samples(split)
        return self._loader(samples, InOrder(samples.sizes, self.batch_size, *self._share()))

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


def find_folder(root: str | os.PathLike[str] | None, *places: str, marks: Sequence[str]) -> Path | None:
    """Finds a data set's own folder: the first of ``root`` and the places in it that holds one of the marks.

    Args:
        root: as in `find_root`; it may be the set's own folder.
        places: where the set may be in the folder that holds all sets, e.g. ``celeba``.
        marks: file names, or patterns of them, by which the set is recognised.

    Returns:
        The folder, or None if the set is nowhere.
    """
    base = find_root(root)
    for folder in (base, *(base / place for place in places)):
        if any(next(folder.glob(mark), None) for mark in marks):
            return folder
    return None


def not_found(what: str, root: str | os.PathLike[str] | None, mark: str) -> UsageError:
    """The error for a data set that was not found and can be downloaded."""
    return UsageError(
        f"{what} is not in {find_root(root)}; call prepare_data() to download it, or set data.root to the folder that "
        f"holds {mark}"
    )
