"""The folder of decoded pictures: where it is, what is in it, and how it is cleared."""

import json
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from lit_gans.files import cache_folder, lock

__all__ = ["ENDING", "PART", "Kept", "cache_folder", "kept", "lock_of"]

ENDING, PART = ".safetensors", ".part"
_NAMED = re.compile(r".*-\d+x\d+-[0-9a-f]{12}")
_OURS = {"format", "frame", "count", "source"}  # names in the header of every such file
_LONGEST = 2**20  # bytes of a header that is worth looking at


def lock_of(path: Path) -> Path:
    """The file that a process locks while it writes ``path``."""
    return path.with_name(f".{path.stem}.lock")


@dataclass(frozen=True)
class Kept:
    """One file of decoded pictures.

    Args:
        path: the file.
        size: bytes that it takes on the disk.
        count: number of pictures that it is for; "?" if it does not say so.
        place: where those pictures are; "?" if it does not say so.
    """

    path: Path
    size: int
    count: str
    place: str

    @property
    def finished(self) -> bool:
        """Whether all pictures are decoded."""
        return self.path.suffix == ENDING

    def remove(self) -> bool:
        """Deletes it, unless a process writes or reads it.

        Returns:
            Whether it was deleted.
        """
        try:
            with FileLock(lock_of(self.path), timeout=0):
                held = os.open(self.path, os.O_RDWR)
                try:
                    if free := lock(held, wait=False):
                        self.path.unlink()
                finally:
                    os.close(held)
                if free:
                    lock_of(self.path).unlink(missing_ok=True)
                return free
        except (Timeout, OSError):
            return False


def kept(folder: Path) -> Iterator[Kept]:
    """The files of decoded pictures in a folder, by name; nothing else that is there."""
    names = sorted(entry.name for entry in os.scandir(folder)) if folder.is_dir() else []
    for path in (folder / name for name in names):
        if path.suffix not in (ENDING, PART) or not _NAMED.fullmatch(path.stem) or path.is_symlink():
            continue
        try:
            said, status = _metadata(path), path.stat()
        except OSError:  # somebody else has just deleted it
            continue
        # a file with a damaged header is ours if there is a lock file of ours beside it
        if said.keys() >= _OURS or lock_of(path).exists():
            size = getattr(status, "st_blocks", -(-status.st_size // 512)) * 512
            yield Kept(path, size, said.get("count", "?"), said.get("place", "?"))


def _metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, finished or not; empty if it is something else."""
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        text = file.read(length) if length < _LONGEST else b""
    try:
        said = json.loads(text)["__metadata__"]
        return {str(name): str(value) for name, value in said.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
