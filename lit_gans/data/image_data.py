"""The base of the data modules of images: labels that are shown, and the batch on the device."""

from bisect import bisect_left
from typing import Any

import torch
from torch import Tensor

from lit_gans.data.base import BaseData
from lit_gans.data.samples import DRAWS, Batch, Draws, Samples
from lit_gans.errors import UsageError
from lit_gans.images.kinds import Kind
from lit_gans.images.shape import WHOLE, as_float

Sized = int | tuple[int, int]


class ImageData(BaseData):
    """Base of the data modules of images.

    A subclass says ``image_shape`` and ``num_classes`` and loads a split. Images in batches are uint8 until they are on
    the device, then float in [-1, 1].

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
    #: the kind of numbers in the files, in which models of these images write their samples, too
    image_kind: Kind = Kind()

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
        super().__init__(batch_size, num_workers, seed, val_size)
        if labels_per_class is not None and label_fraction is not None:
            raise UsageError("labels_per_class and label_fraction say the same thing: give one of them")
        if labels_per_class is not None and labels_per_class < 0:
            raise UsageError(f"labels_per_class must be at least 0, got {labels_per_class}")
        if label_fraction is not None and not 0 <= label_fraction <= 1:
            raise UsageError(f"label_fraction must be in [0, 1], got {label_fraction}")
        self.flip, self.labels_per_class, self.label_fraction = flip, labels_per_class, label_fraction

    def _split(self, split: str) -> Samples:
        """A split, of which training sees the labels that it may."""
        samples = super()._split(split)
        return self._hide_labels(samples) if split == "train" else samples

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
        """Also the size of the images."""
        found = super().facts()
        channels, height, width = self.image_shape
        names = {1: "grey", 3: "colour", 4: "colour and transparency"}
        kind = names.get(channels, f"{channels} channels")
        if not self.image_kind.plain(channels):
            kind += f", {self.image_kind.words()}"
        found["size"] = f"{height}x{width} pixels, {kind}{', half of them mirrored' if self.flip else ''}"
        if height == width == 1:
            found["size"] = f"{channels} numbers each"
        return found

    @property
    def augmented(self) -> bool:
        """Whether training images are changed at random."""
        return self.flip

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """On the device: crops and flips, then whole numbers, of 8 or 16 bits, to float [-1, 1]."""
        if not isinstance(batch, dict):  # a model's example_input_array, say
            return batch
        draws = batch.pop(DRAWS, {})
        return {
            name: as_float(self._augment(value, Draws.of(draws.get(name)))) if _is_images(value) else value
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


def _is_images(value: Any) -> bool:
    """Whether an entry of a batch is images as data keep them."""
    if not isinstance(value, Tensor):
        return False
    return value.dtype in WHOLE or (value.ndim == 4 and value.is_floating_point())


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
