"""The rules for classes in options: names are short, ours come first, and each class begins with its own defaults.

jsonargparse (4.41 to 4.53) has a function for each of these rules and no setting. `our_rules` replaces the functions
while a command is read, and then puts them back, so that no other parser of the process changes.
"""

import inspect
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, is_dataclass
from importlib import import_module
from typing import Any, get_args

from jsonargparse import Namespace
from jsonargparse import _typehints as jsonargparse
from lightning.pytorch import Callback, LightningDataModule
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lit_gans.checkpoints import recording
from lit_gans.cli.reasons import by_parser, unwrapped
from lit_gans.cli.words import OWN
from lit_gans.core.generative import GenerativeModel
from lit_gans.errors import UsageError, nearest
from lit_gans.networks.base import Backbone, TranslationBackbone
from lit_gans.networks.projected import Features
from lit_gans.networks.sequences import SequenceBackbone


@dataclass(frozen=True)
class Kind:
    """A kind of class that an option may name.

    Args:
        base: all of the kind are its subclasses.
        word: its name in an error.
        homes: the modules whose classes can be named without the module; of two with one name, the first is meant.
        ending: the end of the names that may be left out.
    """

    base: type
    word: str
    homes: tuple[str, ...]
    ending: str = ""

    def short(self, name: str) -> str:
        """A name without its ending; those of loggers are in lower case."""
        return name.removesuffix(self.ending).lower() if self.base is Logger else name.removesuffix(self.ending)


KINDS = (  # a class is of the first that fits: a model is a network, too
    Kind(GenerativeModel, "model", ("lit_gans.models",)),
    Kind(LightningDataModule, "data", ("lit_gans.data",)),
    Kind(Backbone, "backbone", ("lit_gans.networks",), "Backbone"),
    Kind(TranslationBackbone, "backbone", ("lit_gans.networks",), "Translation"),
    Kind(SequenceBackbone, "backbone", ("lit_gans.networks",), "Backbone"),
    Kind(Features, "features", ("lit_gans.networks",), "Features"),
    Kind(Optimizer, "optimizer", ("lit_gans.optim", "torch.optim")),
    Kind(LRScheduler, "scheduler", ("lit_gans.optim", "torch.optim.lr_scheduler")),
    Kind(Callback, "callback", ("lit_gans.callbacks", "lightning.pytorch.callbacks")),
    Kind(Logger, "logger", ("lightning.pytorch.loggers",), "Logger"),
    Kind(nn.Module, "network", ("lit_gans.networks",)),
)


@contextmanager
def our_rules() -> Iterator[None]:
    """Reads options by the rules of this module as long as it lasts."""
    said: set[str] = set()
    by_name, help_of = jsonargparse.resolve_class_path_by_name, jsonargparse.ActionTypeHint.extra_help

    def resolved(cls: Any, name: str) -> str:
        return name if "." in name else _path(cls, name, by_name)

    def begun_anew(_: Any, before: Any, now: Any) -> None:
        if (note := _forget(before, now)) and note not in said:  # options are merged several times
            said.add(note)
            if getattr(rank_zero_only, "rank", 0) == 0:  # every process of a run reads the command
                print(f"note: {note}", file=sys.stderr, flush=True)

    def listed(option: Any) -> str:
        kinds = jsonargparse.get_subclass_types(option._typehint, also_lists=True, callable_return=True) or ()
        names = dict.fromkeys(name for base in kinds for name in _names(base))
        return f", one of {', '.join(names)}, {OWN}" if names else help_of(option)

    with ExitStack() as until:
        until.enter_context(_replaced(jsonargparse, "resolve_class_path_by_name", resolved))
        until.enter_context(_replaced(jsonargparse, "discard_init_args_on_class_path_change", begun_anew))
        until.enter_context(_replaced(jsonargparse.ActionTypeHint, "extra_help", listed))
        yield


@contextmanager
def constructors_heard() -> Iterator[None]:
    """As long as it lasts, the error of a constructor is raised as it is where an option may be of several types.

    jsonargparse raises one about all the types, and keeps the cause of the first alone: of a list of loggers, which may
    be a single one as well, the reason why one of them cannot be made was lost.
    """
    theirs = jsonargparse.raise_union_unexpected_value

    def raised(subtypes: Any, value: Any, errors: list[Exception]) -> None:
        for error in map(unwrapped, errors):
            if not by_parser(error):
                raise error
        theirs(subtypes, value, errors)

    with _replaced(jsonargparse, "raise_union_unexpected_value", raised):
        yield


@contextmanager
def _replaced(owner: Any, name: str, by: Any) -> Iterator[None]:
    theirs = getattr(owner, name)
    setattr(owner, name, by)
    try:
        yield
    finally:
        setattr(owner, name, theirs)


