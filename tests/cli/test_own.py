"""A command line for a class of one's own, in three lines."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import refused, run_cli

import lit_gans
from lit_gans.cli.own import with_classes

WANTED = {"model": "mine.MyGAN", "data": "mine.MyData"}
SCRIPT = """
import torch.nn.functional as F
import lit_gans


class MyGAN(lit_gans.LatentGAN):
    def __init__(self, *, slope: float = 1.0, **latent):
        super().__init__(**latent)
        self.slope = slope

    def discriminator_loss(self, batch, fake):
        real, fake = self.discriminator(batch["image"]), self.discriminator(fake)
        return {"real": F.softplus(-self.slope * real).mean(), "fake": F.softplus(self.slope * fake).mean()}

    def generator_loss(self, batch, fake):
        return {"fake": F.softplus(-self.discriminator(fake)).mean()}


class MyData(lit_gans.Glyphs):
    pass


lit_gans.CLI(MyGAN, MyData)
"""
QUICK = ["--model.backbone.width=4", "--data.size=16", "--data.count=40", "--data.batch_size=20"]
QUICK += ["--trainer.max_steps=1", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
QUICK += ["--trainer.limit_val_batches=0"]


@pytest.mark.parametrize(
    "words, added",
    [
        (["fit", "--model.width=3"], ["--model=mine.MyGAN", "--data=mine.MyData"]),
        (["train"], ["--model=mine.MyGAN", "--data=mine.MyData"]),
        (["fit", "--model=DCGAN"], ["--data=mine.MyData"]),
        (["test", "--model", "DCGAN", "--data", "MNIST"], []),
        (["fit", "--config=both.yaml"], []),
        (["fit", "-c", "data.yaml"], ["--model=mine.MyGAN"]),
        (["fit", "--config", "nowhere.yaml"], ["--model=mine.MyGAN", "--data=mine.MyData"]),
        (["sample", "x.ckpt"], []),
        ([], []),
        (["--help"], []),
    ],
    ids=str,
)
def test_classes_are_named_where_nobody_does(words, added, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("both.yaml").write_text("model: DCGAN\ndata:\n  class_path: MNIST\n")
    Path("data.yaml").write_text("model:\n  init_args:\n    r1: 1\ndata: MNIST\n")
    found = with_classes(words, WANTED)
    assert found == [*words[:1], *added, *words[1:]] and with_classes(found, WANTED) == found


def test_only_classes_of_their_kinds():
    refused(lambda: lit_gans.CLI(lit_gans.Glyphs), "a subclass of GenerativeModel", "Glyphs")
    refused(lambda: lit_gans.CLI(lit_gans.DCGAN, "MNIST"), "LightningDataModule", "MNIST")


@pytest.mark.slow
def test_a_script_trains_its_own_class_and_draws_from_it(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)

    command = [sys.executable, "train.py", "fit", "--model.slope=2", *QUICK]  # once as a user starts it
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (checkpoint,) = tmp_path.glob("runs/MyGAN-MyData/version_0/checkpoints/last.ckpt")
    assert "slope: 2.0" in (checkpoint.parents[1] / "config.yaml").read_text()
    drawn = run_cli("train.py", "sample", checkpoint, "--output=drawn.png", cwd=tmp_path)
    assert drawn.returncode == 0 and (tmp_path / "drawn.png").is_file(), drawn.stderr
    other = run_cli("sample", checkpoint, "--output=other.png", "--trust=train", cwd=tmp_path)
    assert other.returncode == 0 and (tmp_path / "other.png").is_file(), other.stderr
    wrong = run_cli("train.py", "fit", "--model.slop=2", cwd=tmp_path)
    assert wrong.returncode == 2 and "slop" in wrong.stderr and "Traceback" not in wrong.stderr


@pytest.mark.slow
def test_lightnings_own_command_line_knows_short_names(tmp_path):
    code = (
        "import lit_gans\n"
        "from lightning.pytorch.cli import LightningCLI\n"
        "base, data = lit_gans.BaseGAN, lit_gans.Glyphs\n"
        "words = ['--model=HingeGAN', '--model.image_shape=[1,16,16]', '--data.size=16']\n"
        "cli = LightningCLI(base, data, subclass_mode_model=True, run=False, args=words)\n"
        "print(type(cli.model).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stdout.strip().endswith("HingeGAN"), done.stderr
