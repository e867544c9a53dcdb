"""Loads a model from its checkpoint; whatever the file says, only classes that models are made of are called."""

import functools
import re
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch import LightningModule
from lightning.pytorch.core.mixins.hparams_mixin import _given_hyperparameters
from lightning.pytorch.trainer.connectors import checkpoint_connector
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lit_gans.checkpoints import class_names, functions, ported
from lit_gans.checkpoints.file import KEY, RANDOM, located, plain_key, read, source
from lit_gans.checkpoints.mistakes import advice
from lit_gans.checkpoints.recording import Recorded, defaults
from lit_gans.checkpoints.taking import fill_from, take_from, weights_of
from lit_gans.checkpoints.trust import class_path, find_class, shown
from lit_gans.errors import UsageError, one, reason, with_article
from lit_gans.images import kinds
from lit_gans.networks.base import Backbone, TranslationBackbone
from lit_gans.networks.projected import Features
from lit_gans.networks.sequences import SequenceBackbone

_BACKBONES = (Backbone, TranslationBackbone, SequenceBackbone, Features)
_KINDS = (nn.Module, Optimizer, LRScheduler, *_BACKBONES)
_RESTORER = checkpoint_connector.__file__


def load(
    path: Any,
    map_location: Any = None,
    *,
    expected: type[Any] | None = None,
    trust: Sequence[str] = (),
    strict: bool | None = None,
    hparams_file: Any = None,
    fit_what_fits: bool = False,
    **arguments: Any,
) -> Any:
    """Builds the model that a checkpoint holds, with its weights.

    Args:
        path: a checkpoint file, a ``.safetensors`` file that `save` or `export` wrote, a generator of
            pytorch-CycleGAN-and-pix2pix (``latest_net_G_A.pth``), ``hf://user/repo`` on the
            Hugging Face Hub, a file object that is open for reading bytes, a run or its folder, whose best
            checkpoint counts, or else its last; ``best`` or ``last``, that of the newest run in ``runs``; or the name
            of a model that comes along, say ``acgan-mnist`` ('lit-gans list shipped' has them).
        map_location: the device to load to, or a dict or function as ``torch.load`` takes it; by default the CPU.
        expected: a class that the checkpoint must hold, itself or a subclass.
        trust: packages of yours that the checkpoint names classes of. They are imported, which runs their code. Other
            classes must be imported already, or belong to this package, PyTorch, torchvision or Lightning.
        strict: whether missing and unexpected weights are an error; False ignores them with a warning.
        hparams_file: a .yaml file of arguments to take in place of those in the checkpoint.
        fit_what_fits: for fine-tuning with other arguments, another ``image_shape`` for example: takes the weights that
            fit by name and shape, says which did not, and lets the average begin anew; see `take`.
        arguments: arguments of the model to change or add. A network that was given as an object must be passed
            again (``generator=MyGenerator()``).

    Raises:
        UsageError: if the file is no checkpoint of this library, is damaged, holds another class, names a class that is
            no part of a model or may not be imported, or needs a network.
    """
    _refuse_device(map_location)
    path = located(path)
    checkpoint, where = read(path, "cpu" if map_location is None else map_location), source(path)
    cls = named_class(checkpoint, where, expected, trust)
    if expected is not None and not issubclass(cls, expected):
        held, wanted_class = cls.__name__, expected.__name__
        if held == wanted_class:  # two classes of one name
            held, wanted_class = class_path(cls), class_path(expected)
        raise UsageError(
            f"{where} holds {with_article(held)}, expected {wanted_class}; load it with lit_gans.load, or give "
            f"{with_article(wanted_class)} the weights that fit: lit_gans.take({wanted_class}(...), path)"
        )
    for network, network_class in checkpoint[KEY].get("given_networks", {}).items():
        if network not in arguments:
            raise UsageError(
                f"{where} was trained with a {network} passed as an object ({network_class}), which no file can hold; "
                f"pass it again: lit_gans.load(path, {network}={network_class.rpartition('.')[2]}(...))"
            )
    hyper = checkpoint.get("hyper_parameters", {}) if hparams_file is None else read_arguments(hparams_file)
    wanted = {k: v for k, v in hyper.items() if not k.startswith("_") and k not in arguments}
    try:
        built = {name: build(value, f"{name} in {where}", trust) for name, value in wanted.items()}
    except RecursionError:
        raise UsageError(f"{where} is damaged: its arguments are nested without end") from None
    model = _construct(cls, _earlier_defaults(cls, checkpoint, {**built, **arguments}), built, arguments, where)
    if fit_what_fits:
        take_from(model, weights_of(checkpoint), where)
    elif "ported" in checkpoint[KEY]:
        _fill_ported(model, checkpoint, where)
    else:
        _fill(model, checkpoint, strict, where)
    names = class_names.usable(checkpoint[KEY].get("class_names"), model.num_classes)
    model.class_names = names or model.class_names
    model.image_kind = kinds.usable(checkpoint[KEY].get("image_kind")) or model.image_kind
    first = next((tensor for tensor in checkpoint["state_dict"].values() if isinstance(tensor, torch.Tensor)), None)
    return model if first is None else model.to(first.device)


