"""Every shipped configuration runs a step by the command that it is headed by."""

import os
from pathlib import Path

import pytest

from lit_gans.cli import main

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "examples" / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_one_step(path, tmp_path, monkeypatch):
    if "mnist" in path.stem and not os.environ.get("LIT_GANS_DATA"):
        pytest.skip("needs MNIST: set LIT_GANS_DATA to the folder that holds MNIST/raw")
    command = path.read_text().splitlines()[0].removeprefix("# ").split()
    assert command[:3] == ["lit-gans", "fit", "--config"] and ROOT / command[3] == path
    monkeypatch.chdir(tmp_path)
    flags = ["--trainer.max_epochs=-1", "--trainer.max_steps=1", "--trainer.accelerator=cpu"]
    flags += ["--trainer.limit_val_batches=1", "--trainer.enable_progress_bar=false"]
    main(["fit", "--config", str(path), *flags])
    assert list(tmp_path.glob("runs/*/version_0/checkpoints/last.ckpt"))
    assert list(tmp_path.glob("runs/*/version_0/samples/step_0000001.png"))
