"""Records the call that makes an object, before its ``__init__`` runs, as values that a file can hold."""

import functools
import inspect
import os
import pickle
from abc import ABCMeta
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lit_gans.checkpoints.trust import class_path
from lit_gans.errors import UsageError
from lit_gans.networks.base import Backbone, TranslationBackbone

# arguments of 0.1 that are options of a backbone now
MOVED = [
    "width",
    "upsampling",
    "generator_norm",
    "discriminator_norm",
    "residual",
    "attention",
    "style_dim",
    "mapping_layers",
    "mixing",
    "blocks",
    "norm",
    "dropout",
    "generator_hidden",
    "discriminator_hidden",
    "skip",
    "minibatch",
    "dense",
]
_FACTORIES = (Optimizer, LRScheduler)


class Recorded(ABCMeta):
    """A metaclass: ``made.recorded`` is the call that made an object, whatever its ``__init__`` does to the arguments.

    Lightning collects arguments from class to class, together with all that a subclass adds, rebinds or takes out for
    its parent; repeating such a call makes another object. Here the arguments are recorded as the caller wrote them.
    """

    if not TYPE_CHECKING:  # without this, type checkers use the signature of __init__

        def __call__(cls, *arguments: Any, **named: Any) -> Any:
            """Records the call, then makes the object as usual."""
            made = cls.__new__(cls, *arguments, **named)
            if not isinstance(made, cls):
                return made
            call = _bound(cls, made, arguments, named)
            made.__dict__["recorded"] = call
            try:
                made.__init__(*arguments, **named)
            except TypeError as error:
                _explain_moved(cls, error)
                raise
            if (finish := getattr(made, "was_made", None)) is not None:
                finish()
            return made

    @property
    def __signature__(cls) -> inspect.Signature:
        """The signature of ``__init__``; editors and ``help`` would otherwise show the metaclass's."""
        own = inspect.signature(cls.__init__)  # type: ignore[misc]
        return own.replace(parameters=list(own.parameters.values())[1:], return_annotation=inspect.Signature.empty)


