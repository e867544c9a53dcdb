"""A run's folder is its own: two that start together get two, and none is written to that holds another run."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest
import torch
from conftest import SaveLast, fails, fit, glyphs, refused, small, trainer
from lightning.pytorch.loggers import CSVLogger, Logger
from warm import Command

from lit_gans import DCGAN, LSGAN
from lit_gans.callbacks import Quality, SampleGrid
from lit_gans.callbacks.run_folder import RunLogger, begun, remove_unused, run_of
from lit_gans.cli.main import main

FORK = multiprocessing.get_context("fork")
TINY = [
    "--data.characters=01",
    "--data.size=16",
    "--data.count=40",
    "--data.batch_size=20",
    "--model.backbone.width=4",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.max_steps=1",
    "--trainer.limit_val_batches=0",
]
VERSIONED = ["--trainer.logger=CSVLogger", "--trainer.logger.save_dir=mine", "--trainer.logger.version=0"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_runs_that_start_together_never_share_a_folder(tmp_path):
    barrier, found = FORK.Barrier(9), FORK.Queue()

    def work():
        logger = RunLogger(tmp_path / "runs", "DCGAN-Glyphs")
        barrier.wait()
        found.put((logger.version, logger.log_dir))

    processes = [FORK.Process(target=work) for _ in range(9)]
    for process in processes:
        process.start()
    versions, places = zip(*(found.get(timeout=60) for _ in processes), strict=True)
    for process in processes:
        process.join(60)
    assert sorted(versions) == list(range(9)) and len({*places}) == 9


def test_a_version_is_new_though_others_were_deleted(tmp_path):
    (tmp_path / "x" / "version_3").mkdir(parents=True)
    (tmp_path / "x" / "version_5").write_text("a file")
    versions = [RunLogger(tmp_path, "x").version for _ in range(2)]
    assert versions == [4, 6] and RunLogger(tmp_path, "y").version == 0


def test_other_ranks_make_no_folder(tmp_path, monkeypatch):
    from lightning.pytorch.utilities.rank_zero import rank_zero_only

    first = RunLogger(tmp_path, "x")
    assert first.version == 0
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    assert RunLogger(tmp_path, "x").log_dir and RunLogger.like(CSVLogger(tmp_path, "x", 0)).version == 0
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["version_0"]


def test_a_folder_that_was_not_used_is_removed(tmp_path):
    one, two = RunLogger(tmp_path, "x"), RunLogger(tmp_path, "x")
    assert (one.version, two.version) == (0, 1)
    Path(one.log_dir, "config.yaml").write_text("")  # the options of a run that never began
    Path(two.log_dir, "mine.txt").write_text("")
    remove_unused()
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["version_1"]
    third = RunLogger(tmp_path, "y")
    Path(third.log_dir, "config.yaml").write_text("")
    begun()
    remove_unused()
    assert Path(third.log_dir, "config.yaml").is_file()
    assert RunLogger(tmp_path / "new" / "er", "z").version == 0
    remove_unused()
    assert not (tmp_path / "new").exists()
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["version_1"]


def test_a_run_that_fails_before_it_writes_leaves_no_folder(folder):
    (folder / "photos").mkdir()
    (folder / "photos" / "a.png").write_bytes(b"no picture")
    short = [word for word in TINY if word.startswith("--trainer")]
    assert "a.png cannot be used" in fails("fit", "--data=ImageFolder", "--data.root=photos", *short)
    main(["fit", *TINY, "--trainer.fast_dev_run=true"])
    assert not list(folder.glob("runs/*/*"))


# -------------------------------------------------------------------- earlier runs


def test_a_version_that_holds_a_run_is_refused(folder):
    main(["fit", *TINY, *VERSIONED])
    before = content(folder / "mine")
    assert "DCGAN-Glyphs/version_0/hparams.yaml" in before
    (folder / "mine" / "DCGAN-Glyphs" / "version_0" / "metrics.csv").write_text("step\n1\n")
    before = content(folder / "mine")
    for command in ("fit", "validate"):
        error = fails(command, *TINY, *VERSIONED)
        assert "holds a run already (metrics.csv)" in error and "version" in error
    assert content(folder / "mine") == before
    main(["fit", *TINY, *VERSIONED[:2]])
    assert (folder / "mine" / "DCGAN-Glyphs" / "version_1" / "checkpoints" / "last.ckpt").is_file()


def test_an_empty_folder_of_a_version_is_taken(tmp_path):
    (tmp_path / "x" / "version_7").mkdir(parents=True)
    logger = RunLogger(tmp_path, "x", 7)
    assert logger.version == 7 and Path(logger.log_dir) == tmp_path / "x" / "version_7"
    Path(logger.log_dir, "samples").mkdir()
    refused(lambda: RunLogger(tmp_path, "x", 7).version, "holds a run already (samples)")
    refused(lambda: RunLogger(tmp_path, "x", "version_7").version, "holds a run already")


def test_without_a_logger_no_other_run_is_replaced(tmp_path):
    first = fit(tmp_path, small(DCGAN), max_steps=1)
    before = content(tmp_path)
    words = ("last.ckpt", "default_root_dir", "CSVLogger", "ckpt_path")
    for model in (small(LSGAN), small(DCGAN)):
        refused(lambda model=model: fit(tmp_path, model, max_steps=1), tmp_path, *words)
    assert content(tmp_path) == before
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert fit(tmp_path, small(DCGAN), ckpt_path=last, max_steps=3)["global_step"] == first["global_step"] + 2
    refused(lambda: fit(tmp_path, small(DCGAN), ckpt_path=_elsewhere(last, tmp_path.parent), max_steps=4), *words)


def _elsewhere(checkpoint, folder):
    (folder / "x.ckpt").write_bytes(checkpoint.read_bytes())
    return folder / "x.ckpt"


@pytest.mark.parametrize(
    "callback", [SampleGrid, lambda: Quality(["swd"], count=20, real_count=20)], ids=["samples", "scores"]
)
def test_samples_and_scores_of_two_runs_do_not_mix(tmp_path, callback):
    def run():
        return trainer(tmp_path, callbacks=[callback()], max_steps=-1, max_epochs=1, limit_train_batches=2)

    run().fit(small(DCGAN), glyphs())
    before = content(tmp_path)
    assert before.keys() & {"scores.jsonl", "samples/real.png"}
    refused(lambda: run().fit(small(LSGAN), glyphs()), tmp_path, "holds another run")
    assert content(tmp_path) == before
    run().validate(small(DCGAN), glyphs())  # looks at a run, and is none


def test_one_trainer_may_go_on(tmp_path):
    run, model = trainer(tmp_path, callbacks=[SaveLast()], max_steps=1), small(DCGAN)
    run.fit(model, glyphs())
    run.fit_loop.epoch_loop.max_steps = 2
    run.fit(model, glyphs())
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 2


class Elsewhere(Logger):
    """A logger that writes no files, as W&B has it."""

    name = "project"

    def __init__(self, save_dir, version):
        super().__init__()
        self._place, self._version = save_dir, version

    @property
    def version(self):
        return self._version

    @property
    def save_dir(self):
        return self._place

    def log_metrics(self, metrics, step=None):
        pass

    def log_hyperparams(self, params=None):
        pass


def test_another_logger_gives_every_run_its_own_folder(tmp_path):
    for version in ("a1", "b2"):
        run = trainer(tmp_path, callbacks=[SaveLast(), SampleGrid()], logger=Elsewhere(tmp_path, version), max_steps=1)
        run.fit(small(DCGAN), glyphs())
        assert run_of(run).folder == tmp_path / "project" / version
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {
        f"project/{v}/{name}" for v in ("a1", "b2") for name in ("checkpoints/last.ckpt", "samples/real.png")
    } <= found
    assert not (tmp_path / "checkpoints").exists() and not (tmp_path / "samples").exists()


# -------------------------------------------------------------------- what a killed run left


@pytest.mark.slow
def test_the_next_run_removes_what_a_killed_one_left(folder):
    code = (
        "import os, signal, sys, torch\nfrom lit_gans.cli.main import main\n"
        "save = torch.save\n"
        "def die(value, file):\n"
        "    if 'state_dict' in value:\n"
        "        file.write(b'half'); file.flush(); print('writing', flush=True); signal.pause()\n"
        "    save(value, file)\n"
        "torch.save = lambda value, file, *more: die(value, file) if isinstance(value, dict) else save(value, file)\n"
        f"main(['fit', *{TINY!r}])\n"
    )
    Path("killed.py").write_text(code)
    process = Command(["killed.py"], folder, ["log.txt"] * 2, {**os.environ})
    deadline = time.monotonic() + 300
    while not Path("log.txt").exists() or "writing\n" not in Path("log.txt").read_text():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    main(["fit", *TINY])  # which must leave what the first is writing
    (left,) = folder.glob("runs/*/version_0/checkpoints/*")
    process.kill()
    process.wait(60)
    main(["fit", *TINY])
    assert not left.exists() and not list(folder.glob("runs/*/version_0/checkpoints/.*"))
