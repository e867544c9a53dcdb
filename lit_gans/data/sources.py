"""Sources of encoded pictures: a folder, a zip or an LMDB."""

import hashlib
import os
import zipfile
from abc import ABC, abstractmethod
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import Any

from lit_gans.data import lmdb_check
from lit_gans.errors import UsageError
from lit_gans.images.formats import MOVING, SUFFIXES, are_pictures
from lit_gans.images.frame import CorruptPicture
from lit_gans.images.photos import picture_names

_MOST = 2**30  # bytes of a picture's file, packed or not; a larger one would fill the memory


class Source(ABC):
    """Encoded pictures with names, in a fixed order; can be sent to other processes, which open it anew.

    Args:
        place: the folder or file that holds them.
        names: of the pictures, relative to it.
    """

    def __init__(self, place: Path, names: list[str]) -> None:
        self.place, self.names = place, names
        self._opened: Any = None
        self._process = 0

    def __len__(self) -> int:
        return len(self.names)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}

    @abstractmethod
    def read(self, number: int) -> bytes:
        """The bytes of a picture's file."""

    def stamps(self) -> list[tuple[int, ...]]:
        """Numbers for each picture, or for all of them, that differ after a change."""
        raise NotImplementedError

    def select(self, names: list[str]) -> "Source":
        """The same place with some of its pictures."""
        return type(self)(self.place, names)

    def where(self, number: int) -> str:
        """A picture's name for a message."""
        return str(self.place / self.names[number])

    def fingerprint(self) -> str:
        """A text that differs for another place, and once a picture is added, renamed, removed or changed."""
        digest = hashlib.sha256(f"{type(self).__name__}\0{self.place.resolve()}\0".encode(errors="surrogateescape"))
        digest.update("\0".join(self.names).encode(errors="surrogateescape"))
        digest.update(str(self.stamps()).encode())
        return digest.hexdigest()

    def opened(self) -> Any:
        """The open file of this process: one that was opened before a fork must not be shared."""
        if self._opened is None or self._process != os.getpid():
            self._opened, self._process = self._open(), os.getpid()
        return self._opened

    def close(self) -> None:
        """Closes what this process has opened; LMDB must not be open here when other processes are made."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _open(self) -> Any:
        raise NotImplementedError


class Folder(Source):
    """Pictures in a folder and the folders in it."""

    @classmethod
    def scan(cls, place: Path, endings: tuple[str, ...] = SUFFIXES) -> "Folder":
        """All pictures that `picture_names` finds."""
        return cls(place, picture_names(place, endings))

    def read(self, number: int) -> bytes:
        """The bytes of a picture's file."""
        path = self.place / self.names[number]
        _small(path.stat().st_size)
        return path.read_bytes()

    def stamps(self) -> list[tuple[int, ...]]:
        """Each file's size and the time it was written, in nanoseconds."""
        return [_stamp(f"{self.place}/{name}") for name in self.names]


def _small(size: int) -> None:
    """Refuses a picture's file that would fill the memory."""
    if size > _MOST:
        raise CorruptPicture(f"it has {size / 1e9:.1f} GB when unpacked; a picture's file has at most 1 GB")


def _stamp(path: str) -> tuple[int, ...]:
    """A file's size and time; empty for a broken link, which is reported when it is read."""
    try:
        status = os.stat(path)  # noqa: PTH116  a Path for each of a million pictures would take twice as long
    except OSError:
        return ()
    return status.st_size, status.st_mtime_ns


