"""Factories of optimizers and schedules: a class, its name, a partial or a function, and what is none of them."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lit_gans import optim
from lit_gans.errors import UsageError, nearest, own_line

_OPTIONS = ("interval", "frequency", "monitor", "strict", "reduce_on_plateau", "name")  # of Lightning's dict


def named(name: str, factory: Any, *, again: bool = False) -> Any:
    """Wraps a factory of optimizers or schedules so that its errors begin with the name of its argument.

    Args:
        name: the argument of the model that the factory was given as.
        factory: makes an optimizer from parameters, or a schedule from an optimizer: a class, its name, a partial or a
            function; None stays None. For a schedule it may be in Lightning's dict, as ``"scheduler"``.
        again: whether an optimizer may compute the loss several times a step, which a game does not allow.

    Raises:
        UsageError: if it is something else.
    """
    if factory is None:
        return None
    if isinstance(factory, Mapping) and "scheduler" in factory and name.endswith("scheduler"):
        return named(name, factory["scheduler"])
    return functools.partial(_made, name, _usable(name, factory), again)


def options_of(name: str, scheduler: Any) -> dict[str, Any]:
    """How often a schedule is stepped: every batch, or as Lightning's dict says, by default every epoch.

    Raises:
        UsageError: if the dict has something that Lightning does not know.
    """
    if not isinstance(scheduler, Mapping) or "scheduler" not in scheduler:
        return {"interval": "step"}
    options = {key: value for key, value in scheduler.items() if key != "scheduler"}
    if odd := next((key for key in options if key not in _OPTIONS), None):
        raise UsageError(f"{name} has {odd!r}{nearest(str(odd), _OPTIONS)}")
    if options.get("interval", "epoch") not in ("epoch", "step"):
        raise UsageError(f"{name}'s interval must be 'epoch' or 'step', got {options['interval']!r}")
    return {"interval": "epoch", **options}


def _usable(name: str, factory: Any) -> Callable[..., Any]:
    """The factory, of a class's name the class.

    Raises:
        UsageError: for objects that are made already, numbers, dicts and unknown names, with what to write.
    """
    scheduler = name.endswith("scheduler")
    if isinstance(factory, str):
        known = _schedulers() if scheduler else _optimizers()
        chosen = {word.lower(): word for word in known}.get(factory.lower())
        if chosen is None:
            kind = "schedule" if scheduler else "optimizer"
            raise UsageError(f"there is no {kind} {factory!r} for {name}{nearest(factory, list(known))}")
        return known[chosen]
    example = "partial(LinearDecay, steps=10000)" if scheduler else "partial(Adam, lr=0.0002)"
    if isinstance(factory, Optimizer):
        kind = type(factory).__name__
        example = f"partial({kind}, lr={factory.defaults.get('lr', 2e-4):g})"
        raise UsageError(
            f"{name} must make an optimizer, since each player gets its own, got {_article(type(factory))} that is "
            f"made already; write {name}=functools.{example}"
        )
    if isinstance(factory, (LRScheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)):
        kind = type(factory).__name__
        raise UsageError(
            f"{name} must make a schedule from an optimizer, got a {kind} that is made already; write "
            f"{name}=functools.partial({kind}, ...) without the optimizer"
        )
    if isinstance(factory, (int, float)) and not scheduler:
        example = f"partial(Adam, lr={factory:g})"
    if not callable(factory):
        raise UsageError(
            f"{name} must be a class, its name, a functools.partial or a function, {name}=functools.{example} for "
            f"example, got {factory!r}"
        )
    return factory


def _optimizers() -> dict[str, Any]:
    """Those of PyTorch, and in their place those of this package where the name is the same."""
    return {**_classes(torch.optim, Optimizer), **_classes(optim, Optimizer)}


def _schedulers() -> dict[str, Any]:
    return {**_classes(torch.optim.lr_scheduler, LRScheduler), **_classes(optim, LRScheduler)}


def _classes(module: Any, kind: type) -> dict[str, Any]:
    members = inspect.getmembers(module, lambda member: inspect.isclass(member) and issubclass(member, kind))
    return {name: member for name, member in members if not name.startswith("_") and member is not kind}


def _made(
    name: str,
    factory: Callable[..., Any],
    again: bool,
    of: Any,
    named_parameters: Sequence[tuple[str, nn.Parameter]] | None = None,
) -> Any:
    """Calls a factory; one whose first argument is called ``named_parameters`` gets (name, parameter) pairs.

    Raises:
        UsageError: if the factory refuses a number, or its optimizer needs more than training gives it.
    """
    try:
        made = factory(named_parameters if named_parameters is not None and _wants_names(factory) else of)
    except (ValueError, TypeError) as error:
        if own_line(error) is not None or str(error).startswith(f"{name} in "):
            raise
        raise UsageError(f"{name} cannot be used: {error}") from error
    wanted = LRScheduler if name.endswith("scheduler") else Optimizer
    if not isinstance(made, wanted):
        raise UsageError(f"{name} must make {_article(wanted)}, got {_article(type(made))}")
    if isinstance(made, torch.optim.SparseAdam) or (isinstance(made, torch.optim.LBFGS) and not again):
        need = "sparse gradients" if isinstance(made, torch.optim.SparseAdam) else "the loss several times a step"
        raise UsageError(f"{name} cannot be used: {type(made).__name__} needs {need}; use Adam, say, or RMSprop")
    return made


def _wants_names(factory: Callable[..., Any]) -> bool:
    function = factory.func if isinstance(factory, functools.partial) else factory
    try:
        return next(iter(inspect.signature(function).parameters), None) == "named_parameters"
    except (TypeError, ValueError):
        return False


def _article(cls: type) -> str:
    return f"{'an' if cls.__name__[0] in 'AEIOU' else 'a'} {cls.__name__}"
