"""Checks a command against the index before anything slow is imported: its flags, its classes, its simple values.

What the index does not know, a class of the user's own and its options, is left to the parser.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lit_gans.cli import settings, switches
from lit_gans.cli.arguments import YAML, Unit, classes_first
from lit_gans.cli.index import Entry, Option, index
from lit_gans.cli.moved import refuse_moved
from lit_gans.cli.nearby import suggestion
from lit_gans.cli.resuming import is_module
from lit_gans.cli.scope import USUAL, NoClass, Scope, Unknown
from lit_gans.cli.values import NotTaken, Wrong, refuse_values, spelled, wanted
from lit_gans.cli.words import OWN
from lit_gans.errors import UsageError, nearest

_LINKED = ("image_shape", "source_shape", "num_classes", "text_shape")  # arguments that a model takes from the data


def checked(units: Sequence[Unit], command: str) -> list[Unit]:
    """The flags of a command with their full names, and with values as the parser reads them.

    Raises:
        UsageError: for an option that there is not, an unknown class, a wrong value, or one that is missing.
    """
    scope = Scope(command)
    files = [unit for unit in units if unit.name == "config"]
    for unit in files:
        if not unit.values:
            raise UsageError("--config takes a file; 'lit-gans fit --print_config' writes one")
        _section("", switches.spelled_out_in(settings.read(unit.values[0])), scope, unit.values[0])
    _refuse_old(units, scope)
    said = []
    for unit in classes_first([unit for unit in units if unit.name != "config"]):
        said += _flag(unit, scope)
    _complete(said, scope, bool(files))
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


# -------------------------------------------------------------------- flags


def _refuse_old(units: Sequence[Unit], scope: Scope) -> None:
    """Refuses what was an option of a model in 0.1 and is one of its networks now."""
    model = next((u.values[0] for u in units if u.key == "model" and u.values), scope.named["model"])
    entry = index().find("model", model)
    given = {u.name.removeprefix("model."): " ".join(u.values) for u in units if u.name.startswith("model.")}
    if entry is not None:
        refuse_moved({name: value for name, value in given.items() if "." not in name}, entry.options, _moved())


def _moved() -> set[str]:
    """The options of all backbones, and one that is a backbone of its own now."""
    return {name for entry in index().classes["backbone"].values() for name in entry.options} | {"residual"}


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
        raise UsageError(_without_class(f"--{unit.typed}", error, scope)) from None
    scope.given.add(full)
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
    if not unit.values:
        if not _may_stand_alone(option):
            raise UsageError(f"--{unit.typed} takes {wanted(option) or 'a value'}, and nothing was given")
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
    _section(path, value, scope, word if word[:1] != "{" else "")


def _without_class(shown: str, error: NoClass, scope: Scope) -> str:
    path = str(error)
    option = _quietly(path, scope)
    names = index().names(option.of) if option is not None else []
    return f"{shown} is an option of a class that is not named; add --{path} and its name, say --{path} {names[0]}"


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


# -------------------------------------------------------------------- classes


def _class(unit: Unit, path: str, option: Option, scope: Scope) -> list[Unit]:
    """A flag that names a class, or several."""
    words = [part.strip() for word in unit.values for part in _parts(word)]
    if len(words) == 1 and words[0][:1] in "[{":
        return _described(unit, path, option, scope, words[0])
    if len(words) == 1 and Path(words[0]).suffix in YAML:
        if path not in ("model", "data"):
            settings.read(words[0])
            return [unit]
        if {"model", "data", "trainer"} & settings.read(words[0]).keys():
            raise UsageError(f"{words[0]} is the configuration of a whole run: --config {words[0]}")
        _section(path, settings.read(words[0]), scope, words[0])
        return [unit]
    named = [_named(word, path, option, scope) for word in words]
    scope.given.add(path)
    if len(named) == 1:
        unit.values = named
        return [unit]
    if "list" not in option.kinds:
        raise UsageError(f"--{path} takes one {option.of}, got {', '.join(words)}")
    plus = unit.name.endswith("+")
    scope.several.add(path)
    return [Unit(f"{path}+" if plus or at else path, [name], unit.typed) for at, name in enumerate(named)]


def _parts(word: str) -> list[str]:
    bare = word[1:-1] if word[:1] + word[-1:] == "[]" and "{" not in word and ":" not in word else word
    return [bare] if "{" in bare or "," not in bare else bare.split(",")


def _described(unit: Unit, path: str, option: Option, scope: Scope, text: str) -> list[Unit]:
    """A class with its options in one word, ``{class_path: Adam, init_args: {lr: 0.1}}``, or a list of such."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UsageError(f"--{path} is neither a name nor JSON: {text}") from None
    for each in value if isinstance(value, list) else [value]:
        _section(path, each, scope, "")
    return [unit]


