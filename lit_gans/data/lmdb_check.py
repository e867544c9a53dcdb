"""Reads the keys of an LMDB folder in a process of its own, because a damaged page ends the process that reads it.

This file is also the program of that process, which imports nothing but lmdb.
"""

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_DAMAGED = 3  # the process's exit code
_SMALL = 2**33  # bytes; in a smaller file, a page of every value is read at each start
_LENGTH = struct.Struct("<I")


class Damaged(Exception):
    """The folder cannot be read; the message is the reason."""


def keys(place: Path) -> list[str]:
    """All keys in their order, after a check that all of them and their values lie within the file.

    Raises:
        Damaged: if they do not, or the folder cannot be read.
    """
    command = [sys.executable, "-I", __file__, str(place), json.dumps([*map(str, sys.path)])]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode == _DAMAGED:
        raise Damaged(done.stderr.decode(errors="replace").strip())
    if done.returncode:
        raise Damaged(f"reading it ended the process that tried, with {done.returncode}: its pages are damaged")
    found, place_in, data = [], 0, done.stdout
    while place_in < len(data):
        (length,) = _LENGTH.unpack_from(data, place_in)
        place_in += _LENGTH.size + length
        found.append(data[place_in - length : place_in].decode("latin-1"))
    return found


def _read(place: str) -> Iterator[bytes]:
    """The keys, looked up one by one as they are when pictures are decoded.

    Raises:
        ValueError: if there are others than the file says, or a value lies outside the file.
        lmdb.Error: if it cannot be read.
    """
    import lmdb

    size = (Path(place) / "data.mdb").stat().st_size
    with lmdb.open(place, readonly=True, lock=False, readahead=False, meminit=False) as file:
        needs = (file.info()["last_pgno"] + 1) * file.stat()["psize"]
        if size < needs:  # to read what is not there would kill the process
            raise ValueError(f"data.mdb has {size} of {needs} bytes")
        entries, count, before = file.stat()["entries"], 0, b""
        with file.begin(buffers=True) as transaction:
            for name, value in transaction.cursor():
                key, count = bytes(name), count + 1
                if count > entries or (count > 1 and key <= before) or len(value) > size:
                    raise ValueError(f"its entry {count} of {entries} is not in order")
                if len(value) and size < _SMALL:
                    value[-1]  # a value that ends outside the file ends this process here
                if transaction.get(key) is None:
                    raise ValueError(f"its entry {count} of {entries} is not found by its key")
                before = key
                yield key
        if count != entries:
            raise ValueError(f"it has {count} of {entries} entries")


def _main(place: str, path: str) -> Any:
    sys.path[:] = json.loads(path)
    try:
        for key in _read(place):
            sys.stdout.buffer.write(_LENGTH.pack(len(key)) + key)
    except Exception as error:  # whatever lmdb raises is the folder's fault
        sys.stderr.write(str(error))
        return _DAMAGED


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
