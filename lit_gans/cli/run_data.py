"""Opens the data that a run was trained on, or that the user names instead."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_gans.cli import settings
from lit_gans.cli.words import known
from lit_gans.errors import UsageError, nearest
from lit_gans.runs import Run


def open_data(
    checkpoint: str, data: str | None, root: str | None, shape: tuple[int, ...] | None, trust: Sequence[str] = ()
) -> Any:
    """Makes and prepares a data module with images as large as the generator's.

    Args:
        checkpoint: says by the ``config.yaml`` of its run what it was trained on.
        data: a data set's name, or a .yaml file with a ``data`` section; by default that of the run.
        root: the folder that holds the data.
        shape: (channels, height, width) that the generator draws; None leaves the size to the settings.
        trust: packages whose data sets may be imported because a file names them; what ``data`` names may be anyway.

    Raises:
        UsageError: if there is no such data, or it has another shape.
    """
    name, arguments, file = _settings(checkpoint, data)
    cls = _data_class(name, file, trust)
    accepted = inspect.signature(cls).parameters
    if shape is not None and "size" in accepted:
        arguments["size"] = tuple(shape[1:])
    if root is not None:
        arguments["root"] = root
    module = _made(cls, arguments, name)
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


def _made(cls: Any, arguments: dict[str, Any], name: str) -> Any:
    """Makes the data module; its arguments are read and checked as in ``fit``."""
    from argparse import ArgumentError

    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(cls, "data", sub_configs=False)
    try:
        read = parser.parse_object({"data": arguments}).data
        return cls(**{argument: read[argument] for argument in arguments})
    except UsageError:
        raise
    except (ArgumentError, TypeError, ValueError, KeyError) as error:
        raise UsageError(f"{name} cannot be opened: {' '.join(str(error).split())}") from None


def _settings(checkpoint: str, data: str | None) -> tuple[str, dict[str, Any], Path | None]:
    """A data module's name and arguments, from the run's configuration if that has the data that was asked for.

    The last value is the file that gave the name, None if the user typed it.
    """
    given = data is not None and Path(data).suffix in (".yaml", ".yml")
    file = Path(data) if given and data else Run.of(Path(checkpoint).resolve()).config
    section: Any = {}
    if file.is_file():
        section = settings.read(file, needed=False).get("data") or {}
    section = {"class_path": section} if isinstance(section, str) else section
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
            return find_class(name, (lit_gans.data.ImageData,), str(file), trust, f" or --data {name}")
        cls = import_class(name)
        if not (isinstance(cls, type) and issubclass(cls, lit_gans.data.ImageData)):
            raise UsageError(f"{name} is no data set; name a subclass of lit_gans.data.ImageData")
        return cls
    if short not in (choices := known("lit_gans.data")):
        raise UsageError(f"unknown data {short!r}{nearest(short, choices)}")
    return getattr(lit_gans.data, short)
