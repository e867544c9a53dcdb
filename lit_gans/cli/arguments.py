"""The words of a command in the order in which they can be read: a class before its options."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from lit_gans.cli import settings

_HOMES = ("--model", "--data")
_YAML = (".yaml", ".yml", ".json")
_FILES = ("-c", "--config")
_DIFFER = ("_optimizer", "_scheduler")  # a player's own, which go by what both have where they leave something open


def in_order(arguments: Sequence[str]) -> list[str]:
    """The words of a command as they can be read one by one.

    Options of one class may stand in any order, but only between two configuration files, each of which has its own
    say about what stands before it. A file of a model's or of the data's settings is read here.
    """
    ordered: list[str] = []
    between: list[list[str]] = []
    for unit in _units(arguments):
        if _key(unit[0]) in _FILES:
            ordered += _flat(_classes_first(between)) + unit
            between = []
        else:
            between.append(_unfolded(unit))
    return ordered + _flat(_classes_first(between))


def _units(arguments: Sequence[str]) -> list[list[str]]:
    """Every flag with its values."""
    units: list[list[str]] = []
    for word in arguments:
        if not units or word.startswith("--") or _key(word) in _FILES:
            units.append([])
        units[-1].append(word)
    return units


def _classes_first(units: list[list[str]]) -> list[list[str]]:
    """Units with every class before what only it knows, and last what players have of their own."""
    units = sorted(units, key=lambda unit: _key(unit[0]).partition(".")[2].partition(".")[0].endswith(_DIFFER))
    keys = [_key(unit[0]) for unit in units]
    for key in sorted(set(keys), key=len):
        # a list is added to word by word: --trainer.callbacks A --trainer.callbacks+ B
        if keys.count(key) == 1 and f"{key}+" not in keys:
            first = next((n for n, other in enumerate(keys) if other.startswith(f"{key}.")), len(keys))
            if first < (named := keys.index(key)):
                units.insert(first, units.pop(named))
                keys.insert(first, keys.pop(named))
    return units


def _key(word: str) -> str:
    """A flag without its value, and without the words that may be left out."""
    return word.partition("=")[0].removesuffix(".class_path").replace(".init_args", "")


def _unfolded(unit: list[str]) -> list[str]:
    """A unit; where it names a file of a model's or of the data's settings, the settings themselves."""
    flag, given, value = unit[0].partition("=") if "=" in unit[0] else (unit[0], "", unit[-1])
    if flag not in _HOMES or Path(value).suffix not in _YAML or not Path(value).is_file():
        return unit
    text = yaml.safe_dump(settings.read(value), default_flow_style=True, width=float("inf")).strip()
    return [f"{flag}={text}"] if given else [flag, text]


def _flat(units: list[list[str]]) -> list[str]:
    return [word for unit in units for word in unit]
