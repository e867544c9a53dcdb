"""Checks of what `Trainer.fit` was given beside the model: the data, options, and the names of checkpoints."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningDataModule
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate

from lit_gans.core.batches import IMAGES
from lit_gans.errors import UsageError

_NORMALISE = "Compose([ToTensor(), Normalize(0.5, 0.5)])"


def refuse_options(trainer: Any) -> None:
    """Raises a `UsageError` for the trainer's own clipping and accumulation, which models do not use."""
    if trainer.gradient_clip_val:
        raise UsageError(
            f"a model clips by itself: use its clip_norm, clip_norm={trainer.gradient_clip_val:g} for example, not the "
            "trainer's gradient_clip_val"
        )
    if trainer.accumulate_grad_batches != 1:
        raise UsageError(
            "a batch is a step here: leave out accumulate_grad_batches, use data with a larger batch_size, and the "
            "model's accumulate to take it in parts"
        )


def refuse_data(trainer: Any, model: Any) -> None:
    """Raises a `UsageError` for data that Lightning or the model would misunderstand."""
    if trainer.state.fn == "fit":
        loaders = trainer.fit_loop._data_source.instance
        if loaders is None or (loaders is model and not is_overridden("train_dataloader", model)):
            raise UsageError(
                "trainer.fit(model) has no data; give it a data module, trainer.fit(model, lit_gans.MNIST()) for "
                "example, or a DataLoader"
            )
        _refuse_loader(loaders, "fit")
        if isinstance(loaders, (list, tuple)) and len(loaders) > 1:
            _refuse_several(model, loaders)
    loops = {"fit": trainer.fit_loop.epoch_loop.val_loop, "validate": trainer.validate_loop, "test": trainer.test_loop}
    source = getattr(loops.get(str(getattr(trainer.state.fn, "value", ""))), "_data_source", None)
    if source is not None and source.instance is not None and source.instance is not trainer.lightning_module:
        _refuse_loader(source.instance, trainer.state.fn.value)


def _refuse_loader(source: Any, function: str) -> None:
    call = f"trainer.{function}(model, ...)"
    if isinstance(source, type):
        raise UsageError(
            f"{call} was given the class {source.__name__}; make an object of it, {source.__name__}(...), with brackets"
        )
    if isinstance(source, (str, Path)):
        text = repr(str(source))
        raise UsageError(f"{call} was given the text {text}; give it data, such as lit_gans.ImageFolder(root={text})")
    if isinstance(source, (Tensor, np.ndarray, Dataset)) and not isinstance(source, LightningDataModule):
        kind = type(source).__name__
        raise UsageError(
            f"{call} was given a {kind}; put it into a loader: DataLoader(data, batch_size=64, shuffle=True)"
        )
    for loader in source if isinstance(source, (list, tuple)) else [source]:
        if isinstance(loader, DataLoader) and _gives_pictures(loader):
            raise UsageError(
                f"{type(loader.dataset).__name__} gives PIL pictures, of which no batch can be made; give it "
                f"transform={_NORMALISE}, from torchvision.transforms"
            )
        if function == "fit" and isinstance(loader, DataLoader) and _is_empty(loader):
            raise UsageError(
                "the training loader gives no batch: its data set is empty, or has fewer samples than one batch and "
                "drop_last=True; give it more samples or a smaller batch_size"
            )


def _is_empty(loader: DataLoader[Any]) -> bool:
    return not isinstance(loader.dataset, IterableDataset) and len(loader) == 0


def _gives_pictures(loader: DataLoader[Any]) -> bool:
    """Whether these are torchvision's pictures without a transform."""
    known = type(loader.dataset).__module__.startswith("torchvision.datasets.")
    bare = all(getattr(loader.dataset, name, None) is None for name in ("transform", "transforms"))
    return known and bare and loader.collate_fn is default_collate


def _refuse_several(model: Any, loaders: Iterable[Any]) -> None:
    """Refuses a list of training loaders, unless each gives one of the kinds of images that the model needs."""
    kinds = [name for name in model.needs if name in IMAGES]
    given = len(list(loaders))
    if len(kinds) != given:
        raise UsageError(
            f"a list of {given} training loaders gives a batch of each side by side, which {type(model).__name__} "
            "cannot use; join the data sets in one loader: DataLoader(ConcatDataset([...]), batch_size=64, "
            "shuffle=True)"
        )


def refuse_folders(trainer: Any) -> None:
    """Warns of names of checkpoints that make folders, because the name of a score has a slash."""
    for callback in trainer.callbacks:
        name = getattr(callback, "filename", None)
        if not isinstance(callback, ModelCheckpoint) or not name or not callback.auto_insert_metric_name:
            continue
        if slashed := re.search(r"\{([^{}:]+/[^{}:]+)(:[^{}]*)?\}", name):
            short = re.sub(r"\{([^{}:]*/)?([^{}:/]+)(:[^{}]*)?\}", r"\2={\1\2\3}", name)
            rank_zero_warn(
                f"ModelCheckpoint(filename={name!r}) makes a folder for each checkpoint, since {slashed[1]} has a "
                f"slash; write filename={short!r}, auto_insert_metric_name=False"
            )
