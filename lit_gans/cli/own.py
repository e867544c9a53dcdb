"""A command line for a model of one's own, in three lines."""

import sys
from collections.abc import Sequence
from pathlib import Path

from lit_gans.cli.words import TRAINING
from lit_gans.errors import UsageError

_FILES = ("--config", "-c")


def CLI(model: type | None = None, data: type | None = None, args: Sequence[str] | None = None) -> None:
    """Runs every command of ``lit-gans``, with classes of yours in place of DCGAN and Glyphs.

    At the end of a script, ``lit_gans.CLI(MyGAN, MyData)`` is what ``LightningCLI(MyGAN, MyData)`` is to Lightning:
    ``python train.py fit --model.width 8 --data.batch_size 32`` trains, with a run folder, scores and checkpoints.
    ``image_shape``, ``num_classes`` and so on go from the data to the model. ``--model`` and ``--data`` still name
    others.

    Args:
        model: the class of the model that is trained by default; a subclass of one of this library's.
        data: the class of the data module.
        args: the words of the command; by default the process's own.

    Raises:
        UsageError: if a class is no model or no data module.
        SystemExit: as ``lit-gans`` ends.
    """
    if getattr(sys._getframe(1).f_globals.get("__spec__"), "_initializing", False):
        return  # another command imports the script for a class in it
    from lightning.pytorch import LightningDataModule

    from lit_gans.checkpoints import class_path
    from lit_gans.cli.main import main
    from lit_gans.core.generative import GenerativeModel

    wanted = {}
    for name, cls, kind in (("model", model, GenerativeModel), ("data", data, LightningDataModule)):
        if cls is None:
            continue
        if not (isinstance(cls, type) and issubclass(cls, kind)):
            raise UsageError(f"CLI takes the class of a {name}, a subclass of {kind.__name__}, got {cls!r}")
        wanted[name] = class_path(cls)  # that of a script's class begins with the file's name
        if cls.__module__ == "__main__":
            sys.modules.setdefault(wanted[name].partition(".")[0], sys.modules["__main__"])
    words = with_classes(list(sys.argv[1:] if args is None else args), wanted)
    if args is None:
        sys.argv[1:] = words  # further processes of a run on several devices begin with them
        main()
    else:
        main(words)


def with_classes(words: list[str], wanted: dict[str, str]) -> list[str]:
    """The words of a command with ``--model`` and ``--data``, unless they, or a file, name a class themselves."""
    if not words or words[0].startswith("-") or words[0] not in (*TRAINING, "train"):
        return words
    flags = {word.partition("=")[0] for word in words}
    values = [(a.partition("=")[0], a.partition("=")[2] or b) for a, b in zip(words, [*words[1:], ""], strict=True)]
    files = [Path(value) for flag, value in values if flag in _FILES]
    missing = [
        f"--{name}={path}"
        for name, path in wanted.items()
        if not flags & {f"--{name}", f"--{name}.class_path"} and not any(_names(file, name) for file in files)
    ]
    return [words[0], *missing, *words[1:]]


def _names(file: Path, section: str) -> bool:
    """Whether a configuration names a class in this section."""
    from lit_gans.cli import settings

    if not file.is_file():
        return False  # the parser says so
    part = settings.read(file, needed=False).get(section)
    return isinstance(part, str) or (isinstance(part, dict) and "class_path" in part)
