"""Archives, zips and LMDB folders that are damaged, or made to do harm: one sentence, no traceback, no full disk."""

import io
import os
import random
import struct
import tarfile
import zipfile

import lmdb
import pytest
from conftest import refused
from PIL import Image

from lit_gans.data import ImageFolder, download
from lit_gans.data.download import unpack
from lit_gans.data.sources import Lmdb, Zip, open_source
from lit_gans.errors import UsageError
from lit_gans.images.frame import CorruptPicture


def picture():
    file = io.BytesIO()
    Image.effect_noise((16, 16), 50).save(file, "PNG")
    return file.getvalue()


# -------------------------------------------------------------------- zips of pictures


METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("method", METHODS)
def test_damaged_zips(method, tmp_path):
    place, draw = tmp_path / "set.zip", random.Random(0)
    with zipfile.ZipFile(place, "w", method) as file:
        for number in range(3):
            file.writestr(f"{number}.png", picture())
    whole, outcomes = place.read_bytes(), set()
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(draw.choice([1, 8])):
            data[draw.randrange(len(data))] = draw.randrange(256)
        place.write_bytes(data)
        try:
            source = open_source(place)
            for number in range(len(source)):
                source.read(number)
            outcomes.add("read")
        except (UsageError, CorruptPicture) as error:
            outcomes.add(type(error))
    assert outcomes == {"read", UsageError, CorruptPicture}


def rewritten(place, find, offset, value):
    """A zip with some bytes of its directory's last entry changed."""
    data = bytearray(place.read_bytes())
    start = data.rindex(find)
    data[start + offset : start + offset + len(value)] = value
    place.write_bytes(data)


def test_a_zip_entry_that_says_6_gigabytes(tmp_path):
    place = tmp_path / "set.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.png", bytes(4_000_000))
    rewritten(place, b"PK\x01\x02", 24, struct.pack("<I", 4_000_000_000))
    with pytest.raises(CorruptPicture, match=r"it has 4.0 GB when unpacked; a picture's file has at most 1 GB"):
        Zip.scan(place).read(0)
    refused(lambda: ImageFolder(str(place), cache=str(tmp_path / "c")).setup("fit"), "a.png", "4.0 GB")


def test_a_large_file_that_is_no_picture(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(CorruptPicture, match=r"it has 2.1 GB"):
        open_source(tmp_path).read(0)


@pytest.mark.parametrize(("offset", "value"), [(6, b"\xff"), (10, b"\x63\0"), (28, b"\0\0")])
def test_zips_of_a_later_version_an_unknown_method_and_no_name(offset, value, tmp_path):
    place = tmp_path / "set.zip"
    with zipfile.ZipFile(place, "w") as file:
        file.writestr("a.png", picture())
    rewritten(place, b"PK\x01\x02", offset, value)
    with pytest.raises((UsageError, CorruptPicture)):
        open_source(place).read(0)


# -------------------------------------------------------------------- LMDB


def test_an_lmdb_with_changed_pages_ends_no_process(tmp_path):
    """What is read by this process was read by another first, which such pages may end."""
    place, draw = tmp_path / "x_lmdb", random.Random(3)
    with lmdb.open(str(place), map_size=1 << 24) as file, file.begin(write=True) as transaction:
        for number in range(200):
            transaction.put(b"%040d" % number, os.urandom(draw.choice([300, 1500, 9000])))
    whole, outcomes = (place / "data.mdb").read_bytes(), []
    for kind in range(6):
        data = bytearray(whole)
        for page in range(2, len(data) // 4096):
            # flags and bounds of pages, or sizes and places of what they hold
            data[page * 4096 + (10, 12, 14, 16, 17, 40)[kind]] = draw.randrange(256)
        (place / "data.mdb").write_bytes(data)
        pid = os.fork()
        if not pid:
            try:
                source = Lmdb.scan(place)
                for number in range(len(source)):
                    source.read(number)
                os._exit(0)
            except (UsageError, CorruptPicture):
                os._exit(1)
            except BaseException:
                os._exit(2)
        outcomes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    assert set(outcomes) <= {0, 1} and 1 in outcomes
    (place / "data.mdb").write_bytes(whole)
    assert len(Lmdb.scan(place)) == 200


# -------------------------------------------------------------------- archives


def tar(place, *members):
    with tarfile.open(place, "w") as file:
        for name, size, kind in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = size, kind
            file.addfile(info, io.BytesIO(bytes(size)))
    return place


def test_a_file_and_a_folder_of_one_name(tmp_path):
    place = tar(tmp_path / "x.tar", ("a", 3, tarfile.REGTYPE), ("a/b", 3, tarfile.REGTYPE))
    refused(lambda: unpack(place, tmp_path / "out"), place, "holds a as a file and as a folder", "delete it")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["x" * 256, "d/" + "ä" * 128 + "/a"])
def test_a_long_name(name, tmp_path):
    place = tmp_path / "x.zip"
    with zipfile.ZipFile(place, "w") as file:
        file.writestr(name, b"1")
    refused(lambda: unpack(place, tmp_path / "out"), place, "a name of", "letters", "not the official one")


def test_a_sparse_file(tmp_path):
    info = tarfile.TarInfo("huge.png")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:398], header[398:410] = b"%011o\0" % 2**32, b"%011o\0" % 0  # where the only piece of data is
    header[483:495] = b"%011o\0" % 2**32  # its size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    (tmp_path / "x.tar").write_bytes(bytes(header) + bytes(1024))
    refused(lambda: unpack(tmp_path / "x.tar", tmp_path / "out"), "'huge.png', which is a sparse file", "delete it")


def test_an_archive_that_is_larger_than_the_disk(tmp_path, monkeypatch):
    place = tar(tmp_path / "x.tar", ("a", 3000, tarfile.REGTYPE))
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: Full)
    refused(lambda: unpack(place, tmp_path / "out"), place, "would unpack to 0.0 GB", "has 0.0 GB left")
    monkeypatch.undo()
    monkeypatch.setattr(download, "MOST", 2000)
    refused(lambda: unpack(place, tmp_path / "out"), place, "no set has more than")
    assert not (tmp_path / "out").exists()


class Full:
    free = 2999


def test_a_packed_file_without_an_end(tmp_path, monkeypatch):
    import gzip

    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(10_000_000)))
    monkeypatch.setattr(download, "MOST_ALONE", 1_000_000)
    refused(lambda: unpack(tmp_path / "x.gz", tmp_path / "out"), "unpacks to more than it says")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar"])
def test_damaged_archives(kind, tmp_path):
    place, draw = tmp_path / f"x.{kind}", random.Random(1)
    if kind == "zip":
        with zipfile.ZipFile(place, "w") as file:
            for number, method in enumerate(METHODS):
                file.writestr(f"{number}.bin", picture(), method)
    else:
        with tarfile.open(place, "w:gz" if kind == "tar.gz" else "w") as file:
            for number in range(4):
                info = tarfile.TarInfo(f"d/{number}.bin")
                info.size = len(picture())
                file.addfile(info, io.BytesIO(picture()))
    whole = place.read_bytes()
    for number in range(80):
        data = bytearray(whole)
        for _ in range(draw.choice([1, 8])):
            data[draw.randrange(len(data))] = draw.randrange(256)
        place.write_bytes(data)
        try:
            unpack(place, tmp_path / f"out{number}")
        except UsageError as error:
            assert str(place) in str(error)
