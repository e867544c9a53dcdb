"""Pictures are decoded once: never read half-written, gone on with after a kill, made anew when anything changes."""

import errno
import io
import multiprocessing
import os
import pickle
import resource
import shutil
import signal
import sys
import time
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import lmdb
import pytest
import torch
from conftest import refused
from PIL import Image

from lit_gans.data import ImageFolder, cache, decoded_file
from lit_gans.data.cache import decoded
from lit_gans.data.sources import Folder, Joined, open_source
from lit_gans.errors import UsageError
from lit_gans.images.frame import Frame

FRAME = Frame((4, 4))
FORK = multiprocessing.get_context("fork")
zlib_crc32 = zlib.crc32

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine with fewer cores


@pytest.fixture(autouse=True)
def keep(tmp_path, monkeypatch):
    monkeypatch.setenv("LIT_GANS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_cores", lambda: 3)
    return tmp_path / "cache"


@pytest.fixture
def small_blocks(monkeypatch):
    """Eight pictures a block."""
    monkeypatch.setattr(cache, "_BLOCK", 8 * 3 * 16)


def coded(number):
    """A picture that shows its number."""
    file = io.BytesIO()
    Image.new("RGB", (5, 4), (number % 256, number // 256, 77)).save(file, "PNG")
    return file.getvalue()


class Logged(Folder):
    """Writes down every picture that is read, and by whom; may be slow."""

    def __init__(self, place, names, log=None, delay=0.0):
        super().__init__(place, names)
        self.log, self.delay = log or place.parent / "log", delay
        self.ready = len(names)  # those after them are waited for in vain

    def read(self, number):
        with self.log.open("ab", buffering=0) as file:
            file.write(b"%d %d\n" % (number, os.getpid()))
        time.sleep(self.delay if number < self.ready else 600)
        return super().read(number)


@pytest.fixture
def pictures(tmp_path):
    """Makes a source of numbered pictures."""

    def make(count, name="set", delay=0.0):
        place = tmp_path / name
        if not place.exists():
            place.mkdir()
            for number in range(count):
                (place / f"{number:05}.png").write_bytes(coded(number))
        return Logged(place, Folder.scan(place).names, tmp_path / f"{name}.log", delay)

    return make


def read(source):
    """What has been read, and by whom."""
    lines = [line.split() for line in source.log.read_text().splitlines()] if source.log.exists() else []
    return [int(line[0]) for line in lines], {line[1] for line in lines}


def assert_right(images, rows, count):
    assert rows.tolist() == list(range(count)) and images.tensor.shape == (count, 3, 4, 4)
    number = images.tensor[:, 0].long() + 256 * images.tensor[:, 1].long()
    assert (number == torch.arange(count)[:, None, None]).all() and (images.tensor[:, 2] == 77).all()


def only(folder, ending=".safetensors"):
    (path,) = folder.glob(f"*{ending}")
    return path


# -------------------------------------------------------------------- once


def test_once(pictures, keep):
    source = pictures(20)
    assert_right(*decoded(source, FRAME, keep, "x"), 20)
    assert_right(*decoded(pictures(20), FRAME, keep, "x"), 20)
    assert sorted(read(source)[0]) == list(range(20))
    assert only(keep).name.startswith("x-4x4-") and not list(keep.glob("*.part"))


def test_several_processes_share_the_work(pictures, keep):
    source = pictures(1030)  # five blocks
    assert_right(*decoded(source, FRAME, keep, "x"), 1030)
    numbers, processes = read(source)
    assert sorted(numbers) == list(range(1030)) and len(processes) == 2 and str(os.getpid()) not in processes


@pytest.mark.parametrize("kind", ["zip", "lmdb", "joined"])
def test_several_processes_read_one_file(tmp_path, keep, small_blocks, kind):
    # in an order of names that is the order of numbers
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        for number in range(300):
            file.writestr(f"{number:05}.png", coded(number))
    env = lmdb.open(str(tmp_path / "x_lmdb"), map_size=1 << 26)
    with env.begin(write=True) as transaction:
        for number in range(300 if kind == "lmdb" else 100):
            transaction.put(b"%05d" % number, coded(number if kind == "lmdb" else number + 300))
    env.close()
    source = open_source(tmp_path / ("x_lmdb" if kind == "lmdb" else "set.zip"))
    if kind == "joined":
        source = Joined([source, open_source(tmp_path / "x_lmdb")])
    source.read(0)  # and what is open must not be shared
    images, rows = decoded(source, FRAME, keep, "x")
    assert_right(images, rows, 400 if kind == "joined" else 300)


def test_decoding_leaves_the_global_generator_alone(pictures, keep):
    before = torch.get_rng_state()
    decoded(pictures(20), FRAME, keep, "x")
    assert torch.equal(before, torch.get_rng_state())


def test_the_number_of_processes_changes_nothing(pictures, tmp_path, monkeypatch, small_blocks):
    decoded(pictures(60), FRAME, tmp_path / "a", "x")
    monkeypatch.setattr(cache, "_BLOCK", 1000 * 48)
    decoded(pictures(60), FRAME, tmp_path / "b", "x")
    assert only(tmp_path / "a").read_bytes() == only(tmp_path / "b").read_bytes()


def test_images_go_to_other_processes_as_their_path(pictures, keep):
    images, _ = decoded(pictures(500), FRAME, keep, "x")
    assert len(images) == 500
    sent = pickle.dumps(images)
    assert len(sent) < 1000
    again = pickle.loads(sent)
    assert torch.equal(again.index_select(0, torch.tensor([3, 499, 3])), images.tensor[[3, 499, 3]])


# -------------------------------------------------------------------- what decides the file


CHANGES = {
    "size": replace(FRAME, size=(4, 5)),
    "channels": replace(FRAME, channels=1),
    "fit": replace(FRAME, fit="stretch"),
    "crop": replace(FRAME, crop=3),
    "half": replace(FRAME, half="left"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_another_frame_makes_another_file(tmp_path, keep, what):
    place = tmp_path / "set"
    place.mkdir()
    Image.linear_gradient("L").resize((6, 4)).save(place / "a.png")
    decoded(Folder.scan(place), FRAME, keep, "x")
    images, _ = decoded(Folder.scan(place), CHANGES[what], keep, "x")
    assert len(list(keep.glob("*.safetensors"))) == 2
    assert torch.equal(images.tensor[0], CHANGES[what]((place / "a.png").read_bytes()))


@pytest.mark.parametrize("what", ["longer", "renamed", "removed", "added"])
def test_other_files_make_another_file(pictures, keep, what):
    decoded(pictures(5), FRAME, keep, "x")
    path = pictures(5).place / "00002.png"
    if what == "longer":
        path.write_bytes(path.read_bytes() + b"\0")
    elif what == "renamed":
        path.rename(path.with_name("b.png"))
    elif what == "removed":
        path.unlink()
    else:
        shutil.copy(path, path.with_name("b.png"))
    decoded(pictures(5), FRAME, keep, "x")
    assert len(list(keep.glob("*.safetensors"))) == 2


def bmp(colour):
    """A picture whose size in bytes says nothing about it."""
    file = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(file, "BMP")
    return file.getvalue()


def store(place, kind, colours):
    """Pictures of these colours as a folder, a zip or an LMDB of one size, and where they are."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    if kind == "zip":
        with zipfile.ZipFile(place / "set.zip", "w") as file:
            for number, colour in enumerate(colours):
                file.writestr(zipfile.ZipInfo(f"{number}.bmp"), bmp(colour))
        return place / "set.zip"
    if kind == "lmdb":
        env = lmdb.open(str(place / "set"), map_size=1 << 20)
        with env.begin(write=True) as transaction:
            for number, colour in enumerate(colours):
                transaction.put(b"%d" % number, bmp(colour))
        env.close()
        return place / "set"
    (place / "set").mkdir()
    for number, colour in enumerate(colours):
        (place / "set" / f"{number}.bmp").write_bytes(bmp(colour))
    return place / "set"


def colours(images, rows):
    return [tuple(pixels[:, 0, 0].tolist()) for pixels in images.index_select(0, rows)]


RED, BLUE, LIME = (255, 0, 0), (0, 0, 255), (0, 255, 0)


@pytest.mark.parametrize("kind", ["folder", "zip", "lmdb"])
def test_two_sets_of_one_name_never_share_a_file(tmp_path, keep, kind):
    for place, colour in (("a", RED), ("b", LIME), ("a", RED)):
        source = open_source(store(tmp_path / place, kind, [colour] * 3))
        assert colours(*decoded(source, FRAME, keep, "x")) == [colour] * 3


@pytest.mark.parametrize("kind", ["folder", "zip", "lmdb"])
def test_pictures_that_were_replaced_are_seen(tmp_path, keep, kind):
    decoded(open_source(store(tmp_path / "a", kind, [RED, RED])), FRAME, keep, "x")
    place = store(tmp_path / "a", kind, [RED, BLUE])
    assert colours(*decoded(open_source(place), FRAME, keep, "x")) == [RED, BLUE]


def test_a_picture_that_was_mended_is_seen(tmp_path, keep):
    place = store(tmp_path / "a", "folder", [RED, RED])
    whole = (place / "1.bmp").read_bytes()
    (place / "1.bmp").write_bytes(bytes(len(whole)))
    with pytest.warns(UserWarning, match="1 of 2"):
        decoded(open_source(place), FRAME, keep, "x", skip_corrupt=True)
    (place / "1.bmp").write_bytes(whole)
    assert colours(*decoded(open_source(place), FRAME, keep, "x", skip_corrupt=True)) == [RED, RED]


@pytest.mark.parametrize("title", ["-x", "a/b\nc", "\U0001f984" * 100])
def test_odd_titles(pictures, keep, title):
    assert_right(*decoded(pictures(3), FRAME, keep, title), 3)
    assert only(keep) and only(keep).name[0] not in "-."


@pytest.mark.parametrize("other", ["frame", "files"])
def test_a_file_that_was_made_for_something_else(pictures, keep, other):
    decoded(pictures(5), FRAME, keep, "x")
    mine = only(keep)
    kept = mine.read_bytes()
    mine.unlink()
    frame, source = (CHANGES["channels"], pictures(5)) if other == "frame" else (FRAME, pictures(6, "other"))
    decoded(source, frame, keep, "x")
    theirs = only(keep)
    theirs.write_bytes(kept)
    refused(lambda: decoded(source, frame, keep, "x"), theirs, "were made with", "delete the file")
    theirs.unlink()
    images, rows = decoded(source, frame, keep, "x")
    assert len(images) == len(rows) == len(source)


@pytest.mark.parametrize("share", [0, 4, 0.1, 0.5, 0.99, 1.01])
def test_a_cut_file(pictures, keep, share):
    decoded(pictures(50), FRAME, keep, "x")
    whole = only(keep).read_bytes()
    length = int(share * len(whole)) if isinstance(share, float) else share
    only(keep).write_bytes((whole + bytes(1000))[:length])
    refused(lambda: decoded(pictures(50), FRAME, keep, "x"), only(keep), "damaged", "delete the file")
    only(keep).unlink()
    assert_right(*decoded(pictures(50), FRAME, keep, "x"), 50)


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_damaged_pixels_are_never_returned(pictures, keep):
    decoded(pictures(50), FRAME, keep, "x")
    path = only(keep)
    flip(path, path.read_bytes().index(b"__metadata__") + 2000)  # somewhere in the pixels
    images, rows = decoded(pictures(50), FRAME, keep, "x")
    pictured = images.tensor.flatten(1)
    (wrong,) = [n for n in range(50) if not torch.isin(pictured[n], torch.tensor([n, 0, 77], dtype=torch.uint8)).all()]
    good = rows[rows != wrong]
    for _ in range(2):
        assert len(images.index_select(0, good)) == 49
        refused(lambda: images.index_select(0, torch.tensor([3, wrong])), path, "damaged", f"image {wrong} ", "delete")
    refused(lambda: pickle.loads(pickle.dumps(images)).index_select(0, rows), "damaged")  # in a worker, too


@pytest.mark.parametrize("shift", [*range(12), 20, 40, 60])
def test_any_damaged_byte_behind_the_pixels_is_noticed(pictures, keep, shift):
    decoded(pictures(8), FRAME, keep, "x")
    flip(only(keep), -1 - min(shift, 43))  # states, seal, checksums
    refused(lambda: decoded(pictures(8), FRAME, keep, "x"), only(keep), "damaged", "delete the file")


def test_any_damaged_byte_of_the_header_is_noticed(pictures, keep):
    decoded(pictures(3), FRAME, keep, "x")
    path = only(keep)
    whole = path.read_bytes()
    for place in range(len(whole) - 3 * 48 - 4 * 3 - 4 - 3):
        flip(path, place)
        refused(lambda: decoded(pictures(3), FRAME, keep, "x"), path, "delete the file")
        path.write_bytes(whole)
    path.write_bytes(whole.replace(b'"image"', b'"imagf"'))
    refused(lambda: decoded(pictures(3), FRAME, keep, "x"), path, "damaged")


def test_pictures_that_were_never_decoded_are_no_finished_file(pictures, keep):
    decoded(pictures(12), FRAME, keep, "x")
    data = only(keep).read_bytes()
    checksums, states = data[-64:-16], bytes(7) + data[-5:]  # with a seal that fits
    seal = zlib.crc32(states, zlib.crc32(checksums)).to_bytes(4, "little")
    only(keep).write_bytes(data[:-16] + seal + states)
    refused(lambda: decoded(pictures(12), FRAME, keep, "x"), only(keep), "7 of its 12 images were never decoded")


def test_checksums_are_computed_once(pictures, keep, monkeypatch):
    images, rows = decoded(pictures(20), FRAME, keep, "x")
    images.index_select(0, rows[:15])
    calls = []
    monkeypatch.setattr(decoded_file.zlib, "crc32", lambda data: calls.append(0) or zlib_crc32(data))
    images.index_select(0, rows)
    images.index_select(0, rows)
    assert len(calls) == 5


def test_a_link_in_the_place_of_the_unfinished_file_is_not_followed(pictures, keep, tmp_path):
    decoded(pictures(5), FRAME, keep, "x")
    part = only(keep).with_suffix(".part")
    size = only(keep).stat().st_size
    only(keep).unlink()
    (tmp_path / "victim").write_bytes(b"mine" + bytes(size - 4))
    part.symlink_to(tmp_path / "victim")
    assert_right(*decoded(pictures(5), FRAME, keep, "x"), 5)
    assert (tmp_path / "victim").read_bytes().startswith(b"mine") and not only(keep).is_symlink()


@pytest.mark.parametrize("what", ["short", "empty", "of another set"])
def test_the_beginning_of_something_else(pictures, keep, what):
    decoded(pictures(50), FRAME, keep, "x")
    path = only(keep)
    whole = path.read_bytes()
    path.unlink()
    part = path.with_suffix(".part")
    part.write_bytes({"short": whole[:-1], "empty": b"", "of another set": b"\1" * len(whole)}[what])
    assert_right(*decoded(pictures(50), FRAME, keep, "x"), 50)
    assert path.read_bytes() == whole and not part.exists()


# -------------------------------------------------------------------- where the files are


def image_folder(pictures, **arguments):
    data = ImageFolder(str(pictures(4).place), size=4, **arguments)
    data.prepare_data()
    return data


def test_the_folder_is_the_argument(pictures, tmp_path, keep):
    image_folder(pictures, cache=str(tmp_path / "given" / "deep"))
    assert only(tmp_path / "given" / "deep") and not keep.exists()


def test_the_folder_is_the_variable(pictures, keep):
    image_folder(pictures)
    assert only(keep).name.startswith("set-train-image-4x4-")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other folders")
def test_the_folder_is_the_users_own_and_never_beside_the_pictures(pictures, tmp_path, monkeypatch):
    monkeypatch.delenv("LIT_GANS_CACHE")
    before = sorted(pictures(4).place.parent.iterdir())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    image_folder(pictures)
    assert only(tmp_path / "xdg" / "lit_gans")
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "xdg"])


def test_the_folder_and_its_size_are_told_once(pictures, keep, monkeypatch):
    told = []
    monkeypatch.setattr("lit_gans.data.picture_data.rank_zero_info", told.append)
    data = image_folder(pictures)
    data.prepare_data()
    assert len(told) == 1 and str(keep) in told[0] and "MB" in told[0]


def test_a_decoded_set_needs_no_right_to_write(pictures, keep, monkeypatch):
    decoded(pictures(5), FRAME, keep, "x")
    (keep / only(keep).with_suffix(".lock")).unlink(missing_ok=True)

    def no(*arguments, **more):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", no)
    monkeypatch.setattr(cache, "FileLock", no)
    assert_right(*decoded(pictures(5), FRAME, keep, "x"), 5)


def test_a_folder_that_cannot_be_made(pictures, tmp_path):
    (tmp_path / "file").write_text("in the way")
    refused(
        lambda: decoded(pictures(5), FRAME, tmp_path / "file", "x"), tmp_path / "file", "cannot be kept", "data.cache"
    )


# -------------------------------------------------------------------- pictures that cannot be decoded


def spoil(source, *numbers):
    for number in numbers:
        path = source.place / source.names[number]
        path.write_bytes(path.read_bytes()[:40])


def test_a_corrupt_picture_is_named(pictures, keep):
    source = pictures(9)
    spoil(source, 5)
    for _ in range(2):  # with its reason every time
        refused(
            lambda: decoded(source, FRAME, keep, "x"),
            source.where(5),
            "is no picture that Pillow knows",
            "replace or delete it",
            "skip_corrupt",
        )
        assert not list(keep.glob("*.safetensors"))
    with pytest.warns(
        UserWarning, match=r"1 of 9 images in .*set cannot be decoded and are left out, .*00005\.png for one"
    ):
        images, rows = decoded(source, FRAME, keep, "x", skip_corrupt=True)
    assert rows.tolist() == [0, 1, 2, 3, 4, 6, 7, 8] and images.tensor[rows, 0, 0, 0].tolist() == rows.tolist()
    refused(lambda: decoded(source, FRAME, keep, "x"), source.where(5), "1 of 9", "skip_corrupt")
    with pytest.warns(UserWarning, match="1 of 9"):  # also when nothing is decoded any more
        decoded(source, FRAME, keep, "x", skip_corrupt=True)
    (source.place / source.names[5]).write_bytes(coded(5))
    assert_right(*decoded(pictures(9), FRAME, keep, "x"), 9)


def test_corrupt_pictures_in_several_processes(pictures, keep, small_blocks):
    source = pictures(60)
    spoil(source, 3, 33, 34)
    refused(lambda: decoded(source, FRAME, keep, "x"), "cannot be used", "skip_corrupt")
    with pytest.warns(UserWarning, match="3 of 60"):
        images, rows = decoded(source, FRAME, keep, "x", skip_corrupt=True)
    assert rows.tolist() == [n for n in range(60) if n not in (3, 33, 34)]
    assert images.tensor[rows, 0, 0, 0].tolist() == rows.tolist()


def test_nothing_but_corrupt_pictures(pictures, keep):
    source = pictures(3)
    spoil(source, 0, 1, 2)
    refused(lambda: decoded(source, FRAME, keep, "x", skip_corrupt=True), source.where(0), "3 of 3")


def test_a_picture_that_could_not_be_read_for_a_moment(pictures, keep, monkeypatch):
    source = pictures(9)
    whole = Folder.read

    def flaky(self, number):
        if number == 4:
            raise PermissionError(errno.EACCES, "Permission denied")
        return whole(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "read", flaky)
        refused(lambda: decoded(source, FRAME, keep, "x"), source.where(4), "Permission denied")
    assert_right(*decoded(source, FRAME, keep, "x"), 9)  # it has not changed, so its name and size are the same


def test_a_link_to_nowhere_is_named(pictures, keep):
    source = pictures(3)
    (source.place / "b.png").symlink_to(source.place / "gone.png")
    source = pictures(3)
    refused(lambda: decoded(source, FRAME, keep, "x"), source.where(3), "No such file")
    with pytest.warns(UserWarning, match="1 of 4"):
        assert decoded(source, FRAME, keep, "x", skip_corrupt=True)[1].tolist() == [0, 1, 2]


# -------------------------------------------------------------------- full disks


def test_too_little_space(pictures, keep, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 100))
        refused(lambda: decoded(pictures(50), FRAME, keep, "x"), pictures(50).place, keep, "GB left", "data.cache")
        assert not list(keep.glob("*.part")) and not list(keep.glob("*.safetensors"))
        assert not read(pictures(50))[0]
    assert_right(*decoded(pictures(50), FRAME, keep, "x"), 50)


def in_a_fork(work):
    """Runs something in a process of its own and gives back what it said."""
    ours, theirs = FORK.Pipe(duplex=False)

    def run():
        try:
            work()
            theirs.send("done")
        except UsageError as error:
            theirs.send(str(error))

    process = FORK.Process(target=run)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    return ours.recv()


@pytest.mark.parametrize("limit", [100, 1000, 3000])  # in the header, at making room, at making room
def test_a_limit_on_the_size_of_files(pictures, keep, limit):
    source = pictures(200)  # 9,600 bytes

    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        decoded(source, FRAME, keep, "x")

    message = in_a_fork(work)
    assert message.startswith(f"decoded images cannot be kept in {keep} (File too large)") and "data.cache" in message
    assert not list(keep.glob("*.safetensors"))
    assert_right(*decoded(source, FRAME, keep, "x"), 200)


def test_a_limit_that_is_reached_in_the_middle(pictures, keep, small_blocks):
    source = pictures(200)
    begin = cache._Build._begin

    def limited(self):
        begin(self)
        limit = len(self.layout.header) + 30 * 48  # three blocks, and part of the fourth
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    def work():
        cache._Build._begin = limited
        decoded(source, FRAME, keep, "x")

    message = in_a_fork(work)
    assert message.startswith(f"decoded images cannot be kept in {keep} (File too large)")
    assert not list(keep.glob("*.safetensors"))
    assert_right(*decoded(source, FRAME, keep, "x"), 200)


@pytest.mark.parametrize("cores", [1, 3])
@pytest.mark.parametrize("where", ["pixels", "states", "sync"])
def test_a_disk_that_fills_up(pictures, tmp_path, keep, monkeypatch, small_blocks, cores, where):
    source = pictures(60)
    monkeypatch.setattr(cache, "_cores", lambda: cores)
    decoded(source, FRAME, tmp_path / "other", "x")
    write, sync = cache._write, os.fsync

    def half(file, offset, data):
        if offset > 1000 and (where == "states") == (len(data) <= 8):
            write(file, offset, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, offset, data)

    def no_sync(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if where == "sync":
            patch.setattr(os, "fsync", no_sync)
        else:
            patch.setattr(cache, "_write", half)
        for _ in range(2):
            refused(lambda: decoded(source, FRAME, keep, "x"), keep, "No space left on device", "free some space")
            assert not list(keep.glob("*.safetensors"))
    assert os.fsync is sync
    assert_right(*decoded(source, FRAME, keep, "x"), 60)
    assert only(keep).read_bytes() == only(tmp_path / "other").read_bytes()


def test_a_disk_without_room_for_a_name(pictures, keep, monkeypatch):
    def full(self, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        refused(lambda: decoded(pictures(20), FRAME, keep, "x"), keep, "No space left on device")
    assert_right(*decoded(pictures(20), FRAME, keep, "x"), 20)
    assert len(read(pictures(20))[0]) == 20  # what was done was kept


# -------------------------------------------------------------------- killed, and two at a time


def states(part, count):
    """The last bytes of a part file."""
    data = part.read_bytes()
    return list(data[-count:]) if len(data) > count else [0] * count


@pytest.mark.parametrize("cores", [1, 3])
def test_killed_and_gone_on_with(pictures, tmp_path, keep, monkeypatch, small_blocks, cores):
    monkeypatch.setattr(cache, "_cores", lambda: cores)
    if cores == 1:
        monkeypatch.setattr(cache, "DataLoader", lambda build, _, sampler, **more: map(build.__getitem__, sampler))
    count = 120
    decoded(pictures(count), FRAME, tmp_path / "other", "x")
    pictures(count).log.unlink()
    slow = pictures(count, delay=0.005)
    slow.ready = 80

    def work():
        os.setsid()  # so that its workers can be killed with it
        decoded(slow, FRAME, keep, "x")

    process = FORK.Process(target=work)
    process.start()
    until = time.monotonic() + 60
    while not (parts := list(keep.glob("*.part"))) or sum(states(parts[0], count)) < 20:
        assert process.is_alive() and time.monotonic() < until
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    time.sleep(0.1)  # until its workers are gone, too
    assert not list(keep.glob("*.safetensors"))
    done = states(parts[0], count)
    todo = [n for n in range(count) if not all(done[n // 8 * 8 : n // 8 * 8 + 8])]
    assert 0 < len(todo) < count
    slow.log.unlink()
    assert_right(*decoded(pictures(count), FRAME, keep, "x"), count)
    assert sorted(read(slow)[0]) == todo
    assert only(keep).read_bytes() == only(tmp_path / "other").read_bytes()
    assert not list(keep.glob("*.part"))


def test_two_at_a_time(pictures, keep, small_blocks):
    source, barrier = pictures(120, delay=0.002), FORK.Barrier(2)

    def work():
        barrier.wait()
        assert_right(*decoded(source, FRAME, keep, "x"), 120)

    processes = [FORK.Process(target=work) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(read(source)[0]) == list(range(120))  # one worked, the other waited
    assert_right(*decoded(source, FRAME, keep, "x"), 120)


def test_the_first_of_two_is_killed(pictures, keep, small_blocks):
    source = pictures(120, delay=0.003)

    def work():
        os.setsid()
        decoded(source, FRAME, keep, "x")

    first, second = (FORK.Process(target=work) for _ in range(2))
    first.start()
    until = time.monotonic() + 60
    while not (parts := list(keep.glob("*.part"))) or sum(states(parts[0], 120)) < 20:
        assert first.is_alive() and time.monotonic() < until
        time.sleep(0.002)
    second.start()
    os.killpg(first.pid, signal.SIGKILL)
    second.join(60)
    assert second.exitcode == 0
    assert_right(*decoded(source, FRAME, keep, "x"), 120)
    assert len(read(source)[0]) < 240  # the second went on with the first one's work
