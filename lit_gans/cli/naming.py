"""Names of classes in a command, as the parser knows them: in any case, and short."""

from pathlib import Path

from lit_gans.cli.entries import KINDS_OF_BACKBONE
from lit_gans.cli.index import Entry, Option, index
from lit_gans.cli.resuming import is_module
from lit_gans.cli.scope import USUAL, Scope
from lit_gans.cli.words import OWN
from lit_gans.errors import UsageError, nearest


def named(word: str, path: str, option: Option, scope: Scope) -> str:
    """The name of a class as the parser knows it; the class is noted.

    Raises:
        UsageError: if there is no such class.
    """
    low = word.lower()
    if not word or (low in ("null", "none") and path in ("model", "data")):
        usual = USUAL.get(path, "the usual one")
        raise UsageError(
            f"--{path} takes the name of {_a(option.of)}, got {word or 'nothing'}; leave it out for {usual}"
        )
    if (low in ("null", "none") and "null" in option.kinds) or (low in ("true", "false") and "bool" in option.kinds):
        scope.name(path, "")
        return "null" if low == "none" else low
    if entry := _entry(word, path, option, scope):
        scope.name(path, entry.name)
        return word if word in (entry.short, entry.name, entry.path) else entry.short
    if {"str", "path"} & {*option.kinds}:  # a file of features, say
        scope.name(path, "")
        return word
    if word.endswith(".py"):
        raise UsageError(
            f"--{path} names a class, not a file: {Path(word).stem}.MyClass is the class MyClass in {word}"
        )
    if "/" in word:
        raise UsageError(
            f"--{path} takes {_a(option.of)}, got {word}; choose from {', '.join(index().names(option.of))}"
        )
    if "." in word:
        if not is_module(package := word.partition(".")[0]):
            raise UsageError(f"the class {word!r} cannot be used: No module named {package!r}")
        scope.name(path, "")
        return word
    names = [entry.short for entry in _entries(path, option, scope)]
    raise UsageError(f"unknown {option.of} {word!r}{nearest(word, names)}, {OWN}")


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}" if kind != "data" else "a data set"


def _entries(path: str, option: Option, scope: Scope) -> list[Entry]:
    """The classes that may stand at an option; of backbones, those of the model's kind."""
    entries = [*index().classes.get(option.of, {}).values()]
    own = scope.standing(path) if option.of == "backbone" else None
    if own is None:
        return entries
    base = KINDS_OF_BACKBONE & {*index().classes["backbone"][own.name].bases}
    return [entry for entry in entries if base <= {*entry.bases}]


def _entry(word: str, path: str, option: Option, scope: Scope) -> Entry | None:
    low = word.lower()
    entries = _entries(path, option, scope)
    exact = (entry for entry in entries if word in (entry.short, entry.name, entry.path))
    near = (entry for entry in entries if low in (entry.short.lower(), entry.name.lower()))
    return next(exact, None) or next(near, None)
