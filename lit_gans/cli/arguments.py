"""Puts the words of a command into an order in which they can be read: a class before its options."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from lit_gans.cli import settings

_HOMES = ("--model", "--data")
_YAML = (".yaml", ".yml", ".json")
_FILES = ("-c", "--config")
_DIFFER = ("_optimizer", "_scheduler")  # a player's own; what they leave open is as in those of both players


def in_order(arguments: Sequence[str]) -> list[str]:
    """Orders the words of a command so that they can be read one by one.

    The options of a class may come before its name. No word moves past a configuration file, because the file changes
    what was said before it. A file that is given for ``--model`` or ``--data`` is read here.
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
    """Splits words into flags, each with its values."""
    units: list[list[str]] = []
    for word in arguments:
        if not units or word.startswith("--") or _key(word) in _FILES:
            units.append([])
        units[-1].append(word)
    return units


def _classes_first(units: list[list[str]]) -> list[list[str]]:
    """Puts each class before its own options, and a player's own optimizer and scheduler last."""
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
    """Replaces a file that is given for the model or the data by the settings in it."""
    flag, given, value = unit[0].partition("=") if "=" in unit[0] else (unit[0], "", unit[-1])
    if flag not in _HOMES or Path(value).suffix not in _YAML or not Path(value).is_file():
        return unit
    text = yaml.safe_dump(settings.read(value), default_flow_style=True, width=float("inf")).strip()
    return [f"{flag}={text}"] if given else [flag, text]


def _flat(units: list[list[str]]) -> list[str]:
    return [word for unit in units for word in unit]
