"""Runs that a command goes on with or looks at: named by a folder, a file, a word, or not at all."""

import os
import sys

import pytest
import yaml
from conftest import fails

from lit_gans import load
from lit_gans.cli.main import main
from lit_gans.cli.reading import ready
from lit_gans.errors import UsageError

CLASSES = {"DCGAN-MNIST": ("DCGAN", "MNIST"), "VAE-MNIST": ("VAE", "MNIST"), "mine": ("DCGAN", "Glyphs")}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Three runs, each younger than the one before it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    for age, (name, (model, data)) in enumerate(CLASSES.items()):
        folder = tmp_path / "runs" / name / "version_0"
        (folder / "checkpoints").mkdir(parents=True)
        config = {"model": {"class_path": f"lit_gans.{model}"}, "data": {"class_path": f"lit_gans.{data}"}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        for kind in ("best", "last"):
            (file := folder / "checkpoints" / f"{kind}.ckpt").touch()
            os.utime(file, (age, age))
    return tmp_path


def words(*typed):
    return ready(list(typed))[1:]


def of(name, kind="last"):
    return [f"--config=runs/{name}/version_0/config.yaml", f"--ckpt_path=runs/{name}/version_0/checkpoints/{kind}.ckpt"]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (["--resume"], "mine"),
        (["--resume=true"], "mine"),
        (["--resume", "last"], "mine"),
        (["--ckpt_path", "last"], "mine"),
        (["--resume", "runs/VAE-MNIST/version_0"], "VAE-MNIST"),
        (["--resume=runs/VAE-MNIST/version_0/checkpoints/last.ckpt"], "VAE-MNIST"),
        (["--ckpt_path", "runs/VAE-MNIST"], "VAE-MNIST"),
        (["--resume", "VAE-MNIST"], "VAE-MNIST"),
    ],
)
def test_a_run_comes_with_its_configuration(typed, name, runs):
    assert words("fit", *typed) == of(name)


def test_the_newest_run_of_this_model_and_data(runs, capsys):
    assert words("fit", "--resume", "DCGAN", "MNIST", "--epochs=9") == [
        of("DCGAN-MNIST")[0],
        "--model=DCGAN",
        "--data=MNIST",
        "--trainer.max_epochs=9",
        of("DCGAN-MNIST")[1],
    ]
    assert capsys.readouterr().err == "note: going on from runs/DCGAN-MNIST/version_0/checkpoints/last.ckpt\n"
    with pytest.raises(UsageError, match=r"no run of WGAN in runs has a last\.ckpt"):
        words("fit", "WGAN", "--resume")


@pytest.mark.parametrize("typed", ["runs/VAE-MNIST/version_0", "runs/VAE-MNIST/version_0/checkpoints/best.ckpt"])
@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_the_other_commands_look_at_the_best(command, typed, runs):
    assert words(command, typed) == words(command, "--ckpt_path", typed) == of("VAE-MNIST", "best")


def test_what_is_typed_stands_for_itself(runs):
    (runs / "x.yaml").write_text("model: LSGAN")
    file = "--ckpt_path=runs/VAE-MNIST/version_0/checkpoints/last.ckpt"
    assert words("fit", "--config=x.yaml", file) == ["--config=x.yaml", file]
    assert words("fit", "--model=VAE", file) == ["--model=VAE", file]
    assert words("validate", "--model=VAE", file) == [of("VAE-MNIST")[0], "--model=VAE", file]


def test_a_command_names_the_checkpoint_that_it_found(runs, capsys):
    assert words("validate", "DCGAN-MNIST") == of("DCGAN-MNIST", "best")
    assert "looking at runs/DCGAN-MNIST/version_0/checkpoints/best.ckpt" in capsys.readouterr().err
    said = fails("fit", "DCGAN-MNIST", code=2)
    assert said.endswith("goes on with it, and --config runs/DCGAN-MNIST/version_0/config.yaml repeats it")


def test_all_processes_of_a_run_go_on_with_the_same(runs, monkeypatch):
    assert words("fit", "--resume") == of("mine")
    os.utime(runs / "runs/VAE-MNIST/version_0/checkpoints/last.ckpt")  # another run has just saved
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert words("fit", "--resume") == of("mine")


def test_a_configuration_that_was_only_found_names_no_code_of_somebodys_own(runs):
    (runs / "their_project.py").write_text("raise SystemExit('their code has run')")
    config = runs / "runs" / "mine" / "version_0" / "config.yaml"
    config.write_text("model: {class_path: their_project.GAN}\ndata: {class_path: lit_gans.Glyphs}")
    with pytest.raises(UsageError, match="importing their_project would run its code; if you trust it, add --trust"):
        words("fit", "--resume")
    assert words("fit", "--resume", "--trust", "their_project") == [
        of("mine")[0],
        "--trust=their_project",
        of("mine")[1],
    ]
    assert words("fit", "--config", str(config)) == [f"--config={config}"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["fit", "--resume=nowhere.ckpt"], "there is no checkpoint file nowhere.ckpt"),
        (["fit", "--resume", "."], "the folder . holds no checkpoint"),
        (["validate", "--ckpt_path=nowhere.ckpt"], "there is no checkpoint file nowhere.ckpt"),
    ],
)
def test_there_is_no_such_run(typed, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in fails(*typed)


def test_a_run_has_a_name_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny = ["--size=16", "--data.count=40", "--batch_size=10", "--model.backbone.width=4", "--device=cpu"]
    tiny += ["--trainer.limit_val_batches=0", "--trainer.enable_progress_bar=false"]
    main(["train", *tiny, "--name=first", "--steps=2"])
    main(["fit", "--resume", "--steps=5"])
    last = tmp_path / "runs" / "first" / "version_1" / "checkpoints" / "last.ckpt"
    assert load(last).backbone.width == 4 and last.is_file()
    main(["validate", "runs/first/version_1", "--quality.count=20"])
    others = [word for word in tiny if "width" not in word]
    said = fails("fit", "DCGAN", *others, "--ckpt_path=runs/first/version_1", "--steps=9")
    assert said.endswith("give it the arguments it was trained with: --config runs/first/version_1/config.yaml")