class Zip(Source):
    """Pictures in a zip, which is read as it is; one without compression is fastest."""

    @classmethod
    def scan(cls, place: Path, endings: tuple[str, ...] = SUFFIXES) -> "Zip":
        """All pictures, sorted by name.

        Raises:
            UsageError: if it is not a zip, or has names that lead out of it.
        """
        try:
            with zipfile.ZipFile(place) as file:
                names = [info.filename for info in file.infolist() if info.filename and not info.is_dir()]
        except Exception as error:  # zipfile raises whatever a damaged file leads it to
            raise UsageError(f"{place} is not a whole zip file ({error}); fetch it anew") from None
        for name in names:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name.replace("\\", "/")).parts:
                raise UsageError(f"{place} holds the name {name!r}, which leads out of it; do not trust this zip")
        shown = [n for n in names if not any(part.startswith((".", "__")) for part in PurePosixPath(n).parts)]
        return cls(place, sorted({*are_pictures(shown, endings)}))

    def _open(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.place)

    def read(self, number: int) -> bytes:
        """The bytes of a picture's file."""
        try:
            _small(self.opened().getinfo(self.names[number]).file_size)
            return self.opened().read(self.names[number])
        except CorruptPicture:
            raise
        except Exception as error:  # a bad checksum, a password, a method or version that zipfile does not know
            raise CorruptPicture(f"{type(error).__name__}: {error}") from None

    def stamps(self) -> list[tuple[int, ...]]:
        """Each file's size and checksum, which the zip has at hand."""
        entries = (self.opened().getinfo(name) for name in self.names)
        return [(entry.file_size, entry.CRC) for entry in entries]


class Lmdb(Source):
    """Pictures in an LMDB folder, as LSUN has them: opened in each process, read-only and without a lock."""

    @classmethod
    def scan(cls, place: Path) -> "Lmdb":
        """All keys in their order.

        Raises:
            UsageError: if it cannot be read.
        """
        try:
            return cls(place, lmdb_check.keys(place))
        except lmdb_check.Damaged as error:
            raise UsageError(f"{place} is not a whole LMDB folder ({error}); fetch it anew") from None

    def _open(self) -> Any:
        import lmdb

        file = lmdb.open(str(self.place), readonly=True, lock=False, readahead=False, meminit=False)
        has, needs = (self.place / "data.mdb").stat().st_size, (file.info()["last_pgno"] + 1) * file.stat()["psize"]
        if has < needs:  # to read what is not there would kill the process
            file.close()
            raise lmdb.CorruptedError(f"data.mdb has {has} of {needs} bytes")
        return file

    def read(self, number: int) -> bytes:
        """The bytes of a picture's file."""
        import lmdb

        try:
            with self.opened().begin() as transaction:
                data = transaction.get(self.names[number].encode("latin-1"))
        except lmdb.Error as error:
            raise CorruptPicture(str(error)) from None
        if data is None:
            raise CorruptPicture("the LMDB folder has no such key any more")
        return data

    def stamps(self) -> list[tuple[int, ...]]:
        """The whole file's size, time and number of writes: to look at millions of pictures would take minutes."""
        return [(*_stamp(f"{self.place}/data.mdb"), self.opened().info()["last_txnid"])]


class Joined(Source):
    """The pictures of several sources, one source after another."""

    def __init__(self, sources: list[Source]) -> None:
        super().__init__(sources[0].place, [source.where(n) for source in sources for n in range(len(source))])
        self.sources = sources
        self.ends = list(accumulate(map(len, sources)))

    def _locate(self, number: int) -> tuple[Source, int]:
        which = bisect_right(self.ends, number)
        return self.sources[which], number - self.ends[which] + len(self.sources[which])

    def read(self, number: int) -> bytes:
        """The bytes of a picture's file."""
        source, inner = self._locate(number)
        return source.read(inner)

    def where(self, number: int) -> str:
        """A picture's name for a message."""
        return self.names[number]

    def close(self) -> None:
        """Closes all sources."""
        for source in self.sources:
            source.close()

    def fingerprint(self) -> str:
        """The fingerprints of all sources."""
        return " ".join(source.fingerprint() for source in self.sources)


def open_source(place: Path, moving: bool = False) -> Source:
    """Opens a folder, a zip or an LMDB folder of pictures.

    Args:
        place: the folder, or the zip.
        moving: also of videos.

    Raises:
        UsageError: if there is no such thing or no picture in it.
    """
    endings = (*SUFFIXES, *MOVING) if moving else SUFFIXES
    if place.is_file():
        source: Source = Zip.scan(place, endings)
    elif (place / "data.mdb").is_file():
        source = Lmdb.scan(place)
    elif place.is_dir():
        source = Folder.scan(place, endings)
    else:
        raise UsageError(f"{place} does not exist; it should be a folder of images or a zip of them")
    if not len(source):
        frames = "" if moving else "; videos give their frames with data.frames=1"
        raise UsageError(f"{place} holds no image; images are files that end in {', '.join(SUFFIXES)}{frames}")
    return source
