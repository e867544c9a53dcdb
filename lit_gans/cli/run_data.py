"""Opens the data that a run was trained on, or that the user names instead."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lit_gans.cli import settings, shipped
from lit_gans.cli.arguments import YAML
from lit_gans.cli.words import known
from lit_gans.errors import UsageError, nearest
from lit_gans.runs import Run

_OWN_PICTURES = ("ImageFolder", "Paired", "Unpaired")  # in colour or grey, as the generator draws


def open_data(
    checkpoint: str,
    data: str | None,
    root: str | None,
    shape: tuple[int, ...] | None,
    trust: Sequence[str] = (),
    options: dict[str, str] | None = None,
) -> Any:
    """Makes and prepares a data module with images as large as the generator's.

    Args:
        checkpoint: says by the ``config.yaml`` of its run what it was trained on.
        data: a data set's name, a folder of pictures, or a .yaml file with a ``data`` section; by default that of the
            run.
        root: the folder that holds the data.
        shape: (channels, height, width) that the generator draws; None leaves the size to the settings.
        trust: packages whose data sets may be imported because a file names them; what ``data`` names may be anyway.
        options: of the data, as somebody has typed them.

    Raises:
        UsageError: if there is no such data, or it has another shape.
    """
    names = {name.lower(): name for name in known("lit_gans.data")}
    data = None if data is None else names.get(data.lower(), data)
    if data is not None and Path(data).exists() and Path(data).suffix not in YAML and data not in names.values():
        paired = (Path(data) / "trainA").is_dir() and (Path(data) / "trainB").is_dir()
        data, root = "Unpaired" if paired else "ImageFolder", data if root is None else root
    name, arguments, file = _settings(checkpoint, data)
    cls = _data_class(name, file, trust)
    parser, accepted = _parser(cls)
    short = name.removeprefix("lit_gans.")
    if shape is not None and "size" in accepted:
        arguments["size"] = tuple(shape[1:])
    if shape is not None and short in _OWN_PICTURES:
        arguments["channels"] = shape[0]
    typed = {option: _value(text) for option, text in (options or {}).items()}
    if root is not None:
        typed["root"] = root
    if unknown := next((option for option in typed if option not in accepted), None):
        whose = ", the data of the run (--data names other data)" if data is None else ""
        raise UsageError(f"--data.{unknown} is no option of {short}{whose}{nearest(unknown, accepted)}")
    module = _made(parser, cls, {**arguments, **typed}, short)
    if shape is not None and module.image_shape is None:
        raise UsageError(f"{name} has no images, but the generator draws some; give --data a set of images")
    if shape is not None and tuple(module.image_shape) != tuple(shape):
        raise UsageError(
            f"{name} has images of shape {tuple(module.image_shape)} (channels, height, width), but the generator "
            f"draws {tuple(shape)}; give --data the config.yaml of the run that trained it"
        )
    module.prepare_data()
    return module


def data_class(checkpoint: str, trust: Sequence[str] = ()) -> type:
    """The class of the data that a run was trained on.

    Raises:
        UsageError: if the configuration beside the checkpoint names none, or one that may not be imported.
    """
    name, _, file = _settings(checkpoint, None)
    return _data_class(name, file, trust)


def _parser(cls: Any) -> tuple[Any, list[str]]:
    """A parser of a data module's arguments, as ``fit`` reads and checks them, and their names."""
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(cls, "data", sub_configs=False)
    return parser, [action.dest.partition(".")[2] for action in parser._actions if action.dest.startswith("data.")]


def _made(parser: Any, cls: Any, arguments: dict[str, Any], name: str) -> Any:
    """Makes the data module of a class."""
    from argparse import ArgumentError

    try:
        read = parser.parse_object({"data": arguments}).data
        return cls(**{argument: read[argument] for argument in arguments})
    except UsageError:
        raise
    except (ArgumentError, TypeError, ValueError, KeyError) as error:
        said = " ".join(str(error).split())
        if found := re.search(r'[Pp]arser key "data\.(\w+)', said):  # the parser's own words are about its insides
            raise UsageError(f"{name} cannot be opened with {found[1]}={arguments.get(found[1])!r}") from None
        if found := re.search(r"required: data\.(\w+)", said):
            raise UsageError(f"{name} needs --data.{found[1]}") from None
        raise UsageError(f"{name} cannot be opened: {said}") from None


def _value(text: str) -> Any:
    """The value that somebody has typed for an option: a number, a list (``32,48``), a text."""
    from jsonargparse import get_loader

    listed = re.fullmatch(r"[-\d.]+(,[-\d.]+)+", text)
    try:
        return get_loader("yaml")(f"[{text}]" if listed else text)
    except yaml.YAMLError:
        return text


def _settings(checkpoint: str, data: str | None) -> tuple[str, dict[str, Any], Path | None]:
    """A data module's name and arguments, from the run's configuration if that has the data that was asked for.

    The last value is the file that gave the name, None if the user typed it.
    """
    given = data is not None and Path(data).suffix in (".yaml", ".yml")
    file = Path(data) if given and data else Run.of(Path(checkpoint).resolve()).config
    section: Any = None if given else shipped.data_of(checkpoint)
    if section is None and file.is_file():
        section = settings.read(file, needed=False).get("data") or {}
    section = {"class_path": section} if isinstance(section, str) else section or {}
    arguments = (section.get("init_args") or {}) if isinstance(section, dict) else None
    if not isinstance(arguments, dict):
        raise UsageError(f"{file} is no configuration of a run")
    name = section.get("class_path", "")
    if not isinstance(name, str):
        raise UsageError(f"{file} is no configuration of a run")
    if given and not name:
        raise UsageError(f"{file} {'has no data section' if file.is_file() else 'does not exist'}; give --data a name")
    if data is None and not name:
        raise UsageError(f"there is no {file} that says what data {checkpoint} was trained on; add --data, say MNIST")
    if given or data is None:
        return name, dict(arguments), file
    if _short(name) == _short(data):
        return data, dict(arguments), None
    if name.rpartition(".")[2] == data and data not in known("lit_gans.data"):  # one of the user's own, in short
        return name, dict(arguments), file
    return data, {}, None


def _short(name: str) -> str:
    return name.rpartition(".")[2] if name.startswith("lit_gans.") else name


def _data_class(name: str, file: Path | None, trust: Sequence[str]) -> Any:
    """The class that a user typed the name of, or that a file names."""
    import lit_gans.data
    from lit_gans.checkpoints.trust import find_class, import_class

    short = name.removeprefix("lit_gans.")
    if "." in short:
        if file is not None:
            return find_class(name, (lit_gans.data.BaseData,), str(file), trust, f" or --data {name}")
        cls = import_class(name)
        if not (isinstance(cls, type) and issubclass(cls, lit_gans.data.BaseData)):
            raise UsageError(f"{name} is no data set; name a subclass of lit_gans.data.BaseData")
        return cls
    if short not in (choices := known("lit_gans.data")):
        raise UsageError(f"unknown data {short!r}{nearest(short, choices)}")
    return getattr(lit_gans.data, short)
