"""The file that decoded pictures are kept in: its layout, and how it is read so that damage is always noticed."""

import json
import os
import struct
import weakref
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.files import lock

GOOD, CORRUPT = 1, 2  # a picture's state; 0 is not yet decoded
TYPES = {8: torch.uint8, 16: torch.int16, 32: torch.float32}  # that pictures are kept in, by their bits
_NAMES = {8: "U8", 16: "I16", 32: "F32"}  # of the same in safetensors


class Layout:
    """The layout of a file: a safetensors file whose header is known before the rest is written.

    The pixels come first, then a CRC-32 for each picture's pixels, a CRC-32 of all that follows, and the states.

    Args:
        count: N, the number of pictures.
        shape: (C, H, W) of each.
        recipe: the settings that decide the pixels, as text.
        bits: of each number, see `TYPES`.
    """

    def __init__(self, count: int, shape: tuple[int, int, int], recipe: dict[str, str], bits: int = 8) -> None:
        self.count, self.recipe = count, recipe
        self.row = shape[0] * shape[1] * shape[2] * bits // 8  # bytes
        header: dict[str, Any] = {"__metadata__": recipe}
        ends = [0]
        for name, form in (("image", [count, *shape]), ("checksum", [count, 4]), ("seal", [4]), ("state", [count])):
            own = bits if name == "image" else 8
            ends.append(ends[-1] + int(np.prod(form)) * own // 8)
            header[name] = {"dtype": _NAMES[own], "shape": form, "data_offsets": ends[-2:]}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self.header = struct.pack("<Q", len(text)) + text
        _, self.checksums_at, self.seal_at, self.states_at, self.size = (len(self.header) + end for end in ends)

    def seal(self, checksums: bytes, states: bytes) -> bytes:
        """The checksum of the checksums and the states, by which `check` finds damage to them."""
        return struct.pack("<I", zlib.crc32(states, zlib.crc32(checksums)))

    def check(self, path: Path) -> Tensor:
        """Checks that a file is the right one and whole, but for its pixels; returns the pictures' states (N,) uint8.

        Raises:
            UsageError: if it is damaged, unfinished or of another recipe.
        """
        try:
            with path.open("rb") as file:
                found = file.read(len(self.header))
                file.seek(self.checksums_at)
                rest = file.read(self.size - self.checksums_at + 1)
        except OSError as error:
            raise damaged(path, error.strerror or str(error)) from None
        if found != self.header:
            self._say_unlike(path)
        if len(rest) != self.size - self.checksums_at:
            raise damaged(path, f"it has {path.stat().st_size} bytes, not {self.size}")
        checksums, seal, states = rest[: 4 * self.count], rest[4 * self.count :][:4], rest[4 * self.count + 4 :]
        if seal != self.seal(checksums, states):
            raise damaged(path, "its list of pictures differs from its checksum")
        if not {GOOD, CORRUPT}.issuperset(states):
            raise damaged(path, f"{states.count(0)} of its {self.count} images were never decoded")
        return torch.frombuffer(bytearray(states), dtype=torch.uint8)

    def _say_unlike(self, path: Path) -> None:
        """Raises the error for a file with another header."""
        try:
            with safe_open(path, "pt") as file:
                found = file.metadata() or {}
        except (SafetensorError, OSError) as error:
            raise damaged(path, str(error)) from None
        for name, value in self.recipe.items():
            if found.get(name) != value:
                raise UsageError(
                    f"the decoded images in {path} were made with {name} {found.get(name)}, not {value}; delete the "
                    "file, or set data.cache to another folder"
                )
        raise damaged(path, "its header is not what was written")


class Mapped:
    """(N, C, H, W) images in a file, of a type in `TYPES`, of which only those that are used are read.

    A picture's pixels are compared with their checksum when they are first read. Other processes get the path and open
    the file themselves. While it is in use `lit-gans cache clear` leaves the file alone.

    Args:
        path: a finished file.

    Raises:
        FileNotFoundError: if it is not there (any more).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tensor: Tensor | None = None
        held = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, held)
        lock(held, shared=True)
        if not os.path.samestat(os.fstat(held), path.stat()):  # it was deleted and made anew before the lock
            raise FileNotFoundError(path)

    @property
    def tensor(self) -> Tensor:
        """All images, mapped; their checksums are not compared."""
        if self._tensor is None:
            with safe_open(self.path, "pt") as file:
                self._tensor = file.get_tensor("image")
                self._checksums = file.get_tensor("checksum").numpy().view("<u4")[:, 0]
            self._checked = torch.zeros(len(self._tensor), dtype=torch.bool)
        return self._tensor

    def __len__(self) -> int:
        return len(self.tensor)

    def __reduce__(self) -> tuple[type["Mapped"], tuple[Path]]:
        return Mapped, (self.path,)

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """A copy of some images, (len(rows), C, H, W).

        Raises:
            UsageError: if one is not what was written.
        """
        images = self.tensor.index_select(dim, rows)
        if not (known := self._checked[rows]).all():
            pixels, places = images.flatten(1).numpy().view("u1"), rows.tolist()
            for number in (~known).nonzero()[:, 0].tolist():
                if zlib.crc32(pixels[number]) != self._checksums[places[number]]:
                    raise damaged(self.path, f"image {places[number]} differs from its checksum")
            self._checked[rows] = True
        return images


def damaged(path: Path, reason: str) -> UsageError:
    """The error for a damaged file."""
    return UsageError(f"the decoded images in {path} are damaged ({reason}); delete the file and run again")
