"""Records the call that makes an object, before its ``__init__`` runs, as values that a file can hold."""

import functools
import inspect
import os
import pickle
from abc import ABCMeta
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lit_gans.checkpoints.functions import function_path
from lit_gans.checkpoints.mistakes import explain
from lit_gans.checkpoints.trust import class_path
from lit_gans.errors import UsageError
from lit_gans.networks.base import Backbone, TranslationBackbone
from lit_gans.networks.projected import Features
from lit_gans.networks.sequences import SequenceBackbone

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
            except (TypeError, AttributeError) as error:
                explain(cls, error, arguments, named)
                raise
            if issubclass(cls, nn.Module) and "_modules" not in made.__dict__:
                raise UsageError(
                    f"{cls.__name__}.__init__ does not call its parent; call super().__init__(...) first in it"
                )
            if (finish := getattr(made, "was_made", None)) is not None:
                finish()
            return made

    @property
    def __signature__(cls) -> inspect.Signature:
        """The signature of ``__init__``; editors and ``help`` would otherwise show the metaclass's."""
        own = inspect.signature(cls.__init__)  # type: ignore[misc]
        return own.replace(parameters=list(own.parameters.values())[1:], return_annotation=inspect.Signature.empty)


# Lightning names it where it is given a class in place of a model: "`model` must be a `LightningModule`, got ..."
Recorded.__qualname__ = "a class, of which an object must be made first, as in DCGAN(...)"


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

    A class is ``{"class": its name}``, a function ``{"function": its name}``, a partial of one has its arguments beside
    that as ``"partial"``. Backbones,
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
            raise UsageError(
                f"{name} is {value!r}, which a checkpoint cannot name ({type(error).__name__}); pass a class, a "
                "number, a string, a list, a dict or a tensor"
            ) from error
    return values, networks


def plain(name: str, value: Any) -> Any:
    """``value`` as something that ``torch.load(weights_only=True)`` gives back; a module with weights as it is.

    A model inside another is described by its own arguments: its weights are among those of the other.
    """
    if isinstance(type(value), Recorded) and hasattr(value, "hparams"):
        return _model(name, value)
    if isinstance(value, nn.Module):
        arguments = _arguments_of(value)
        return value if arguments is None else {"class_path": class_path(type(value)), "init_args": arguments}
    if isinstance(value, type):
        return _factory(value, {}) if issubclass(value, _FACTORIES) else {"class": class_path(value)}
    if isinstance(value, functools.partial):
        return _partial(name, value)
    if isinstance(value, (Backbone, TranslationBackbone, SequenceBackbone, Features)):
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
    return {"function": function_path(name, value)} if callable(value) else value


def _model(name: str, value: Any) -> dict[str, Any]:
    if value.given_networks:
        raise UsageError(
            f"{name} is a {type(value).__name__} that was made with a network passed as an object "
            f"({', '.join(value.given_networks.values())}), which no file can hold; make it with plain values"
        )
    arguments = {key: entry for key, entry in dict(value.hparams).items() if not key.startswith("_")}
    return {"class_path": class_path(type(value)), "init_args": arguments}


def _partial(name: str, value: functools.partial[Any]) -> dict[str, Any]:
    cls, rest = value.func, value.args
    if not isinstance(cls, type) and rest and isinstance(rest[-1], type):  # jsonargparse's own way to make a factory
        cls, rest = rest[-1], ()
    if rest:
        shown = getattr(cls, "__name__", cls)
        raise UsageError(
            f"{name} is {shown!r}, which a checkpoint cannot name with arguments by place; give them by name: "
            f"functools.partial({shown}, name=...)"
        )
    arguments = {key: plain(f"{name}.{key}", entry) for key, entry in value.keywords.items()}
    if not isinstance(cls, type):
        return {"function": function_path(name, cls), "partial": arguments}
    return _factory(cls, arguments) if issubclass(cls, _FACTORIES) else {"class": class_path(cls), "partial": arguments}


def _factory(cls: type, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"class_path": class_path(cls), "init_args": arguments}


def _arguments_of(module: nn.Module) -> dict[str, Any] | None:
    """The arguments that make a module without weights again, as of ``nn.L1Loss(reduction="sum")``; None if unknown.

    They are found by their names among the module's attributes, and tried: the module that they make must have the same
    attributes and buffers.
    """
    if any(True for _ in (*module.parameters(), *module.children())):
        return None
    try:
        parameters = inspect.signature(type(module)).parameters.values()
        own = {p.name: getattr(module, p.name) for p in parameters if hasattr(module, p.name)}
        changed = {p.name: own[p.name] for p in parameters if p.name in own and not _alike(own[p.name], p.default)}
        fresh = type(module)(**changed)
    except Exception:  # it needs other arguments, or minds being made
        return None
    states = [{**{k: v for k, v in m.__dict__.items() if k[0] != "_"}, **m._buffers} for m in (module, fresh)]
    same = states[0].keys() == states[1].keys() and all(_alike(v, states[1][k]) for k, v in states[0].items())
    return changed if same else None


def _alike(value: Any, other: Any) -> bool:
    """Whether two plain values or tensors are equal; anything else is not."""
    if isinstance(value, torch.Tensor) and isinstance(other, torch.Tensor):
        return value.shape == other.shape and value.dtype == other.dtype and bool((value == other).all())
    plain_types = (bool, int, float, str, tuple, type(None), torch.dtype)
    return isinstance(value, plain_types) and type(value) is type(other) and value == other
