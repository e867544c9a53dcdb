"""A run that is told to stop ends at the end of a batch, saves, says so by its exit code and goes on from there."""

import csv
import os
import signal
import subprocess
import time

import pytest
import torch
from lightning.pytorch import Callback
from warm import Command

from lit_gans.cli.main import main

FLAGS = [
    "fit",
    "--data.size=16",
    "--data.count=400",
    "--data.batch_size=4",
    "--model.backbone.width=4",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.max_steps=200000",
    "--trainer.max_epochs=-1",
    "--trainer.limit_val_batches=0",
]


def start(folder, *flags):
    """The command in a process group of its own, once it trains (its first epoch has left a checkpoint)."""
    log = folder / "log.txt"
    process = Command([*FLAGS, *flags], folder, [log, log], {**os.environ, "OMP_NUM_THREADS": "1"})
    for _ in range(3000):
        if list(folder.glob("runs/*/*/checkpoints/last.ckpt")):
            return process
        assert process.poll() is None, (folder / "log.txt").read_text()
        time.sleep(0.1)
    process.kill()
    raise AssertionError("it never saved: " + (folder / "log.txt").read_text())


def finish(process, folder):
    try:
        code = process.wait(300)
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


@pytest.mark.slow
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


@pytest.mark.slow
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


class Signalled(Callback):
    """Sends its own process a signal in one hook, or two if the first waits for the end of a batch."""

    def __init__(self, hook: str, number: int, times: int = 1):
        def send(*arguments, **named):
            for _ in range(times):
                signal.raise_signal(number)

        setattr(self, hook, send)


SHORT = ["--data.count=40", "--trainer.limit_val_batches=1", "--quality.count=20", "--trainer.log_every_n_steps=1"]


def ended_in(hook, number, times=1, *flags):
    """The exit code of a run that gets a signal in a hook, and its last checkpoints."""
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    signalled = [f"--trainer.callbacks={__name__}.Signalled", f"--trainer.callbacks.hook={hook}"]
    signalled += [f"--trainer.callbacks.number={int(number)}", f"--trainer.callbacks.times={times}"]
    try:
        with pytest.raises(SystemExit) as ended:
            main([*FLAGS, *SHORT, "--trainer.max_steps=3", *signalled, *flags])
        assert signal.getsignal(signal.SIGTERM) is before[0]
    finally:
        signal.signal(signal.SIGINT, before[1])  # Lightning leaves it ignored, for a process that ends
    return ended.value.code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("hook", ["setup", "on_fit_start", "on_sanity_check_end", "on_train_start", "on_fit_end"])
def test_at_any_moment(hook, number, code, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert ended_in(hook, number) == code
    text = capfd.readouterr().err
    assert "Traceback" not in text
    if hook in ("on_sanity_check_end", "on_train_start"):  # the first batch is trained and saved
        (path,) = tmp_path.glob("runs/*/*/checkpoints/last.ckpt")
        assert aligned(path) == 1
    else:
        assert text.count("lit-gans: error: ") == 1


def test_the_second_ctrl_c_ends_at_once(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert ended_in("on_train_batch_start", signal.SIGINT, 2) == 130
    assert not list(tmp_path.glob("runs/*/*/checkpoints/last.ckpt"))
    assert "lit-gans: error: interrupted" in capfd.readouterr().err


def test_the_last_batch_is_logged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ended_in("on_train_batch_start", signal.SIGTERM) == 143
    (path,) = tmp_path.glob("runs/*/*/checkpoints/last.ckpt")
    with (path.parents[1] / "metrics.csv").open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file) if row["generator/loss"]]
    assert steps == list(range(aligned(path)))


def alive(pid):
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_two_processes_before_the_first_batch(tmp_path):
    """The process that the user did not start gets the signal: the other must not wait for it."""
    (tmp_path / "late.py").write_text(
        "import os, time\nfrom pathlib import Path\nfrom lightning.pytorch import Callback\n\n\n"
        "class Late(Callback):\n    def setup(self, trainer, pl_module, stage):\n"
        "        Path(f'pid{trainer.global_rank}').write_text(str(os.getpid()))\n"
        "        for _ in range(3000):\n            time.sleep(0.1)\n"
    )
    log = tmp_path / "log.txt"
    flags = [*FLAGS, "--trainer.devices=2", "--trainer.callbacks=late.Late"]
    process = Command(flags, tmp_path, [log, log], {**os.environ, "OMP_NUM_THREADS": "1"})
    pids = [tmp_path / f"pid{rank}" for rank in (0, 1)]
    try:
        for _ in range(3000):
            if all(pid.exists() and pid.read_text() for pid in pids):
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        numbers = [int(pid.read_text()) for pid in pids]
        os.kill(numbers[1], signal.SIGTERM)
        assert process.wait(300) == 143, log.read_text()
        for _ in range(3000):
            if not alive(numbers[1]):
                break
            time.sleep(0.1)
        assert not alive(numbers[1]), "a process was left"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    text = log.read_text()
    assert text.count("ended by SIGTERM") == 1 and "Traceback" not in text


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
