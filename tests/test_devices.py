"""Two processes (gloo, CPU) play one game, see what one process sees, and end together."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
import torch
from conftest import SHAPE, assert_equal, run_cli, training_state

from lit_gans import GAN
from lit_gans.networks import MLPBackbone

HERE = Path(__file__).parent
# One model for each kind of thing that ranks could disagree on: weights alone, batch statistics, BEGAN's k, power
# iterations, running means of styles and path lengths, steps inside a step, one optimizer without and with statistics
# of the codes, classes seen, older fakes, a schedule that watches. The others are made of the same.
KINDS = ["GAN", "DCGAN", "BEGAN", "SNGAN", "StyleGAN2", "UnrolledGAN", "VAE", "AutoEncoder", "ACGAN", "CycleGAN"]
KINDS.append("UnfrozenVAE")  # layers that are frozen when the processes begin
KINDS.append("StackGAN")  # a third player, a part of the generator that rests, captions that are remembered
KINDS += ["DFGAN", "DiscreteVAE"]  # a reader of captions in each player, a penalty; a codebook
KINDS.append("TextToImageTransformer")  # captions that are remembered, beside a tokenizer that does not learn
KINDS += ["LanguageModel", "Seq2Seq", "ELECTRA"]  # batches by length; networks that share an embedding
KINDS += ["SeqGAN", "Seq2SeqGAN"]  # phases in which a player rests, and a second average
LAST = "checkpoints/last.ckpt"


def run(folder, *arguments):
    """Runs two_processes.py, whose exchanges are checked: a rank that alone takes part in one is an error."""
    folder.mkdir(exist_ok=True)
    path = os.pathsep.join([str(HERE / "checked"), *filter(None, [os.environ.get("PYTHONPATH")])])
    checked = {"TORCH_DISTRIBUTED_DEBUG": "DETAIL", "PYTHONPATH": path}
    done = run_cli(HERE / "two_processes.py", *arguments, cwd=folder, timeout=600, **checked)
    assert done.returncode == 0, done.stdout + done.stderr


def ranks(folder, name):
    return [torch.load(path, weights_only=True) for path in sorted(folder.glob(f"{name}.rank*.pt"))]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """All kinds, trained for 12 batches by one pair of processes."""
    folder = tmp_path_factory.mktemp("trained")
    run(folder, "train", ",".join([*KINDS, "Watchful", "Unfrozen", "Noise"]), 2, 12)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_ranks_agree_on_everything_but_noise(name, trained):
    first, second = ranks(trained, name)
    own = {key for key in first["state"] if key.startswith("pool_")}  # every rank keeps fakes of its own
    assert_equal(*({k: v for k, v in rank["state"].items() if k not in own} for rank in (first, second)))
    assert not torch.equal(first["draw"], second["draw"])
    for key, value in first["state"].items():  # or there would be nothing that ranks could disagree on
        if key.endswith("running_var"):
            assert not torch.equal(value, torch.ones_like(value)), key
    if name == "ACGAN":
        assert first["state"]["label_counts"].sum() == 12 * 8  # of both ranks' batches
    assert bool(own) == (name == "CycleGAN")
    if own:
        assert not torch.equal(first["state"]["pool_a.images"], second["state"]["pool_a.images"])


@pytest.mark.slow
def test_a_schedule_that_watches_is_the_same_on_all_ranks(trained):
    first, second = ranks(trained, "Watchful")
    assert first["rates"] == second["rates"]
    assert first["rates"][1] < 2e-4  # the mean over ranks stays 0, so it came down


@pytest.mark.slow
def test_the_first_process_tries_the_precision_for_all(trained):
    assert [rank["precision"] for rank in ranks(trained, "Watchful")] == ["bf16-mixed"] * 2


@pytest.mark.slow
def test_layers_that_a_callback_unfreezes_stay_alike(trained):
    first, second = (rank["state"] for rank in ranks(trained, "Unfrozen"))
    assert_equal(first, second)
    torch.manual_seed(0)
    start = GAN(
        image_shape=SHAPE, latent_dim=8, backbone=MLPBackbone(generator_hidden=(16,), discriminator_hidden=(16, 16))
    ).state_dict()
    name = "discriminator.layers.1.weight"
    assert not torch.equal(first[name], start[name])  # it trained from the second epoch on


@pytest.mark.slow
def test_two_processes_equal_one_on_the_whole_batch(trained, tmp_path):
    run(tmp_path, "train", "Noise", 1, 12)
    two, (one,) = ranks(trained, "Noise")[0]["state"], ranks(tmp_path, "Noise")
    for key, value in one["state"].items():
        torch.testing.assert_close(two[key], value, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_resume_on_two_processes_is_exact(trained, tmp_path):
    names = ("DCGAN", "CycleGAN", "StackGAN", "ELECTRA", "SeqGAN", "Seq2SeqGAN", "TextToImageTransformer")
    run(tmp_path / "first", "train", ",".join(names), 2, 5)
    run(tmp_path / "second", "train", ",".join(names), 2, 12, tmp_path / "first")
    for name in names:
        states = [
            training_state(torch.load(folder / name / LAST, weights_only=True))
            for folder in (trained, tmp_path / "second")
        ]
        assert_equal(*states)
        assert len(states[0]["random_states"]) == 2
        for rank in (0, 1):  # what each rank keeps for itself, too
            assert_equal(*(ranks(folder, name)[rank]["state"] for folder in (trained, tmp_path / "second")))


@pytest.mark.slow
def test_a_validation_of_two_processes_is_that_of_one(tmp_path):
    """Means, scores, what callbacks find: of uneven numbers of batches, and of a padded loader of one's own."""
    found = []
    for devices in (1, 2):
        run(tmp_path / str(devices), "validate", "LanguageModel,Seq2Seq,DCGAN,VAE,SGAN,ACGAN,CycleGAN,Pix2Pix", devices)
        found.append(json.loads((tmp_path / str(devices) / "values.json").read_text()))
    one, two = found
    for name, values in one.items():
        assert two[name] == pytest.approx(values, rel=1e-5, abs=1e-6), name
    assert {"val/elbo", "val/fid_normalised", "val/kid", "val/is", "val/reconstruction"} <= one["VAE"].keys()
    assert {"val/accuracy", "val/error"} <= one["SGAN"].keys() and "val/accuracy_real" in one["ACGAN"]
    assert "val/cycle_a" in one["CycleGAN"] and "val/l1" in one["Pix2Pix"]
    assert {"val/nll", "val/perplexity", "val/bleu", "val/exact"} <= one["Seq2Seq"].keys()
    assert "val/perplexity" in one["LanguageModel"]
    assert one["own"]["val/mean"] == pytest.approx(-0.25)


