"""Which classes a file may name, and how a name becomes a class.

Importing a module runs code, and so does calling what a name stands for. A checkpoint, or a configuration that comes
with one, may come from anybody. So a name from a file is only looked up in modules that are imported already, or that
are safe to import, and it must name a class of an expected kind. A name that the user typed is trusted: its module is
imported, from the working folder too.
"""

import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from lit_gans.errors import UsageError, reason

_MAIN = "__main__"
_HOMES = ("lit_gans", "torch.nn", "torch.optim", "torchvision", "lightning.pytorch")  # their modules may be imported
# modules whose classes are no parts of models: metrics and feature networks download weights, and PyTorch's compilers
# and remote procedures take source code and names of functions
_NO_PARTS = ("torch", "torchmetrics", "lit_gans.metrics")
_PARTS = ("torch.nn", "torch.optim")
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def class_path(cls: type) -> str:
    """The dotted name by which `find_class` finds a class again.

    The module of a class of the running program, ``__main__``, is named as another program would import it.
    """
    module = main_name() if cls.__module__ == _MAIN else cls.__module__
    return f"{module}.{cls.__qualname__}"


def main_name() -> str:
    """The name by which other programs import the running one; ``__main__`` if they cannot, as with a notebook."""
    main = sys.modules.get(_MAIN)
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    name = spec.name if spec is not None else Path(file).stem if file else _MAIN
    importable = all(part.isidentifier() for part in name.split("."))
    return name if importable and name not in sys.stdlib_module_names else _MAIN


def findable(path: str) -> bool:
    """Whether another program can find a class by its name; false for classes in notebooks and functions."""
    return bool(_DOTTED.fullmatch(path)) and not path.startswith(f"{_MAIN}.")


def find_class(name: Any, kinds: tuple[type, ...], where: str, trust: Sequence[str] = (), typed: str = "") -> type:
    """The class that a file names.

    No code from elsewhere runs: nothing is called, and the only modules that may be imported are those of this package,
    PyTorch's networks and optimizers, torchvision, Lightning and the packages that the user trusts.

    Args:
        name: the dotted name in the file.
        kinds: the class must be a subclass of one of these.
        where: the argument and the file, for the error.
        trust: packages whose code the user allows to run, from the working folder too.
        typed: another way to name the class on the command line, for the error.

    Raises:
        UsageError: if the name is of no such class, or finding out would run code that the user has not allowed.
    """
    if not isinstance(name, str) or len(name) > 300 or not _DOTTED.fullmatch(name.replace("<locals>", "locals")):
        raise UsageError(f"{where} names {shown(name)}, which is no dotted name of a class; the file is damaged")
    packages = _packages(trust)
    found = _look_up(name, packages)
    if found is None:
        raise UsageError(_unknown(name, where, packages, typed))
    if not _is_a(found, kinds):
        wanted = " or ".join(", ".join(kind.__name__ for kind in kinds).rsplit(", ", 1))
        raise UsageError(
            f"{where} names {name}, which is no subclass of {wanted}; no run saves that: do not use the file, it was "
            "damaged or made to do harm"
        )
    if not _within(found.__module__, packages) and _no_part(found.__module__):
        raise UsageError(f"{where} names {name}, which is no part of a model; do not use the file unless you made it")
    return found


def is_trusted(name: str, trust: Sequence[str]) -> bool:
    """Whether a dotted name is in one of the packages that a user trusts."""
    return bool(_DOTTED.fullmatch(name)) and _within(name, _packages(trust))


def import_class(name: str) -> Any:
    """Imports a class whose dotted name the user typed, from anywhere, the working folder too.

    Raises:
        UsageError: if its module cannot be imported or does not have it.
    """
    found = _look_up(name, (name.partition(".")[0],))
    if found is None:
        raise UsageError(f"the class {name} cannot be imported; run from the folder that holds its module")
    return found


@contextmanager
def working_folder() -> Iterator[None]:
    """While it lasts, imports also find the modules of the working folder, after all others."""
    folder = str(Path.cwd())
    added = folder not in sys.path
    if added:
        sys.path.append(folder)
    try:
        yield
    finally:
        if added:
            with suppress(ValueError):
                sys.path.remove(folder)


