"""Makes the index of the command line: asks the parser for every option of every command and class."""

import inspect
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse import Namespace
from jsonargparse import _typehints as jsonargparse

from lit_gans.cli.classes import KINDS, choices, kind_of, our_rules
from lit_gans.cli.index import installed
from lit_gans.cli.parser import Parser
from lit_gans.cli.train import TrainCLI
from lit_gans.cli.words import TRAINING

_SIMPLE = {int: "int", float: "float", bool: "bool", str: "str", type(None): "null"}
_CONFIGS = Path("examples/configs")
_OURS: dict[str, str] = {  # in place of a text of Lightning's or jsonargparse's
    "config": "a file with options; options after it change what it says",
    "print_config": "prints all options with their values and ends",
    "seed_everything": "the seed of all random numbers; true draws one",
    "ckpt_path": "a checkpoint to go on from, or to look at",
    "best": "a file with options",
    "collapse": "a file with options",
    "last": "a file with options",
    "quality": "a file with options",
    "samples": "a file with options",
    "trainer": "a file with options",
    "weights_only": "has no use here: checkpoints are always read without running code",
}


class _Looking(TrainCLI):
    """Builds the parsers of the commands and stops before it parses."""

    def parse_arguments(self, parser: Any, args: Any) -> None:
        raise _Built(self._subcommand_parsers)


class _Built(Exception):
    pass


