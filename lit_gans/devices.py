"""What a run computes on: devices that tell each other what they have, and cores that several runs share."""

import os
import tempfile
from pathlib import Path
from typing import IO, Any, TypeVar

import torch
import torch.distributed as dist

try:
    import fcntl
except ImportError:  # Windows: runs do not see each other
    fcntl = None  # type: ignore[assignment]

T = TypeVar("T")


def gathered(value: T) -> list[T]:
    """Every device's value, in order; all devices must call this, and tensors in it should be on the CPU."""
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def take_threads(count: int) -> int:
    """Computes with so many threads from here on, unless ``OMP_NUM_THREADS`` says how many; returns how many it is.

    The number changes sums in their last bit, so that it belongs to a run as its seed does.
    """
    if "OMP_NUM_THREADS" not in os.environ and 1 <= count <= cores():
        torch.set_num_threads(count)
    return torch.get_num_threads()


class Presence:
    """Tells other runs of this user on this machine, as long as it lives, that this one trains; counts them.

    A file for each process, which is locked: the lock goes with the process, however that ends.
    """

    def __init__(self) -> None:
        self._file: IO[str] | None = None
        name = f"lit_gans-{os.getuid()}" if hasattr(os, "getuid") else "lit_gans"
        self._folder = Path(tempfile.gettempdir(), name, "training")

    def begin(self) -> int:
        """Shows that this run trains; returns how many others do. None are seen where files cannot be locked."""
        if fcntl is None:
            return 0
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            others = sum(_is_locked(path) for path in self._folder.iterdir() if path.name != str(os.getpid()))
            self._file = Path(self._folder, str(os.getpid())).open("w", encoding="utf-8")  # noqa: SIM115 (held open)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # no place to write, or another user's folder
            return 0
        return others

    def end(self) -> None:
        """Takes the sign away."""
        if self._file is not None:
            Path(self._file.name).unlink(missing_ok=True)
            self._file.close()
        self._file = None


def _is_locked(path: Path) -> bool:
    """Whether the process that made a file lives; the file of one that does not is removed."""
    try:
        with path.open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
