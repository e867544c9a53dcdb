"""Runs whose processes somebody else starts: torchrun, and SLURM by what it writes into the environment."""

import os
import socket
import subprocess
import sys

import pytest
import torch
from warm import Command

FIT = ["fit", "--model.backbone.width=4", "--data.size=16", "--data.count=40", "--data.batch_size=10"]
FIT += ["--quality=false", "--trainer.max_epochs=1", "--trainer.enable_progress_bar=false"]
FIT += ["--trainer.accelerator=cpu", "--trainer.limit_val_batches=0"]


@pytest.fixture
def port():
    """One that nobody uses now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def start_both(folder, common, *own, words=()):
    """Starts one process for each of the environments; their exit codes and what they said."""
    said = [[folder / f"{rank}.out", folder / f"{rank}.err"] for rank in range(len(own))]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    commands = [
        Command([*FIT, *words], folder, files, {**plain, **common, **environment})
        for files, environment in zip(said, own, strict=True)
    ]
    codes = [command.wait(300) for command in commands]
    return codes, "".join(path.read_text() for files in said for path in files)


def assert_one_run(folder):
    """Two processes, of which each had half of the batches, made one run."""
    (last,) = folder.glob("runs/*/*/checkpoints/last.ckpt")
    checkpoint = torch.load(last, weights_only=True)
    assert checkpoint["global_step"] == 2 and len(checkpoint["random_states"]) == 2
    first, second = (state["torch"] for state in checkpoint["random_states"])
    assert not torch.equal(first, second)


@pytest.mark.slow
def test_torchrun(tmp_path):
    starts = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "lit_gans"]
    done = subprocess.run([*starts, *FIT], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("2 x cpu") == 1  # one table
    assert_one_run(tmp_path)


@pytest.mark.slow
def test_slurm(tmp_path, port):
    """As two tasks of one node begin, by their variables."""
    names = {"NTASKS": "2", "NTASKS_PER_NODE": "2", "JOB_ID": "7", "JOB_NAME": "gan", "NODEID": "0"}
    common = {f"SLURM_{name}": value for name, value in {**names, "NODELIST": "localhost"}.items()}
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    own = [{"SLURM_PROCID": rank, "SLURM_LOCALID": rank} for rank in "01"]
    codes, said = start_both(tmp_path, common, *own)
    assert codes == [0, 0], said
    assert said.count("2 x cpu") == 1
    assert_one_run(tmp_path)
