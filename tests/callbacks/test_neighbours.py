"""Several runs on one machine: who has how many threads, and what is said when they are in each other's way."""

import os
import sys
import time

import pytest
import torch
from conftest import fit, glyphs, small
from lightning.pytorch import Callback
from warm import Command

from lit_gans import DCGAN, Trainer
from lit_gans.callbacks import Neighbours, neighbours
from lit_gans.devices import Presence, take_threads

SHOWS = """
import os, tempfile, time
from pathlib import Path
from lit_gans.devices import Presence

tempfile.tempdir = os.environ["TMPDIR"]  # which the process that this is a fork of has looked for already
presence = Presence()
Path("seen.part").write_text(str(presence.begin()))
Path("seen.part").rename("seen")
while not Path("end").exists():
    time.sleep(0.02)
"""


@pytest.fixture
def threads(monkeypatch, tmp_path):
    """Four cores, nobody who trains, nothing said about threads; the number of threads comes back at the end."""
    before = torch.get_num_threads()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("lit_gans.devices.cores", lambda: 4)
    monkeypatch.setattr(neighbours, "cores", lambda: 4)
    monkeypatch.setattr("lit_gans.devices._chosen", {4})
    torch.set_num_threads(4)
    yield torch.get_num_threads
    torch.set_num_threads(before)


class Counted(Callback):
    """How many threads a run computes with."""

    def on_train_batch_start(self, *_):
        self.threads = torch.get_num_threads()


def run(folder, **options):
    """The number of threads of a run; they are as many as before after it."""
    before, counted = torch.get_num_threads(), Counted()
    fit(folder, small(DCGAN), callbacks=[counted, Neighbours()], **options)
    assert torch.get_num_threads() == before
    return counted.threads


def other(tmp_path, name="other"):
    """Another process that trains until there is a file ``end`` in its folder; how many others it has seen."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "shows.py").write_text(SHOWS)
    log, seen = folder / "log.txt", folder / "seen"
    process = Command(["shows.py"], folder, [log, log], {**os.environ, "TMPDIR": str(tmp_path)})
    deadline = time.monotonic() + 300
    while not seen.exists():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    return process, int(seen.read_text())


def ended(process, folder):
    """Lets another process end by itself."""
    (folder / "end").touch()
    assert process.wait(300) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="runs do not see each other")
def test_a_run_takes_its_part_of_the_cores(threads, tmp_path, capsys):
    assert run(tmp_path / "0", max_steps=1) == 4
    first, seen = other(tmp_path, "first")
    assert seen == 0
    second, seen = other(tmp_path, "second")
    assert seen == 1
    own = Trainer(max_steps=1, accelerator="cpu", folder=False, enable_progress_bar=False)
    own.fit(small(DCGAN), glyphs())
    assert "cpu, precision 32-true, 1 thread\n" in capsys.readouterr().out
    ended(second, tmp_path / "second")
    assert run(tmp_path / "1", max_steps=1) == 2
    first.kill()  # its sign goes with it
    first.wait(300)
    assert run(tmp_path / "2", max_steps=1) == 4
    assert not list(tmp_path.glob("lit_gans-*/training-*"))


@pytest.mark.skipif(sys.platform == "win32", reason="runs do not see each other")
@pytest.mark.parametrize("how", ["OMP_NUM_THREADS", "set_num_threads"])
def test_who_says_how_many_threads_gets_them(how, threads, tmp_path, monkeypatch):
    process, _ = other(tmp_path)
    if how == "OMP_NUM_THREADS":
        monkeypatch.setenv(how, "4")
    else:
        torch.set_num_threads(3)
    assert run(tmp_path / "own", max_steps=1) == (4 if how == "OMP_NUM_THREADS" else 3)
    ended(process, tmp_path / "other")


@pytest.mark.skipif(sys.platform == "win32", reason="runs do not see each other")
@pytest.mark.parametrize("kind", ["a link", "open to others", "a file"])
def test_a_folder_that_somebody_else_has_made_is_left_alone(kind, threads, tmp_path):
    folder, precious = tmp_path / f"lit_gans-{os.getuid()}", tmp_path / "precious"
    precious.mkdir()
    (precious / "training-thesis").write_text("mine")
    if kind == "a link":
        folder.symlink_to(precious)
    elif kind == "a file":
        folder.write_text("mine")
    else:
        folder.mkdir()
        folder.chmod(0o777)
        (folder / "training-x").symlink_to(precious / "training-thesis")
    presence = Presence()
    assert presence.begin() == 0
    presence.end()
    assert (precious / "training-thesis").read_text() == "mine" and len(list(precious.iterdir())) == 1


def test_the_number_of_threads_is_kept_and_goes_on(threads, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("lit_gans.devices._chosen", {3, 4})
    torch.set_num_threads(3)
    assert run(tmp_path, max_steps=1) == 3
    path = tmp_path / "checkpoints" / "last.ckpt"
    assert torch.load(path, weights_only=True)["run"]["threads"] == 3
    torch.set_num_threads(4)
    assert run(tmp_path, max_steps=2, ckpt_path=path) == 3 and "threads" not in capsys.readouterr().err
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    torch.set_num_threads(2)
    assert run(tmp_path, max_steps=3, ckpt_path=path) == 2
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
