"""Understands a command in the spellings that people know from other tools.

Somebody types what another tool calls a thing: ``epochs=3``, ``--batch-size 16``, ``--imgsz 64``, ``fit DCGAN MNIST``,
``--data ./photos``. Here all of this becomes flags by their real names.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from lit_gans.cli.arguments import YAML, Unit, split
from lit_gans.cli.guesses import FOREIGN, REAL
from lit_gans.cli.words import TRAINING, known
from lit_gans.errors import UsageError, nearest
from lit_gans.runs import Run, find_checkpoint, is_shipped, named_folder

_OWN = "a class of the user's own"
_KEY = re.compile(r"[A-Za-z_][\w.-]*\+?=")
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(?:(s)(?:ecs?|econds?)?|(m)(?:ins?|inutes?)?|(h)(?:rs?|ours?)?|(d)(?:ays?)?)")
_CLOCK = re.compile(r"\d+:\d+:\d+:\d+")
_PRECISIONS = {"16": "16-mixed", "fp16": "16-mixed", "bf16": "bf16-mixed", "32": "32-true", "fp32": "32-true"}
_PRECISIONS |= {"64": "64-true", "fp64": "64-true", "double": "64-true"}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def understood(words: Sequence[str], command: str, takes: Callable[[str], str]) -> list[Unit]:
    """The flags of a command by their real names.

    Args:
        words: what was typed after the command.
        command: fit, validate, test or predict.
        takes: how many values a flag takes: "one", "many" or "switch".

    Raises:
        UsageError: for a word that is neither a flag nor a value.
    """
    words = [f"--{word}" if _KEY.match(word) and _may_be_flag(words, at) else word for at, word in enumerate(words)]
    said: list[Unit] = []
    for unit in split(words):
        unit.name = _real(unit.name)
        for word in _left_over(unit, takes):
            said += data_folder(_standing_alone(word, command), alone=True)
        if unit.name:
            said += data_folder([_weights(each, command) for each in _spelled(unit)])
    roots = [unit for unit in said if unit.name == "data.root" and unit.typed != "data.root" and unit.values]
    if roots and not any(unit.key in ("data", "config", "resume", "ckpt_path") for unit in said):
        said += data_folder(Unit("data", roots[0].values))  # --root photos alone is --data photos
        said.remove(roots[0])
    return _each_once(said)


def _each_once(said: list[Unit]) -> list[Unit]:
    """Refuses two models or data sets of which one stands alone, ``fit DCGAN LSGAN``.

    A dotted name that stands alone is the model if the data is named, and the data if the model is.
    """
    for unit in said:
        if unit.name == _OWN:
            left = [kind for kind in ("model", "data") if all(other.key != kind for other in said)]
            if len(left) != 1:
                name = unit.values[0]
                raise UsageError(
                    f"{name} is a model or data of yours, perhaps; say which: --model {name}, or --data {name}"
                )
            unit.name = unit.typed = left[0]
    for kind in ("model", "data"):
        named = [unit for unit in said if unit.key == kind]
        if len(named) > 1 and any(unit.alone for unit in named):
            names = " and ".join(" ".join(unit.values) for unit in named)
            raise UsageError(f"a run has one {'model' if kind == 'model' else 'data set'}, got {names}")
    return said


def _may_be_flag(words: Sequence[str], at: int) -> bool:
    """Whether ``key=value`` is an option as yolo spells it: no file, and no value of the flag before it."""
    before = words[at - 1] if at else ""
    return not Path(words[at]).exists() and (not before.startswith("-") or "=" in before)


def _real(name: str) -> str:
    """A flag with underscores, and a short name as the first of its spellings."""
    name = name.replace("-", "_")
    if "." in name:
        return name
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return REAL[snake].name if snake in REAL else snake if name not in ("h", "c") and snake in FOREIGN else name


def _left_over(unit: Unit, takes: Callable[[str], str]) -> list[str]:
    """Takes out of a flag's words those that are not its values."""
    if not unit.name:
        return unit.values
    number = takes(unit.name)
    keep = 1 if number != "none" or unit.joined else 0
    if number == "many":
        while keep < len(unit.values) and _alike(unit.values[0], unit.values[keep]):
            keep += 1
    if (number == "switch" or unit.name == "resume") and not unit.joined and unit.values:
        keep = 0 if _names_class(unit.values[0]) or unit.values[0].endswith(YAML) else 1
    unit.values, rest = unit.values[:keep], unit.values[keep:]
    return rest


def _alike(first: str, word: str) -> bool:
    """Whether a word goes on a list: a number after a number, and no model, data set or file."""
    if _number(first):
        return _number(word)
    return not _names_class(word) and not word.endswith(YAML)


def _number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _names_class(word: str) -> tuple[str, str] | None:
    """The kind and the name of a model or data set that a word names, in any case."""
    for kind, home in (("model", "lit_gans.models"), ("data", "lit_gans.data")):
        if found := next((name for name in known(home) if name.lower() == word.lower()), None):
            return kind, found
    return None


def _is_run(path: Path, word: str) -> bool:
    """Whether a word leads to a run: by its folder, its checkpoints, or the name that ``--name`` has given it."""
    return Run(path).config.is_file() or path.name == "checkpoints" or path != Path(word).expanduser()


