"""Fetches the official files of a data set, so that a file or folder is there whole or not at all."""

import gzip
import hashlib
import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from filelock import FileLock
from tqdm import tqdm

from lit_gans.errors import UsageError
from lit_gans.files import working_folder

TIMEOUT = 60.0  # seconds without a byte after which a connection counts as cut
RESUMES = 5  # of cut connections in a row that bring less than PROGRESS bytes
PROGRESS = 1 << 20
PAUSE = 0.5  # seconds before the first resume; later ones wait a little longer
CHUNK = 1 << 16
ALGORITHMS = {32: "md5", 64: "sha256"}
MOST = 100 * 10**9  # bytes that an archive may unpack to; the largest set of ours, LSUN's bedrooms, has 46 GB
MOST_ALONE = 2 * 10**9  # of a single file as .gz, which does not say how large it is
# what the readers of archives raise for damaged ones; gzip's own is an OSError, but not of the disk
DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError, ValueError),
    *(RuntimeError, NotImplementedError, LookupError, struct.error, OverflowError),
)
_ODD = "link or a device"
_LONGEST = 255  # bytes of a name that file systems take


class _Failure(Exception):
    """The file cannot be fetched from one place; the message is the reason."""


class _Cut(_Failure):
    """A failure that may not happen when asked again."""


@dataclass(frozen=True)
class Remote:
    """A file at its official place.

    Args:
        url: where it is.
        digest: its MD5 (32 hex digits) or SHA-256 (64); by default unknown, which suits archives, as they carry
            checksums of their own.
        name: its name on disk; by default the last part of the url's path.
    """

    url: str
    digest: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if self.digest is not None and len(self.digest) not in ALGORITHMS:
            raise ValueError(f"expected 32 or 64 hex digits, got {self.digest!r}")

    @property
    def file(self) -> str:
        """Its name on disk."""
        return self.name or PurePosixPath(unquote(urlsplit(self.url).path)).name


def fetch(remote: Remote | Sequence[Remote], folder: Path, page: str) -> Path:
    """Downloads a file into a folder unless it is there; what an earlier try left in ``<name>.part`` is resumed.

    A second process that wants the same file waits for the first.

    Args:
        remote: the file, or the same file at several places that are tried in order; it gets the first one's name.
        folder: where it goes; made if missing.
        page: the web page of the file, for the message if it cannot be fetched.

    Returns:
        The file's path.

    Raises:
        UsageError: if no place gives the file with the right checksum, or it cannot be written.
    """
    mirrors = [remote] if isinstance(remote, Remote) else list(remote)
    target = folder / mirrors[0].file
    failures = []
    with _disk(f"{target} cannot be written"):
        if target.exists():  # before the lock, which a read-only folder does not allow
            return target
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            for mirror in mirrors:
                try:
                    return target if target.exists() else _fetch_from(mirror, target)
                except _Failure as failure:
                    failures.append(f"{mirror.url} ({failure})")
    raise UsageError(
        f"{target.name} could not be downloaded from {' or '.join(failures)}; run again, or fetch it by hand "
        f"from {page} and put it in {folder}"
    )


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks an archive so that each of its top-level entries appears in a folder whole or not at all.

    An entry whose name is there already is left as it is.

    Args:
        archive: a .zip, .tar, .tar.gz or .tgz file, or a single file as .gz, which loses that ending.
        folder: where the entries go; made if missing.

    Raises:
        UsageError: if the archive is damaged, would write outside the folder, or the disk is full.
    """
    try:
        with _disk(f"{archive} cannot be unpacked into {folder}"), _opened(archive) as entries:
            for entry in entries:
                _check(entry, archive, folder)
            _check_together(entries, archive, folder)
            with working_folder(folder) as temporary:
                for entry in tqdm(entries, desc=archive.name, unit=" files", disable=None):
                    _extract(entry, temporary)
                for path in temporary.iterdir():
                    _move(path, folder / path.name)
    except UsageError:
        raise
    except DAMAGED as error:
        raise UsageError(
            f"{archive} is damaged or truncated ({error}); delete it and run again to download it anew"
        ) from None


@contextmanager
def _disk(problem: str) -> Iterator[None]:
    """Turns an error of the disk into a `UsageError` that says what could not be done."""
    try:
        yield
    except gzip.BadGzipFile:  # a subclass of OSError, but not an error of the disk
        raise
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{problem} ({reason}); free space or make the folder writable, then run again") from None


def _fetch_from(remote: Remote, target: Path) -> Path:
    """Fetches the file from one place."""
    part, expected = target.with_name(f"{target.name}.part"), remote.digest and remote.digest.lower()
    if part.is_symlink():  # its name can be guessed, and what a link leads to is not ours
        part.unlink()
    # what an earlier process left may be of another file, so it gets a second try from zero
    for _ in range(2 if part.exists() else 1):
        _download(remote, part)
        found = expected and _digest(part, ALGORITHMS[len(expected)])
        if found == expected:
            return part.replace(target)
        part.unlink()
    raise _Failure(f"expected the checksum {expected}, found {found}")


def _digest(path: Path, algorithm: str) -> str:
    """The file's digest."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _download(remote: Remote, part: Path) -> None:
    """Receives what ``part`` lacks, and resumes cut connections as long as more bytes come."""
    furthest, resumes = _size(part), 0
    while True:
        try:
            return _receive(remote, part)
        except _Cut:
            if _size(part) >= furthest + PROGRESS:
                furthest, resumes = _size(part), 0
            if resumes == RESUMES:
                raise
            resumes += 1
            time.sleep(PAUSE * resumes)


