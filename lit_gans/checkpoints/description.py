"""The description of a model in its checkpoint, as values that a file can hold; random states."""

import io
import pickle
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from lightning.pytorch.core.mixins.hparams_mixin import _given_hyperparameters
from lightning.pytorch.utilities import rank_zero_warn

from lit_gans import __version__
from lit_gans.checkpoints import class_names, loading, recording
from lit_gans.checkpoints.file import RANDOM
from lit_gans.checkpoints.trust import class_path, findable
from lit_gans.errors import UsageError


def save_hyperparameters(model: Any) -> dict[str, str]:
    """Stores the call that made ``model`` as plain values in ``model.hparams``.

    On the command line the parsed configuration is stored, which names networks too; from Python a network is a live
    object that no file can hold.

    Returns:
        The dotted class of every network that was passed as a live object, by argument name.

    Raises:
        UsageError: if a value cannot be described, say a lambda.
    """
    if _given_hyperparameters.get() is not None:
        model.save_hyperparameters()
        return {}
    values, networks = recording.described(model)
    model.save_hyperparameters(values)
    return networks


def describe(model: Any) -> dict[str, Any]:
    """The parts of a checkpoint that `load` needs besides the weights and the hyper-parameters.

    ``vocabularies`` has those of the model's texts as JSON. ``defaults`` has those of all arguments that were not
    given, since a later version may have other defaults. ``class_names`` is None where nobody has given names;
    ``image_kind`` is what `kinds.usable` reads.
    """
    others = {name: value for name, value in recording.defaults(type(model)).items() if name not in model.hparams}
    return {
        "class_path": class_path(type(model)),
        "given_networks": model.given_networks,
        "version": __version__,
        "vocabularies": {name: vocabulary.to_json() for name, vocabulary in model.vocabularies.items()},
        "class_names": class_names.usable(model.class_names, model.num_classes),
        "image_kind": model.image_kind.plainly(),
        "defaults": {
            name: value for name, value in others.items() if value is None or type(value) in (bool, int, float, str)
        },
    }


def prove_loadable(model: Any) -> None:
    """Makes the model once more, as `load` would; warns of a class that only this program can find.

    Raises:
        UsageError: if an argument would come back only by running code, or the second model has other weights.
    """
    named = [path for value in model.hparams.values() for path in _class_names(value)]
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
    if not model.given_networks and lost is None:
        loading.prove_repeatable(model)


def to_trust(model: Any) -> list[str]:
    """The packages, beside those that are always trusted, that the user must name to load a checkpoint of a model."""
    named = [class_path(type(model)), *(path for value in model.hparams.values() for path in _class_names(value))]
    return sorted({path.partition(".")[0] for path in named} - {"lit_gans", "torch", "torchvision", "lightning"})


def _class_names(value: Any) -> Iterator[str]:
    """The classes that a described value names, however deep."""
    if isinstance(value, dict):
        yield from (value[key] for key in ("class_path", "class", "function") if isinstance(value.get(key), str))
        for entry in value.values():
            yield from _class_names(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _class_names(entry)


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
    """Sets the random generators to the states that `random_state` returned.

    Raises:
        UsageError: if ``state`` is something else.
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


def broken(checkpoint: dict[str, Any]) -> str | None:
    """Says in words which weight or optimizer state of a checkpoint is not finite; None if all are."""
    kept = {name: [value] for name, value in checkpoint["state_dict"].items()}
    for number, optimizer in enumerate(checkpoint.get("optimizer_states", ())):
        values = [value for state in optimizer.get("state", {}).values() for value in state.values()]
        kept[f"the memory of optimizer {number}"] = values
    for name, values in kept.items():
        for value in values:
            if isinstance(value, torch.Tensor) and value.is_floating_point() and not bool(torch.isfinite(value).all()):
                return f"{name} holds NaN or infinity"
    return None
