"""Temporary files: nobody can guess them or lead them astray, and what a killed process left of them is removed."""

import multiprocessing
import os
import signal
import threading
import time
from functools import partial

import pytest
import torch
from conftest import refused
from safetensors.torch import save_file

from lit_gans import files
from lit_gans.files import clear_leftovers, refuse_taken, replacing, working_folder

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def look_every_time(monkeypatch):
    monkeypatch.setattr(files, "_PAUSE", 0.0)


def test_a_file_is_replaced_or_stays(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    for text in ("one", "two"):
        with replacing(target) as temporary:
            temporary.write_text(text)
            assert not target.exists() or target.read_text() == "one"
        assert target.read_text() == text
    with pytest.raises(ZeroDivisionError), replacing(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "two" and list(target.parent.iterdir()) == [target]


def test_a_file_has_the_rights_of_any_other(tmp_path):
    (tmp_path / "usual").write_text("")
    with replacing(tmp_path / "ours") as temporary:
        temporary.write_text("")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_name_as_long_as_can_be(tmp_path):
    with replacing(tmp_path / ("x" * 255)) as temporary:
        temporary.write_text("whole")
    assert (tmp_path / ("x" * 255)).read_text() == "whole"


def test_the_temporary_place_cannot_be_guessed_or_entered(tmp_path):
    seen = set()
    for _ in range(20):
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("")
            (folder,) = (path for path in tmp_path.iterdir() if path.name != "a.txt")
            assert folder.stat().st_mode & 0o077 == 0 and not folder.is_symlink()
            seen.add(temporary)
    assert len(seen) == 20


def test_a_link_under_the_old_name_is_not_followed(tmp_path):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / f".a.txt.tmp-{os.getpid()}").symlink_to(tmp_path / "victim")
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("ours")
    assert (tmp_path / "victim").read_text() == "mine" and not (tmp_path / "a.txt").is_symlink()


def test_two_threads_that_write_one_file(tmp_path):
    barrier, wrong = threading.Barrier(8), []

    def write(number):
        for _ in range(10):
            barrier.wait()
            try:
                with replacing(tmp_path / "a.txt") as temporary:
                    temporary.write_text(str(number) * 1000)
            except OSError as error:
                wrong.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong and len({*(tmp_path / "a.txt").read_text()}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def killed_while_writing(target):
    """A process that dies in the middle of a file."""

    def work():
        with replacing(target) as temporary:
            temporary.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)

    process = FORK.Process(target=work)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    for _ in range(3):
        killed_while_writing(tmp_path / "a.ckpt")
    assert len(list(tmp_path.iterdir())) == 1  # of the last: each has removed the one before
    with replacing(tmp_path / "other.ckpt") as temporary:
        temporary.write_bytes(b"")
    assert [path.name for path in tmp_path.iterdir()] == ["other.ckpt"]


@pytest.mark.parametrize("by_library", [False, True])  # safetensors writes to a file of its own and renames it
def test_what_a_living_process_writes_is_left(tmp_path, by_library):
    ready, done = FORK.Event(), FORK.Event()

    def work():
        with replacing(tmp_path / "a.bin") as temporary:
            save_file({"a": torch.zeros(9)}, temporary) if by_library else temporary.write_bytes(b"whole")
            ready.set()
            assert done.wait(60)

    writer = FORK.Process(target=work)
    writer.start()
    assert ready.wait(60)
    clear_leftovers(tmp_path)
    with replacing(tmp_path / "b.bin") as temporary:
        temporary.write_bytes(b"")
    done.set()
    writer.join(60)
    assert writer.exitcode == 0 and sorted(p.name for p in tmp_path.iterdir()) == ["a.bin", "b.bin"]


def test_a_folder_that_has_no_lock_yet_is_left_for_a_minute(tmp_path):
    folder = tmp_path / f"{files._PREFIX}abc"
    folder.mkdir()
    (tmp_path / ".lit_gans").mkdir()
    clear_leftovers(tmp_path)
    assert folder.exists()
    os.utime(folder, (time.time() - 100,) * 2)
    clear_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lit_gans"]


def test_a_folder_that_is_cleared_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    lock, cleared = files.lock, []

    def slow(file, **how):
        if not how and not cleared:  # a new folder's: another process is faster
            cleared.append(0)
            clear_leftovers(tmp_path)
        return lock(file, **how)

    monkeypatch.setattr(files, "lock", slow)
    with working_folder(tmp_path) as folder:
        assert folder.is_dir() and cleared


def test_taken_places(tmp_path):
    (tmp_path / "a").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    refuse_taken(tmp_path / "new", tmp_path / "deep" / "er" / "new")
    refused(lambda: refuse_taken(tmp_path / "a"), f"{tmp_path / 'a'} is there already", "--force")
    refused(lambda: refuse_taken(tmp_path / "new", tmp_path / "a", tmp_path / "link"), "and 1 more files", "--force")
    refuse_taken(tmp_path / "a", tmp_path / "link", force=True)
    for force in (False, True):
        refused(partial(refuse_taken, tmp_path, force=force), f"{tmp_path} is a folder")
        refused(partial(refuse_taken, tmp_path / "a" / "b" / "c", force=force), f"{tmp_path / 'a'} is no folder")
