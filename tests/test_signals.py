"""A run that is told to stop ends at the end of a batch, saves, says so by its exit code and goes on from there."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from lit_gans.cli import main

FLAGS = [
    "fit",
    "--data.size=16",
    "--data.count=400",
    "--data.batch_size=4",
    "--model.width=4",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.max_steps=200000",
    "--trainer.max_epochs=-1",
    "--trainer.limit_val_batches=0",
]


def start(folder, *flags):
    """The command in a process group of its own, once it trains (its first epoch has left a checkpoint)."""
    log = (folder / "log.txt").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "lit_gans", *FLAGS, *flags],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    for _ in range(3000):
        if list(folder.glob("runs/*/*/checkpoints/last.ckpt")):
            return process
        assert process.poll() is None, (folder / "log.txt").read_text()
        time.sleep(0.1)
    process.kill()
    raise AssertionError("it never saved: " + (folder / "log.txt").read_text())


def finish(process, folder):
    try:
        code = process.wait(timeout=300)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    (path,) = folder.glob("runs/*/*/checkpoints/last.ckpt")
    assert not list(path.parent.glob(".*")), "a temporary file was left"
    return code, path, (folder / "log.txt").read_text()


def aligned(path):
    """Both players have made every step they should have: the checkpoint is from the end of a batch."""
    checkpoint = torch.load(path, weights_only=True)
    steps = {float(s["step"]) for o in checkpoint["optimizer_states"] for s in o["state"].values()}
    assert steps == {float(checkpoint["global_step"])}
    assert int(checkpoint["state_dict"]["generator_ema.n_averaged"]) == checkpoint["global_step"]
    return checkpoint["global_step"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_one_process(number, code, tmp_path, monkeypatch):
    process = start(tmp_path)
    os.kill(process.pid, number)
    ended, path, log = finish(process, tmp_path)
    assert ended == code, log
    assert "--ckpt_path" in log and "Traceback" not in log
    steps = aligned(path)
    monkeypatch.chdir(tmp_path)
    main([*FLAGS, f"--ckpt_path={path}", f"--trainer.max_steps={steps + 3}"])
    assert aligned(max(tmp_path.glob("runs/*/*/checkpoints/last.ckpt"))) == steps + 3


@pytest.mark.parametrize(
    ("who", "number", "code"),
    [("first", signal.SIGTERM, 143), ("second", signal.SIGTERM, 143), ("all", signal.SIGINT, 130)],
)
def test_two_processes(who, number, code, tmp_path):
    process = start(tmp_path, "--trainer.devices=2")
    children = subprocess.run(["pgrep", "-P", str(process.pid), "-f", "lit_gans"], capture_output=True, text=True)
    (second,) = [int(line) for line in children.stdout.split()]
    if who == "all":
        os.killpg(process.pid, number)
    else:
        os.kill(process.pid if who == "first" else second, number)
    ended, path, log = finish(process, tmp_path)
    assert ended == code, log
    assert "--ckpt_path" in log
    aligned(path)


def test_a_checkpoint_is_the_old_file_or_the_new_one(tmp_path, monkeypatch):
    from lit_gans.checkpoints import AtomicCheckpointIO

    target = tmp_path / "model.ckpt"
    AtomicCheckpointIO().save_checkpoint({"value": 1}, target)
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), fsync(fd)))

    def fails(checkpoint, file):
        file.write(b"half")
        assert target.parent == tmp_path and [p for p in tmp_path.iterdir() if p != target]  # beside the target
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", fails)
    with pytest.raises(OSError, match="no space"):
        AtomicCheckpointIO().save_checkpoint({"value": 2}, target)
    monkeypatch.undo()
    assert torch.load(target, weights_only=True) == {"value": 1}
    assert list(tmp_path.iterdir()) == [target]
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), fsync(fd)))
    AtomicCheckpointIO().save_checkpoint({"value": 3}, target)
    assert synced and torch.load(target, weights_only=True) == {"value": 3}
