"""Networks that remember the call that made them, so that a file can say how to make them again without their game."""

import inspect
import sys
from importlib import import_module
from typing import Any

import torch
from torch import nn

from lit_gans.errors import UsageError, reason

_HOME = "lit_gans.networks"
_PLAIN = (bool, int, float, str, type(None))


class Described(nn.Module):
    """A network that remembers its arguments; copies of it do, too."""

    _call: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        """Keeps the arguments before ``__init__`` gets them."""
        made = super().__new__(cls)
        made.__dict__["_call"] = (arguments, named)
        return made


def description(network: nn.Module) -> dict[str, Any] | None:
    """What makes a network of this package again, as plain values; None if that is not known.

    Returns:
        ``{"class": name in lit_gans.networks, "arguments": by name}``, also for the networks among the arguments.
    """
    found = _call_of(network)
    return found if found is not None and _repeatable(found, network) else None


def made_of(described: Any) -> nn.Module:
    """The network of a `description`, with random weights. Only classes of ``lit_gans.networks`` are called.

    Raises:
        UsageError: if it is no description, or its arguments do not make this network.
    """
    cls = _class(described)
    try:
        arguments = {str(name): _back(value) for name, value in described["arguments"].items()}
        return cls(**arguments)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"the file does not make a {cls.__name__} ({type(error).__name__}: {reason(error)})") from None


def _class(described: Any) -> type[nn.Module]:
    """The class that a description names.

    Raises:
        UsageError: if it is none of ``lit_gans.networks``.
    """
    if isinstance(described, dict) and described.keys() == {"class", "arguments"}:
        module, _, name = str(described["class"]).rpartition(".")
        if module.isidentifier() and isinstance(described["arguments"], dict):
            try:
                home = vars(sys.modules.get(f"{_HOME}.{module}") or import_module(f"{_HOME}.{module}"))
            except ImportError:
                home = {}
            cls = home.get(name)
            if isinstance(cls, type) and issubclass(cls, Described):
                return cls
    raise UsageError("the file's description of its generator is damaged, or of another version; use another copy")


class _Unknown:
    """Stands for a value that a file cannot hold."""


def _call_of(network: nn.Module) -> dict[str, Any] | None:
    """The class and the arguments of a network; whether it is still what they make is not looked at."""
    network = getattr(network, "_orig_mod", network)  # of torch.compile
    cls = type(network)
    if not isinstance(network, Described) or not cls.__module__.startswith(f"{_HOME}."):
        return None
    arguments, named = network._call
    call = inspect.signature(cls.__init__).bind(network, *arguments, **named)
    values = {name: _value(value) for name, value in [*call.arguments.items()][1:]}
    kinds = {parameter.kind for parameter in call.signature.parameters.values()}
    if kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL} or _Unknown in values.values():
        return None
    return {"class": f"{cls.__module__.removeprefix(f'{_HOME}.')}.{cls.__qualname__}", "arguments": values}


def _value(value: Any) -> Any:
    if isinstance(value, nn.Module):
        return _call_of(value) or _Unknown
    if isinstance(value, (tuple, list)):
        entries = [_value(entry) for entry in value]
        return _Unknown if _Unknown in entries else entries
    return value if type(value) in _PLAIN else _Unknown


def _back(value: Any) -> Any:
    if isinstance(value, dict):
        return made_of(value)
    return tuple(map(_back, value)) if isinstance(value, list) else value


def _repeatable(described: dict[str, Any], network: nn.Module) -> bool:
    """Whether a description makes weights of the same names and shapes; networks may be changed after they are made."""
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            again = made_of(described)
    except Exception:  # the network cannot be made without memory, or was changed
        return False
    own, other = ({key: value.shape for key, value in each.state_dict().items()} for each in (network, again))
    return {name.replace("_orig_mod.", ""): shape for name, shape in own.items()} == other