def _standing_alone(word: str, command: str) -> Unit:
    """A word that stands alone: a model, a data set, a configuration, a checkpoint or a folder of pictures."""
    path = named_folder(Path(word).expanduser())
    if found := _names_class(word):
        return Unit(found[0], [found[1]], alone=True)
    if path.suffix in YAML:
        return Unit("config", [word])
    if is_shipped(word):
        return Unit("resume" if command == "fit" else "ckpt_path", [word])
    if path.suffix == ".ckpt" or word in ("last", "best") or _is_run(path, word):
        if command != "fit":
            return Unit("ckpt_path", [word])
        file = Run(path).config if path.is_dir() else Run.of(path).config
        if not file.is_file() and path.is_dir():
            file = Run.of(find_checkpoint(path)).config
        again = f", and --config {file} repeats it" if file.is_file() else ""
        raise UsageError(f"{word} belongs to a run: --resume {word} goes on with it{again}")
    if path.exists():
        return Unit("data", [word])
    if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", word):
        return Unit(_OWN, [word], alone=True)
    if "/" in word:
        raise UsageError(f"there is no file or folder {word}")
    if word == "resume":
        return Unit("resume")
    if word in TRAINING:
        raise UsageError(f"the command is {command} already; leave {word} out")
    names = [*known("lit_gans.models"), *known("lit_gans.data")]
    close = (
        nearest(word, names).partition("?")[0] + "?" if "?" in nearest(word, names) else "; 'lit-gans list' names all"
    )
    raise UsageError(f"{word!r} is no model, data set, configuration or folder{close}")


def _weights(unit: Unit, command: str) -> Unit:
    """A file of weights that is given for the model, as yolo has it, is a checkpoint."""
    value = unit.values[0] if unit.name == "model" and unit.values else ""
    if value.endswith((".pt", ".pth", ".pkl")):
        raise UsageError(f"--model takes the name of a model, got {value}; checkpoints here are .ckpt files of runs")
    return _standing_alone(value, command) if value.endswith(".ckpt") else unit


def data_folder(units: Unit | list[Unit], alone: bool = False) -> list[Unit]:
    """Data that are a folder, ``--data ./photos``, as the data set that reads them."""
    said: list[Unit] = []
    for unit in units if isinstance(units, list) else [units]:
        value = unit.values[0] if unit.values else ""
        folder = Path(value).expanduser()
        plain = unit.name == "data" and value and not _names_class(value) and folder.suffix not in YAML
        if plain and folder.is_file() and folder.suffix.lower() != ".zip":
            raise UsageError(
                f"{value} is no data: they are a folder of pictures, a .zip of it, or the name of a data set"
            )
        if plain and folder.exists():
            said += [Unit("data", [_reader(folder)], alone=alone), Unit("data.root", [str(folder)])]
        elif plain and ("/" in value or "\\" in value) and value[0] not in "[{":
            raise UsageError(f"there is no folder {value} with data")
        else:
            said.append(unit)
    return said


def _reader(folder: Path) -> str:
    """The data set that reads a folder: two domains if it has the folders of CycleGAN, else pictures."""
    below = {path.name.lower() for path in folder.iterdir()} if folder.is_dir() else set()
    return "Unpaired" if {"traina", "trainb"} <= below else "ImageFolder"


# -------------------------------------------------------------------- values


def _spelled(unit: Unit) -> list[Unit]:
    """A flag by its real name, with its value as Lightning spells it."""
    if unit.name in ("gpus", "device"):
        return _devices(unit)
    if unit.name in REAL and unit.name not in ("name", "resume"):
        unit.name = REAL[unit.name].flag
    if unit.name == "config" and unit.values and Run(Path(unit.values[0])).config.is_file():
        unit.values = [str(Run(Path(unit.values[0])).config)]  # the folder of a run
    if unit.name == "trainer.precision" and unit.values:
        low = unit.values[0].lower()
        unit.values = [_PRECISIONS.get(low, low)]
    if unit.name in ("trainer.max_time", "max_time") and unit.values:
        unit.values = [_time(unit)]
    return [unit]


def _time(unit: Unit) -> str:
    """How long, ``2h``, as Lightning spells it, ``00:02:00:00``; what is no text for it stays as it is."""
    word = " ".join(unit.values).strip().lower()
    if not word or word[0] in "{[" or word in ("null", "none") or _CLOCK.fullmatch(word):
        return word
    found = _TIME.fullmatch(word)
    if found is None:
        raise UsageError(f"--{unit.typed} takes how long, say 30min, 2h or days:hours:minutes:seconds, got {word}")
    seconds = round(float(found[1]) * next(_SECONDS[each] for each in found.groups()[1:] if each))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    return f"{days:02}:{hours:02}:{minutes:02}:{seconds % 60:02}"


def _devices(unit: Unit) -> list[Unit]:
    """``--gpus 2`` is a number of them; ``--device cpu``, ``cuda:1``, ``mps``, ``0`` and ``0,1`` say which."""
    given = ",".join(unit.values).strip("[] ").lower()
    kind, _, which = given.partition(":")
    ids = [part.strip() for part in (which or given).split(",")]
    accelerator, devices = "gpu", f"[{', '.join(ids)}]"
    if given == "cpu" or (unit.name, given) in (("gpus", "0"), ("device", "-1")):
        accelerator, devices = "cpu", ""
    elif given in ("mps", "auto", "cuda", "gpu", "tpu"):
        accelerator, devices = {"cuda": "gpu"}.get(given, given), ""
    elif unit.name == "gpus" and re.fullmatch(r"\d+|-1", given):
        devices = given
    elif kind == "cpu" or not all(part.isdecimal() for part in ids) or kind not in ("cuda", "gpu", given):
        wanted = (
            "a number of GPUs, or -1 for all"
            if unit.name == "gpus"
            else "cpu, cuda, cuda:1, mps, auto, or numbers of GPUs: 0,1"
        )
        raise UsageError(f"--{unit.typed} takes {wanted}, got {given or 'nothing'}")
    return [Unit("trainer.accelerator", [accelerator]), *([Unit("trainer.devices", [devices])] if devices else [])]
