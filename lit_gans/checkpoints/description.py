"""Checkpoints that describe themselves: what a model was made of, as values that a file can hold; random states."""

import functools
import inspect
import io
import os
import pickle
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.pytorch.core.mixins.hparams_mixin import _given_hyperparameters
from lightning.pytorch.utilities import rank_zero_warn
from torch import nn

from lit_gans import __version__
from lit_gans.checkpoints.file import RANDOM
from lit_gans.checkpoints.trust import class_path, findable
from lit_gans.errors import UsageError

if TYPE_CHECKING:
    from lit_gans.core.generative import GenerativeModel


def save_hyperparameters(model: "GenerativeModel") -> dict[str, str]:
    """Stores the arguments of the call that made ``model`` as plain values in ``model.hparams``.

    Classes and partials become ``{class_path, init_args}``. On the command line the parsed configuration is stored,
    which names networks too; from Python a network is a live object that no file can hold.

    Returns:
        The dotted class of every network that was passed as a live object, by argument name.

    Raises:
        UsageError: if a value cannot be described, say a lambda.
    """
    if _given_hyperparameters.get() is not None:
        model.save_hyperparameters()
        if model.hparams.get("source_shape") is None:  # the command line links it to models that do not know it, too
            model.hparams.pop("source_shape", None)
        return {}
    arguments = outermost_call(model)
    if extra := next((name for name in arguments if name.startswith("*")), None):
        raise UsageError(f"{type(model).__name__} takes {extra}: pass arguments by name instead")
    networks = {name: class_path(type(value)) for name, value in arguments.items() if isinstance(value, nn.Module)}
    plain = {name: _plain(name, value) for name, value in arguments.items() if name not in networks}
    model.save_hyperparameters(plain)
    return networks


def outermost_call(made: Any) -> dict[str, Any]:
    """The arguments of the most derived ``__init__`` that is running: what to repeat to make ``made`` again.

    Lightning collects the arguments of every ``__init__`` on the way, and so also what a subclass fixes for its parent,
    which the subclass would not accept. The values are those at the time of asking, so an ``__init__`` must not rebind
    its arguments before it calls its parent's.
    """
    found, frame = None, inspect.currentframe()
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__init__" and code.co_argcount and frame.f_locals.get(code.co_varnames[0]) is made:
            found = frame
        frame = frame.f_back
    assert found is not None, "called from outside __init__"
    names, varargs, keywords, values = inspect.getargvalues(found)
    arguments = {name: values[name] for name in names[1:]} | (values[keywords] if keywords else {})
    return arguments | ({f"*{varargs}": values[varargs]} if varargs and values[varargs] else {})


def describe(model: "GenerativeModel") -> dict[str, Any]:
    """What `load` needs besides the weights and the hyper-parameters."""
    return {"class_path": class_path(type(model)), "given_networks": model.given_networks, "version": __version__}


def _plain(name: str, value: Any) -> Any:
    """``value`` as something that ``torch.load(weights_only=True)`` gives back."""
    if isinstance(value, type):
        return {"class_path": class_path(value), "init_args": {}}
    if isinstance(value, functools.partial) and isinstance(value.func, type) and not value.args:
        return {"class_path": class_path(value.func), "init_args": dict(value.keywords)}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if callable(value):
        raise UsageError(
            f"{name} is {getattr(value, '__name__', value)!r}, which a checkpoint cannot name; pass a class, or "
            "functools.partial(torch.optim.Adam, lr=1e-3)"
        )
    return value


def prove_loadable(model: "GenerativeModel") -> None:
    """A round trip of the hyper-parameters as a checkpoint makes it; warns of a class that only this program finds.

    Raises:
        UsageError: if one of them would come back only by running code.
    """
    named = [
        value["class_path"] for value in model.hparams.values() if isinstance(value, dict) and "class_path" in value
    ]
    if lost := next((path for path in (class_path(type(model)), *named) if not findable(path)), None):
        rank_zero_warn(
            f"{lost} is defined in a notebook or a function, where no other program finds it: checkpoints of this run "
            f"can be loaded there with {type(model).__name__}.load_from_checkpoint(path), but not by lit_gans.load or "
            "the command line elsewhere; put the class into a .py file"
        )
    for name, value in dict(model.hparams).items():
        buffer = io.BytesIO()
        try:
            torch.save(value, buffer)
            buffer.seek(0)
            torch.load(buffer, weights_only=True)
        except (pickle.PickleError, AttributeError, TypeError) as error:
            raise UsageError(
                f"the argument {name}={value!r} of {type(model).__name__} cannot be loaded back from a checkpoint "
                f"({type(error).__name__}); pass a number, string, list, dict or tensor instead"
            ) from None


# -------------------------------------------------------------------- random states


def random_state(device: torch.device) -> dict[str, Any]:
    """The state of every global random generator, as plain values and tensors."""
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (str(name), torch.from_numpy(np.asarray(keys, dtype=np.int64)), *[float(x) for x in rest]),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Puts the random generators back to what `random_state` returned.

    Raises:
        UsageError: if this is something else.
    """
    try:
        random.setstate(state["python"])
        name, keys, position, has_gauss, cached = state["numpy"]
        np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), int(position), int(has_gauss), cached))
        torch.set_rng_state(state["torch"].cpu())
        if state["cuda"] is not None and device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"].cpu(), device)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, OverflowError, RuntimeError) as error:
        raise UsageError(
            f"the checkpoint's {RANDOM} are damaged ({type(error).__name__}: {error}); use another checkpoint"
        ) from None


# -------------------------------------------------------------------- weights


def plain_key(key: str) -> str:
    """The name of a weight without what ``torch.compile(network)`` puts into it."""
    return key.replace("_orig_mod.", "")


def broken(checkpoint: dict[str, Any]) -> str | None:
    """The first weight of a checkpoint, or memory of an optimizer, that is not finite, in words."""
    kept = {name: [value] for name, value in checkpoint["state_dict"].items()}
    for number, optimizer in enumerate(checkpoint.get("optimizer_states", ())):
        values = [value for state in optimizer.get("state", {}).values() for value in state.values()]
        kept[f"the memory of optimizer {number}"] = values
    for name, values in kept.items():
        for value in values:
            if isinstance(value, torch.Tensor) and value.is_floating_point() and not bool(torch.isfinite(value).all()):
                return f"{name} holds NaN or infinity"
    return None
