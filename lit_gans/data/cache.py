"""Decodes pictures once, into one file that training maps into memory."""

import hashlib
import json
import os
import re
import shutil
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from lit_gans.data.cache_folder import ENDING, PART, lock_of
from lit_gans.data.decoded_file import CORRUPT, GOOD, TYPES, Layout, Mapped, damaged
from lit_gans.data.sources import Source
from lit_gans.errors import UsageError
from lit_gans.images.frame import MEGAPIXELS, CorruptPicture, Frame

_FORMAT = "2"  # to be raised when the same pictures would be decoded to other pixels, or kept in another form
_BLOCK = 16 * 2**20  # bytes of pixels that a worker writes at a time
_LONGEST = 50  # characters of a title: a file's name has at most 255 bytes


def decoded(
    source: Source, frame: Frame, folder: Path, title: str, skip_corrupt: bool = False
) -> tuple[Mapped, Tensor]:
    """The pictures of a source, decoded, cut and resized; from the kept file, or else decoded now.

    Several processes may ask at a time: one works, the others wait. A run that is killed leaves its work, and the next
    goes on from there.

    Args:
        source: the pictures.
        frame: how each is decoded.
        folder: where decoded pictures are kept.
        title: the beginning of the file's name.
        skip_corrupt: leave out pictures that cannot be decoded, and say how many.

    Returns:
        The images, and the numbers of those that could be decoded.

    Raises:
        UsageError: if a picture cannot be decoded, the disk is full, or the kept file is not what it should be.
    """
    recipe = {
        "format": _FORMAT,
        "frame": repr(frame),
        "count": str(len(source)),
        "source": source.fingerprint(),
        "place": os.fsencode(source.place.resolve()).decode(errors="replace"),
    }
    if frame.megapixels != MEGAPIXELS:  # changes no pixel, but decides which pictures are left out
        recipe["megapixels"] = str(frame.megapixels)
    if frame.bits != 8:
        recipe |= {"bits": str(frame.bits), "usual": str(frame.usual)}
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]
    height, width = frame.size
    source.close()
    title = re.sub(r"[^\w.-]+", "_", title)[:_LONGEST].lstrip("-.")
    path = folder / f"{title}-{height}x{width}-{key}{ENDING}"
    layout = Layout(len(source), (frame.channels, height, width), recipe, frame.bits)
    while (images := _opened(path)) is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(lock_of(path)):
                if not path.exists():
                    _Build(source, frame, path, layout, skip_corrupt).run()
        except OSError as error:
            raise _unwritable(path, error) from None
    states = layout.check(path)
    if bad := (states == CORRUPT).nonzero()[:, 0].tolist():
        first = source.where(bad[0])
        if not skip_corrupt or len(bad) == len(source):
            raise _corrupt(first, f"{len(bad)} of {len(source)} images cannot be decoded")
        rank_zero_warn(
            f"{len(bad)} of {len(source)} images in {source.place} cannot be decoded and are left out, {first} for one"
        )
    return images, (states == GOOD).nonzero()[:, 0]


