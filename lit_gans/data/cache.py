"""Decoding once: pictures become one uint8 file that training maps into memory."""

import hashlib
import json
import os
import shutil
import struct
import sys
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from lightning.pytorch.utilities import rank_zero_warn
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from lit_gans.data.sources import CorruptPicture, Frame, Source
from lit_gans.errors import UsageError

_FORMAT = "1"  # to be raised when the same pictures would be decoded to other pixels
_BLOCK = 16 * 2**20  # bytes of pixels that a worker writes at a time
_GOOD, _CORRUPT = 1, 2  # a picture's state; 0 is not yet decoded


class Mapped:
    """(N, C, H, W) uint8 images in a file, of which only what is used is read.

    It goes to other processes as its path.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tensor: Tensor | None = None

    @property
    def tensor(self) -> Tensor:
        """All images, mapped."""
        if self._tensor is None:
            with safe_open(self.path, "pt") as file:
                self._tensor = file.get_tensor("image")
        return self._tensor

    def __len__(self) -> int:
        return len(self.tensor)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_tensor": None}

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """A copy of some images."""
        return self.tensor.index_select(dim, rows)


def decoded(
    source: Source, frame: Frame, folder: Path, title: str, skip_corrupt: bool = False
) -> tuple[Mapped, Tensor]:
    """The pictures of a source, decoded, cut and resized: now if they never were, else as they were kept.

    Several processes may ask at a time: one works, the others wait. A run that is killed leaves its work, and the next
    goes on from there.

    Args:
        source: the pictures.
        frame: what is done to each.
        folder: where decoded pictures are kept.
        title: what the file's name begins with.
        skip_corrupt: leave out pictures that cannot be decoded, and say how many.

    Returns:
        The images, and the numbers of those that could be decoded.

    Raises:
        UsageError: if a picture cannot be decoded, the disk is full, or the kept file is not what it should be.
    """
    recipe = {"format": _FORMAT, "frame": repr(frame), "count": str(len(source)), "source": source.fingerprint()}
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]
    height, width = frame.size
    source.close()
    path = folder / f"{title}-{height}x{width}-{key}.safetensors"
    if not path.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_name(f".{path.stem}.lock")):
                if not path.exists():
                    _Build(source, frame, path, recipe, skip_corrupt).run()
        except OSError as error:
            raise _unwritable(path, error) from None
    states = _states(path, recipe)
    if bad := (states == _CORRUPT).nonzero()[:, 0].tolist():
        first = source.where(bad[0])
        if not skip_corrupt or len(bad) == len(source):
            raise _corrupt(first, f"{len(bad)} of {len(source)} images cannot be decoded")
        rank_zero_warn(f"{len(bad)} of {len(source)} images in {source.place} cannot be decoded, the first is {first}")
    return Mapped(path), (states == _GOOD).nonzero()[:, 0]


class _Build(Dataset[Any]):
    """Writes one cache file, block by block: first a block's pixels, then its pictures' states.

    The part file is therefore its own record of what is done.
    """

    def __init__(self, source: Source, frame: Frame, path: Path, recipe: dict[str, str], skip_corrupt: bool) -> None:
        self.source, self.frame, self.skip_corrupt = source, frame, skip_corrupt
        self.path, self.part = path, path.with_suffix(".part")
        shape = [len(source), frame.channels, *frame.size]
        self.row = frame.channels * frame.size[0] * frame.size[1]
        pixels = len(source) * self.row
        header = {
            "__metadata__": recipe,
            "image": {"dtype": "U8", "shape": shape, "data_offsets": [0, pixels]},
            "state": {"dtype": "U8", "shape": shape[:1], "data_offsets": [pixels, pixels + len(source)]},
        }
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self.header = struct.pack("<Q", len(text)) + text
        self.states_at = len(self.header) + pixels
        self.block = max(1, min(256, _BLOCK // self.row))

    def run(self) -> None:
        """Decodes what is not decoded yet, in several processes, and gives the file its name."""
        self._begin()
        states = torch.frombuffer(bytearray(self._read(self.states_at, len(self.source))), dtype=torch.uint8)
        todo = [n for n, block in enumerate(states.split(self.block)) if (block == 0).any()]
        workers = 0 if len(todo) < 4 else min(_cores(), len(todo) // 2)
        fork = "fork" if workers and sys.platform == "linux" else None  # needs no importable __main__
        rng = torch.Generator()  # the loader's own: a run that decodes draws the same noise as one that need not
        loader = DataLoader(self, None, sampler=todo, num_workers=workers, multiprocessing_context=fork, generator=rng)
        bar = tqdm(total=len(self.source), desc=f"decoding {self.source.place.name}", unit=" images", disable=None)
        bar.update(int((states > 0).sum()))
        try:
            for done, corrupt, full in loader:
                bar.update(done)
                if full:
                    raise UsageError(full)
                if corrupt and not self.skip_corrupt:
                    raise _corrupt(*corrupt[0])
        finally:
            bar.close()
            self.source.close()
        with self.part.open("rb+") as file:
            os.fsync(file.fileno())
        self.part.replace(self.path)

    def _begin(self) -> None:
        """A part file of the right size, with the header: an old one of the same recipe is gone on with."""
        size = self.states_at + len(self.source)
        if self.part.exists() and self.part.stat().st_size == size and self._read(0, len(self.header)) == self.header:
            return
        free = shutil.disk_usage(self.path.parent).free
        if free < size:
            raise UsageError(
                f"decoding {self.source.place} needs {size / 1e9:.2f} GB in {self.path.parent}, which has "
                f"{free / 1e9:.2f} GB left; free some or set data.cache to a folder on another disk"
            )
        with self.part.open("wb") as file:
            file.write(self.header)
            file.truncate(size)

    def _read(self, offset: int, count: int) -> bytes:
        with self.part.open("rb") as file:
            file.seek(offset)
            return file.read(count)

    def __len__(self) -> int:
        return -(-len(self.source) // self.block)

    def __getitem__(self, number: int) -> tuple[int, list[tuple[str, str]], str]:
        """Decodes one block and writes it.

        Returns:
            How many pictures it has, which of them cannot be decoded and why, and what is wrong with the disk. Nothing
            is raised, because an exception would come with the traceback of a worker.
        """
        rows = range(number * self.block, min((number + 1) * self.block, len(self.source)))
        images = torch.zeros(len(rows), self.frame.channels, *self.frame.size, dtype=torch.uint8)
        states, corrupt = bytearray([_GOOD]) * len(rows), []
        for place, row in enumerate(rows):
            try:
                images[place] = self.frame(self.source.read(row))
            except (CorruptPicture, OSError) as error:
                states[place] = _CORRUPT if self.skip_corrupt else 0  # 0: to be tried again
                corrupt.append((self.source.where(row), str(error)))
        try:
            with self.part.open("rb+", buffering=0) as file:
                _write(file, len(self.header) + rows[0] * self.row, images.numpy().data.cast("B"))
                os.fsync(file.fileno())  # or a power cut could keep the states and lose the pixels
                _write(file, self.states_at + rows[0], memoryview(states))
        except OSError as error:
            return len(rows), corrupt, str(_unwritable(self.path, error))
        return len(rows), corrupt, ""


def _write(file: Any, offset: int, data: memoryview) -> None:
    """Writes all of it, however little the system takes at a time."""
    file.seek(offset)
    while len(data):
        data = data[file.write(data) :]


def _states(path: Path, recipe: dict[str, str]) -> Tensor:
    """The states of a cache's pictures, once it is known to be the right one."""
    try:
        with safe_open(path, "pt") as file:
            found = file.metadata() or {}
            states = file.get_tensor("state").clone()
    except (SafetensorError, OSError) as error:
        raise UsageError(f"the decoded images in {path} are damaged ({error}); delete the file") from None
    for name, value in recipe.items():
        if found.get(name) != value:
            raise UsageError(
                f"the decoded images in {path} were made with {name} {found.get(name)}, not {value}; delete the file, "
                "or set data.cache to another folder"
            )
    return states


def _corrupt(name: str, reason: str) -> UsageError:
    return UsageError(
        f"{name} cannot be used ({reason}); replace or delete it, or leave such images out with data.skip_corrupt=true"
    )


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"decoded images cannot be kept in {path.parent} ({error.strerror or error}); free some space there or set "
        "data.cache to a folder on another disk; what is done is kept"
    )


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
