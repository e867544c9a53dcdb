"""Checkpoints that describe themselves: what a model was made of, written safely and built again from the file."""

import functools
import inspect
import io
import os
import pickle
import random
import zipfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.core.mixins.hparams_mixin import _given_hyperparameters
from torch import nn

from lit_gans import __version__
from lit_gans.errors import UsageError
from lit_gans.files import replacing

if TYPE_CHECKING:
    from lit_gans.generative import GenerativeModel

KEY = "lit_gans"
RANDOM = "random_states"


# -------------------------------------------------------------------- describing a model


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


def class_path(cls: type) -> str:
    """The dotted name by which `build` finds a class again."""
    return f"{cls.__module__}.{cls.__qualname__}"


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


def build(value: Any) -> Any:
    """The inverse: ``{class_path, init_args}`` becomes a network, or a factory of optimizers or schedules.

    Anything else is returned as it is.
    """
    if not isinstance(value, dict) or "class_path" not in value:
        return value
    cls = import_class(value["class_path"])
    arguments = {name: build(argument) for name, argument in (value.get("init_args") or {}).items()}
    return cls(**arguments) if issubclass(cls, nn.Module) else functools.partial(cls, **arguments)


def import_class(path: str) -> Any:
    """The class with a dotted name.

    Raises:
        UsageError: if its module cannot be imported or does not have it.
    """
    module, _, name = path.rpartition(".")
    try:
        return functools.reduce(getattr, name.split("."), import_module(module))
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"the class {path} cannot be imported ({error}); run from the folder that holds its module"
        ) from None


def prove_loadable(model: "GenerativeModel") -> None:
    """A round trip of the hyper-parameters as a checkpoint makes it.

    Raises:
        UsageError: if one of them would come back only by running code.
    """
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


# -------------------------------------------------------------------- reading and writing


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint to a temporary name beside its target, syncs it to disk and renames it.

    Whatever stops the process, the target is the whole old file or the whole new one.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Writes ``checkpoint`` to the local ``path``."""
        with replacing(path) as temporary, temporary.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())


def read(path: Any, map_location: Any = "cpu") -> dict[str, Any]:
    """A checkpoint of this library as a dict.

    Raises:
        UsageError: if there is no such file, it is truncated, or it is something else.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"there is no checkpoint file {path}; a run keeps its own under checkpoints/last.ckpt")
    if not zipfile.is_zipfile(path):
        raise UsageError(
            f"{path} ({path.stat().st_size} bytes) is truncated or no checkpoint; use another one of the same run"
        )
    try:
        checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path} cannot be read as a checkpoint: {reason}") from None
    if not isinstance(checkpoint, dict) or KEY not in checkpoint:
        raise UsageError(f"{path} was not saved by lit_gans: it does not say which class it holds")
    return checkpoint


def load(path: Any, map_location: Any = None, *, expected: type | None = None, **arguments: Any) -> Any:
    """Builds the model that a checkpoint holds, with its weights.

    Args:
        path: a checkpoint file.
        map_location: the device to load to; by default the CPU.
        expected: a class that the checkpoint must hold, itself or a subclass.
        arguments: what to change or add: a network that the training run was given as a live object has to be passed
            again (``generator=MyGenerator()``).

    Raises:
        UsageError: if the file is no such checkpoint, holds another class or needs a network.
    """
    checkpoint = read(path, map_location or "cpu")
    description = checkpoint[KEY]
    name = description["class_path"]
    cls = expected if expected is not None and class_path(expected) == name else import_class(name)
    if expected is not None and not issubclass(cls, expected):
        raise UsageError(f"{path} holds a {cls.__name__}, expected {expected.__name__}; load it with lit_gans.load")
    for network, network_class in description["given_networks"].items():
        if network not in arguments:
            raise UsageError(
                f"{path} was trained with a {network} passed as an object ({network_class}), which no file can hold; "
                f"pass it again: lit_gans.load(path, {network}={network_class.rpartition('.')[2]}(...))"
            )
    hyper = {k: v for k, v in checkpoint.get("hyper_parameters", {}).items() if not k.startswith("_")}
    built = {k: build(v) for k, v in hyper.items() if k not in arguments}
    model = cls(**built, **arguments)
    model.load_state_dict(checkpoint["state_dict"])
    model.on_load_checkpoint({k: v for k, v in checkpoint.items() if k != RANDOM})
    return model.to(map_location or "cpu")


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
    """Puts the random generators back to what `random_state` returned."""
    random.setstate(state["python"])
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), int(position), int(has_gauss), cached))
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)
