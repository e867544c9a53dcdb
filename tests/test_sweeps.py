"""The sweep files, by the commands that wandb's own code builds from them; offline."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from lit_gans import load

ROOT = Path(__file__).parents[1]
SWEEPS = sorted((ROOT / "examples" / "sweeps").glob("*.yaml"))


def sampled(parameters, seed):
    """One choice of every parameter, as an agent gets it."""
    rng = random.Random(seed)
    chosen = {}
    for name, how in parameters.items():
        if "values" in how:
            value = rng.choice(how["values"])
        else:
            assert how["distribution"] == "log_uniform_values" and 0 < how["min"] < how["max"]
            value = rng.uniform(how["min"], how["max"])
        chosen[name] = {"value": value}
    return chosen


@pytest.mark.slow
@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_run_of_a_sweep(path, seed, tmp_path):
    if not os.environ.get("LIT_GANS_DATA"):
        pytest.skip("needs MNIST: set LIT_GANS_DATA to the folder that holds MNIST/raw")
    sweep = yaml.safe_load(path.read_text())
    assert sweep["metric"] == {"name": "val/fid", "goal": "minimize"}
    chosen = sampled(sweep["parameters"], seed)
    made = create_sweep_command_args({"args": chosen})
    words = []
    for word in create_sweep_command(sweep["command"]):
        words += made["args"] if word == "${args}" else [] if word == "${env}" else [word]
    assert words[:2] == ["lit-gans", "fit"] and shutil.which("wandb")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    short = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=2", "--trainer.limit_val_batches=4"]
    command = [sys.executable, "-m", "lit_gans", *words[1:], *short, "--trainer.accelerator=cpu"]
    command += ["--trainer.enable_progress_bar=false", "--quality.real_count=500"]
    own = {k: v for k, v in os.environ.items() if k != "WANDB_SERVICE"}  # another test's, which would write later
    environment = {**own, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1", "WANDB_SILENT": "true"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (run,) = tmp_path.glob("runs/*/version_0")
    model = load(run / "checkpoints" / "last.ckpt")
    assert model.backbone.width == chosen["model.backbone.width"]["value"]
    rate = chosen["model.generator_optimizer.lr"]["value"]
    assert model.configure_optimizers()[0][0].param_groups[0]["lr"] == rate
    record = json.loads((run / "scores.jsonl").read_text().splitlines()[-1])
    assert record["values"]["fid"] > 0 and record["protocol"]["real"] == 500 and record["protocol"]["fake"] == 256
    (offline,) = tmp_path.rglob("offline-run-*")
    assert list(offline.rglob("*.png"))  # the grid
    logged = (offline / next(iter(offline.glob("*.wandb"))).name).read_bytes()
    assert all(name in logged for name in (b"val/fid", b"protocol", b"digits", b"generator_optimizer"))
