"""The run that a command goes on with or looks at: its configuration comes first, then what was typed."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lit_gans.cli import settings
from lit_gans.cli.arguments import Unit
from lit_gans.cli.artifacts import fetched
from lit_gans.errors import UsageError
from lit_gans.runs import HOME, KINDS, Run, find_checkpoint, is_shipped, no_checkpoint

_SAFE = ("lit_gans", "torch", "torchvision", "lightning")  # packages that a file may name
_FOUND = "LIT_GANS_NEWEST"  # the variable that hands the newest run on to the processes of a run
_NEWEST = ("", "true", "last", "auto")  # what is typed after --resume for the newest run


def with_its_run(units: Sequence[Unit], command: str) -> list[Unit]:
    """Replaces ``--resume`` and folders of runs by a checkpoint file, and adds the configuration of its run.

    Args:
        units: what was typed.
        command: fit resumes from what was saved last, the others look at the best.

    Raises:
        UsageError: if there is no such run, or its configuration names code that was not typed.
    """
    resume = next((unit for unit in units if unit.name == "resume"), None)
    asked = resume or next((unit for unit in units if unit.name == "ckpt_path"), None)
    if asked is None or (asked is not resume and asked.values[:1] in ([""], ["null"], [])):
        return list(units)
    prefer = KINDS if command != "fit" else KINDS[::-1]
    value = asked.values[0] if asked.values else ""
    if (resume is not None and value.lower() in _NEWEST) or (value in KINDS and not Path(value).exists()):
        path = _same_in_all(lambda: _newest(units, value if value in KINDS else prefer[0]))
        _note(f"{'going on from' if command == 'fit' else 'looking at'} {path}")
    else:
        if is_shipped(value):
            raise UsageError(_shipped(value, command))
        path = find_checkpoint(fetched(value), prefer)
        if not path.is_file():
            raise UsageError(no_checkpoint(path))
        if command != "fit" and str(path) != value:  # fit's table says where a run goes on
            _note(f"looking at {path}")
    others = [unit for unit in units if unit is not asked and unit.name != "ckpt_path"]
    typed = {unit.key.partition(".")[0] for unit in others}
    config = Run.of(path).config
    # the options of a model are typed anew by whoever names it and goes on from a file
    own = {"config"} | ({"model"} if command == "fit" else set())
    if config.is_file() and (resume is not None or not typed & own):
        _refuse_foreign(config, units)
        others = [Unit("config", [str(config)]), *others]
    elif resume is not None and not typed & {"config", "model"}:
        raise UsageError(f"{path} has no config.yaml of its run beside it; name --model and --data as in that run")
    return [*others, Unit("ckpt_path", [str(path)])]


def _shipped(name: str, command: str) -> str:
    """A sentence for a model that comes along, of whose run nothing is kept but what it draws with."""
    if command == "fit":
        return f"{name} comes along without its run, so that none goes on from it; lit_gans.load({name!r}) trains on"
    return f"{name} comes along without its run; 'lit-gans evaluate {name}' measures it"


def _same_in_all(find: Callable[[], Path]) -> Path:
    """What the first process of a run has found; the others read the command later, when there may be a newer one."""
    if os.environ.get("LOCAL_RANK", "0") == "0" or _FOUND not in os.environ:
        os.environ[_FOUND] = str(find())
    return Path(os.environ[_FOUND])


def _newest(units: Sequence[Unit], kind: str) -> Path:
    """The checkpoint of the newest run of the model and the data that were typed; of any, where they were not.

    Raises:
        UsageError: if there is none.
    """
    home = Path(next((u.values[0] for u in units if u.name == "trainer.default_root_dir" and u.values), HOME))
    wanted = {part: name for part in ("model", "data") if (name := _named(units, part))}
    found = [*home.glob(f"*/*/checkpoints/{kind}.ckpt"), *home.glob(f"*/checkpoints/{kind}.ckpt")]
    for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True):
        if not wanted:
            return path
        config = Run.of(path).config
        held = settings.read(config) if config.is_file() else {}
        if all(_short(held.get(part)).lower() == name.lower() for part, name in wanted.items()):
            return path
    what = f" of {' on '.join(wanted.values())}" if wanted else ""
    raise UsageError(f"no run{what} in {home} has a {kind}.ckpt; name a run's folder or a .ckpt file")


def _named(units: Sequence[Unit], part: str) -> str:
    """The class that was typed for the model or the data, or that a typed configuration names."""
    said = [unit.values[0] for unit in units if unit.key == part and unit.values]
    for unit in units if not said else ():
        if unit.name == "config" and unit.values:
            said.append(settings.read(unit.values[0]).get(part, ""))
    return _short(said[-1]) if said else ""


def _short(named: Any) -> str:
    name = named.get("class_path", "") if isinstance(named, dict) else named
    return str(name or "").rpartition(".")[2]


def _refuse_foreign(config: Path, units: Sequence[Unit]) -> None:
    """Refuses a configuration that was only found beside a checkpoint and names code of somebody's own.

    Raises:
        UsageError: with what to add to the command.
    """
    typed = {value.partition(".")[0] for unit in units for value in unit.values}
    trusted = {name.partition(".")[0] for u in units if u.name == "trust" for v in u.values for name in v.split(",")}
    for name in _dotted(settings.read(config)):
        package = name.partition(".")[0]
        if package not in {*_SAFE, *typed, *trusted} and is_module(package):
            raise UsageError(
                f"{config} names {name}, and importing {package} would run its code; if you trust it, add --trust "
                f"{package}"
            )


def _dotted(value: Any) -> Iterator[str]:
    """The texts in a configuration that may be names of classes or functions."""
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _dotted(each)
    if isinstance(value, str) and "." in value and all(part.isidentifier() for part in value.split(".")):
        yield value


def is_module(name: str) -> bool:
    """Whether a package can be imported, from the working folder too; found without importing it."""
    if str(Path.cwd()) not in sys.path:
        return True
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return name in sys.modules


def _note(text: str) -> None:
    if os.environ.get("LOCAL_RANK", "0") == "0":  # each process of a run reads the command
        print(f"note: {text}", file=sys.stderr, flush=True)
