"""The words of a command as flags with values, in an order in which they can be read: a class before its options."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from lit_gans.cli import settings
from lit_gans.cli.words import TRAINING

YAML = (".yaml", ".yml", ".json")
_HOMES = ("model", "data")
_DIFFER = ("_optimizer", "_scheduler")  # a player's own; what they leave open is as in those of both players


@dataclass
class Unit:
    """A flag with its values.

    Args:
        name: without dashes; empty for the words before the first flag.
        values: its words.
        typed: the name as it was typed, for errors.
        joined: whether the first value is joined to the flag by ``=``.
        alone: whether the value was typed without a flag.
    """

    name: str
    values: list[str] = field(default_factory=list)
    typed: str = ""
    joined: bool = False
    alone: bool = False

    def __post_init__(self) -> None:
        self.typed = self.typed or self.name

    @property
    def key(self) -> str:
        """The name without the words that may be left out."""
        return self.name.removesuffix(".class_path").replace(".init_args", "")

    @property
    def words(self) -> list[str]:
        """What the parser reads."""
        if not self.name or not self.values:
            return [*([f"--{self.name}"] if self.name else []), *self.values]
        return [f"--{self.name}={self.values[0]}", *self.values[1:]]


def split(words: Sequence[str]) -> list[Unit]:
    """Splits words into flags, each with the words up to the next one."""
    units: list[Unit] = [Unit("")]
    for word in words:
        name, given, value = word.partition("=")
        if re.match(r"--|-(?!inf$|nan$)[a-zA-Z]", word):
            name = {"-c": "config", "-h": "help"}.get(name, name.lstrip("-"))
            units.append(Unit(name, [value] if given else [], joined=bool(given)))
        else:
            units[-1].values.append(word)
    return units if units[0].values else units[1:]


def in_order(arguments: Sequence[str]) -> list[str]:
    """Orders the words of a command, the first of which is its name, so that they can be read one by one.

    Configuration files come first, so that what is typed holds wherever it stands; options of a class come after its
    name. A file that is given for ``--model`` or ``--data`` is read here.
    """
    start = next((at + 1 for at, word in enumerate(arguments) if word in TRAINING), 0)
    units = split(arguments[start:])
    files = [unit for unit in units if unit.key == "config"]
    others = [_unfolded(unit) for unit in units if unit.key != "config"]
    return [*arguments[:start], *(word for unit in [*files, *classes_first(others)] for word in unit.words)]


def classes_first(units: Sequence[Unit]) -> list[Unit]:
    """Puts each class before its own options, and a player's own optimizer and scheduler last."""
    units = sorted(units, key=lambda unit: unit.key.partition(".")[2].partition(".")[0].endswith(_DIFFER))
    keys = [unit.key for unit in units]
    for key in sorted(set(keys), key=len):
        # a list is added to word by word: --trainer.callbacks A --trainer.callbacks+ B
        if keys.count(key) == 1 and f"{key}+" not in keys:
            first = next((n for n, other in enumerate(keys) if other.startswith(f"{key}.")), len(keys))
            if first < (named := keys.index(key)):
                units.insert(first, units.pop(named))
                keys.insert(first, keys.pop(named))
    return units


def files(units: Sequence[Unit]) -> list[str]:
    """The configuration files that a command names."""
    return [
        unit.values[0]
        for unit in units
        if any(map(str.strip, unit.values[:1])) and (unit.key == "config" or _is_file(unit))
    ]


def _is_file(unit: Unit) -> bool:
    value = unit.values[0] if len(unit.values) == 1 else ""
    return unit.key in _HOMES and Path(value).suffix in YAML and Path(value).is_file()


def _unfolded(unit: Unit) -> Unit:
    """Replaces a file that is given for the model or the data by the settings in it."""
    if not _is_file(unit):
        return unit
    text = yaml.safe_dump(settings.read(unit.values[0]), default_flow_style=True, width=float("inf")).strip()
    return Unit(unit.name, [text])
