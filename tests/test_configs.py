"""Every shipped configuration runs a step by the command that it is headed by."""

import os
from pathlib import Path

import pytest
import yaml

import lit_gans
from lit_gans.cli.main import main

ROOT = Path(__file__).parents[1]
DRAWN = ("Glyphs", "CaptionedGlyphs", "ColouredGlyphs", "Gaussians", "PairedGlyphs", "UnpairedGlyphs")
DRAWN += ("GrammarLines", "NumberPairs", "OracleLines")
FILES = {  # of texts, which nobody has to have
    "TextLines": [f"line {i} of {j * i} is short" for i in range(9) for j in range(9)],
    "TextPairs": [f"Das ist {i} {j}. :: This is {i} {j}." for i in range(9) for j in range(9)],
}
CONFIGS = sorted((ROOT / "examples" / "configs").glob("*.yaml"))
LAST_OF_EACH = {yaml.safe_load(path.read_text())["model"]["class_path"]: path for path in CONFIGS}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Where pictures are decoded to: many configurations read the same ones at the same size."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_one_step(path, cache, tmp_path, monkeypatch):
    data = yaml.safe_load(path.read_text())["data"]["class_path"]
    if data not in (*DRAWN, *FILES) and not os.environ.get("LIT_GANS_DATA"):
        pytest.skip(f"needs {data}: set LIT_GANS_DATA to the folder that holds the real data sets")
    monkeypatch.setenv("LIT_GANS_CACHE", str(cache))
    command = path.read_text().splitlines()[0].removeprefix("# ").split()
    assert command[:3] == ["lit-gans", "fit", "--config"] and ROOT / command[3] == path
    monkeypatch.chdir(tmp_path)
    flags = ["--trainer.max_epochs=-1", "--trainer.max_steps=1", "--trainer.accelerator=cpu"]
    flags += ["--trainer.limit_val_batches=1", "--trainer.enable_progress_bar=false"]
    model = getattr(lit_gans, yaml.safe_load(path.read_text())["model"]["class_path"])
    # of 64, mostly: the step is the same, and takes less
    flags += [] if model.domains else ["--data.batch_size=4"]
    flags += ["--samples.count=4"] if model.draws and model.subject == "image" else []
    flags += ["--data.count=500"] if data in DRAWN and data != "Gaussians" else []
    if data in FILES:
        (tmp_path / "texts.txt").write_text("\n".join(FILES[data]), encoding="utf-8")
        flags.append("--data.path=texts.txt")
    if "tokenizer" in yaml.safe_load(path.read_text())["model"].get("init_args", {}):
        before = path.with_name(path.name.replace("text_to_image", "discrete_vae"))  # the first of two runs
        main(["fit", "--config", str(before), *flags])
    main(["fit", "--config", str(path), *flags])
    (last,) = tmp_path.glob(f"runs/{model.__name__}-*/version_0/checkpoints/last.ckpt")
    if path in LAST_OF_EACH.values():
        assert type(lit_gans.load(last)) is model
    # what translates is shown after a validation, to which one step does not come
    if model.subject == "image":
        shown = "step_0000001" if model.draws else "real"
        assert list(tmp_path.glob(f"runs/*/version_0/samples/{shown}.png"))


def test_the_betas_that_a_configuration_was_measured_with_are_written_out():
    """Adam replaces Adam without momentum there, whose betas it kept in 0.1."""
    model = yaml.safe_load((ROOT / "examples" / "configs" / "projection_gan_mnist.yaml").read_text())["model"]
    assert model["init_args"]["optimizer"] == {"class_path": "Adam", "init_args": {"lr": 1e-3, "betas": [0.0, 0.9]}}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_nothing_is_said_twice(path):
    """One optimizer and one schedule where both players have the same, and no norm that r1 asks for by itself."""
    options = yaml.safe_load(path.read_text())["model"].get("init_args", {})
    for kind in ("optimizer", "scheduler"):
        players = [options.get(f"{player}_{kind}") for player in ("generator", "discriminator")]
        assert players == [None, None] or players[0] != players[1]
    norm = options.get("backbone", {}).get("init_args", {}).get("discriminator_norm")
    assert not options.get("r1") or norm is None or path.stem == "projection_gan_mnist"