def shown(value: Any) -> str:
    """A value from a file as text, short and on one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


# -------------------------------------------------------------------- looking up


def _look_up(name: str, packages: tuple[str, ...]) -> Any:
    """The object that a dotted name stands for, None if it is unknown."""
    own = f"{main_name()}."
    if name.startswith(own):  # the running program is the module __main__, under no other name
        name = f"{_MAIN}.{name.removeprefix(own)}"
    top, *parts = name.split(".")
    found: Any = sys.modules.get(top)
    if found is None and _within(top, (*_HOMES, *packages)):
        found = _import(top, name)
    for part in parts:
        found = _member(found, part, name, packages)
    return found


def _member(owner: Any, part: str, name: str, packages: tuple[str, ...]) -> Any:
    """A module's or class's own attribute, or a module's submodule; None if there is none.

    Looks into dictionaries, since reading an attribute can run code: of a property, or of a module's ``__getattr__``.
    """
    if issubclass(type(owner), type):
        return inspect.getattr_static(owner, part, None)
    if not issubclass(type(owner), ModuleType):
        return None
    there, own = vars(owner), str(vars(owner).get("__name__"))
    if part in there:
        return there[part]
    if f"{own}.{part}" in sys.modules:
        return sys.modules[f"{own}.{part}"]
    trusted = _within(own, packages)
    if (trusted or own.partition(".")[0] == "lit_gans") and hasattr(owner, part):  # a module's __getattr__ may make it
        return getattr(owner, part)
    if "__path__" in there and not part.startswith("_") and (trusted or _within(f"{own}.{part}", _HOMES)):
        return _import(f"{own}.{part}", name)
    return None


def _import(module: str, name: str) -> ModuleType | None:
    """Imports a module; None if there is none.

    Raises:
        UsageError: if the import fails.
    """
    try:
        with working_folder():
            return import_module(module)
    except ModuleNotFoundError as error:
        if error.name == module:
            return None
        raise UsageError(f"the class {name} cannot be imported: {module} needs {error.name}") from error
    except Exception as error:
        raise UsageError(
            f"the class {name} cannot be imported: {module} says {type(error).__name__}: {reason(error)}"
        ) from error


def _is_a(found: Any, kinds: tuple[type, ...]) -> bool:
    """Whether this is a class of one of these kinds, without running its code, which ``issubclass`` can do."""
    return issubclass(type(found), type) and not set(kinds).isdisjoint(found.__mro__)


def _no_part(module: str) -> bool:
    return _within(module, _NO_PARTS) and not _within(module, _PARTS)


def _within(name: str, packages: Sequence[str]) -> bool:
    """Whether a module is one of the packages, or in one of them."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _packages(trust: Sequence[str]) -> tuple[str, ...]:
    """The top-level packages that a user trusts: importing a submodule runs its package's code first.

    Raises:
        UsageError: if one is not the name of a package.
    """
    names = [trust] if isinstance(trust, str) else [*trust]
    packages = [part.strip() for name in names for part in str(name).split(",")]
    for package in packages:
        if not all(part.isidentifier() for part in package.split(".")):
            raise UsageError(f"trust takes names of packages, say my_package, got {package!r}")
    return tuple(package.partition(".")[0] for package in packages)


def _unknown(name: str, where: str, packages: tuple[str, ...], typed: str) -> str:
    """A sentence that says why a class cannot be found and what to do."""
    package, _, last = name.partition(".")[0], None, name.rpartition(".")[2]
    if package == _MAIN or "<locals>" in name:
        place = "a script or notebook" if package == _MAIN else "a function"
        return (
            f"{where} names {name}, a class that was defined in {place} and cannot be found from here; load it from "
            f"Python where the class is: {last}.load_from_checkpoint(path)"
        )
    if _within(name, packages):
        return f"{where} names {name}, but there is no {name} here; run from the folder that holds {package}"
    if _within(name, _HOMES):
        return f"{where} names {name}, which {package} does not have; it was saved by another version, or is damaged"
    return (
        f"{where} names {name}, and importing {package} would run its code; if you trust it, add --trust {package}"
        f"{typed}, or from Python trust=[{package!r}]"
    )