def _named(word: str, path: str, option: Option, scope: Scope) -> str:
    """The name of a class as the parser knows it."""
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
        scope.name(path, entry.name)  # not the short one, which two may share: ResNet is a translator, too
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
    base = {*index().classes["backbone"][own.name].bases} & {"Backbone", "TranslationBackbone"}
    return [entry for entry in entries if base <= {*entry.bases}]


def _entry(word: str, path: str, option: Option, scope: Scope) -> Entry | None:
    low = word.lower()
    entries = _entries(path, option, scope)
    exact = (entry for entry in entries if word in (entry.short, entry.name, entry.path))
    near = (entry for entry in entries if low in (entry.short.lower(), entry.name.lower()))
    return next(exact, None) or next(near, None)


# -------------------------------------------------------------------- files


def _section(path: str, value: Any, scope: Scope, file: str) -> None:
    """Checks a part of a configuration: names of classes, names of options and simple values."""
    if isinstance(value, list):
        for each in value:
            if isinstance(each, dict):
                _section(path, each, scope, file)
        return
    option = _found(path, scope, file) if path else None
    if option is not None and option.of and isinstance(value, (dict, str)):
        value = _class_in_file(path, value, option, scope, file)
    if isinstance(value, dict) and (not path or (option is not None and (option.of or scope.has_parts(path)))):
        if path == "model" and (entry := scope.entry("model")):
            refuse_moved(value, entry.options, _moved())
        for name, inner in value.items():
            if name not in ("class_path", "init_args", "dict_kwargs"):
                _section(f"{path}.{name}" if path else name, inner, scope, file)
    elif option is not None and (option.of or scope.has_parts(path)):
        if not isinstance(value, (bool, str, type(None), dict)):
            shown = f"{file}: {path}" if file else f"--{path}"
            raise UsageError(f"{shown} must be {'a class' if option.of else 'its options by name'}, got {value}")
    elif option is not None and path and isinstance(value, (str, int, float)):
        _check_plain(path, value, option, file)


def _class_in_file(path: str, value: Any, option: Option, scope: Scope, file: str) -> Any:
    """The options of a class in a file, whose name is noted."""
    name = value if isinstance(value, str) else value.get("class_path")
    if isinstance(name, str) and not (isinstance(value, str) and Path(name).suffix in YAML):
        try:
            _named(name, path, option, scope)
        except UsageError as error:
            raise UsageError(f"{file}: {error}" if file else str(error)) from None
    if isinstance(value, dict):
        scope.given.add(path)
        inner = value.get("init_args")
        if inner is not None and not isinstance(inner, dict):
            raise UsageError(f"{f'{file}: ' if file else '--'}{path}.init_args must be options by name, got {inner}")
        rest = {key: each for key, each in value.items() if key not in ("class_path", "init_args")}
        return {**rest, **(inner if isinstance(inner, dict) else {})}
    return {}


def _found(path: str, scope: Scope, file: str) -> Option | None:
    try:
        full, option = scope.find(path)
    except Unknown as error:
        shown = f"{file}: {path}" if file else f"--{path}"
        raise UsageError(f"{shown} is no option of {error.owner}{suggestion(error, scope)}") from None
    except NoClass as error:
        raise UsageError(_without_class(f"{file}: {path}" if file else f"--{path}", error, scope)) from None
    scope.given.add(full)
    return option


def _check_plain(path: str, value: Any, option: Option, file: str) -> None:
    text = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else str(value)
    try:
        spelled(option, [str(text)])
        refuse_values(path, str(text))
    except (Wrong, NotTaken) as error:
        shown = f"{file}: {path}" if file else f"--{path}"
        if isinstance(error, NotTaken):
            raise UsageError(f"{shown} {error}") from None
        raise UsageError(f"{shown} must be {wanted(option)}, got {error}") from None


# -------------------------------------------------------------------- what is missing


def _complete(said: Sequence[Unit], scope: Scope, files: bool) -> None:
    """Refuses classes without the options that they need."""
    if any(unit.name == "print_config" for unit in said):
        return
    for path, short in scope.named.items():
        if not short or "+" in path:
            continue
        option = scope.options.get(path) or _quietly(path, scope)
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


def _quietly(path: str, scope: Scope) -> Option | None:
    try:
        return scope.find(path)[1]
    except (Unknown, NoClass):
        return None