FAULTY = """
import os, signal
from lightning.pytorch import Callback
from lit_gans.errors import UsageError

class Faulty(Callback):
    def __init__(self, where: str, rank: int, kind: str, step: int = 0):
        self.where, self.rank, self.kind, self.step = where, rank, kind, step

    def strike(self, where, trainer):
        if where == self.where and trainer.global_rank == self.rank and trainer.global_step >= self.step:
            if self.kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.kind == "exit":
                raise SystemExit(7)
            raise {"usage": UsageError("the moon is in the way"), "bug": ZeroDivisionError("a bug"),
                   "missing": FileNotFoundError(2, "No such file or directory", "moon.csv")}[self.kind]

    def setup(self, trainer, pl_module, stage):
        self.strike("setup", trainer)

    def on_train_batch_end(self, trainer, *_):
        self.strike("batch", trainer)

    def on_validation_epoch_end(self, trainer, pl_module):
        self.strike("validation", trainer)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "rank", "kind", "code", "sentence"),
    [
        ("setup", 1, "usage", 1, "lit-gans: error: the moon is in the way"),
        ("setup", 0, "missing", 1, "lit-gans: error: [Errno 2] No such file or directory: 'moon.csv'"),
        ("validation", 1, "bug", 1, "ZeroDivisionError: a bug"),
        ("batch", 1, "kill", 137, "lit-gans: error: process 1 of the run was ended by SIGKILL"),
        ("batch", 1, "exit", 7, "lit-gans: error: process 1 of the run ended itself with exit code 7"),
    ],
)
def test_whatever_goes_wrong_on_one_rank_ends_all(where, rank, kind, code, sentence, tmp_path):
    (tmp_path / "faulty.py").write_text(FAULTY)
    settings = {"where": where, "rank": rank, "kind": kind}
    flags = [f"--trainer.callbacks.{name}={value}" for name, value in settings.items()]
    # once, as a user starts both
    done = fit_two(tmp_path, "--trainer.callbacks+=faulty.Faulty", *flags, cold=kind == "usage")
    text = done.stdout + done.stderr
    assert done.returncode == code, text
    assert text.count(sentence) == 1 and text.count("Traceback (most") == (1 if kind == "bug" else 0), text
    for _ in range(60):  # seconds
        if not (alive := subprocess.run(["pgrep", "-f", f"default_root_dir={tmp_path}"], capture_output=True).stdout):
            break
        time.sleep(1)
    assert not alive


@pytest.mark.slow
def test_a_run_goes_on_exactly_after_one_process_was_killed(tmp_path):
    (tmp_path / "faulty.py").write_text(FAULTY)
    two = ["--trainer.max_epochs=2", "--quality=false"]  # of two batches each
    settings = {"where": "batch", "rank": 1, "kind": "kill", "step": 3}
    faulty = ["--trainer.callbacks+=faulty.Faulty", *(f"--trainer.callbacks.{k}={v}" for k, v in settings.items())]
    assert fit_two(tmp_path, *two, "--trainer.default_root_dir=whole", cold=False).returncode == 0
    done = fit_two(tmp_path, *two, "--trainer.default_root_dir=killed", *faulty, cold=False)
    assert done.returncode == 137 and "process 1 of the run was ended by SIGKILL" in done.stderr, done.stderr
    (left,) = tmp_path.glob(f"killed/*/*/{LAST}")
    assert torch.load(left, weights_only=True)["global_step"] == 2
    done = fit_two(tmp_path, *two, "--trainer.default_root_dir=resumed", f"--ckpt_path={left}", cold=False)
    assert done.returncode == 0, done.stderr
    whole, resumed = (next(tmp_path.glob(f"{name}/*/*/{LAST}")) for name in ("whole", "resumed"))
    assert_equal(*(training_state(torch.load(path, weights_only=True)) for path in (whole, resumed)))


def fit_two(folder, *flags, cold):
    """A small run on two processes, as a user starts it; run_cli's own time limit says that it ends."""
    small = ["--model.backbone.width=4", "--data.size=16", "--data.count=40", "--data.batch_size=10"]
    small += ["--quality.count=60"]
    small += ["--trainer.max_epochs=1", "--trainer.enable_progress_bar=false", f"--trainer.default_root_dir={folder}"]
    return run_cli("fit", *small, "--trainer.accelerator=cpu", "--trainer.devices=2", *flags, cwd=folder, cold=cold)


