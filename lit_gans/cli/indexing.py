"""Makes the index of the command line: asks the parser for every option of every command and class."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import _typehints as jsonargparse

from lit_gans.checkpoints.trust import import_class
from lit_gans.cli.classes import KINDS, choices, kind_of, our_rules
from lit_gans.cli.describing import options, plain, text
from lit_gans.cli.entries import Entry, as_entry, as_option, installed
from lit_gans.cli.parser import Parser
from lit_gans.cli.train import TrainCLI
from lit_gans.cli.words import TRAINING
from lit_gans.models.references import parts_for

_CONFIGS = Path("examples/configs")
_NUMBER = r"(?:about )?(?:\d+|two and a half|two|three|four|five)"
_SHAPE, _TEXTS = (3, 64, 64), (32, 1000)


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
        commands = {command: options(_parser(command)) for command in TRAINING}
        classes: dict[str, dict[str, Any]] = {}
        for kind in KINDS:
            found = choices(kind.base)
            classes.setdefault(kind.word, {}).update({name: entry(cls) for name, cls in found.items()})
    before = (shipped or {}).get("classes", {}).get("model", {})
    configs = _configs() or (shipped or {}).get("configs", [])
    for name, stored in classes["model"].items():
        stored["makes"] = _makes(import_class(stored["path"]))
        # the same for all versions, and slow
        stored["weights"] = before.get(name, {}).get("weights") or _weights(import_class(stored["path"]))
        if own := [config["file"] for config in configs if config["model"] == name]:
            stored["configs"] = own
    return {"versions": installed(), "commands": commands, "classes": classes, "configs": configs}


def _parser(command: str) -> Parser:
    try:
        _Looking.run([command])
    except _Built as built:
        return built.args[0][command]
    raise AssertionError


def entry(cls: type) -> dict[str, Any]:
    """One class as it is stored."""
    kind = kind_of(cls)
    parser = Parser()
    # the first argument of these is the model's to give
    skip = {1} if kind and kind.word in ("optimizer", "scheduler") else None
    parser.add_class_arguments(cls, None, skip=skip, fail_untyped=False)
    found = options(parser)
    # some hand options on to a package that may or may not be there: WandbLogger to wandb
    own = {name: told for name, told in found.items() if name.partition(".")[0] in _declared(cls)}
    made: dict[str, Any] = {
        "short": kind.short(cls.__name__) if kind else cls.__name__,
        "path": jsonargparse.get_import_path(cls),
        "summary": _first_line(cls),
        "bases": [base.__name__ for base in cls.__mro__[1:-1] if base.__module__.partition(".")[0] == "lit_gans"],
        "options": own,
    }
    if len(own) < len(found):
        made["open"] = True
    backbone = getattr(cls, "default_backbone", None)
    if is_dataclass(backbone) and not isinstance(backbone, type):
        made["backbone"] = _standing(backbone)
    for key, words in (("good", r"Good at:\s+(.+?)\.?\s+Bad at:"), ("bad", r"Bad at:\s+(.+?)\.?(?:\n\s*\n|$)")):
        if said := re.search(words, inspect.getdoc(cls) or "", re.DOTALL):
            made[key] = text(said[1])
    if card := re.search(r"Card: (\S+\.md)", cls.__doc__ or ""):
        made["card"] = card[1]
    return made


def own_entry(path: str, backbones: Mapping[str, Entry]) -> Entry:
    """A user's own class, read as those of the index are; a model's own backbone may be one of ``backbones``."""
    cls = import_class(path)
    with our_rules():
        stored = entry(cls)
        backbones = dict(backbones)
        if (own := stored.get("backbone")) and own["name"] not in backbones:
            standing = type(cls.default_backbone)
            backbones[own["name"]] = _read(standing, entry(standing), {})
    return _read(cls, stored, backbones)


def _read(cls: type, stored: dict[str, Any], backbones: Mapping[str, Entry]) -> Entry:
    kind = kind_of(cls)
    own = {name: as_option(name, told) for name, told in stored["options"].items()}
    return as_entry(cls.__name__, kind.word if kind else "", stored, own, backbones)


def _declared(cls: type) -> set[str]:
    """The arguments that the constructors of a class and of those above it name."""
    owners = [owner for owner in cls.__mro__ if "__init__" in vars(owner)]
    return {name for owner in owners for name in inspect.signature(owner.__init__).parameters}  # type: ignore[misc]


def _standing(backbone: Any) -> dict[str, Any]:
    """A model's own backbone, with the options that differ from the defaults."""
    usual = {name: field.default for name, field in type(backbone).__dataclass_fields__.items()}
    changed = {name: plain(value) for name, value in asdict(backbone).items() if value != usual[name]}
    return {"name": type(backbone).__name__, "options": changed}


def _weights(model: type) -> dict[str, int]:
    """The weights of the networks that a model makes by itself, which are not filled here."""
    with torch.device("meta"):
        shapes = {"image_shape": _SHAPE, "source_shape": _SHAPE, "text_shape": _TEXTS, "source_text_shape": _TEXTS}
        made = model(**shapes, num_classes=10, **parts_for(model, _SHAPE))
    return {name: sum(weight.numel() for weight in getattr(made, name).parameters()) for name in made.players}


def _makes(model: Any) -> str:
    """What a model makes, and of what."""
    if model.of_texts:
        return "texts, and features of texts"
    if model.draws and "tokens" in model.needs:
        return "images from sentences"
    return "images" if model.draws or not model.domains else "images from images"


def _first_line(cls: type) -> str:
    own = cls.__doc__ or getattr(vars(cls).get("__init__"), "__doc__", None) or ""
    return text(inspect.cleandoc(own).partition("\n\n")[0])


def _configs() -> list[dict[str, str]]:
    """The configurations in the sources; none if only the package is installed."""
    found = []
    for file in sorted((Path(__file__).parents[2] / _CONFIGS).glob("*.yaml")):
        lines = file.read_text("utf-8").splitlines()
        comment = [line.removeprefix("#") for line in takewhile(lambda line: line.startswith("#"), lines)][1:]
        about = " ".join(" ".join(comment).split())
        parsed = yaml.safe_load("\n".join(lines))
        names = {key: parsed[key]["class_path"].rpartition(".")[2] for key in ("model", "data")}
        took = re.search(rf"{_NUMBER} minutes?|half a minute", about)
        found.append(
            {"file": (_CONFIGS / file.name).as_posix(), **names, "about": about, "minutes": took[0] if took else ""}
        )
    return found
