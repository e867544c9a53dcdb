"""Differences between a resumed run and the one that saved the checkpoint: notes, none of which stops it."""

import functools
import os
import sys
from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, Trainer

from lit_gans import checkpoints
from lit_gans.checkpoints import recording

# arguments that a model takes from the data
LINKED = ("image_shape", "source_shape", "num_classes", "text_shape", "source_text_shape")
_IRRELEVANT = ("num_workers", "download", "cache")  # arguments of data that change no batch
_EXACT = ("limit_train_batches",)  # a run goes on as one that has had the new limit from the start
_WORDS = {"threads": "the number of threads"}
_OF_TRAINER = ("precision", "limit_train_batches", "overfit_batches")
_SETTINGS = ("accelerator", "threads", *_OF_TRAINER)


def describe(trainer: Trainer) -> dict[str, Any]:
    """The settings of a run's data and trainer that decide what a batch is, as plain values."""
    data: LightningDataModule | None = trainer.datamodule  # type: ignore[attr-defined]
    described: dict[str, Any] = {name: _plain(getattr(trainer, name)) for name in _OF_TRAINER}
    described["accelerator"] = trainer.strategy.root_device.type
    if described["accelerator"] == "cpu":
        described["threads"] = torch.get_num_threads()
    if data is not None:
        given = getattr(data, "given", None)
        arguments = dict(data.hparams) if given is None else {**recording.defaults(type(data)), **given}
        described["data"] = checkpoints.class_path(type(data))
        described["arguments"] = {name: _plain(value) for name, value in arguments.items()}
        if "train" in (splits := getattr(data, "splits", {})):
            described["samples"] = splits["train"].sizes
    return described


def notes(old: dict[str, Any], new: dict[str, Any], path: Any) -> list[str]:
    """A sentence for every difference between two descriptions, and one for what they mean for the run."""
    found: list[tuple[Any, ...]] = [
        (_WORDS.get(name, name), old[name], new[name])
        for name in _SETTINGS
        if name in old and name in new and old[name] != new[name]
    ]
    if "data" in old and old["data"] != new.get("data"):
        names = [
            (value or "loaders without a data module").rpartition(".")[2] for value in (old["data"], new.get("data"))
        ]
        found.append(("data", *names))
    elif "data" in old:
        before, now = (
            {name: value for name, value in run["arguments"].items() if name not in _IRRELEVANT} for run in (old, new)
        )
        found += [(f"data.{name}", was, value) for name, was, value in differences(before, now)]
    if "samples" in old and "samples" in new and old["samples"] != new["samples"]:
        found.append(("the number of training samples", *(_listed(run["samples"]) for run in (old, new))))
    said = [f"{name} was {was} in {path} and is now {value}" for name, was, value in found]
    if any(name not in _EXACT for name, *_ in found):
        said.append("so the run goes on, but cannot be the same bit for bit as one that never stopped")
    return said


def argument_notes(model: Any, saved: dict[str, Any], path: Any) -> list[str]:
    """A sentence for every argument of a model that has changed.

    Arguments of optimizers and schedules have no effect, since these go on with their saved states.
    """
    old, new = (_arguments({**recording.defaults(type(model)), **values}) for values in (saved, dict(model.hparams)))
    _spell_out(old, new)
    said = []
    for name, was, value in differences(old, new):
        kind = next((kind for kind in ("optimizer", "scheduler") if f"{kind}." in name), None)
        state = f", but the {kind} goes on with its saved state" if kind else ""
        said.append(f"{name} was {was} in {path} and is now {value}{state}")
    return said


def differences(old: Any, new: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The name, old and new value of every plain value that differs between two nested dicts of arguments.

    Tuples count as lists, a side length as a square, a class as its own name without its module. Names that only one
    side has are skipped.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        if "class_path" in old and "class_path" in new:
            was, now = (value["class_path"].rpartition(".")[2] for value in (old, new))
            if was != now:
                yield name, was, now
            else:
                before, after = ({**_known_defaults(v["class_path"]), **(v.get("init_args") or {})} for v in (old, new))
                yield from differences(before, after, name)
            return
        for key in old:
            if key in new:
                yield from differences(old[key], new[key], f"{name}.{key}" if name else key)
    elif _plain(old) != _plain(new) and not _square(old, new):
        yield name, _shown(old), _shown(new)


def _arguments(values: dict[str, Any]) -> dict[str, Any]:
    """The hyper-parameters of a model that a user gives, as plain values."""
    return {k: _plain(v) for k, v in values.items() if not k.startswith("_") and k not in LINKED}


def _spell_out(*runs: dict[str, Any]) -> None:
    """Spells a player's optimizer or schedule out in all runs, where it has its own in one of them."""
    for name in {name for run in runs for name, value in run.items() if value is not None}:
        kind = name.rpartition("_")[2]
        for run in runs if kind in ("optimizer", "scheduler") else ():
            run[name] = run.get(kind) if run.get(name) is None else run[name]


def _known_defaults(path: str) -> dict[str, Any]:
    """The defaults of a class that is imported already, else none: a name in a checkpoint must import nothing."""
    module, _, name = path.rpartition(".")
    found = getattr(sys.modules.get(module), name, None)
    return recording.defaults(found) if isinstance(found, type) else {}


def _plain(value: Any) -> Any:
    """``value`` as something that ``torch.load(weights_only=True)`` gives back and that ``==`` compares."""
    if isinstance(value, type):
        return {"class_path": checkpoints.class_path(value), "init_args": {}}
    if isinstance(value, functools.partial) and isinstance(value.func, type):
        return {"class_path": checkpoints.class_path(value.func), "init_args": _plain(value.keywords)}
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    return os.fspath(value) if isinstance(value, os.PathLike) else f"a {type(value).__name__}"


def _square(old: Any, new: Any) -> bool:
    """Whether one is a side length and the other the same as (height, width)."""
    return _plain(old) in ([new, new], (new, new)) or _plain(new) in ([old, old], (old, old))


def _shown(value: Any) -> Any:
    """A value for a sentence; for a class with arguments the name of the class."""
    return value["class_path"].rpartition(".")[2] if isinstance(value, dict) and "class_path" in value else value


def _listed(sizes: list[int]) -> str:
    return " and ".join(map(str, sizes))
