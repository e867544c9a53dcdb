"""Checks a command against the index before anything slow is imported: its flags, its classes, its simple values.

What the index does not know, a class of the user's own and its options, is left to the parser.
"""

from collections.abc import Sequence
from pathlib import Path

import yaml

from lit_gans.cli import settings, switches
from lit_gans.cli.arguments import YAML, Unit, classes_first
from lit_gans.cli.index import Option, index
from lit_gans.cli.moved import refuse_moved
from lit_gans.cli.naming import named
from lit_gans.cli.nearby import suggestion
from lit_gans.cli.scope import NoClass, Scope, Unknown
from lit_gans.cli.sections import check_section, moved, quietly, without_class
from lit_gans.cli.values import NotTaken, Wrong, refuse_values, spelled, wanted
from lit_gans.errors import UsageError

# arguments that a model takes from the data
_LINKED = ("image_shape", "source_shape", "num_classes", "text_shape", "source_text_shape")


def checked(units: Sequence[Unit], command: str, whole: bool = True) -> list[Unit]:
    """The flags of a command with their full names, and with values as the parser reads them.

    Args:
        units: the flags.
        command: fit, validate, test or predict.
        whole: whether they are the whole command, in which nothing that a class needs may be missing.

    Raises:
        UsageError: for an option that there is not, an unknown class, a wrong value, or one that is missing.
    """
    scope = Scope(command)
    files = [unit for unit in units if unit.name == "config"]
    for unit in files:
        if not unit.values or not unit.values[0].strip():
            raise UsageError("--config takes a file; 'lit-gans fit --print_config' writes one")
        check_section("", switches.spelled_out_in(settings.read(unit.values[0])), scope, unit.values[0])
    _refuse_old(units, scope)
    said = []
    for unit in classes_first([unit for unit in units if unit.name != "config"]):
        said += _flag(unit, scope)
    if whole:
        _complete(said, scope)
    return [*files, *said]


def takes(command: str, name: str) -> str:
    """How many words a flag takes: "none", "one", "many" or "switch" (one that may be left out)."""
    if name in ("print_config", "help"):
        return "none"
    try:
        option = Scope(command).find(name.removesuffix("+"))[1]
    except (Unknown, NoClass):
        return "many" if "." in name else "one"
    if option is None or name == "trust":
        return "many"
    if "bool" in option.kinds and not {"str", "class"} & {*option.kinds}:
        return "switch"
    return "many" if "list" in option.kinds else "one"


def _refuse_old(units: Sequence[Unit], scope: Scope) -> None:
    """Refuses what was an option of a model in 0.1 and is one of its networks now."""
    model = next((u.values[0] for u in units if u.key == "model" and u.values), scope.named["model"])
    entry = index().find("model", model)
    given = {u.name.removeprefix("model."): " ".join(u.values) for u in units if u.name.startswith("model.")}
    if entry is not None:
        refuse_moved({name: value for name, value in given.items() if "." not in name}, entry.options, moved())


def _flag(unit: Unit, scope: Scope) -> list[Unit]:
    """One flag as the parser reads it."""
    name, plus = unit.name.removesuffix("+"), unit.name.endswith("+")
    if unit.name == "print_config":
        return [unit]
    try:
        full, option = scope.find(name)
    except Unknown as error:
        raise UsageError(_unknown(error, unit, scope)) from None
    except NoClass as error:
        raise UsageError(without_class(f"--{unit.typed}", error, scope)) from None
    scope.given.add(full)
    if plus and option is not None and not {"list", "other"} & {*option.kinds}:
        raise UsageError(f"--{unit.typed} adds to a list, and --{full} takes one value; leave the + out")
    if plus and option is not None and full in scope.named:
        scope.name(full, "")
    unit.name = f"{full}+" if plus else full
    if full == "trust":
        unit.values = [",".join(unit.values)]
    if option is None:
        unit.values = [",".join(unit.values)] if unit.values else []
        return [unit]
    if full.startswith("model.") and full.removeprefix("model.") in _LINKED and (data := scope.entry("data")):
        size = ": --size sets it" if full == "model.image_shape" else ""
        raise UsageError(f"--{full} comes from the data, here {data.name}{size}; leave it out")
    if not unit.values or _blank(unit, option):
        if unit.values or not _may_stand_alone(option):
            lists = {"model": "models", "data": "data", "config": "configs"}
            where = f"; 'lit-gans list {lists[full]}' names what there is" if full in lists else ""
            raise UsageError(f"--{unit.typed} takes {wanted(option) or 'a value'}, and nothing was given{where}")
        unit.values = ["true"]
    if option.of:
        return _class(unit, full, option, scope)
    if scope.has_parts(full):
        _whole(unit, full, scope)
        return [unit]
    try:
        unit.values = spelled(option, unit.values)
        refuse_values(full, unit.values[0])
    except NotTaken as error:
        raise UsageError(f"--{_shown(unit, full)} {error}") from None
    except Wrong as error:
        raise UsageError(f"--{_shown(unit, full)} must be {wanted(option)}, got {error}") from None
    return [unit]


