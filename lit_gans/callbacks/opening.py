"""What a run has found and what it will do, in the lines of one table."""

from collections.abc import Iterator, Sequence
from math import isfinite, isinf
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from lit_gans.callbacks.length import all_batches, by_epochs, counted, next_validation, seconds_allowed, words
from lit_gans.callbacks.precision import FastestPrecision
from lit_gans.callbacks.quality import Quality
from lit_gans.callbacks.sample_grid import SampleGrid
from lit_gans.callbacks.sample_text import SampleText
from lit_gans.callbacks.save_last import SaveLast
from lit_gans.callbacks.strangers import seen

Kind = TypeVar("Kind")
Rows = Iterator[tuple[str, str]]


def lines(trainer: Trainer, model: Any, folder: Path | None) -> list[tuple[str, str]]:
    """The lines of the table: what each is about, and what is said.

    Args:
        trainer: of the run.
        model: what is trained.
        folder: where the run writes; None if it writes nothing.
    """
    return [
        *_model(model),
        *_data(trainer),
        *_batches(trainer, model),
        *_watched(trainer, model),
        ("folder", f"{folder}" if folder is not None else "none: nothing is written"),
    ]


def first(trainer: Trainer, kind: type[Kind]) -> Kind | None:
    """The first callback of a kind, if there is one."""
    return next((callback for callback in trainer.callbacks if isinstance(callback, kind)), None)  # type: ignore[attr-defined]


def _model(model: Any) -> Rows:
    networks = {name: getattr(model, name) for name in getattr(model, "players", ())}
    backbone = getattr(model, "backbone", None)
    by = "" if backbone is None else f", networks of the backbone {type(backbone).__name__.removesuffix('Backbone')}"
    yield "model", f"{type(model).__name__}{by}"
    if networks:
        sizes = [f"{name} {sum(w.numel() for w in network.parameters()):,}" for name, network in networks.items()]
        yield "weights", ", ".join(sizes)
    else:
        yield "weights", f"{sum(w.numel() for w in model.parameters()):,}"


def _data(trainer: Trainer) -> Rows:
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    if hasattr(data, "facts"):
        yield from data.facts().items()
        return
    yield "data", "loaders of your own" if data is None else type(data).__name__
    said = []
    for name, loaders in (("to train on", trainer.train_dataloader), ("to validate", trainer.val_dataloaders)):
        loaders = loaders if isinstance(loaders, (list, tuple)) else [loaders]
        counts = [_samples(loader) for loader in loaders if loader is not None]
        if counts and None not in counts:
            said.append(f"{sum(filter(None, counts)):,} {name}")
    if said:
        yield "samples", ", ".join(said)


def _samples(loader: Any) -> int | None:
    """How many samples a loader of the user's own has, if it says so."""
    try:
        return len(loader.dataset)
    except (AttributeError, TypeError):
        return None


def _batches(trainer: Trainer, model: Any) -> Rows:
    """How much is trained, from where and on what."""
    epoch, whole, done = trainer.num_training_batches, all_batches(trainer), trainer.global_step
    size = getattr(trainer.datamodule, "batch_size", None) or getattr(trainer.train_dataloader, "batch_size", None)  # type: ignore[attr-defined]
    each = "" if size is None else f" of {size}"
    length = (
        f"{epoch:,} {'batch' if epoch == 1 else 'batches'}{each} an epoch"
        if isfinite(epoch)
        else f"batches{each} without an end"
    )
    if isfinite(whole):
        epochs = f"{counted(trainer.max_epochs or 0, 'epoch')}, " if by_epochs(trainer, whole) else ""
        length = f"{epochs}{counted(whole, 'batch')} in all; {length}"
    if isfinite(limit := seconds_allowed(trainer)):
        length += f"; {words(limit)} at most"
    yield "training", length
    if done:
        yield "goes on", f"after batch {done:,} (epoch {trainer.current_epoch + 1}) of {trainer.ckpt_path}"
    device = trainer.strategy.root_device.type
    count = f"{trainer.world_size} x " if trainer.world_size > 1 else ""
    threads = f", {counted(torch.get_num_threads(), 'thread')}" if device == "cpu" else ""
    chosen = first(trainer, FastestPrecision)
    said = "" if chosen is None or not chosen.said else chosen.said
    yield "device", f"{count}{device}{'' if said else f', precision {trainer.precision}'}{threads}"
    if said:
        yield "precision", said


