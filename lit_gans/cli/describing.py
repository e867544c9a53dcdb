"""Describes options in the words of the index: the kinds of value that a type stands for, and what is said of it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse import Namespace
from jsonargparse import _typehints as jsonargparse

from lit_gans.cli.classes import kind_of
from lit_gans.cli.told import OURS

_SIMPLE = {int: "int", float: "float", bool: "bool", str: "str", type(None): "null"}


def options(parser: Any) -> dict[str, Any]:
    """The options of a parser as they are stored, by name."""
    found = {}
    for action in parser._actions:
        name = action.dest
        if not action.option_strings or name == "help" or name.endswith(".help"):
            continue
        found[name] = option(name, action)
    return found


def option(name: str, action: Any) -> dict[str, Any]:
    """One option as it is stored."""
    hint = getattr(action, "_typehint", None)
    kinds, values, of = _taken(hint) if hint is not None else (_without_type(action), [], "")
    stored: dict[str, Any] = {"kinds": " ".join(kinds)}
    if values:
        stored["choices"] = values
    if of:
        stored["of"] = of
    if "list" in kinds and (length := _length(hint)):
        stored["length"] = length
    default = None if action.default == "==SUPPRESS==" else plain(action.default)
    if default is not None:
        stored["default"] = default
    if action.required:
        stored["required"] = True
    if said := OURS.get(name) or text(action.help or ""):
        stored["help"] = said
    return stored


def _without_type(action: Any) -> list[str]:
    """The kinds of an option that the parser reads in a way of its own."""
    name = type(action).__name__
    if name == "ActionConfigFile":
        return ["path"]
    if name == "_ActionConfigLoad":
        return ["dict", "path"]
    if action.nargs in ("+", "*"):
        return ["list", "str"]
    return ["str", "null"] if name == "_ActionPrintConfig" else [_SIMPLE.get(action.type, "other")]


def _taken(hint: Any) -> tuple[list[str], list[Any], str]:
    """The kinds of value that a type stands for, those of a `Literal`, and the kind of class."""
    kinds: dict[str, None] = {}
    values: list[Any] = []
    of = ""
    for part in _parts(hint):
        if get_origin(part) is Literal:
            values += [value for value in get_args(part) if value is not None]
            kinds |= dict.fromkeys(["null"] if None in get_args(part) else [])
            continue
        kind, its = _kind(part)
        kinds[kind] = None
        of = of or its
    return list(kinds), values, "" if "str" in kinds else of  # a text may be anything


def _length(hint: Any) -> int:
    """How many values the lists of a type have; 0 if that is open."""
    lists = [part for part in _parts(hint) if get_origin(part) is not Literal and _kind(part)[0] == "list"]
    pairs = [get_args(part) for part in lists if get_origin(part) is tuple and ... not in get_args(part)]
    lengths = {len(pair) for pair in pairs}
    return lengths.pop() if len(pairs) == len(lists) and len(lengths) == 1 else 0


def _parts(hint: Any) -> list[Any]:
    if get_origin(hint) in (Union, UnionType):
        return [part for each in get_args(hint) for part in _parts(each)]
    return [hint]


def _kind(part: Any) -> tuple[str, str]:
    """The kind of value of a type without alternatives, and the kind of class."""
    if part in _SIMPLE:
        return _SIMPLE[part], ""
    origin = get_origin(part) or part
    bases = jsonargparse.get_subclass_types(part, also_lists=True, callable_return=True) or ()
    known = next((kind.word for base in bases for kind in [kind_of(base)] if kind is not None), "")
    if not isinstance(origin, type):
        return ("class", known) if known else ("other", "")
    if issubclass(origin, Path):
        return "path", ""
    if issubclass(origin, Mapping):
        return "dict", ""
    if issubclass(origin, (Sequence, Iterable, set)) and not known.endswith("network"):
        return "list", known
    return ("class", known) if known else ("other", "")


def plain(value: Any) -> Any:
    """A default as a JSON value; a class by its name."""
    if isinstance(value, Namespace):
        value = value.as_dict()
    if isinstance(value, dict):
        if path := value.get("class_path"):
            return _short(path)
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    shown = str(getattr(value, "value", value))
    return None if " at 0x" in shown or callable(value) else shown


def _short(path: str) -> str:
    cls = jsonargparse.import_object(path)
    kind = kind_of(cls)
    return kind.short(cls.__name__) if kind is not None else path


def text(said: str) -> str:
    """A description on one line, without the marks of reStructuredText and without its default."""
    said = re.split(r"\n\s*\.\. (?:warning|note|code|deprecated|versionadded|versionchanged|seealso)", said)[0]
    said = re.sub(r"`?([^`<]+?) <http[^`>]+>(?:`_+)?", r"\1", said)
    said = re.sub(r":\w+(?::\w+)?:`~?\.?([^`]+)`", r"\1", said).replace("`", "")
    said = re.sub(r"\blightning(?:\.\w+)+\.(\w+)", r"\1", " ".join(said.split()))
    said = re.sub(r"\s*\([Dd]efault:? [^()]*(?:\([^()]*\)[^()]*)?\)", "", said)
    return re.sub(r"\s*\(?\b[Dd]efaults?(?:\s+(?:to|is)|:)\s+[^.;)]*?\)?\.?$", "", said).strip()
