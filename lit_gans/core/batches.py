"""Batches of any loader as the dict that models work with, and the checks of the first one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_warn
from PIL import Image
from torch import Tensor

from lit_gans.core.token_batches import filled, refuse_tokens
from lit_gans.errors import UsageError
from lit_gans.images.shape import to_float

IMAGES = ("image", "source", "target", "a", "b")
_ROUNDING = 0.001  # share of a value range; the data clamp what a resizing filter overshoots by more
# what other libraries call it, the commonest first
_ELSEWHERE = {
    "image": "pixel_values img images imgs pixels picture photo x input inputs data sample",
    "label": "labels y target targets class classes fine_label coarse_label category attributes attr",
    "source": "src input input_image original photo a x input_ids",
    "target": "tgt output output_image edited_image gt b y labels",
    "tokens": "input_ids token_ids ids text_ids",
    "a": "A source src x photo",
    "b": "B target tgt y",
}


def checked_columns(model: Any, columns: Any) -> dict[str, str]:
    """The argument ``columns`` of a model.

    Raises:
        UsageError: if it is no dict from the model's names to the loader's.
    """
    if columns is None:
        return {}
    if not isinstance(columns, Mapping) or not all(isinstance(name, str) for pair in columns.items() for name in pair):
        raise UsageError(
            "columns must say what the loader calls each part of a batch, such as {'image': 'pixel_values'}, got "
            f"{columns!r}"
        )
    known = {*model.needs, model.subject, "label"}
    if turned := {name: key for key, name in columns.items() if key not in known and name in known}:
        raise UsageError(f"columns goes from the model's names to the loader's: write columns={turned!r}")
    return dict(columns)


def named(model: Any, batch: Any) -> dict[str, Any]:
    """A batch as a dict by the model's names, with tensors in place of arrays and pictures.

    Takes bare images, tuples in the order of what the model needs, dicts, named tuples, dataclasses, and any other
    object that has what the model needs as attributes.

    Raises:
        UsageError: if it is none of these.
    """
    wanted = list(dict.fromkeys((*model.needs, model.subject, "label")))
    if _is_array(batch):
        entries: dict[str, Any] = {model.subject: batch}
    elif _is_row_of_images(batch, len(wanted)):
        entries = {model.subject: _stacked(batch)}
    elif isinstance(batch, Mapping):
        entries = dict(batch)
    elif isinstance(batch, tuple) and {*wanted, *model.batch_columns.values()} & {*getattr(batch, "_fields", ())}:
        entries = dict(zip(batch._fields, batch, strict=True))  # type: ignore[attr-defined]
    elif isinstance(batch, (tuple, list)):
        entries = _in_order(model, batch)
    else:
        entries = _attributes(batch, (*wanted, *model.batch_columns.values()))
    for name, column in model.batch_columns.items():
        if column in entries and name not in entries:
            entries[name] = entries.pop(column)
    return filled(model, {name: _tensor(value, model) for name, value in entries.items() if value is not None})


def _in_order(model: Any, batch: Sequence[Any]) -> dict[str, Any]:
    """The entries of a tuple by name: (image, label), or what a game of two kinds of images needs."""
    pair = {*model.needs} - {model.subject, "label"}
    names = (*model.needs, "label") if pair else (model.subject, "label")
    # two loaders side by side, each of (image, label)
    parts = [part[0] if pair and isinstance(part, (tuple, list)) and len(part) else part for part in batch]
    return dict(zip(dict.fromkeys(names), parts, strict=False))


def _attributes(batch: Any, names: Sequence[str]) -> dict[str, Any]:
    found = {name: getattr(batch, name) for name in names if getattr(batch, name, None) is not None}
    if not found or isinstance(batch, (str, bytes, int, float)):
        raise UsageError(
            f"a batch must be images, (images, labels) or a dict such as {{'image': images}}, got a "
            f"{type(batch).__name__}; turn it into one in the data's collate_fn, or override receive()"
        )
    return found


def _is_array(value: Any) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "fiub")


def _is_row_of_images(batch: Any, names: int) -> bool:
    """Whether a list holds single images, as ``collate_fn=list`` leaves them, and not (images, labels)."""
    if not isinstance(batch, list) or not batch:
        return False
    if isinstance(batch[0], Image.Image):
        return True
    return len(batch) > names and all(isinstance(image, Tensor) and image.ndim == 3 for image in batch)


def _tensor(value: Any, model: Any) -> Any:
    """An array or a list of pictures as a tensor, on the model's device; images of bytes as float in its range."""
    if isinstance(value, np.ndarray) and _is_array(value):
        value = torch.from_numpy(value)
    elif isinstance(value, list) and value and isinstance(value[0], Image.Image):
        value = _stacked(value)
    if not isinstance(value, Tensor):
        return value
    value = value.to(model.device)
    whole = (value.dtype == torch.uint8 and value.ndim > 2) or (value.dtype == torch.int16 and value.ndim == 4)
    if whole and model.value_range is not None:  # as data keep images, see `to_float`
        low, high = model.value_range
        value = (to_float(value) + 1) * ((high - low) / 2) + low if (low, high) != (-1, 1) else to_float(value)
    return value.to(model.dtype) if value.is_floating_point() else value


def _stacked(images: Sequence[Any]) -> Tensor:
    """Pictures or tensors (C, H, W) as one tensor (N, C, H, W)."""
    rows = [image if isinstance(image, Tensor) else _pixels(image) for image in images]
    if others := [tuple(row.shape) for row in rows if row.shape != rows[0].shape]:
        raise UsageError(
            f"the pictures of a batch must be of one size, got {tuple(rows[0].shape)} and {others[0]} (channels, "
            "height, width); resize and crop them first"
        )
    return torch.stack(rows)