def choices(base: type) -> dict[str, type]:
    """The classes that may stand where ``base`` is asked for, by the names that need no module."""
    kind = kind_of(base)
    found: dict[str, type] = {}
    for home in kind.homes if kind is not None else ():
        module = import_module(home)
        for name in sorted(getattr(module, "__all__", vars(module))):
            cls = getattr(module, name)
            own = inspect.isclass(cls) and cls.__module__.partition(".")[0] == home.partition(".")[0]
            if own and name[0] != "_" and issubclass(cls, base) and not inspect.isabstract(cls) and cls is not base:
                found.setdefault(name, cls)
    return found


def _path(bases: Any, name: str, theirs: Any) -> str:
    """The dotted name of the class that a short name stands for.

    Raises:
        ValueError: if there is none, as the parser expects it.
    """
    bases = bases if isinstance(bases, tuple) else get_args(bases) or (bases,)
    for base in bases:
        if found := _named(name, choices(base), base):
            return str(jsonargparse.get_import_path(found))
    for base in bases:  # a class of the user's own that is imported already
        if "." in (own := theirs(base, name)):
            return str(own)
    if (kind := kind_of(bases[0])) is None:
        return name
    raise ValueError(f"unknown {kind.word} {name!r}{nearest(name, _names(bases[0]))}, {OWN}")


def _named(name: str, known: dict[str, type], base: type) -> type | None:
    kind = kind_of(base)
    short = {} if kind is None else {kind.short(each): cls for each, cls in known.items()}
    return known.get(name) or short.get(name)


def _names(base: type) -> list[str]:
    """The short names that may be typed where a class is asked for."""
    kind = kind_of(base)
    return [] if kind is None else [kind.short(name) for name in choices(base)]


def kind_of(base: type) -> Kind | None:
    """The kind that a class is of; None if it is none that an option may name."""
    return next((kind for kind in KINDS if issubclass(base, kind.base)), None)


def _forget(before: Any, now: Any) -> str:
    """Empties the options of a class that another one replaces; returns a note of those that were not defaults."""
    given = before.get("init_args") if before else None
    if not given or _same(before["class_path"], now["class_path"]):
        return ""
    old, new = (each["class_path"].rpartition(".")[2] for each in (before, now))
    chosen = list(_chosen(before["class_path"], given))
    for name, _ in _items(given):
        del given[name]
    return f"options of {old} do not hold for {new} and are left out: {', '.join(chosen)}" if chosen else ""


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return jsonargparse.import_object(one) is jsonargparse.import_object(other)
    except (ImportError, AttributeError, ValueError, UsageError):
        return False


def _chosen(path: str, given: Any, own: dict[str, Any] | None = None, prefix: str = "") -> Iterator[str]:
    """Yields the options that differ from a class's defaults, as ``name value``; also those of classes among them."""
    own = _defaults(path) if own is None else own
    for name, value in _items(given):
        default = own.get(name)
        if isinstance(value, (dict, Namespace)) and "class_path" in value:
            same = isinstance(default, (dict, Namespace)) and _same(default["class_path"], value["class_path"])
            if not same:
                yield f"{prefix}{name} {value['class_path'].rpartition('.')[2]}"
            inner = dict(_items(default.get("init_args") or {})) if same else None  # type: ignore[union-attr]
            yield from _chosen(value["class_path"], value.get("init_args") or {}, inner, f"{prefix}{name}.")
        elif _plain(value) != _plain(default) and not (name == "backbone" and value is None):  # None is its own
            yield f"{prefix}{name} {value}"


def _defaults(path: str) -> dict[str, Any]:
    """The defaults of a class; empty if it cannot be inspected, so that every option counts as chosen."""
    try:
        cls = jsonargparse.import_object(path)
        own = dict(_items(jsonargparse.ActionTypeHint.get_class_parser(cls).get_defaults()))
    except Exception:
        return {}
    return own | ({"backbone": spelled} if (spelled := own_backbone(cls)) is not None else {})


def own_backbone(model: Any) -> Namespace | None:
    """The backbone that a model's class names, as options."""
    backbone = getattr(model, "default_backbone", None)
    return spelled_out(recording.plain("backbone", backbone)) if is_dataclass(backbone) else None


def spelled_out(described: Any) -> Namespace | None:
    """Turns a backbone, as a checkpoint describes it, into options."""
    if described is None:
        return None
    path = jsonargparse.get_import_path(jsonargparse.import_object(described["class_path"]))
    return Namespace(class_path=path, init_args=Namespace(described["init_args"]))


def _items(options: Any) -> list[tuple[str, Any]]:
    return list(options.items(branches=True, nested=False) if isinstance(options, Namespace) else options.items())


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value
