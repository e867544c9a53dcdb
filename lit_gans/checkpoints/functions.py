"""Functions as arguments: recorded by their names, and never called because a file says so."""

import sys
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import Any

from lit_gans.checkpoints.trust import import_class, is_trusted, main_name
from lit_gans.errors import UsageError

# functions of tensors, which do nothing else
_HARMLESS = ("torch.nn.functional", "torch.nn.init", "lit_gans.losses", "lit_gans.penalties")


class NamedFunction:
    """A function that a checkpoint names, in place of the function: a call of it is refused.

    Calling a function runs whatever it does, with arguments from the file. So a model that is only drawn from is loaded
    without it; whoever trains on says that its package is trusted, or passes the function again.

    Args:
        path: the dotted name.
        where: the argument and the file, for the error.
    """

    def __init__(self, path: str, where: str) -> None:
        self.path, self.where = path, where

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Refused.

        Raises:
            UsageError: always.
        """
        argument, package = self.where.partition(" in ")[0], self.path.partition(".")[0]
        raise UsageError(
            f"{self.where} names the function {self.path}, and a call of it runs whatever it does; if you trust it, "
            f"load the model with trust=[{package!r}], or pass it again: {argument}={self.path.rpartition('.')[2]}"
        )


def function_path(name: str, function: Callable[..., Any]) -> str:
    """The dotted name of a function by which `found` finds it again.

    Raises:
        UsageError: if it has none: a lambda, a function inside another, a method, or one that is written in C.
    """
    if isinstance(function, NamedFunction):
        return function.path
    label = getattr(function, "__qualname__", type(function).__name__)
    module = getattr(function, "__module__", None)
    home: Any = sys.modules.get(str(module))
    if isinstance(function, FunctionType) and getattr(home, label, None) is function:
        return f"{main_name() if module == '__main__' else module}.{label}"
    raise UsageError(
        f"{name} is {getattr(function, '__name__', label)!r}, which a checkpoint cannot name; write it as a function "
        "at the top of a module, or pass a class, or a partial of one: functools.partial(torch.optim.Adam, lr=1e-3)"
    )


def found(path: str, where: str, trust: Sequence[str]) -> Callable[..., Any]:
    """The function of a name, if it is harmless or its package is trusted; else a `NamedFunction`.

    Raises:
        UsageError: if there is no such function in a trusted package.
    """
    harmless = path.rpartition(".")[0] in _HARMLESS
    if not harmless and not is_trusted(path, trust):
        return NamedFunction(path, where)
    function = import_class(path)
    # the package's own: a name may also lead to what its modules have imported
    if isinstance(function, FunctionType) and function_path(where, function) == path:
        return function
    raise UsageError(f"{where} names {path}, which is no function of that module; do not use the file")


def names(value: Any) -> Iterator[str]:
    """The functions that a described value names, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get("function"), str):
            yield value["function"]
        for entry in value.values():
            yield from names(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from names(entry)
