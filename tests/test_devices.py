"""Two processes (gloo, CPU) play one game."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import assert_equal, training_state

SCRIPT = Path(__file__).with_name("two_processes.py")
# A run is a pair of processes and slow, so one model for each kind of thing that ranks could disagree on: weights
# alone, batch statistics, BEGAN's k, power iterations, running means of styles and path lengths, steps inside a step,
# one optimizer without and with statistics of the codes. The others are made of the same.
KINDS = ["GAN", "DCGAN", "BEGAN", "SNGAN", "StyleGAN2", "UnrolledGAN", "VAE", "AutoEncoder"]


def train(folder, *arguments):
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [torch.load(path, weights_only=True) for path in sorted(folder.glob("rank*.pt"))]


@pytest.mark.parametrize("name", KINDS)
def test_ranks_agree_on_everything_but_noise(name, tmp_path):
    first, second = train(tmp_path, name, 2, 20)
    assert_equal(first["state"], second["state"])  # players, average and batch statistics
    assert not torch.equal(first["draw"], second["draw"])
    for key, value in first["state"].items():  # or there would be nothing that ranks could disagree on
        if key.endswith("running_var"):
            assert not torch.equal(value, torch.ones_like(value)), key


def test_two_processes_equal_one_on_the_whole_batch(tmp_path):
    two = train(tmp_path / "two", "Noise", 2, 20)[0]["state"]
    (one,) = train(tmp_path / "one", "Noise", 1, 20)
    start = train(tmp_path / "start", "Noise", 1, 1)[0]["state"]
    for key, value in one["state"].items():
        torch.testing.assert_close(two[key], value, rtol=1e-4, atol=1e-6)
    assert any(not torch.allclose(start[key], value, rtol=1e-2) for key, value in two.items())


def test_resume_on_two_processes_is_exact(tmp_path):
    train(tmp_path / "straight", "DCGAN", 2, 12)
    train(tmp_path / "first", "DCGAN", 2, 6)
    last = "checkpoints/last.ckpt"
    train(tmp_path / "second", "DCGAN", 2, 12, tmp_path / "first" / last)
    states = [training_state(torch.load(tmp_path / n / last, weights_only=True)) for n in ("straight", "second")]
    assert_equal(*states)
    assert len(states[0]["random_states"]) == 2
