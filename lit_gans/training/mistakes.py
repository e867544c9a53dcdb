"""What is wrong with the arguments of a Trainer or of its methods, in a sentence, before anything is done."""

import difflib
import inspect
from collections.abc import Mapping
from numbers import Integral
from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch import Trainer as LightningTrainer
from torch import nn

from lit_gans.errors import UsageError

_MEANT = {
    "epochs": "max_epochs",
    "steps": "max_steps",
    "max_iters": "max_steps",
    "iterations": "max_steps",
    "device": "accelerator",
    "gpus": "devices",
    "num_gpus": "devices",
    "clip": "gradient_clip_val",
    "output": "default_root_dir",
    "save_dir": "default_root_dir",
    "loggers": "logger",
    "callback": "callbacks",
}
_OF_FIT = "ckpt_path", "resume", "resume_from_checkpoint"
_SWITCHES = "scores", "pictures", "checkpoints", "folder", "monitor", "report"


def refuse_arguments(own: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuses arguments of a Trainer that do not exist or are of another kind.

    Args:
        own: the words of `lit_gans.Trainer`.
        given: Lightning's arguments.

    Raises:
        UsageError: naming the first, with what was meant.
    """
    known = [*own, *list(inspect.signature(LightningTrainer.__init__).parameters)[1:]]
    for name in given:
        if name in known:
            continue
        if name in _OF_FIT:
            raise UsageError(
                f"a Trainer has no argument {name!r}; it is one of fit: trainer.fit(model, data, ckpt_path=...)"
            )
        if name in ("batch_size", "num_workers"):
            raise UsageError(f"a Trainer has no argument {name!r}; the data has it: Glyphs({name}=...) for example")
        close = _MEANT.get(name) or next(iter(difflib.get_close_matches(name, known, n=1)), None)
        raise UsageError(f"a Trainer has no argument {name!r}; did you mean {close}?" if close else _none(name, known))
    for name in _SWITCHES:
        if not isinstance(own[name], bool):
            place = "; default_root_dir names the folder of all runs" if name == "folder" else ""
            raise UsageError(f"{name} must be True or False, got {own[name]!r}{place}")
    for name in ("max_epochs", "max_steps"):
        if isinstance(number := given.get(name), bool) or not isinstance(number, (Integral, type(None))):
            raise UsageError(f"{name} must be a whole number, got {number!r}")


def _none(name: str, known: list[str]) -> str:
    return f"a Trainer has no argument {name!r}; it takes {', '.join(known)}"


def refuse_callbacks(callbacks: list[Any]) -> None:
    """Refuses what is no callback.

    Raises:
        UsageError: naming the first.
    """
    for each in callbacks:
        if not isinstance(each, Callback):
            cure = f"make an object of it, {each.__name__}(...)" if isinstance(each, type) else "make one and pass it"
            given = f"the class {each.__name__}" if isinstance(each, type) else repr(each)
            raise UsageError(
                f"callbacks must be objects, such as lit_gans.callbacks.Quality(count=1000), got {given}; {cure}"
            )


def refuse_other_models(model: Any, call: str) -> None:
    """Refuses what a trainer cannot train; None is the model of before.

    Args:
        model: what was given.
        call: the method that it was given to.

    Raises:
        UsageError: if it is no LightningModule.
    """
    if model is None or isinstance(model, LightningModule) or hasattr(model, "_orig_mod"):
        return
    expected = f"{call}(model, data) takes a model, such as lit_gans.DCGAN(image_shape=(1, 28, 28))"
    if isinstance(model, type):
        raise UsageError(f"{expected}, got the class {model.__name__}; make an object of it, {model.__name__}(...)")
    if isinstance(model, LightningDataModule) or hasattr(model, "dataset"):
        raise UsageError(f"{expected}, and the data after it; got a {type(model).__name__} first")
    if isinstance(model, nn.Module):
        raise UsageError(
            f"{expected}, got a {type(model).__name__}; networks of yours go into one: "
            "lit_gans.LSGAN(generator=..., discriminator=...)"
        )
    raise UsageError(f"{expected}, got {model!r:.60}")
