"""Finds the checkpoint that somebody means."""

import os

import pytest

from lit_gans.errors import UsageError
from lit_gans.runs import find_checkpoint


def made(home, *names):
    """Empty files, each newer than the one before."""
    for age, name in enumerate(names):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (1_000_000 + age, 1_000_000 + age))


OLD, NEW = "DCGAN-MNIST/version_0", "VAE-Glyphs/version_3"


def test_a_run_its_checkpoints_and_a_folder_of_runs_stand_for_a_checkpoint(tmp_path):
    made(tmp_path, f"{OLD}/checkpoints/best.ckpt", f"{OLD}/checkpoints/last.ckpt", f"{NEW}/checkpoints/last.ckpt")
    best, last = (tmp_path / OLD / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    assert find_checkpoint(tmp_path / OLD) == find_checkpoint(str(best.parent)) == find_checkpoint(best) == best
    assert find_checkpoint(tmp_path / OLD, prefer=["last"]) == last
    assert find_checkpoint(tmp_path / "DCGAN-MNIST") == best
    assert find_checkpoint(tmp_path) == tmp_path / NEW / "checkpoints/last.ckpt"


def test_other_names_and_loose_checkpoints_are_found_by_age(tmp_path):
    made(tmp_path, f"{OLD}/checkpoints/best_step=10.ckpt", f"{OLD}/checkpoints/epoch=1-val/fid=3.ckpt", "mine/a.ckpt")
    assert find_checkpoint(tmp_path / OLD).name == "fid=3.ckpt"
    assert find_checkpoint(tmp_path / "mine").name == "a.ckpt"


def test_last_and_best_are_those_of_the_newest_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"no run in runs has a last\.ckpt"):
        find_checkpoint("last")
    made(tmp_path / "runs", f"{OLD}/checkpoints/best.ckpt", f"{NEW}/checkpoints/last.ckpt")
    assert find_checkpoint("last").as_posix() == f"runs/{NEW}/checkpoints/last.ckpt"
    assert find_checkpoint("best").as_posix() == f"runs/{OLD}/checkpoints/best.ckpt"
    (tmp_path / "last").touch()  # a file of that name is meant itself
    assert find_checkpoint("last").as_posix() == "last"


def test_a_run_goes_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "runs", "mine/version_0/checkpoints/last.ckpt", "mine/version_1/checkpoints/last.ckpt")
    assert find_checkpoint("mine").as_posix() == "runs/mine/version_1/checkpoints/last.ckpt"
    assert find_checkpoint("mine/version_0").as_posix() == "runs/mine/version_0/checkpoints/last.ckpt"
    made(tmp_path, "mine/other.ckpt")  # a path of that name is meant itself
    assert find_checkpoint("mine").as_posix() == "mine/other.ckpt"


def test_a_folder_without_checkpoints_is_refused_and_a_missing_file_is_left_to_the_reader(tmp_path):
    with pytest.raises(UsageError, match="holds no checkpoint"):
        find_checkpoint(tmp_path)
    assert find_checkpoint(tmp_path / "no.ckpt") == tmp_path / "no.ckpt"
