"""Checks a part of a configuration against the index: names of classes, names of options and simple values."""

from pathlib import Path
from typing import Any

from lit_gans.cli.arguments import YAML
from lit_gans.cli.index import Option, index
from lit_gans.cli.moved import refuse_moved
from lit_gans.cli.naming import named
from lit_gans.cli.nearby import suggestion
from lit_gans.cli.scope import USUAL, NoClass, Scope, Unknown
from lit_gans.cli.values import NotTaken, Wrong, refuse_values, spelled, wanted
from lit_gans.cli.words import TRAINING
from lit_gans.errors import UsageError


def check_section(path: str, value: Any, scope: Scope, file: str) -> None:
    """Checks a part of a configuration, and notes its classes.

    Args:
        path: the option that holds the part; empty for a whole configuration.
        value: the part.
        scope: the classes that are named so far.
        file: where it stands; empty for JSON on the command line.

    Raises:
        UsageError: for an option that there is not, an unknown class or a wrong value.
    """
    if isinstance(value, list):
        plain = [each for each in value if isinstance(each, (str, int, float))]
        if plain and len(plain) == len(value) and (option := _found(path, scope, file)) is not None and not option.of:
            _check_plain(path, value, option, file)
        for each in value:
            if isinstance(each, dict):
                check_section(path, each, scope, file)
        return
    if path in TRAINING and path not in scope.options:
        raise UsageError(
            f"{file} has a section for each command; such a file stands before the command: --config {file} {path}"
        )
    option = _found(path, scope, file) if path else None
    if path in USUAL and value is None:
        raise UsageError(f"{_shown(path, file)} is null; name one, or leave it out for {USUAL[path]}")
    if option is not None and option.of and isinstance(value, (dict, str)):
        value = _class_in_file(path, value, option, scope, file)
    if isinstance(value, dict) and (not path or (option is not None and (option.of or scope.has_parts(path)))):
        if path == "model" and (entry := scope.entry("model")):
            refuse_moved(value, entry.options, moved())
        for name, inner in value.items():
            if name not in ("class_path", "init_args", "dict_kwargs"):
                check_section(f"{path}.{name}" if path else name, inner, scope, file)
    elif option is not None and (option.of or scope.has_parts(path)):
        if not isinstance(value, (bool, str, type(None), dict)):
            raise UsageError(
                f"{_shown(path, file)} must be {'a class' if option.of else 'its options by name'}, got {value}"
            )
    elif option is not None and path and isinstance(value, (str, int, float)):
        _check_plain(path, value, option, file)


def _shown(path: str, file: str) -> str:
    """An option in an error: by the file that it stands in, or as a flag."""
    return f"{file}: {path}" if file else f"--{path}"


def _class_in_file(path: str, value: Any, option: Option, scope: Scope, file: str) -> Any:
    """The options of a class in a file, whose name is noted."""
    name = value if isinstance(value, str) else value.get("class_path")
    if isinstance(name, str) and not (isinstance(value, str) and Path(name).suffix in YAML):
        try:
            named(name, path, option, scope)
        except UsageError as error:
            raise UsageError(f"{file}: {error}" if file else str(error)) from None
    if isinstance(value, dict):
        scope.given.add(path)
        if not isinstance(name, (str, type(None))):
            raise UsageError(f"{_shown(path, file)}.class_path must be the name of a class, got {name}")
        inner = value.get("init_args")
        if inner is not None and not isinstance(inner, dict):
            raise UsageError(f"{_shown(path, file)}.init_args must be options by name, got {inner}")
        rest = {key: each for key, each in value.items() if key not in ("class_path", "init_args")}
        return {**rest, **(inner if isinstance(inner, dict) else {})}
    return {}


def _found(path: str, scope: Scope, file: str) -> Option | None:
    try:
        full, option = scope.find(path)
    except Unknown as error:
        raise UsageError(f"{_shown(path, file)} is no option of {error.owner}{suggestion(error, scope)}") from None
    except NoClass as error:
        raise UsageError(without_class(_shown(path, file), error, scope)) from None
    scope.given.add(full)
    return option


def _check_plain(path: str, value: Any, option: Option, file: str) -> None:
    words = [str(each).lower() if isinstance(each, bool) else str(each) for each in _listed(value)]
    text = f"[{', '.join(words)}]" if isinstance(value, list) else words[0]
    try:
        spelled(option, [text])
        refuse_values(path, text)
    except (Wrong, NotTaken) as error:
        if isinstance(error, NotTaken):
            raise UsageError(f"{_shown(path, file)} {error}") from None
        raise UsageError(f"{_shown(path, file)} must be {wanted(option)}, got {error}") from None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def without_class(shown: str, error: NoClass, scope: Scope) -> str:
    """The sentence about an option of a class that is not named."""
    path = str(error)
    option = quietly(path, scope)
    names = index().names(option.of) if option is not None else []
    return f"{shown} is an option of a class that is not named; add --{path} and its name, say --{path} {names[0]}"


def moved() -> set[str]:
    """The options of all backbones, and one that is a backbone of its own now."""
    return {name for entry in index().classes["backbone"].values() for name in entry.options} | {"residual"}


def quietly(path: str, scope: Scope) -> Option | None:
    """An option; None if there is none."""
    try:
        return scope.find(path)[1]
    except (Unknown, NoClass):
        return None