def _opened(path: Path) -> Mapped | None:
    """A finished file, or None if there is none (any more)."""
    try:
        return Mapped(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from None


class _Build(Dataset[Any]):
    """Writes one cache file, block by block: first a block's pixels and checksums, then its pictures' states.

    The part file is therefore its own record of what is done.
    """

    def __init__(self, source: Source, frame: Frame, path: Path, layout: Layout, skip_corrupt: bool) -> None:
        self.source, self.frame, self.layout, self.skip_corrupt = source, frame, layout, skip_corrupt
        self.path, self.part = path, path.with_suffix(PART)
        self.block = max(1, min(256, _BLOCK // layout.row))

    def run(self) -> None:
        """Decodes what is not decoded yet, in several processes, and gives the file its name."""
        self._begin()
        states = torch.frombuffer(bytearray(self._read(self.layout.states_at, len(self.source))), dtype=torch.uint8)
        states[states > CORRUPT] = 0  # a part file may be damaged, too
        todo = [n for n, block in enumerate(states.split(self.block)) if (block == 0).any()]
        rng = torch.Generator()  # the loader's own: a run that decodes draws the same noise as one that does not
        loader = DataLoader(self, None, sampler=todo, generator=rng, **worker_options(len(todo)))
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
        self._finish()

    def _begin(self) -> None:
        """Makes a part file of the right size with the header, unless an earlier run left one of the same recipe."""
        header, size = self.layout.header, self.layout.size
        plain = self.part.is_file() and not self.part.is_symlink()
        if plain and self.part.stat().st_size == size and self._read(0, len(header)) == header:
            return
        free = shutil.disk_usage(self.path.parent).free
        if free < size:
            raise UsageError(
                f"decoding {self.source.place} needs {size / 1e9:.2f} GB in {self.path.parent}, which has "
                f"{free / 1e9:.2f} GB left; free some, say with 'lit-gans cache clear', or set data.cache to a folder "
                "on another disk"
            )
        self.part.unlink(missing_ok=True)  # a link that somebody has put there is not followed
        with self.part.open("xb") as file:
            file.write(header)
            file.truncate(size)

    def _finish(self) -> None:
        """Seals the part file and gives it its name."""
        states = self._read(self.layout.states_at, len(self.source))
        checksums = self._read(self.layout.checksums_at, 4 * len(self.source))
        with self.part.open("rb+", buffering=0) as file:
            _write(file, self.layout.seal_at, memoryview(self.layout.seal(checksums, states)))
            os.fsync(file.fileno())
        self.part.replace(self.path)

    def _read(self, offset: int, count: int) -> bytes:
        with self.part.open("rb") as file:
            file.seek(offset)
            return file.read(count)

    def __len__(self) -> int:
        return -(-len(self.source) // self.block)

    def __getitem__(self, number: int) -> tuple[int, list[tuple[str, str]], str]:
        """Decodes one block and writes it.

        Returns:
            The number of its pictures, the names of those that cannot be decoded with the reasons, and an error of the
            disk or "". Nothing is raised, because an exception would come with the traceback of a worker.
        """
        rows = range(number * self.block, min((number + 1) * self.block, len(self.source)))
        images = torch.zeros(len(rows), self.frame.channels, *self.frame.size, dtype=TYPES[self.frame.bits])
        states, corrupt = bytearray([GOOD]) * len(rows), []
        for place, row in enumerate(rows):
            try:
                images[place] = self.frame(self.source.read(row))
            except (CorruptPicture, OSError) as error:
                states[place] = CORRUPT if self.skip_corrupt else 0  # 0: to be tried again
                corrupt.append((self.source.where(row), str(error)))
        layout, pixels = self.layout, images.flatten(1).numpy()
        checksums = struct.pack(f"<{len(rows)}I", *map(zlib.crc32, pixels.view("u1")))
        try:
            with self.part.open("rb+", buffering=0) as file:
                _write(file, len(layout.header) + rows[0] * layout.row, pixels.data.cast("B"))
                _write(file, layout.checksums_at + 4 * rows[0], memoryview(checksums))
                os.fsync(file.fileno())  # or a power cut could keep the states and lose the pixels
                _write(file, layout.states_at + rows[0], memoryview(states))
        except OSError as error:
            return len(rows), corrupt, str(_unwritable(self.path, error))
        return len(rows), corrupt, ""


def _write(file: Any, offset: int, data: memoryview) -> None:
    """Writes all of the data, even if the system takes only a part at a time."""
    file.seek(offset)
    while len(data):
        data = data[file.write(data) :]


def _corrupt(name: str, reason: str) -> UsageError:
    return UsageError(
        f"{name} cannot be used ({reason}); replace or delete it, or leave such images out: --data.skip_corrupt true, "
        "or skip_corrupt=True in Python"
    )


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"decoded images cannot be kept in {path.parent} ({error.strerror or error}); free some space there or set "
        "data.cache (or LIT_GANS_CACHE) to a folder on another disk; what is done is kept"
    )


def worker_options(blocks: int) -> dict[str, Any]:
    """The options of a loader that decodes so many blocks of pictures on all cores."""
    workers = 0 if blocks < 4 else min(_cores(), blocks // 2)
    fork = "fork" if workers and sys.platform == "linux" else None  # needs no importable __main__
    return {"num_workers": workers, "multiprocessing_context": fork}


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