def _pixels(picture: Image.Image) -> Tensor:
    array = torch.from_numpy(np.array(picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGB")))
    return array[None] if array.ndim == 2 else array.permute(2, 0, 1)  # (H, W, C) to (C, H, W)


# -------------------------------------------------------------------- the first batch


def refuse_batch(model: Any, batch: dict[str, Any], given: Any = None) -> None:
    """Checks the first batch of a run.

    Args:
        model: its ``needs``, ``subject``, ``value_range`` and ``image_shape`` say how a batch must be.
        batch: tensors by name.
        given: the batch as the loader gave it.

    Raises:
        UsageError: if the batch lacks what the model needs, or has images of another kind.
    """
    if missing := [name for name in model.needs if name not in batch]:
        raise UsageError(
            f"{type(model).__name__} needs batches with {', '.join(missing)}, but the data gives "
            f"{_said(batch, given)}; {_advice(model, missing, batch)}"
        )
    label = batch.get("label")
    if isinstance(label, Tensor) and label.ndim > 3 and "label" not in model.needs and not isinstance(given, Mapping):
        raise UsageError(
            f"the second part of a batch is taken for labels, but has the shape {tuple(label.shape)}; give images "
            "alone, or (images, labels): to train on two sets join them by torch.utils.data.ConcatDataset, to learn "
            "from pairs use Pix2Pix or CycleGAN"
        )
    refuse_tokens(model, batch)
    for name in dict.fromkeys((*IMAGES, model.subject)):
        if isinstance(batch.get(name), Tensor):
            if not batch[name].numel():
                raise UsageError(f"the first batch is empty: '{name}' has the shape {tuple(batch[name].shape)}")
            if name in ("image", model.subject) and model.image_shape is not None and not model.of_texts:
                _refuse_shape(batch[name], model.image_shape)
            if model.value_range is not None:
                _refuse_values(name, batch[name], model.value_range)


def _said(batch: dict[str, Any], given: Any) -> str:
    """What the loader gave, in words."""
    if _is_array(given):
        return f"bare images, taken as {', '.join(batch)}"
    if not batch:
        return "an empty batch"
    kind = f"a {type(given).__name__} of {len(given)}" if type(given) in (tuple, list) else ""
    return f"{kind}, taken as {', '.join(batch)}" if kind else ", ".join(map(str, batch))


def _advice(model: Any, missing: Sequence[str], batch: dict[str, Any]) -> str:
    """How to name what is missing, if the batch seems to have it under other names."""
    free = [str(name) for name in batch if name not in model.needs]
    guess: dict[str, str] = {}
    for name in missing:
        words = _ELSEWHERE.get("image" if name == model.subject and name not in _ELSEWHERE else name, "").split()
        left = [word for word in free if word not in guess.values()]
        found = next((word for word in words if word in left), None)
        if found is None and name != "label":  # under any name, what looks like images
            found = next((w for w in left if isinstance(batch[w], Tensor) and batch[w].ndim == 4), None)
        if found is not None:
            guess[name] = found
    if len(guess) == len(missing):
        return f"say what they are called there: {type(model).__name__}(..., columns={guess!r})"
    return "use another data set, or a model that is made for this one"


def _refuse_values(name: str, images: Tensor, value_range: tuple[float, float]) -> None:
    """Refuses images with values that the generator cannot draw."""
    (least, most), (low, high) = value_range, (float(images.min()), float(images.max()))
    slack = _ROUNDING * (most - least) / 2
    if not images.is_floating_point() or low < least - slack or high > most + slack:
        wanted = f"[{least:g}, {most:g}]"
        raise UsageError(
            f"'{name}' must be float images in {wanted}, as the generator draws them, got {images.dtype} in "
            f"[{low:g}, {high:g}]; normalise them with image / 127.5 - 1 if they are in [0, 255] or image * 2 - 1 if "
            "they are in [0, 1] (after torchvision's ToTensor(): Normalize(0.5, 0.5)), or set value_range = None in "
            "your model's class if they are not images"
        )
    if (least, most) != (-1, 1) or low < 0:
        return
    # a batch in [-1, 1] whose darkest pixel of all is within a twentieth above the middle is not to be expected
    if low < 0.05 and high > 0.5:
        raise UsageError(
            f"'{name}' is in [{low:g}, {high:g}]: images in [0, 1], as torchvision's ToTensor() makes them, must be "
            "brought to [-1, 1], with image * 2 - 1 or with transforms.Normalize(0.5, 0.5) after ToTensor(); or set "
            "value_range = None in your model's class if they are not images"
        )
    rank_zero_warn(
        f"no value of the first '{name}' batch is below 0 (range [{low:g}, {high:g}]): images in [0, 1] must be "
        "normalised with image * 2 - 1"
    )


def _refuse_shape(images: Tensor, shape: tuple[int, ...]) -> None:
    given = tuple(images.shape[1:])
    if given == shape:
        return
    if len(shape) == 3 and given == (*shape[1:], shape[0]):
        cure = "the channels come first here: images.permute(0, 3, 1, 2)"
    elif len(shape) == 3 and given == shape[1:]:
        cure = (
            "give the batch a dimension for the channels, images.unsqueeze(1), or, if this is one image, put the data "
            "set into a DataLoader(..., batch_size=64)"
        )
    else:
        cure = "set image_shape to what the data gives"
    raise UsageError(
        f"the model was built for images of shape {shape} (channels, height, width), but the data gives {given}; {cure}"
    )
