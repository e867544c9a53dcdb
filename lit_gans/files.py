"""Writes files so that none is ever half written, and none of a user's is replaced unasked."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lit_gans.errors import UsageError

if sys.platform != "win32":  # where nobody can remove a file that another process has open
    import fcntl

_PREFIX = ".lit_gans-tmp-"
_LOCK, _FILES = "lock", "files"  # names in a working folder
_NEWBORN = 60.0  # seconds that a working folder without a lock may belong to a process that is about to make it
_PAUSE = 1.0  # seconds between two looks for leftovers in one folder, which may get thousands of pictures
_looked: dict[str, float] = {}


def cache_folder(given: str | None = None) -> Path:
    """The folder of what can be made again: ``given``, else ``$LIT_GANS_CACHE``, else the user's cache folder."""
    from platformdirs import user_cache_path

    given = given or os.environ.get("LIT_GANS_CACHE")
    return Path(given).expanduser() if given else user_cache_path("lit_gans", appauthor=False)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary place for ``path`` to write to; it replaces ``path`` if all goes well and is removed if not.

    Raises:
        OSError: if the folder cannot be made or written to.
    """
    target = Path(path)
    with working_folder(target.parent) as folder:
        temporary = folder / target.name
        yield temporary
        temporary.replace(target)


@contextmanager
def working_folder(parent: Path) -> Iterator[Path]:
    """A new folder on the disk of ``parent``, which nobody can guess or enter; it is removed with what is left in it.

    A process that was killed leaves its folder behind; the next process that writes to ``parent`` removes it.

    Raises:
        OSError: if it cannot be made; it names ``parent``, and nothing that nobody has heard of.
    """
    parent.mkdir(parents=True, exist_ok=True)
    if time.monotonic() - _looked.get(str(parent), -_PAUSE) >= _PAUSE:
        _looked[str(parent)] = time.monotonic()
        clear_leftovers(parent)
    try:
        folder, held = _new_folder(parent)
    except OSError as error:
        raise type(error)(error.errno, f"nothing can be written into it ({error.strerror})", str(parent)) from None
    try:
        yield folder / _FILES
    finally:
        os.close(held)
        shutil.rmtree(folder, ignore_errors=True)


def clear_leftovers(parent: Path) -> None:
    """Removes the working folders that dead processes have left in a folder, never those of living ones."""
    try:
        names = [entry.name for entry in os.scandir(parent) if entry.name.startswith(_PREFIX)]
    except OSError:
        return
    for name in names:
        folder = parent / name
        try:
            held = os.open(folder / _LOCK, os.O_RDWR)
        except OSError:
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > _NEWBORN:
                    folder.rmdir()
            continue
        if lock(held, wait=False):
            shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def lock(file: int, shared: bool = False, wait: bool = True) -> bool:
    """Locks an open file until it is closed, which also happens when its process dies.

    Returns:
        Whether it could be locked: false if another process holds it, or where the system or the disk has no locks.
    """
    if sys.platform == "win32":
        return False
    kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    try:
        fcntl.flock(file, kind)
    except OSError:
        return False
    return True


def refuse_taken(*targets: str | os.PathLike[str], force: bool = False, word: str = "--force") -> None:
    """Checks that the files that a command is about to write can be written, before it computes anything.

    Args:
        targets: the files.
        force: whether they may replace files that are there already.
        word: how a user says so.

    Raises:
        UsageError: if one is there already, or is a folder, or its folder cannot be made.
    """
    paths = [Path(target) for target in targets]
    for path in paths:
        if path.is_dir():
            raise UsageError(f"{path} is a folder, but a file is to be written; name a file in it")
    for folder in {path.parent for path in paths}:
        there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
        if not there.is_dir():
            raise UsageError(f"{there} is no folder, so nothing can be written into it; name another output")
    taken = [path for path in paths if os.path.lexists(path)]
    if taken and not force:
        said = f"{taken[0]} is there already"
        if len(taken) > 1:
            said = f"{taken[0]} and {len(taken) - 1} more files are there already"
        raise UsageError(f"{said}; name another output, or replace what is there with {word}")


def free_name(name: str, force: bool = False) -> str:
    """A name that no file has yet: the given one, else ``samples-2.png`` for ``samples.png`` and so on.

    For outputs that nobody named, so that a command can be typed twice. With ``force`` it is the given one.
    """
    path, number = Path(name), 1
    while not force and os.path.lexists(path):
        number += 1
        path = Path(name).with_stem(f"{Path(name).stem}-{number}")
    return str(path)


def _new_folder(parent: Path) -> tuple[Path, int]:
    """Makes a working folder and takes its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
        try:
            held = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            lock(held)
            (folder / _FILES).mkdir()
        except FileNotFoundError:  # a process that clears leftovers had the lock first: try again
            continue
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder, held
