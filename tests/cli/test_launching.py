"""Runs whose processes somebody else starts: torchrun, and SLURM by what it writes into the environment."""

import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from conftest import fails, refused
from warm import Command

from lit_gans.core.checks import refuse_processes
from lit_gans.devices import take_tasks, tasks

FIT = ["fit", "--model.backbone.width=4", "--data.size=16", "--data.count=40", "--data.batch_size=10"]
FIT += ["--quality=false", "--trainer.max_epochs=1", "--trainer.enable_progress_bar=false"]
FIT += ["--trainer.accelerator=cpu", "--trainer.limit_val_batches=0"]


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """The session's own processes may have been started by SLURM."""
    for name in [*os.environ]:
        if name.startswith(("SLURM_", "TORCHELASTIC_")):
            monkeypatch.delenv(name)


@pytest.fixture
def port():
    """One that nobody uses now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def start_both(folder, common, *own):
    """Starts one process for each of the environments; their exit codes and what they said."""
    said = [[folder / f"{rank}.out", folder / f"{rank}.err"] for rank in range(len(own))]
    commands = [
        Command(FIT, folder, files, {**os.environ, **common, **environment})
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


TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}
TORCHRUN |= {"RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
SLURM = {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2", "SLURM_JOB_NAME": "gan"}


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, None),
        (TORCHRUN, ("torchrun", 2, 2)),
        (SLURM, ("SLURM", 2, 2)),
        ({**SLURM, **TORCHRUN, "WORLD_SIZE": "2"}, ("torchrun", 2, 1)),  # torchrun, started by SLURM
        ({**SLURM, "SLURM_JOB_NAME": "bash"}, None),  # somebody types at a node
        ({"SLURM_NTASKS": "4"}, None),
        ({"SLURM_NTASKS": "1"}, ("SLURM", 1, 1)),
    ],
)
def test_who_has_started_how_many(environment, found, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert tasks() == found
    given = {"devices": "auto", "num_nodes": 1, "max_steps": 3}
    take_tasks(given)
    assert given == {**given, **({} if found is None else {"devices": found[1], "num_nodes": found[2]})}
    chosen = {"devices": 8, "num_nodes": 3}
    take_tasks(chosen)
    assert chosen == {"devices": 8, "num_nodes": 3}


def test_other_numbers_are_refused(monkeypatch):
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    one, two, four = (
        SimpleNamespace(num_devices=n, num_nodes=m, world_size=n * m) for n, m in ((1, 1), (2, 1), (2, 2))
    )
    refuse_processes(four)
    refuse_processes(one)  # several runs, side by side
    refused(lambda: refuse_processes(two), "SLURM has started 2 process(es) on each of 2 node(s)", "--ntasks-per-node")
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    refused(lambda: refuse_processes(one), "torchrun has started 2 process(es)", "1 device(s)", "--nproc_per_node")


def test_tasks_without_nodes_are_refused_by_the_command(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLURM_NTASKS", "2")
    assert "--ntasks-per-node=2" in fails(*FIT)


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