def _bound(cls: type, made: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, with the defaults of the class itself; positional extras as ``*name``."""
    try:
        call = inspect.signature(cls.__init__).bind(made, *arguments, **named)  # type: ignore[misc]
    except TypeError:
        return {}  # the call that follows says what is wrong
    call.apply_defaults()
    found: dict[str, Any] = {}
    for parameter in list(call.signature.parameters.values())[1:]:
        value = _copied(call.arguments[parameter.name])
        if parameter.kind is parameter.VAR_KEYWORD:
            found |= value
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            found[parameter.name] = value
        elif value:
            found[f"*{parameter.name}"] = value
    return found


def _copied(value: Any) -> Any:
    """A copy of lists and dicts, however deep; anything else as it is."""
    if type(value) is dict:
        return {key: _copied(entry) for key, entry in value.items()}
    return [_copied(entry) for entry in value] if type(value) is list else value


def _explain_moved(cls: type, error: TypeError) -> None:
    """Raises a `UsageError` if the call used an argument of version 0.1."""
    name = str(error).rpartition("unexpected keyword argument '")[2].rstrip("'")
    if str(error).count("unexpected keyword argument") and name in MOVED and hasattr(cls, "default_backbone"):
        backbone = type(cls.default_backbone).__name__
        raise UsageError(
            f"{name} is an option of a backbone since 0.2: {cls.__name__}(backbone={backbone}(...)); docs/from-0.1.md "
            "says which one it is now"
        ) from None


def defaults(cls: type) -> dict[str, Any]:
    """The default of every argument of a class, and of those that it hands on to its parents."""
    parameters = [
        parameter
        for base in reversed(cls.__mro__)
        if "__init__" in vars(base)
        for parameter in inspect.signature(vars(base)["__init__"]).parameters.values()
    ]
    return {p.name: p.default for p in parameters if p.default is not p.empty}


# -------------------------------------------------------------------- values that a file can hold


def described(model: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The recorded call of a model as plain values.

    A class is ``{"class": its name}``, a partial of one has its arguments beside that as ``"partial"``. Backbones,
    modules without weights, optimizers and schedules are ``{"class_path", "init_args"}``, as in a configuration.

    Returns:
        The values, and the dotted class of every network that was passed as a live object, by argument name.

    Raises:
        UsageError: if a value cannot be described, say a lambda.
    """
    arguments = dict(model.recorded)
    if extra := next((name for name in arguments if name.startswith("*")), None):
        raise UsageError(f"{type(model).__name__} takes {extra}: pass arguments by name instead")
    values = {name: plain(name, value) for name, value in arguments.items()}
    networks = {name: class_path(type(value)) for name, value in values.items() if isinstance(value, nn.Module)}
    values = {name: value for name, value in values.items() if name not in networks}
    for name, value in values.items():
        try:
            pickle.dumps(value)
        except (pickle.PickleError, AttributeError, TypeError) as error:
            raise _unnameable(name, value) from error
    return values, networks


def plain(name: str, value: Any) -> Any:
    """``value`` as something that ``torch.load(weights_only=True)`` gives back; a module with weights as it is."""
    if isinstance(value, nn.Module):
        return {"class_path": class_path(type(value)), "init_args": {}} if _as_made(value) else value
    if isinstance(value, type):
        return _factory(value, {}) if issubclass(value, _FACTORIES) else {"class": class_path(value)}
    if isinstance(value, functools.partial):
        return _partial(name, value)
    if isinstance(value, (Backbone, TranslationBackbone)):
        if not is_dataclass(value):
            raise UsageError(
                f"{name} is a {type(value).__name__}, whose options a checkpoint cannot name; make that class a "
                "dataclass, with @dataclass(frozen=True) above it"
            )
        options = {field.name: plain(f"{name}.{field.name}", getattr(value, field.name)) for field in fields(value)}
        return {"class_path": class_path(type(value)), "init_args": options}
    if type(value) in (list, tuple):
        return type(value)(plain(name, entry) for entry in value)
    if type(value) is dict:
        return {key: plain(f"{name}.{key}", entry) for key, entry in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if callable(value):
        raise _unnameable(name, value)
    return value


def _partial(name: str, value: functools.partial[Any]) -> dict[str, Any]:
    cls, rest = value.func, value.args
    if not isinstance(cls, type) and rest and isinstance(rest[-1], type):  # jsonargparse's own way to make a factory
        cls, rest = rest[-1], ()
    if not isinstance(cls, type) or rest:
        raise _unnameable(name, value.func)
    arguments = {key: plain(f"{name}.{key}", entry) for key, entry in value.keywords.items()}
    return _factory(cls, arguments) if issubclass(cls, _FACTORIES) else {"class": class_path(cls), "partial": arguments}


def _factory(cls: type, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"class_path": class_path(cls), "init_args": arguments}


def _as_made(module: nn.Module) -> bool:
    """Whether a module has no state and is what its class makes without arguments, as ``nn.BCEWithLogitsLoss()`` is."""
    if any(True for _ in (*module.parameters(), *module.buffers(), *module.children())):
        return False
    try:
        fresh = type(module)()
    except Exception:  # it needs arguments, or minds being made
        return False
    state, other = ({k: v for k, v in m.__dict__.items() if not k.startswith("_")} for m in (module, fresh))
    simple = all(isinstance(v, (bool, int, float, str, tuple, type(None), torch.dtype)) for v in state.values())
    return simple and state == other


def _unnameable(name: str, value: Any) -> UsageError:
    shown: Callable[..., Any] | str = getattr(value, "__name__", value)
    return UsageError(
        f"{name} is {shown!r}, which a checkpoint cannot name; pass a class, or functools.partial(torch.optim.Adam, "
        "lr=1e-3)"
    )
