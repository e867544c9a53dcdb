"""Several runs on one machine: who has how many threads, and what is said when they are in each other's way."""

import os
import subprocess
import sys

import pytest
import torch
from conftest import fit, glyphs, small

from lit_gans import DCGAN, Trainer
from lit_gans.callbacks import Neighbours, neighbours
from lit_gans.devices import Presence, take_threads

SHOWS = "from lit_gans.devices import Presence; p = Presence(); print(p.begin(), flush=True); input()"


@pytest.fixture
def threads(monkeypatch, tmp_path):
    """Four cores, nobody who trains, nothing said about threads; the number of threads comes back at the end."""
    before = torch.get_num_threads()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("lit_gans.devices.cores", lambda: 4)
    monkeypatch.setattr(neighbours, "cores", lambda: 4)
    torch.set_num_threads(4)
    yield torch.get_num_threads
    torch.set_num_threads(before)


def other(tmp_path):
    """Another process that trains."""
    process = subprocess.Popen(
        [sys.executable, "-c", SHOWS],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, int(process.stdout.readline())


@pytest.mark.skipif(sys.platform == "win32", reason="runs do not see each other")
def test_a_run_takes_its_part_of_the_cores(threads, tmp_path, capsys):
    fit(tmp_path / "0", model := small(DCGAN), max_steps=1, callbacks=[Neighbours()])
    assert threads() == 4
    first, seen = other(tmp_path)
    assert seen == 0
    second, seen = other(tmp_path)
    assert seen == 1
    Trainer(max_steps=1, accelerator="cpu", folder=False, enable_progress_bar=False).fit(model, glyphs())
    assert threads() == 1 and "cpu, precision 32-true, 1 thread\n" in capsys.readouterr().out
    torch.set_num_threads(4)
    second.communicate("\n")
    fit(tmp_path / "1", small(DCGAN), max_steps=1, callbacks=[Neighbours()])
    assert threads() == 2
    first.kill()  # its sign goes with it
    first.wait()
    torch.set_num_threads(4)
    fit(tmp_path / "2", small(DCGAN), max_steps=1, callbacks=[Neighbours()])
    assert threads() == 4


@pytest.mark.skipif(sys.platform == "win32", reason="runs do not see each other")
def test_who_says_how_many_threads_gets_them(threads, tmp_path, monkeypatch):
    process, _ = other(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    fit(tmp_path, small(DCGAN), max_steps=1, callbacks=[Neighbours()])
    assert threads() == 4
    process.communicate("\n")


def test_the_number_of_threads_is_kept_and_goes_on(threads, tmp_path, capsys, monkeypatch):
    torch.set_num_threads(3)
    checkpoint = fit(tmp_path, small(DCGAN), max_steps=1)
    assert checkpoint["run"]["threads"] == 3
    path = tmp_path / "checkpoints" / "last.ckpt"
    torch.set_num_threads(4)
    fit(tmp_path, small(DCGAN), max_steps=2, ckpt_path=path)
    assert threads() == 3 and "threads" not in capsys.readouterr().err
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    torch.set_num_threads(2)
    fit(tmp_path, small(DCGAN), max_steps=3, ckpt_path=path)
    assert threads() == 2
    assert f"the number of threads was 3 in {path} and is now 2" in capsys.readouterr().err


def test_more_threads_than_cores_are_not_taken(threads):
    assert take_threads(64) == 4 and take_threads(0) == 4 and take_threads(1) == 1


@pytest.mark.parametrize(("load", "seconds", "said"), [(9.0, 30.0, True), (1.0, 30.0, False), (9.0, 5.0, False)])
def test_a_machine_that_is_too_busy_is_spoken_of_once(load, seconds, said, monkeypatch, recwarn):
    callback, now = Neighbours(), [0.0]
    monkeypatch.setattr(neighbours, "monotonic", lambda: now[0])
    monkeypatch.setattr(neighbours, "cores", lambda: 2)
    monkeypatch.setattr(neighbours, "_load", lambda: load)
    trainer = Trainer(accelerator="cpu", folder=False, enable_progress_bar=False)
    for number in range(120):
        callback.on_train_batch_start(trainer, None, None, number)
        now[0] += 1.0 if number < 50 else seconds
        callback.on_train_batch_end(trainer, None, None, None, number)
    warned = [str(each.message) for each in recwarn if "processes want 2 cores" in str(each.message)]
    assert len(warned) == said
    if said:
        assert warned[0].startswith("a batch takes 30 s, 30 times as long as at first, since 9.0 processes want")


def test_presence_without_a_place_to_write(monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr("tempfile.tempdir", str(file))
    presence = Presence()
    assert presence.begin() == 0
    presence.end()