def _watched(trainer: Trainer, model: Any) -> Rows:
    """Scores, pictures and checkpoints."""
    if seen(model).of_texts:
        yield from _texts(trainer, model)
    else:
        yield from _pictures(trainer, model)
    yield "checkpoints", ", ".join(_checkpoints(trainer)) or "off"
    others = [type(logger).__name__ for logger in trainer.loggers if not isinstance(logger, CSVLogger)]
    if others and not trainer.fast_dev_run:  # type: ignore[attr-defined]
        yield "loggers", f"CSV, {', '.join(others)}"


def _texts(trainer: Trainer, model: Any) -> Rows:
    """What is measured of a model of texts, which measures itself, and what is written of it."""
    yield "scores", _unscored(trainer) or "the model's own, after each validation"
    writer = first(trainer, SampleText)
    end = " and at the end" if seen(model).draws else ""  # the others need texts of the validation
    yield "texts", "off" if writer is None else f"{writer.count} of the model's, after each validation{end}"


def _pictures(trainer: Trainer, model: Any) -> Rows:
    """What is measured of a model of images, and what is drawn of it."""
    yield "scores", _scores(trainer, model)
    grid = first(trainer, SampleGrid)
    if grid is None:
        yield "pictures", "off"
    elif not seen(model).draws:
        made = "translations" if seen(model).domains else "reconstructions"
        yield "pictures", f"held-out images beside their {made}, after each validation"
    else:
        often = [f"{_each(grid.every_n_epochs)} epoch"] if grid.every_n_epochs else []
        often += [f"{_each(grid.every_n_steps)} batch"] if grid.every_n_steps else []
        yield "pictures", f"{grid.count} samples after {' and '.join(often) or 'the last batch'}"


def _each(number: int) -> str:
    return {1: "each", 2: "every second", 3: "every third"}.get(number, f"every {number}th")


def _scores(trainer: Trainer, model: Any) -> str:
    quality = first(trainer, Quality)
    if quality is None:
        return "off"
    if reason := _unscored(trainer):
        return reason
    names = [name.removeprefix("val/") for name in quality.names(trainer, model)]
    by = "" if quality.network_name is None else f" by {quality.told_network(trainer.datamodule, model)}"  # type: ignore[attr-defined]
    often = "as often as a tenth of the time allows, and at the end"
    if quality.pace.fixed is not None:
        often = f"after {_each(quality.pace.fixed)} validation"
    return f"{_some(names)}{by}, {often}"


def _unscored(trainer: Trainer) -> str:
    """Why nothing is measured; empty if something is."""
    start = next_validation(trainer)
    if isinf(start):
        return "none, since there is no validation"
    if start > all_batches(trainer):
        which = "next" if trainer.global_step else "first"
        return f"none, since the {which} validation would be after batch {start:,.0f}"
    return ""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) < 6 else f"{', '.join(names[:4])} and {len(names) - 4} more"


def _checkpoints(trainer: Trainer) -> Iterator[str]:
    last = first(trainer, SaveLast)
    if last is not None and last.saves:
        yield "the last" + (f", also each {last.every_n_steps:,} batches" if last.every_n_steps else "")
    scored = next_validation(trainer) <= all_batches(trainer)
    for saver in trainer.checkpoint_callbacks:
        if not scored and getattr(saver, "monitor", None) is not None:
            continue
        if isinstance(saver, ModelCheckpoint) and saver.save_top_k != 0:
            by = "" if saver.monitor is None else f" by {saver.monitor}"
            yield f"the {'best' if saver.save_top_k == 1 else f'{saver.save_top_k} best'}{by}"
