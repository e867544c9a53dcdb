"""Whole runs as users start them: as processes, with every default callback, on one and on two of them."""

import json
import os
import random
import re
import signal
import time
from pathlib import Path

import pytest
import torch
from conftest import assert_equal, run_cli
from warm import Command

CHECKED = str(Path(__file__).parent / "checked")
SMALL = ["--quality.count=60", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
GLYPHS = [
    "--data=Glyphs",
    "--data.size=16",
    "--data.count=88",
    "--data.batch_size=10",
]  # validation: an odd number of batches
FAMILIES = {
    "DCGAN": [*GLYPHS, "--model.backbone.width=4"],
    "CGAN": [*GLYPHS, "--model.backbone.width=4"],
    "VAE": [*GLYPHS, "--model.backbone.width=4"],
    "SGAN": [*GLYPHS, "--model.backbone.width=4"],
    "Pix2Pix": [
        "--data=PairedGlyphs",
        "--data.size=16",
        "--data.count=110",
        "--data.batch_size=4",
        "--model.backbone.width=4",
    ],
    "CycleGAN": [
        "--data=UnpairedGlyphs",
        "--data.size=16",
        "--data.count=50",
        "--data.batch_size=2",
        "--model.backbone.width=4",
        "--model.backbone.blocks=1",
    ],
}
TEXTS = {
    "StackGAN": [
        "--data=CaptionedGlyphs",
        "--data.size=16",
        "--data.count=88",
        "--data.batch_size=10",
        "--model.backbone.width=4",
        "--model.stage_one_steps=3",
    ],
    "Seq2Seq": ["--data=NumberPairs", "--data.count=300", "--data.batch_size=16", "--model.backbone.width=8"],
    "ELECTRA": ["--data=GrammarLines", "--data.count=300", "--data.batch_size=16", "--model.backbone.width=8"],
}
pytestmark = pytest.mark.slow


def start(command, name, folder, *flags, devices=1, cold=False):
    """A command with the defaults but for sizes. Of two processes, a rank alone in an exchange is an error."""
    debug = {"TORCH_DISTRIBUTED_DEBUG": "DETAIL"} if devices > 1 else {}
    path = os.pathsep.join([CHECKED, *filter(None, [os.environ.get("PYTHONPATH")])])
    words = [command, f"--model={name}", *(FAMILIES | TEXTS)[name], *SMALL, f"--trainer.devices={devices}", *flags]
    words.append(f"--trainer.default_root_dir={folder}")
    return run_cli(*words, cwd=folder, timeout=600, cold=cold, PYTHONPATH=path, **debug)


def fit(name, folder, *flags, devices=1, cold=False):
    """A run that ends well, and its folder."""
    folder.mkdir(exist_ok=True)
    done = start("fit", name, folder, *flags, devices=devices, cold=cold)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return newest(folder), done.stderr


def newest(folder):
    return max(folder.glob("*/version_*"), key=lambda path: int(path.name.partition("_")[2]))


def read(path):
    return torch.load(path, weights_only=True)


def learnt(run):
    """What a run has learned."""
    checkpoint = read(run / "checkpoints" / "last.ckpt")
    return {key: checkpoint[key] for key in ("state_dict", "optimizer_states", "global_step")}


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("name", FAMILIES)
def test_two_epochs_with_scores_and_checkpoints(name, devices, tmp_path):
    # test_devices has the two that a user starts cold
    run, log = fit(name, tmp_path, "--trainer.max_epochs=2", devices=devices, cold=name == "VAE" and devices == 1)
    lines = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]
    last = read(run / "checkpoints" / "last.ckpt")
    assert len(lines) == 2 and [line["step"] for line in lines] == [last["global_step"] // 2, last["global_step"]]
    best = read(run / "checkpoints" / "best.ckpt")  # of the lower of the two
    # of coloured images features of ImageNet decide, where they are installed
    score = next(name for name in ("fid", "fd_imagenet", "swd") if name in lines[0]["values"])
    monitored = [line["values"][score] for line in lines]
    assert best["global_step"] == lines[monitored.index(min(monitored))]["step"]
    assert log.count("scores take") == 1 and last["callbacks"]["Quality"]["validations"] == 2
    assert list((run / "samples").glob("step_*.png")) and (run / "config.yaml").is_file()
    if name == "DCGAN" and devices == 2:
        same_scores(run, tmp_path)


@pytest.mark.parametrize("name", TEXTS)
def test_two_epochs_with_texts_on_two_processes(name, tmp_path):
    run, _ = fit(name, tmp_path, "--trainer.max_epochs=2", devices=2)
    last, best = (read(run / "checkpoints" / f"{kept}.ckpt") for kept in ("last", "best"))
    assert 0 < best["global_step"] <= last["global_step"]
    kinds = [path.suffix for path in (run / "samples").glob("step_*")]
    assert kinds == [".png" if name == "StackGAN" else ".txt"] * 2
    done = start("validate", name, tmp_path, f"--ckpt_path={run}/checkpoints/last.ckpt", devices=2)
    assert done.returncode == 0, done.stdout + done.stderr


def same_scores(run, folder):
    """What one process measures of a checkpoint, two measure."""
    checkpoint, values = f"--ckpt_path={run}/checkpoints/last.ckpt", []
    for command, number in (("validate", 1), ("validate", 2), ("test", 2)):
        done = start(command, "DCGAN", folder, checkpoint, devices=number)
        assert done.returncode == 0, done.stdout + done.stderr
        (line,) = (newest(folder) / "scores.jsonl").read_text().splitlines()
        values.append(json.loads(line)["values"])
    assert values[1] == pytest.approx(values[0], rel=1e-6)
    of_training = {"memorisation", "memorisation_ratio"}  # test images were not trained on
    assert values[0].keys() - of_training == values[2].keys()


def test_cut_twice_and_resumed_on_two_processes_is_the_straight_run(tmp_path):
    """Once by SIGTERM wherever it comes, once by max_steps within an epoch; each process has older fakes of its own."""
    name, steps = "CycleGAN", 60
    end = [f"--trainer.max_steps={steps}", "--trainer.max_epochs=-1"]
    straight, _ = fit(name, tmp_path / "straight", *end, devices=2)
    folder = tmp_path / "cut"
    first = cut(name, folder, *end)
    reached = read(first)["global_step"]
    assert 0 < reached < steps
    further = f"--trainer.max_steps={random.randint(reached + 1, steps - 1)}" if reached < steps - 1 else end[0]
    second, _ = fit(name, folder, end[1], further, f"--ckpt_path={first}", devices=2)
    third, _ = fit(name, folder, *end, f"--ckpt_path={second}/checkpoints/last.ckpt", devices=2)
    assert_equal(learnt(third), learnt(straight))


def cut(name, folder, *flags):
    """SIGTERM once it trains; the checkpoint."""
    folder.mkdir()
    words = [f"--model={name}", *FAMILIES[name], *SMALL, "--trainer.devices=2", f"--trainer.default_root_dir={folder}"]
    log = folder / "log.txt"
    process = Command(["fit", *words, *flags], folder, [log, log], {**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        for _ in range(6000):
            if list(folder.glob("*/version_0/samples/real.png")):
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 143, log.read_text()
    finally:
        process.kill()
    assert re.search("SIGTERM: stopped after batch", log.read_text())
    (path,) = folder.glob("*/version_0/checkpoints/last.ckpt")
    return path


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_resume_on_another_number_of_processes(before, after, tmp_path):
    """It goes on, and says that it is not the same bit for bit."""
    first, _ = fit("DCGAN", tmp_path, "--trainer.max_epochs=1", devices=before)
    path = first / "checkpoints" / "last.ckpt"
    second, log = fit("DCGAN", tmp_path, "--trainer.max_epochs=4", f"--ckpt_path={path}", devices=after)
    old, new = read(path), read(second / "checkpoints" / "last.ckpt")
    assert new["global_step"] > old["global_step"] and len(new["random_states"]) == after
    assert new["callbacks"]["Quality"]["every"] == old["callbacks"]["Quality"]["every"]
    assert (second / "scores.jsonl").is_file() and "Traceback" not in log
