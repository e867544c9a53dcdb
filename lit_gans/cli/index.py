"""The index of the command line: every option of every command and class, read without importing torch.

``lit_gans/cli/index.json`` is shipped; ``python tools/index.py`` writes it. It holds for the versions it was made with.
With others the first call makes an index for them, in the user's cache.
"""

import functools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).with_name("index.json")
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
        of: the kind of the classes that it takes: model, data, backbone, optimizer, scheduler, callback, logger,
            network or "".
    """

    name: str
    kinds: tuple[str, ...] = ()
    choices: tuple[Any, ...] = ()
    default: Any = None
    required: bool = False
    help: str = ""
    of: str = ""


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


@dataclass(frozen=True)
class Index:
    """All that the command line takes.

    Args:
        versions: of the packages that it was made with.
        commands: the options of fit, validate, test and predict by name.
        classes: by kind, and then by the name of the class.
    """

    versions: dict[str, str]
    commands: dict[str, dict[str, Option]]
    classes: dict[str, dict[str, Entry]]

    def find(self, kind: str, name: str) -> Entry | None:
        """The class of a kind by its name, its short name or its dotted name, in any case."""
        asked = name.lower()
        known = self.classes.get(kind, {}).values()
        return next((e for e in known if asked in (e.short.lower(), e.name.lower(), e.path.lower())), None)

    def names(self, kind: str) -> list[str]:
        """What may be typed where a class of a kind is asked for."""
        return [entry.short for entry in self.classes.get(kind, {}).values()]


@functools.cache
def index() -> Index:
    """The index for the versions that are installed."""
    text = SHIPPED.read_text("utf-8")
    versions = installed()
    shipped = json.loads(text)
    if shipped["versions"] == versions:
        return parsed(shipped)
    return parsed(_kept(versions, text))


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


def _kept(versions: dict[str, str], shipped: str) -> dict[str, Any]:
    """The index in the user's cache, which is made if it is not there."""
    from hashlib import sha256

    from lit_gans.data.cache_folder import cache_folder

    # the shipped one is a part of the key, because it changes with the code
    key = sha256((json.dumps(versions, sort_keys=True) + shipped).encode()).hexdigest()[:16]
    try:
        file = cache_folder() / f"index-{key}.json"
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        pass
    from lit_gans.cli.indexing import made, written

    text = written(made(json.loads(shipped)) | {"versions": versions})
    _keep(file, text)
    return json.loads(text)


def _keep(file: Path, text: str) -> None:
    """Writes a file in one step; a cache that cannot be written makes no error."""
    import tempfile

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
        Path(part).replace(file)
    except OSError:
        return


def parsed(stored: dict[str, Any]) -> Index:
    """Reads what `indexing.written` has written."""
    shared = {key: _option(key.partition("~")[0], value) for key, value in stored["shared"].items()}

    def options(named: dict[str, Any]) -> dict[str, Option]:
        return {name: shared[at] if isinstance(at, str) else _option(name, at) for name, at in named.items()}

    backbones = {name: options(entry["options"]) for name, entry in stored["classes"]["backbone"].items()}
    return Index(
        stored["versions"],
        {command: options(named) for command, named in stored["commands"].items()},
        {
            kind: {name: _entry(name, kind, entry, options, backbones) for name, entry in entries.items()}
            for kind, entries in stored["classes"].items()
        },
    )


def _option(name: str, stored: dict[str, Any]) -> Option:
    return Option(
        name,
        tuple(stored["kinds"].split()),
        tuple(stored.get("choices", ())),
        stored.get("default"),
        stored.get("required", False),
        stored.get("help", ""),
        stored.get("of", ""),
    )


def _entry(
    name: str,
    kind: str,
    stored: dict[str, Any],
    options: Callable[[dict[str, Any]], dict[str, Option]],
    backbones: dict[str, dict[str, Option]],
) -> Entry:
    standing = None
    if own := stored.get("backbone"):
        known = backbones[own["name"]]
        changed = {n: _with_default(known[n], value) for n, value in own["options"].items()}
        standing = Standing(own["name"], {**known, **changed})
    return Entry(
        name,
        stored["short"],
        stored["path"],
        kind,
        stored["summary"],
        options(stored["options"]),
        stored.get("open", False),
        standing,
        stored.get("card", ""),
        tuple(stored.get("configs", ())),
        tuple(stored["bases"]),
    )


def _with_default(option: Option, default: Any) -> Option:
    return Option(option.name, option.kinds, option.choices, default, option.required, option.help, option.of)