def _refuse_device(device: Any) -> None:
    """Raises a `UsageError` for the name of a device that this machine does not have, or that PyTorch does not know."""
    if not isinstance(device, (str, torch.device)):
        return
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise UsageError(f"there is no device {device!r}; give 'cpu', 'cuda' or 'cuda:1' for example") from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"this machine has no device {str(device)!r} that PyTorch can use; give 'cpu'")


def named_class(checkpoint: dict[str, Any], where: str, expected: type[Any] | None, trust: Sequence[str]) -> type[Any]:
    """The class that a checkpoint names; ``expected`` itself, if it has this name, comes before any other.

    Raises:
        UsageError: if it cannot be found without running code that the user has not allowed, or is no model.
    """
    name = checkpoint[KEY]["class_path"]
    if expected is not None and class_path(expected) == name:
        return expected
    at_hand = expected if expected is not None and name.rpartition(".")[2] == expected.__name__ else None
    try:
        found = find_class(name, (LightningModule,), where, trust)
    except UsageError:
        if at_hand is None:
            raise
        return at_hand  # its module was renamed, or was a script
    if not isinstance(found, Recorded):
        raise UsageError(f"{where} names {name}, which is no model of this library; do not use the file")
    another_script = name.startswith("__main__.") and at_hand is not None and not issubclass(found, at_hand)
    return at_hand if another_script else found  # type: ignore[return-value]


def _construct(cls: type, earlier: dict[str, Any], built: dict[str, Any], arguments: dict[str, Any], where: str) -> Any:
    try:
        return _make(cls, {**earlier, **built, **arguments}, where)
    except UsageError as error:
        decided = re.search(r"multiple values for keyword argument '(\w+)'", str(error.__cause__))
        if decided and decided[1] in earlier:  # a subclass gives it to its parent itself
            fewer = {name: value for name, value in earlier.items() if name != decided[1]}
            return _construct(cls, fewer, built, arguments, where)
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error.__cause__))
        if unknown and unknown[1] in arguments:
            raise UsageError(
                f"{cls.__name__} has no argument {unknown[1]!r} to load {where} with; "
                f"{advice(cls, unknown[1]).partition('; ')[2]}"
            ) from None
        raise