@pytest.mark.slow
def test_two_processes_with_every_logger(tmp_path):
    """W&B is told the run's folder, which the two have to agree on."""
    pytest.importorskip("tensorboard")
    loggers = ["--trainer.logger+", "wandb", "--trainer.logger.offline", "true", "--trainer.logger+", "tensorboard"]
    done = fit_two(tmp_path, *loggers, cold=False)
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("*/version_0")
    assert (folder / "checkpoints" / "last.ckpt").is_file()
    assert [*folder.glob("wandb/offline-run-*")] and [*folder.glob("events.*")]


@pytest.mark.slow
def test_two_processes_predict_what_one_predicts(tmp_path):
    """The three batches of the test data once each, from other noise; the fourth, which keeps the two in step, not."""
    small = ["--model.backbone.width=4", "--data.size=16", "--data.count=200", "--data.batch_size=7"]
    found = []
    for devices in (1, 2):
        place = f"--trainer.default_root_dir={tmp_path / str(devices)}"
        done = run_cli(
            "predict", *small, "--trainer.accelerator=cpu", f"--trainer.devices={devices}", place, cwd=tmp_path
        )
        assert done.returncode == 0 and "3 grids" in done.stdout, done.stdout + done.stderr
        files = sorted(tmp_path.glob(f"{devices}/*/*/samples/predict_*"), key=lambda path: path.stem.split("_")[::-1])
        found.append([path.read_bytes() for path in files])
    one, two = found
    assert one == two and len({*one}) == 3