def _whole(unit: Unit, path: str, scope: Scope) -> None:
    """Several options in one word: a file or JSON."""
    word = unit.values[0]
    if word.lower() in ("true", "false", "null"):
        return
    try:
        value = yaml.safe_load(word) if word[:1] == "{" else settings.read(word)
    except (yaml.YAMLError, UsageError):
        names = ", ".join(f"--{path}.{name}" for name in [*scope.parts(path)][:4])
        raise UsageError(
            f"--{path} takes a file with its options, got {word or 'nothing'}; its options are {names}, ..."
        ) from None
    check_section(path, value, scope, word if word[:1] != "{" else "")


def _blank(unit: Unit, option: Option) -> bool:
    """Whether a value is empty, ``--epochs=``, where that is none."""
    return not " ".join(unit.values).strip() and option.default != ""


def _may_stand_alone(option: Option) -> bool:
    return "bool" in option.kinds


def _shown(unit: Unit, full: str) -> str:
    return unit.typed if "." not in unit.typed and unit.typed != full else full


def _unknown(error: Unknown, unit: Unit, scope: Scope) -> str:
    """The sentence about an option that there is not."""
    if error.part in ("help", "h"):
        return f"--{unit.typed} cannot be answered; 'lit-gans {scope.command} --help' lists the options"
    name = unit.typed if "." not in unit.typed else f"{error.prefix}{error.part}"
    flag = f"-{name}" if len(name) == 1 else f"--{name}"
    value = f" {unit.values[0]}" if unit.values else ""
    if unit.key.startswith("data.") and error.owner == "Glyphs" and "data" not in scope.given:
        others = [entry.name for entry in index().classes["data"].values() if error.part in entry.options]
        if others:
            say = "ImageFolder" if "ImageFolder" in others else others[0]
            return (
                f"--{name} is no option of Glyphs, the data set without --data; name one, say --data {say} "
                f"--{name}{value}"
            )
    if error.prefix.removesuffix(".") in scope.several:
        return f"{flag} is no option of {error.owner}, which was named last; options follow the class that has them"
    return f"{flag} is no option of {error.owner}{suggestion(error, scope)}"


def _class(unit: Unit, path: str, option: Option, scope: Scope) -> list[Unit]:
    """A flag that names a class, or several."""
    words = [part.strip() for word in unit.values for part in _parts(word)]
    if words == [""] and "list" in option.kinds:
        return [unit]
    if len(words) == 1 and words[0][:1] in ("[", "{"):
        return _described(unit, path, option, scope, words[0])
    if len(words) == 1 and Path(words[0]).suffix in YAML:
        if path not in ("model", "data"):
            settings.read(words[0])
            return [unit]
        if {"model", "data", "trainer"} & settings.read(words[0]).keys():
            raise UsageError(f"{words[0]} is the configuration of a whole run: --config {words[0]}")
        check_section(path, settings.read(words[0]), scope, words[0])
        return [unit]
    names = [named(word, path, option, scope) for word in words]
    scope.given.add(path)
    if len(names) == 1:
        unit.values = names
        return [unit]
    if "list" not in option.kinds:
        raise UsageError(f"--{path} takes one {option.of}, got {', '.join(words)}")
    plus = unit.name.endswith("+")
    scope.several.add(path)
    return [Unit(f"{path}+" if plus or at else path, [name], unit.typed) for at, name in enumerate(names)]


def _parts(word: str) -> list[str]:
    bare = word[1:-1] if word[:1] + word[-1:] == "[]" and "{" not in word and ":" not in word else word
    return [bare] if "{" in bare or "," not in bare else bare.split(",")


def _described(unit: Unit, path: str, option: Option, scope: Scope, text: str) -> list[Unit]:
    """A class with its options in one word, ``{class_path: Adam, init_args: {lr: 0.1}}``, or a list of such."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UsageError(f"--{path} is neither a name nor JSON: {text}") from None
    if isinstance(value, list) and "list" not in option.kinds:
        raise UsageError(f"--{path} takes one {option.of}, got {text}")
    for each in value if isinstance(value, list) else [value]:
        check_section(path, each, scope, "")
    return [unit]


def _complete(said: Sequence[Unit], scope: Scope) -> None:
    """Refuses classes without the options that they need."""
    if any(unit.name == "print_config" for unit in said):
        return
    for path, short in scope.named.items():
        if not short or "+" in path:
            continue
        option = scope.options.get(path) or quietly(path, scope)
        known = scope.options_at(path, option) if option is not None else None
        if known is None:
            continue
        given = {name.removeprefix(f"{path}.") for name in scope.given}
        missing = [n for n, o in known[1].items() if o.required and o.default is None and n not in given]
        missing = [name for name in missing if path != "model" or name not in _LINKED]
        if missing and not _in_json(said, path):
            flags = " and ".join(f"--{path}.{name}" for name in missing)
            raise UsageError(f"{known[0]} needs {flags}: {known[1][missing[0]].help}".rstrip(". :"))


def _in_json(said: Sequence[Unit], path: str) -> bool:
    return any(path.startswith(unit.key) and unit.values and unit.values[0][:1] in "[{" for unit in said)