def _earlier_defaults(cls: type, checkpoint: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The arguments that nobody gave and whose defaults have changed since, with the defaults of then."""
    saved, now = checkpoint[KEY].get("defaults", {}), defaults(cls)
    return {name: value for name, value in saved.items() if name in now and now[name] != value and name not in given}


def prove_repeatable(model: Any) -> None:
    """Makes a model once more from its recorded arguments, without memory for its weights where possible.

    Raises:
        UsageError: if that fails, or the second model has other weights.
    """
    name = type(model).__name__
    recorded = {key: value for key, value in dict(model.hparams).items() if not key.startswith("_")}
    state = model.state_dict()
    with torch.random.fork_rng(devices=[]):
        again = _repeated(type(model), recorded, state, "meta")
        again = _repeated(type(model), recorded, state, "cpu") if isinstance(again, Exception) else again
    if isinstance(again, Exception):
        raise UsageError(
            f"a checkpoint of this {name} could not be loaded: made once more with the arguments that it was made with "
            f"it fails ({type(again).__name__}: {reason(again)}); let __init__ take plain values, classes and backbones"
        )
    own, other = ({plain_key(k): tuple(v.shape) for k, v in m.items()} for m in (state, again.state_dict()))
    if differing := next((key for key in {**own, **other} if own.get(key) != other.get(key)), None):
        raise UsageError(
            f"a checkpoint of this {name} could not be loaded: made once more with the same arguments, its {differing} "
            f"has the shape {other.get(differing)} and not {own.get(differing)}; a network that changes is put back "
            "in on_load_checkpoint, see docs/add-a-gan.md"
        )


def _repeated(cls: type, recorded: dict[str, Any], state: dict[str, Any], device: str) -> Any:
    """The model as `load` would make it, or the error that was raised."""
    try:
        with torch.device(device), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own = [path.partition(".")[0] for path in functions.names(recorded)]  # this program's, from no file
            model = cls(**{name: build(value, name, own) for name, value in recorded.items()})
            with suppress(Exception):  # a user's hook may need more than this checkpoint of no run holds
                model.on_load_checkpoint({"state_dict": state})
            return model
    except Exception as error:
        return error


def _fill(model: Any, checkpoint: dict[str, Any], strict: bool | None, where: str) -> None:
    """Gives a model its weights, and calls its ``on_load_checkpoint``."""
    try:
        strict = model.strict_loading if strict is None else strict
        model.on_load_checkpoint({name: value for name, value in checkpoint.items() if name != RANDOM})
        found = model.load_state_dict(checkpoint["state_dict"], strict)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"{where} does not fit its {type(model).__name__} ({type(error).__name__}: {reason(error)})"
        ) from error
    if missing := [*found.missing_keys, *found.unexpected_keys]:
        rank_zero_warn(f"{where} and the {type(model).__name__} do not have the same weights: {', '.join(missing)}")


def _fill_ported(model: Any, checkpoint: dict[str, Any], where: str) -> None:
    """Gives a model the networks of another program that are there; the others keep their start."""
    weights, kind, name = (
        ported.fitting(model, checkpoint["state_dict"]),
        checkpoint[KEY]["ported"],
        type(model).__name__,
    )
    taken = fill_from(model, weights, where)
    generator = [key for key in weights if key.startswith("generator.")]
    if lost := set(generator) - {*taken.fitted}:
        raise UsageError(
            f"{where} holds a {kind}, another generator than this {name}'s: {len(lost)} of its {len(generator)} "
            "weights do not fit; leave out image_shape and backbone, or make the model and take what fits: "
            "lit_gans.take(model, path)"
        )
    alone = not any(key.startswith("discriminator.") for key in taken.fitted)
    rank_zero_info(f"{where} holds a {kind}, here {one(model)}{', whose discriminator begins anew' if alone else ''}")


def build(value: Any, where: str = "this", trust: Sequence[str] = ()) -> Any:
    """The inverse of `recording.plain`, also for values inside lists and dicts.

    ``{"class_path", "init_args"}`` becomes a network or a backbone, or a factory of optimizers or schedules;
    ``{"class"}`` the class itself, with ``"partial"`` a partial of it, and ``{"function"}`` a function that is called
    only if it is trusted. Anything else is returned as it is.

    Args:
        value: the stored value.
        where: the argument and the file, for an error.
        trust: packages whose code may run.

    Raises:
        UsageError: if the class is of another kind, may not be imported, or refuses these arguments.
    """
    if type(value) in (list, tuple):
        return type(value)(build(entry, where, trust) for entry in value)
    if not isinstance(value, dict):
        return value
    if value.keys() in ({"function"}, {"function", "partial"}) and isinstance(value["function"], str):
        function, given = functions.found(value["function"], where, trust), value.get("partial", {})
        arguments = {str(name): build(argument, where, trust) for name, argument in dict(given).items()}
        return functools.partial(function, **arguments) if "partial" in value else function
    if not ("class_path" in value or value.keys() in ({"class"}, {"class", "partial"})):
        return {key: build(entry, where, trust) for key, entry in value.items()} if type(value) is dict else value
    cls = find_class(value["class_path"] if "class_path" in value else value["class"], _KINDS, where, trust)
    given = value.get("init_args") or value.get("partial") or {}
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise UsageError(f"{where} gives {cls.__name__} the arguments {shown(given)}, which are no dict by name")
    arguments = {name: build(argument, where, trust) for name, argument in given.items()}
    if "class_path" not in value:
        return functools.partial(cls, **arguments) if "partial" in value else cls
    live = issubclass(cls, (nn.Module, *_BACKBONES))
    return _make(cls, arguments, where) if live else functools.partial(cls, **arguments)


def _make(cls: type, arguments: dict[str, Any], where: str) -> Any:
    """Calls a class with arguments from a file, which may be anything."""
    token = _given_hyperparameters.set(None)  # those of a model that the command line is making meanwhile
    try:
        return cls(**arguments)
    except Exception as error:
        if isinstance(error, UsageError) and not isinstance(error.__cause__, TypeError):
            raise
        raise UsageError(
            f"{where} does not make a {cls.__name__} here ({type(error).__name__}: {reason(error)}); it was saved by "
            "another version of the class, or is damaged"
        ) from error.__cause__ or error
    finally:
        _given_hyperparameters.reset(token)


def was_restoring(error: BaseException) -> bool:
    """Whether an error came while Lightning restored loops, callbacks, optimizers or schedules from a checkpoint."""
    codes = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    return any(
        code.co_filename == _RESTORER and code.co_name.startswith(("restore", "_restore", "resume")) for code in codes
    )  # that file saves checkpoints as well


class _Arguments(yaml.SafeLoader):
    """Reads the hparams.yaml of Lightning's loggers: plain values, and tuples."""


_Arguments.add_constructor(
    "tag:yaml.org,2002:python/tuple", lambda loader, node: tuple(loader.construct_sequence(node, deep=True))
)


def read_arguments(path: Any) -> dict[str, Any]:
    """The arguments in an ``hparams.yaml``.

    Raises:
        UsageError: if there is no such file, or it holds something else.
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), _Arguments)  # a SafeLoader: it makes plain values
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"hparams_file {path} cannot be read: {reason(error)}") from None
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise UsageError(f"hparams_file {path} should hold arguments by name, as Lightning's hparams.yaml does")
    return content
