"""Writes the stubs that editors and type checkers read: ``python tools/stubs.py``.

A model hands on what it does not know itself, ``**latent: Any``. At run time that is one truth in one place, and the
command line follows it to the last argument; an editor does not, and completes nothing. A stub beside the
``__init__.py`` of a package names every argument of every class that it exports. Each class of a stub refines the real
one by its constructor alone. ``tests/test_stubs.py`` fails when a stub is not what this would write.
"""

import ast
import builtins
import functools
import inspect
import textwrap
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

PACKAGES = ("lit_gans", "lit_gans.families", "lit_gans.models", "lit_gans.data")
HEAD = '"""Every argument of every class by name, for editors. Written by tools/stubs.py, not by hand."""\n'


#: what Python takes beside what the command line reads from an annotation: names, and Lightning's dict of a schedule
ALSO = {
    "OptimizerCallable": "OptimizerCallable | str",
    "LRSchedulerCallable": "LRSchedulerCallable | str | dict[str, object]",
}


class Argument(NamedTuple):
    """An argument of a constructor, as its source spells it."""

    name: str
    annotation: str
    default: str | None
    positional: bool
    owner: type  # whose constructor has it

    def __str__(self) -> str:
        annotation = self.annotation
        for read, taken in ALSO.items():
            annotation = annotation.replace(read, taken)
        return f"{self.name}: {annotation}{'' if self.default is None else f' = {self.default}'}"


def arguments(cls: type) -> list[Argument]:
    """Every argument that a class takes: its own, and those that its constructor hands on by ``**``.

    Raises:
        ValueError: if an argument has no annotation.
    """
    found: dict[str, Argument] = {}
    fixed: set[str] = set()
    places = 0  # of the next constructor's arguments, which are filled by position
    for depth, owner in enumerate(base for base in cls.__mro__ if "__init__" in vars(base)):
        node = constructor(owner)
        own = own_arguments(owner, node)
        fixed |= {*list(own)[:places]}
        for name, argument in own.items():
            if not depth:
                found[name] = argument
            elif name not in fixed and name not in found:  # handed on, so by name
                found[name] = argument._replace(positional=False)
        places, named = handed_on(node)
        fixed |= named
        if node.args.kwarg is None:
            break
    return list(found.values())


def source(cls: type) -> str:
    """The text of a class's ``__init__``."""
    return textwrap.dedent(inspect.getsource(vars(cls)["__init__"]))


def constructor(cls: type) -> ast.FunctionDef:
    """What that text says."""
    (node,) = ast.parse(source(cls)).body
    assert isinstance(node, ast.FunctionDef)
    return node


def own_arguments(owner: type, node: ast.FunctionDef) -> dict[str, Argument]:
    """Those that a constructor names, without ``self``."""
    first = [*node.args.posonlyargs, *node.args.args][1:]
    missing: list[ast.expr | None] = [None]
    defaults = [*missing * (len(first) - len(node.args.defaults)), *node.args.defaults, *node.args.kw_defaults]
    made, text = {}, source(owner)
    for arg, default in zip([*first, *node.args.kwonlyargs], defaults, strict=True):
        if arg.annotation is None:
            raise ValueError(f"{owner.__name__}: the argument {arg.arg} has no annotation")
        value = None if default is None else spelled(default, text)
        made[arg.arg] = Argument(arg.arg, spelled(arg.annotation, text), value, arg in first, owner)
    return made


def spelled(node: ast.expr, text: str) -> str:
    """An expression as its author wrote it, on one line."""
    return " ".join((ast.get_source_segment(text, node) or "").split())


def handed_on(node: ast.FunctionDef) -> tuple[int, set[str]]:
    """What a constructor says to the next one, which nobody else may: how many by position, and the names of others."""
    calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
    parent = next((call for call in calls if ast.unparse(call.func) == "super().__init__"), None)
    if parent is None:
        return 0, set()
    return len(parent.args), {keyword.arg for keyword in parent.keywords if keyword.arg is not None}


# -------------------------------------------------------------------- names


@functools.cache
def imported(module: str) -> dict[str, tuple[str, str]]:
    """For every name that a module imports, where from and what; nothing for a module itself."""
    found = {}
    for node in ast.walk(ast.parse(inspect.getsource(import_module(module)))):
        for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
            home = (node.module or "", alias.name) if isinstance(node, ast.ImportFrom) else (alias.name, "")
            found[alias.asname or alias.name.partition(".")[0]] = home
    return found