def _receive(remote: Remote, part: Path) -> None:
    """Receives what ``part`` lacks, over one connection."""
    have = _size(part)
    headers = {"User-Agent": "lit_gans", **({"Range": f"bytes={have}-"} if have else {})}  # some refuse Python's agent
    try:
        response = urlopen(Request(remote.url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code != 416 or not have:
            raise (_Cut if error.code >= 500 else _Failure)(f"HTTP {error.code} {error.reason}") from None
        total = _span(error)[1]  # nothing lies beyond what we have: it is complete, or not of this file
        if total == have or (total is None and remote.digest):
            return
        part.unlink()
        raise _Cut(f"{part} was not of this file") from None
    except URLError as error:
        raise _Failure(error.reason) from None
    except (OSError, HTTPException) as error:
        raise _Cut(str(error) or type(error).__name__) from None
    with response:
        _store(response, part, have)


def _store(response: HTTPResponse, part: Path, have: int) -> None:
    """Appends the response to ``part``, or begins anew if it begins at zero."""
    first, total = _span(response)
    if first not in (0, have):
        part.unlink(missing_ok=True)
        raise _Cut(f"the server did not send the bytes from {have} on when asked to")
    bar = tqdm(desc=part.stem, total=total, initial=first, unit="B", unit_scale=True, disable=None, leave=False)
    with bar, part.open("ab" if first else "wb") as file:
        for chunk in _chunks(response):
            file.write(chunk)
            bar.update(len(chunk))
    if total is not None and _size(part) != total:
        raise _Cut(f"the connection was cut after {_size(part)} of {total} bytes")


def _span(response: HTTPResponse | HTTPError) -> tuple[int, int | None]:
    """The first byte of a response, -1 if unknown, and the size of the whole file, None if unknown."""
    match = re.match(r"bytes (?:(\d+)-\d+|\*)/(\d+)", response.headers.get("Content-Range", ""))
    if match:
        return int(match[1] or -1), int(match[2])
    length = response.headers.get("Content-Length")
    return (0, int(length) if length else None) if response.status == 200 else (-1, None)


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """Yields the response's bytes; errors of the network become `_Cut`, those of the disk stay what they are."""
    try:
        while chunk := response.read(CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _Cut(f"the connection was cut: {str(error) or type(error).__name__}") from None


def _size(path: Path) -> int:
    """Bytes in a file; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


class _Entry(NamedTuple):
    """An entry of an archive.

    ``kind`` is empty for a plain file or folder, else it says what it is. ``size`` is in bytes, None if unknown.
    """

    name: str
    folder: bool
    kind: str
    size: int | None
    open: Callable[[], Any]


@contextmanager
def _opened(archive: Path) -> Iterator[list[_Entry]]:
    """An archive's entries."""
    name = archive.name.lower()
    if not archive.stat().st_size:  # gzip accepts an empty file
        raise EOFError("it is empty")
    if name.endswith(".zip"):
        with zipfile.ZipFile(archive) as source:
            yield [_of_zip(i, source) for i in source.infolist()]
    elif name.endswith((".tar", ".tar.gz", ".tgz")):
        with (
            archive.open("rb") if name.endswith(".tar") else gzip.open(archive) as stream,
            tarfile.open(fileobj=stream, mode="r:") as tar,
        ):
            members = _members(tar, stream)
            yield [_of_tar(m, tar) for m in members]
    elif name.endswith(".gz"):
        with gzip.open(archive) as stream:
            yield [_Entry(archive.name[:-3], False, "", None, lambda: stream)]
    else:
        raise UsageError(f"expected an archive named .zip, .tar, .tar.gz, .tgz or .gz, got {archive}")


def _of_zip(info: zipfile.ZipInfo, source: zipfile.ZipFile) -> _Entry:
    kind = "" if _plain(info) else _ODD
    return _Entry(info.filename, info.is_dir(), kind, info.file_size, partial(source.open, info))


def _of_tar(info: tarfile.TarInfo, tar: tarfile.TarFile) -> _Entry:
    kind = "sparse file" if info.issparse() else "" if info.isdir() or info.isreg() else _ODD  # sparse: of any size
    return _Entry(info.name, info.isdir(), kind, info.size, partial(tar.extractfile, info))


def _plain(info: zipfile.ZipInfo) -> bool:
    """Whether an entry of a zip is a file or folder, by the mode that Unix systems store, or has no mode."""
    return stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG, stat.S_IFDIR)


def _members(tar: tarfile.TarFile, stream: IO[bytes] | gzip.GzipFile) -> list[tarfile.TarInfo]:
    """All members; checks what tarfile does not check: that the list is complete and gzip's checksum right."""
    members = tar.getmembers()
    stream.seek(tar.offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # tarfile takes a damaged header for the end
        raise tarfile.ReadError(f"no end of archive after {len(members)} entries")
    while stream.read(CHUNK):  # gzip compares the checksum when it reaches the end
        pass
    return members


def _check(entry: _Entry, archive: Path, folder: Path) -> None:
    """Refuses an entry that no official archive has."""
    parts = re.split(r"[/\\]", entry.name)
    outside = not parts[0] or ".." in parts or re.match("[A-Za-z]:", entry.name) or "\0" in entry.name
    if outside or entry.kind:
        reason = f"would be written outside {folder}" if outside else f"is a {entry.kind}"
        raise UsageError(
            f"{archive} holds the entry {entry.name!r}, which {reason}; the archive is not the official one, delete it"
        )


def _check_together(entries: list[_Entry], archive: Path, folder: Path) -> None:
    """Refuses names that no folder can hold, and sizes that would fill the disk, before anything is written."""
    files = {PurePosixPath(entry.name) for entry in entries if not entry.folder}
    folders = {parent for entry in entries for parent in PurePosixPath(entry.name).parents}
    folders |= {PurePosixPath(entry.name) for entry in entries if entry.folder}
    both = next(iter(files & folders), None)
    parts = (part for path in files | folders for part in path.parts)
    longest = max(parts, key=lambda part: len(os.fsencode(part)), default="")
    if both is not None or len(os.fsencode(longest)) > _LONGEST:
        odd = f"{both} as a file and as a folder" if both is not None else f"a name of {len(longest)} letters"
        raise UsageError(f"{archive} holds {odd}; the archive is not the official one, delete it")
    size = sum(entry.size or 0 for entry in entries)
    free = shutil.disk_usage(next(place for place in (folder, *folder.absolute().parents) if place.is_dir())).free
    if size > min(MOST, free):
        limit = f"{folder} has {free / 1e9:.1f} GB left" if free < MOST else f"no set has more than {MOST / 1e9:.0f} GB"
        raise UsageError(f"{archive} would unpack to {size / 1e9:.1f} GB, but {limit}; free some, or do not trust it")


def _extract(entry: _Entry, folder: Path) -> None:
    """Writes one entry below a folder."""
    path = folder / entry.name
    if entry.folder:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    left = MOST_ALONE if entry.size is None else entry.size
    with entry.open() as source, path.open("wb") as file:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise ValueError(f"{entry.name} unpacks to more than it says, or than {MOST_ALONE / 1e9:.0f} GB")
            file.write(chunk)


def _move(path: Path, target: Path) -> None:
    """Renames ``path`` unless ``target`` exists, which another process may have made just now."""
    if os.path.lexists(target):
        return
    try:
        path.rename(target)
    except OSError:
        if not os.path.lexists(target):
            raise
