"""The base of all data modules: splits, the labels that are shown, loaders, and the batch on the device."""

import os
from abc import abstractmethod
from bisect import bisect_left
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
from lit_gans.data.samples import DRAWS, Batch, Draws, Samples
from lit_gans.errors import UsageError, at_least, usable_seed
from lit_gans.images.shape import to_float

Sized = int | tuple[int, int]

_SPLITS_OF_STAGE = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ("test",)}
_FALLBACKS = {"val": ("val", "test", "train"), "test": ("test", "val", "train")}
_MOST_WORKERS = 1024  # a mistyped number must not start processes until the machine stands still
_SPLIT_SEED = 2014  # of the images held out: the same for every seed, so that runs can be compared


class ImageData(LightningDataModule, metaclass=Recorded):
    """Base of all data modules.

    A subclass says ``image_shape`` and ``num_classes``, loads a split, and may download in `prepare_data`. Batches are
    dicts, images in them uint8 until they are on the device, then float in [-1, 1].

    Args:
        batch_size: samples a device and batch.
        num_workers: worker processes; 0 is fastest for sets in memory and for decoded ones that memory can hold.
        seed: of the order of the samples, of their flips and crops, and of whatever the data set draws.
        flip: mirror every second training image, at random.
        val_size: training samples held out for validation, where the set has no such split of its own. With 0,
            validation looks at the test split (without one, at the training samples), as is customary for generators;
            hold some out to select a classifier.
        labels_per_class: labels of each class that training sees; the rest are -1, for semi-supervised games. Unless
            these are all or none, each training batch has ``labelled`` and ``labelled_label`` beside ``image`` and
            ``label``: as many images again, drawn from those with a label, which therefore come often.
        label_fraction: the same as a share of the training samples, spread over the classes as evenly as their sizes
            allow; every class shows at least one, and 1 shows all.

    Raises:
        UsageError: if a number is out of range.
    """

    image_shape: tuple[int, int, int]
    num_classes: int | None = None
    #: of the images that translations begin with, if the data has them
    source_shape: tuple[int, int, int] | None = None
    #: (length, vocabulary) of texts, if the data has them
    text_shape: tuple[int, int] | None = None

    def __init__(
        self,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None:
        super().__init__()
        #: the arguments of the call, which a checkpoint keeps, so that a resumed run can say what has changed
        self.given: dict[str, Any] = self.recorded  # type: ignore[attr-defined]
        at_least(1, batch_size=batch_size)
        at_least(0, num_workers=num_workers, val_size=val_size)
        usable_seed(seed=seed)
        if num_workers > _MOST_WORKERS:
            raise UsageError(f"num_workers is a number of processes, at most {_MOST_WORKERS}, got {num_workers}")
        if labels_per_class is not None and label_fraction is not None:
            raise UsageError("labels_per_class and label_fraction say the same thing: give one of them")
        if labels_per_class is not None and labels_per_class < 0:
            raise UsageError(f"labels_per_class must be at least 0, got {labels_per_class}")
        if label_fraction is not None and not 0 <= label_fraction <= 1:
            raise UsageError(f"label_fraction must be in [0, 1], got {label_fraction}")
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self.flip, self.val_size = flip, val_size
        self.labels_per_class, self.label_fraction = labels_per_class, label_fraction
        self.splits: dict[str, Samples] = {}
        self._own: dict[str, Samples] = {}

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

    def _split(self, split: str) -> Samples:
        """A split that the data set has, or the one that stands in for it."""
        if self.val_size and "val" in self.own_splits:
            raise UsageError(f"{type(self).__name__} has a validation split of its own: leave val_size at 0")
        if self.val_size and not (split == "test" and "test" in self.own_splits):
            train = self._load("train")
            if not 0 < self.val_size < min(train.sizes):
                limit = min(train.sizes) - 1
                raise UsageError(f"val_size must leave samples to train on: 0 to {limit}, got {self.val_size}")
            rng = torch.Generator().manual_seed(_SPLIT_SEED)
            orders = [torch.randperm(size, generator=rng) for size in train.sizes]
            kept = slice(self.val_size, None) if split == "train" else slice(self.val_size)
            samples = train.subset(*(order[kept].sort().values for order in orders))
        else:
            samples = self._load(self._stand_in(split))
        return self._hide_labels(samples) if split == "train" else samples

    def _load(self, split: str) -> Samples:
        """Loads a split, once even if it also stands in for another."""
        if split not in self._own:
            self._own[split] = self.load(split)
        return self._own[split]

    def _hide_labels(self, samples: Samples) -> Samples:
        """Replaces the labels that training must not see by -1."""
        if self.labels_per_class is None and self.label_fraction is None:
            return samples
        label = samples.values("label")
        if label is None:
            raise UsageError(f"{type(self).__name__} has no labels: leave labels_per_class and label_fraction alone")
        examples = torch.bincount(label[label >= 0], minlength=self.num_classes or 0).tolist()
        hidden, rng = torch.full_like(label, -1), torch.Generator().manual_seed(self.seed)
        for number, wanted in enumerate(self._to_show(examples, len(label))):
            rows = (label == number).nonzero()[:, 0]
            hidden[rows[torch.randperm(len(rows), generator=rng)[:wanted]]] = number
        (rows_of_group,) = samples.rows
        whole = torch.full((len(samples.groups[0]["label"]),), -1)
        whole[slice(None) if rows_of_group is None else rows_of_group] = hidden
        shown = Samples({**samples.groups[0], "label": whole})
        shown.rows = samples.rows
        labelled = (hidden >= 0).nonzero()[:, 0]
        if not 0 < len(labelled) < len(hidden):
            return shown
        pool = Samples({"labelled": samples.groups[0]["image"], "labelled_label": whole})
        pool.rows = samples.rows
        return shown.beside(pool.subset(labelled))  # the same tensors: no image is copied

    def _to_show(self, examples: list[int], images: int) -> list[int]:
        """The number of labels to show of each class, from the numbers of examples."""
        wanted = self.labels_per_class
        if wanted is None:
            # the smallest number for every class (all labels of a smaller class) whose total reaches the share
            share, numbers = self.label_fraction or 0, range(max(examples, default=0) + 1)
            total = max(round(share * images), 1) if share else 0
            most = bisect_left(numbers, total, key=lambda number: sum(min(number, there) for there in examples))
            return [min(most, there) for there in examples]
        for number, there in enumerate(examples):
            if there < wanted:
                raise UsageError(f"labels_per_class={wanted}, but class {number} has {there} training samples")
        return [wanted] * len(examples)

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
        channels, height, width = self.image_shape
        kind = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
        found["size"] = f"{height}x{width} pixels, {kind}{', half of them mirrored' if self.flip else ''}"
        if height == width == 1:
            found["size"] = f"{channels} numbers each"
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
        stream = BatchStream(
            samples.sizes, self.batch_size, self.seed, position, *self._share(), augmented=self.augmented
        )
        loader = self._loader(samples, stream)
        position.follow(loader)
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

    @property
    def augmented(self) -> bool:
        """Whether training images are changed at random."""
        return self.flip

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """On the device: crops and flips, then uint8 [0, 255] to float [-1, 1]."""
        if not isinstance(batch, dict):  # a model's example_input_array, say
            return batch
        draws = batch.pop(DRAWS, {})
        return {
            name: to_float(self._augment(value, Draws.of(draws.get(name))))
            if isinstance(value, Tensor) and value.dtype == torch.uint8
            else value
            for name, value in batch.items()
        }

    def _augment(self, images: Tensor, draws: Draws | None) -> Tensor:
        """Crops images that are larger than ``image_shape`` and mirrors some, at random if there are random numbers."""
        height, width = self.image_shape[1:]
        if images.shape[2:] != (height, width):
            places = images.unfold(2, height, 1).unfold(3, width, 1)  # (N, C, top, left, H, W): a view of all crops
            middle = torch.full((len(images),), 0.5, device=images.device)
            parts = (middle, middle) if draws is None else (draws.top, draws.left)
            top, left = ((part * size).long() for part, size in zip(parts, places.shape[2:4], strict=True))
            images = places[torch.arange(len(images), device=images.device), :, top, left]  # (N, C, height, width)
        if self.flip and draws is not None:
            images = torch.where(draws.flip.view(-1, 1, 1, 1) < 0.5, images.flip(3), images)
        return images

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


def height_width(size: Sized) -> tuple[int, int]:
    """Turns a side length or (height, width) into (height, width).

    Raises:
        UsageError: if it is neither.
    """
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or min(sides) < 1:
        raise UsageError(f"size must be a side length or (height, width) in pixels, got {size!r}")
    return sides


def channels_height_width(channels: int, size: Sized) -> tuple[int, int, int]:
    """The shape of images of 1 or 3 channels and a size as `height_width` takes it.

    Raises:
        UsageError: if there are no such images.
    """
    if channels not in (1, 3):
        raise UsageError(f"channels must be 1 for grey or 3 for colour, got {channels}")
    return (channels, *height_width(size))