def origin(module: str, name: str) -> str:
    """The statement that imports what a module calls ``name`` from where it was made."""
    home, original = module, name
    while original in imported(home):
        home, original = imported(home)[original]
        if not home.startswith("lit_gans"):
            break
    if not original:
        return f"import {home}" if home == name else f"import {home} as {name}"
    return f"from {home} import {original}{f' as {name}' if name != original else ''}"


def imports(argument: Argument) -> set[str]:
    """The statements that an argument's annotation and default need."""
    module = vars(argument.owner)["__init__"].__module__
    words = [argument.annotation, argument.default or "None"]
    names = {node.id for word in words for node in ast.walk(ast.parse(word)) if isinstance(node, ast.Name)}
    return {origin(module, name) for name in names if not hasattr(builtins, name)}


# -------------------------------------------------------------------- stubs


def stub(package: str) -> str:
    """What the ``__init__.pyi`` of a package has to say.

    Raises:
        ValueError: if two modules mean different things by one name.
    """
    home = import_module(package)
    names = [name for name in home.__all__ if name != "__version__"]
    elsewhere = getattr(home, "_HOME", {})  # of what a package imports on first use
    refined = [
        cls
        for cls in (getattr(home, name) for name in names)
        if hides_arguments(cls) and elsewhere.get(cls.__name__) not in PACKAGES
    ]
    refined.sort(key=lambda cls: (len(cls.__mro__), cls.__name__))  # what is above comes before what is below
    statements = {f"from {cls.__module__} import {cls.__name__} as _{cls.__name__}" for cls in refined}
    for name in {*names} - {cls.__name__ for cls in refined}:
        place = f"from {elsewhere[name]} import {name}" if name in elsewhere else origin(package, name)
        statements.add(f"{place} as {name}")
    classes = []
    for cls in refined:
        statements |= {needed for argument in arguments(cls) for needed in imports(argument)}
        classes.append(refinement(cls, refined))
    if any(map(inspect.isabstract, refined)):
        statements.add("from abc import ABCMeta")
    refuse_two_meanings(statements)
    listed = "".join(f'    "{name}",\n' for name in home.__all__)
    lazy = ["__version__: str", "_HOME: dict[str, str]\n"] if elsewhere else []
    return "\n".join([HEAD, *sorted(statements), "", *lazy, f"__all__ = [\n{listed}]\n", *classes])


def hides_arguments(value: Any) -> bool:
    """Whether this is a class whose constructor hands on what it does not name."""
    if not isinstance(value, type) or not value.__module__.startswith("lit_gans."):
        return False
    owner = next(base for base in value.__mro__ if "__init__" in vars(base))
    written = inspect.isfunction(vars(owner)["__init__"])  # an error's is C's
    return written and constructor(owner).args.kwarg is not None


def refinement(cls: type, refined: list[type]) -> str:
    """The class with a constructor that names everything; it descends from those of the stub that it descends from."""
    above = [base for base in cls.__mro__[1:] if base in refined]
    nearest = [base for base in above if not any(issubclass(other, base) for other in above if other is not base)]
    abstract = ["metaclass=ABCMeta"] * inspect.isabstract(cls)  # which a stub has to say itself
    bases = ", ".join([f"_{cls.__name__}", *(base.__name__ for base in nearest), *abstract])
    every = arguments(cls)
    star = ["*"] if any(not argument.positional for argument in every) else []
    lines = [*filter(lambda a: a.positional, every), *star, *filter(lambda a: not a.positional, every)]
    inside = "".join(f"        {line},\n" for line in ["self", *lines])
    return f"class {cls.__name__}({bases}):\n    def __init__(\n{inside}    ) -> None: ...\n"


def refuse_two_meanings(statements: set[str]) -> None:
    """One name is one thing in a file."""
    names: dict[str, str] = {}
    for statement in sorted(statements):
        name = statement.rpartition(" ")[2]
        if names.setdefault(name, statement) != statement:
            raise ValueError(f"{name} is two things: {names[name]!r} and {statement!r}; name one of them otherwise")


def place(package: str) -> Path:
    """Where the stub of a package is."""
    return Path(str(import_module(package).__file__)).with_suffix(".pyi")


if __name__ == "__main__":
    for package in PACKAGES:
        place(package).write_text(stub(package), encoding="utf-8")
        print(f"wrote {place(package)}")