def made(shipped: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Makes the index as it is stored.

    Args:
        shipped: the one that this package came with, which knows the files of examples that are not installed.
    """
    with our_rules():
        commands = {command: _options(_parser(command)) for command in TRAINING}
        classes: dict[str, dict[str, Any]] = {}
        for kind in KINDS:
            found = choices(kind.base)
            classes.setdefault(kind.word, {}).update({name: entry(cls) for name, cls in found.items()})
    _add_configs(classes["model"], (shipped or {}).get("classes", {}).get("model", {}))
    return {"versions": installed(), "shared": {}, "commands": commands, "classes": classes}


def _parser(command: str) -> Parser:
    try:
        _Looking.run([command])
    except _Built as built:
        return built.args[0][command]
    raise AssertionError


def entry(cls: type) -> dict[str, Any]:
    """One class as it is stored."""
    kind = kind_of(cls)
    assert kind is not None
    parser = Parser()
    # the first argument of these is the model's to give
    skip = {1} if kind.word in ("optimizer", "scheduler") else None
    parser.add_class_arguments(cls, None, skip=skip, fail_untyped=False)
    options = _options(parser)
    declared = {
        name
        for owner in cls.__mro__
        if "__init__" in vars(owner)
        for name in inspect.signature(owner.__init__).parameters  # type: ignore[misc]
    }
    # some hand options on to a package that may or may not be there: WandbLogger to wandb
    own = {name: option for name, option in options.items() if name.partition(".")[0] in declared}
    made: dict[str, Any] = {
        "short": kind.short(cls.__name__),
        "path": jsonargparse.get_import_path(cls),
        "summary": _first_line(cls),
        "bases": [base.__name__ for base in cls.__mro__[1:-1] if base.__module__.partition(".")[0] == "lit_gans"],
        "options": own,
    }
    if len(own) < len(options):
        made["open"] = True
    backbone = getattr(cls, "default_backbone", None)
    if is_dataclass(backbone) and not isinstance(backbone, type):
        made["backbone"] = _standing(backbone)
    if card := re.search(r"Card: (\S+\.md)", cls.__doc__ or ""):
        made["card"] = card[1]
    return made


def _standing(backbone: Any) -> dict[str, Any]:
    """A model's own backbone, with the options that differ from the defaults."""
    usual = {name: field.default for name, field in type(backbone).__dataclass_fields__.items()}
    changed = {name: _plain(value) for name, value in asdict(backbone).items() if value != usual[name]}
    return {"name": type(backbone).__name__, "options": changed}


def _first_line(cls: type) -> str:
    return text((inspect.getdoc(cls) or "").strip().partition("\n\n")[0])


# -------------------------------------------------------------------- options


def _options(parser: Any) -> dict[str, Any]:
    found = {}
    for action in parser._actions:
        name = action.dest
        if not action.option_strings or name == "help" or name.endswith(".help"):
            continue
        found[name] = _option(name, action)
    return found


def _option(name: str, action: Any) -> dict[str, Any]:
    hint = getattr(action, "_typehint", None)
    kinds, values, of = _taken(hint) if hint is not None else (_without_type(action), [], "")
    stored: dict[str, Any] = {"kinds": " ".join(kinds)}
    if values:
        stored["choices"] = values
    if of:
        stored["of"] = of
    default = None if action.default == "==SUPPRESS==" else _plain(action.default)
    if default is not None:
        stored["default"] = default
    if action.required:
        stored["required"] = True
    if said := _OURS.get(name) or text(action.help or ""):
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
    return list(kinds), values, of


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


def _plain(value: Any) -> Any:
    """A default as a JSON value; a class by its name."""
    if isinstance(value, Namespace):
        value = value.as_dict()
    if isinstance(value, dict):
        if path := value.get("class_path"):
            return _short(path)
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
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
    said = re.sub(r"`([^`<]+) <[^`>]+>`_+", r"\1", said)
    said = re.sub(r":\w+(?::\w+)?:`~?\.?([^`]+)`", r"\1", said).replace("``", "")
    said = " ".join(said.split())
    return re.sub(r"\s*\(?\b[Dd]efaults?(?:\s+(?:to|is)|:)\s+[^.;)]*?\)?\.?$", "", said).strip()


# -------------------------------------------------------------------- examples, and the file


def _add_configs(models: dict[str, Any], shipped: Mapping[str, Any]) -> None:
    """Adds the configurations of each model, from the sources or else as the shipped index has them."""
    import yaml

    found: dict[str, list[str]] = {}
    for file in sorted((Path(__file__).parents[2] / _CONFIGS).glob("*.yaml")):
        path = yaml.safe_load(file.read_text("utf-8"))["model"]["class_path"]
        found.setdefault(path.rpartition(".")[2], []).append((_CONFIGS / file.name).as_posix())
    for name, stored in models.items():
        configs = found.get(name) if found else shipped.get(name, {}).get("configs")
        if configs:
            stored["configs"] = configs


def written(stored: dict[str, Any]) -> str:
    """The text of an index: an option that several have stands once, and each has a line."""
    every = [*stored["commands"].values()]
    every += [entry["options"] for entries in stored["classes"].values() for entry in entries.values()]
    seen: dict[str, dict[str, int]] = {}
    for options in every:
        for name, option in options.items():
            uses = seen.setdefault(name, {})
            uses[_line(option)] = uses.get(_line(option), 0) + 1
    keys: dict[tuple[str, str], str] = {}
    for name in sorted(seen):
        for number, line in enumerate(sorted(line for line, uses in seen[name].items() if uses > 1)):
            keys[name, line] = f"{name}~{number + 1}" if number else name
    shared = ",\n".join(f"  {_line(key)}: {line}" for (_, line), key in keys.items())

    def listed(options: dict[str, Any], indent: str) -> str:
        """One line for every option of its own; those that are shared together."""
        parts, row = [], []
        for name, option in options.items():
            key = keys.get((name, _line(option)))
            if key is not None:
                row.append(f"{_line(name)}: {_line(key)}")
            else:
                parts += [", ".join(row)] if row else []
                row = []
                parts.append(f"{_line(name)}: {_line(option)}")
        parts += [", ".join(row)] if row else []
        return "{" + ",".join(f"\n{indent}{part}" for part in parts) + "}"

    commands = ",\n".join(f"  {_line(name)}: {listed(options, '   ')}" for name, options in stored["commands"].items())
    kinds = []
    for kind, entries in stored["classes"].items():
        lines = []
        for name, entry in entries.items():
            rest = _line({key: value for key, value in entry.items() if key != "options"})[:-1]
            lines.append(f'   {_line(name)}: {rest}, "options": {listed(entry["options"], "    ")}}}')
        kinds.append(f"  {_line(kind)}: {{\n" + ",\n".join(lines) + "}")
    return (
        f'{{"versions": {_line(stored["versions"])},\n "shared": {{\n{shared}}},\n'
        f' "commands": {{\n{commands}}},\n "classes": {{\n' + ",\n".join(kinds) + "}}\n"
    )


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
