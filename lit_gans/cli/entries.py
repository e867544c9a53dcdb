"""What the index of the command line is made of: options, classes, configurations, and how they are read from JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

KINDS_OF_BACKBONE = frozenset({"Backbone", "TranslationBackbone", "SequenceBackbone"})  # a model takes those of one
MADE_OF = ("lit_gans", "lightning", "torch", "jsonargparse")  # an index holds for the versions of these


@dataclass(frozen=True)
class Option:
    """One option.

    Args:
        name: without dashes; with dots if it is an option of a part, ``trainer.max_epochs``.
        kinds: the simple values that it takes: some of int, float, bool, str, null, list, dict, class, path and other.
            An option with ``other`` may take anything.
        choices: the values that it takes, if these are the only ones beside its kinds.
        default: a plain JSON value; a class by its short name.
        required: whether it must be given.
        help: one text without line breaks.
        of: the kind of the classes that it takes: model, data, backbone, features, optimizer, scheduler, callback,
            logger, network or "".
        length: how many values a list of it has; 0 if it may have any number.
    """

    name: str
    kinds: tuple[str, ...] = ()
    choices: tuple[Any, ...] = ()
    default: Any = None
    required: bool = False
    help: str = ""
    of: str = ""
    length: int = 0


@dataclass(frozen=True)
class Standing:
    """The class that is used where an option is left out, with its options and their defaults there."""

    name: str
    options: dict[str, Option]


@dataclass(frozen=True)
class Entry:
    """One class that the command line knows by a short name.

    Args:
        name: of the class.
        short: what is typed, ``ResNet`` for ResNetBackbone.
        path: the dotted name.
        kind: as `Option.of`.
        summary: the first line of its docstring.
        options: by name, in the order of the signature.
        open: whether it takes further options, which depend on what is installed.
        backbone: a model's own one.
        card: the page that describes a model.
        configs: files in ``examples/configs``.
        bases: the names of this library's classes above it.
        good: what a model is good at.
        bad: what it is bad at.
        weights: the number of weights of each of its own networks for colour images of 64x64.
        makes: what a model makes, and of what: ``images from sentences``, say.
    """

    name: str
    short: str
    path: str
    kind: str
    summary: str = ""
    options: dict[str, Option] = field(default_factory=dict)
    open: bool = False
    backbone: Standing | None = None
    card: str = ""
    configs: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    good: str = ""
    bad: str = ""
    weights: dict[str, int] = field(default_factory=dict)
    makes: str = ""


@dataclass(frozen=True)
class Config:
    """A file in ``examples/configs``.

    Args:
        file: its path in the repository.
        model: the name of the model's class.
        data: the name of the data's class.
        about: the comment that it begins with, without the command.
        minutes: how long the comment says that it takes on one core or two; "" if it does not say.
    """

    file: str
    model: str
    data: str
    about: str
    minutes: str


@dataclass(frozen=True)
class Index:
    """All that the command line takes.

    Args:
        versions: of the packages that it was made with.
        commands: the options of fit, validate, test and predict by name.
        classes: by kind, and then by the name of the class.
        configs: the configurations of the repository.
    """

    versions: dict[str, str]
    commands: dict[str, dict[str, Option]]
    classes: dict[str, dict[str, Entry]]
    configs: tuple[Config, ...] = ()

    def find(self, kind: str, name: str, model: Entry | None = None) -> Entry | None:
        """The class of a kind by its name, its short name or its dotted name, in any case.

        Args:
            kind: as `Option.of`.
            name: what was typed.
            model: of the backbones of one name, the one that this model can have is meant.
        """
        asked = name.lower()
        known = self.classes.get(kind, {}).values()
        found = [e for e in known if asked in (e.short.lower(), e.name.lower(), e.path.lower())]
        return next((e for e in found if model is None or self.suits(e, model)), found[0] if found else None)

    def suits(self, entry: Entry, model: Entry) -> bool:
        """Whether a model can have a class: games that translate, and models of texts, have other backbones."""
        if entry.kind != "backbone" or model.backbone is None:
            return True
        own = self.classes["backbone"].get(model.backbone.name)
        return own is None or KINDS_OF_BACKBONE & {*entry.bases} == KINDS_OF_BACKBONE & {*own.bases}

    def names(self, kind: str) -> list[str]:
        """What may be typed where a class of a kind is asked for."""
        return [entry.short for entry in self.classes.get(kind, {}).values()]


def installed() -> dict[str, str]:
    """The versions of what an index depends on; without what says how it was built, ``+cpu``."""
    from importlib.metadata import PackageNotFoundError, version

    from lit_gans import __version__

    found = {"lit_gans": __version__}
    for name in MADE_OF[1:]:
        try:
            found[name] = version(name).partition("+")[0]
        except PackageNotFoundError:
            found[name] = ""
    return found


def parsed(stored: dict[str, Any]) -> Index:
    """Reads what `index_file.written` has written."""
    shared = {key: as_option(key.partition("~")[0], value) for key, value in stored["shared"].items()}

    def options(named: dict[str, Any]) -> dict[str, Option]:
        return {name: shared[at] if isinstance(at, str) else as_option(name, at) for name, at in named.items()}

    made = Index(
        stored["versions"],
        {command: options(named) for command, named in stored["commands"].items()},
        {kind: {} for kind in stored["classes"]},
        tuple(Config(**config) for config in stored.get("configs", ())),
    )
    for kind in sorted(made.classes, key=lambda kind: kind != "backbone"):  # those of models are among them
        for name, entry in stored["classes"][kind].items():
            known = made.classes.get("backbone", {})
            made.classes[kind][name] = as_entry(name, kind, entry, options(entry["options"]), known)
    return made


def as_option(name: str, stored: dict[str, Any]) -> Option:
    """Reads one option."""
    kinds, choices = tuple(stored["kinds"].split()), tuple(stored.get("choices", ()))
    default, required = stored.get("default"), stored.get("required", False)
    more = {"help": stored.get("help", ""), "of": stored.get("of", ""), "length": stored.get("length", 0)}
    return Option(name, kinds, choices, default, required, **more)


def as_entry(
    name: str, kind: str, stored: dict[str, Any], options: dict[str, Option], backbones: Mapping[str, Entry]
) -> Entry:
    """Reads one class; a model's own backbone is one of ``backbones``."""
    standing = None
    if (own := stored.get("backbone")) and own["name"] in backbones:
        known = backbones[own["name"]].options
        changed = {n: replace(known[n], default=value) for n, value in own["options"].items()}
        standing = Standing(own["name"], {**known, **changed})
    rest: dict[str, Any] = {
        each: stored[each] for each in ("summary", "open", "card", "good", "bad", "weights", "makes") if each in stored
    }
    rest |= {each: tuple(stored.get(each, ())) for each in ("configs", "bases")}
    return Entry(name, stored["short"], stored["path"], kind, options=options, backbone=standing, **rest)
