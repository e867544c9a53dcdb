"""What a run computes on: devices that tell each other what they have, their random numbers, cores that runs share."""

import os
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

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


class RandomNumbers:
    """The random numbers that follow on the CPU and on a device, which can be drawn once more.

    Args:
        device: where random numbers are drawn beside the CPU.
    """

    def __init__(self, device: torch.device) -> None:
        self.cuda = [device] if device.type == "cuda" else []
        self.state = torch.get_rng_state()
        self.cuda_states = [torch.cuda.get_rng_state(each) for each in self.cuda]

    @contextmanager
    def again(self) -> Iterator[None]:
        """While it lasts, the numbers are those that followed; then they go on as if none had been drawn in it."""
        with torch.random.fork_rng(self.cuda):
            torch.set_rng_state(self.state)
            for device, state in zip(self.cuda, self.cuda_states, strict=True):
                torch.cuda.set_rng_state(state, device)
            yield


def tasks() -> tuple[str, int, int] | None:
    """Who has started this process as one of a run, torchrun or SLURM, the processes on each node, and the nodes.

    None where nobody has, and where SLURM does not say how many are on each node; Lightning asks for that.
    """
    from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment

    def number(name: str) -> int:
        return int(given) if (given := os.environ.get(name, "")).isdigit() else 0

    if TorchElasticEnvironment.detect():
        name, world, local = "torchrun", number("WORLD_SIZE"), number("LOCAL_WORLD_SIZE")
    elif SLURMEnvironment.detect():
        name, world, local = "SLURM", number("SLURM_NTASKS"), number("SLURM_NTASKS_PER_NODE")
    else:
        return None
    local = local or (1 if world == 1 else 0)
    return (name, local, max(1, world // local)) if local else None


def take_tasks(trainer: dict[str, Any]) -> None:
    """Sets a Trainer's ``devices`` and ``num_nodes`` that nobody has set to those that processes were started for."""
    if (found := tasks()) is not None:
        _, local, nodes = found
        if trainer.get("devices", "auto") == "auto":
            trainer["devices"] = local
        if trainer.get("num_nodes", 1) == 1:
            trainer["num_nodes"] = nodes


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_chosen = {torch.get_num_threads()}  # numbers of threads that nobody else has asked for


def take_threads(count: int) -> int:
    """Computes with so many threads from here on, unless somebody has said how many; returns how many it is.

    The number changes sums in their last bit, so that it belongs to a run as its seed does. ``OMP_NUM_THREADS`` and
    ``torch.set_num_threads`` say how many.
    """
    if "OMP_NUM_THREADS" not in os.environ and 1 <= count <= cores() and torch.get_num_threads() in _chosen:
        torch.set_num_threads(count)
        _chosen.add(count)
    return torch.get_num_threads()


class Presence:
    """Tells other runs of this user on this machine, as long as it lives, that this one trains; counts them.

    A file for each run, which is locked: the lock goes with the process, however that ends.
    """

    def __init__(self) -> None:
        self._file: int | None = None
        self._path = Path()

    def begin(self) -> int:
        """Shows that this run trains; returns how many others do. None are seen where files cannot be locked."""
        if fcntl is None:
            return 0
        try:
            folder = _own_folder()
            if folder is None:
                return 0
            self._show(folder)
            return sum(_is_locked(path) for path in folder.glob("training-*") if path != self._path)
        except OSError:  # no place to write
            return 0

    def _show(self, folder: Path) -> None:
        """Makes and locks this run's file; another run that looks may take it away in between."""
        while self._file is None:
            self._path = folder / f"training-{uuid.uuid4().hex}"
            file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            if self._path.exists():
                self._file = file
            else:
                os.close(file)

    def end(self) -> None:
        """Takes the sign away."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
        self._file = None


def _own_folder() -> Path | None:
    """A folder of this user alone for the files of `Presence`; None if somebody else has made one of that name."""
    folder = Path(tempfile.gettempdir(), f"lit_gans-{os.getuid()}")
    with suppress(FileExistsError):
        folder.mkdir(0o700)
    found = folder.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return folder if is_ours else None


def _is_locked(path: Path) -> bool:
    """Whether the run that made a file lives; the file of one that does not is removed."""
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
