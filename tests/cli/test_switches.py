"""Scores, pictures, checkpoints and the run folder are each switched off by one word."""

from pathlib import Path

import pytest
import yaml
from conftest import fails

from lit_gans.cli.main import main

TINY = [
    "--data.characters=01",
    "--data.size=16",
    "--data.count=40",
    "--data.batch_size=20",
    "--model.backbone.width=4",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.max_epochs=1",
    "--quality.count=40",
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder):
    """What is in the run folder, without the options."""
    paths = [path for path in folder.glob("runs/*/*/**/*") if path.is_file()]
    return {path.name for path in paths} - {"config.yaml", "hparams.yaml"}


ALL = {"metrics.csv", "scores.jsonl", "real.png", "step_0000002.png", "last.ckpt", "best.ckpt"}
PICTURES, SCORED = {"real.png", "step_0000002.png"}, {"scores.jsonl", "best.ckpt"}


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ([], set()),
        (["--quality", "false"], SCORED),
        (["--quality=null"], SCORED),
        (["--quality.count=0"], SCORED),
        (["--quality.scores=[]"], SCORED),
        (["--samples=false"], PICTURES),
        (["--last", "none"], {"last.ckpt"}),
        (["--best=off"], {"best.ckpt"}),
        (["--best=false", "--last=false"], {"best.ckpt", "last.ckpt"}),
        (["--trainer.enable_checkpointing=false"], {"best.ckpt", "last.ckpt"}),
    ],
    ids=lambda given: " ".join(sorted(given)) or "nothing",  # a set has an order of its own in each process
)
def test_one_word(words, gone, folder, capsys):
    main(["fit", *TINY, *words])
    assert written(folder) == ALL - gone
    out = capsys.readouterr().out
    for name in gone - {"real.png", "step_0000002.png"}:
        assert name not in out


def test_without_a_logger_nothing_is_written(folder, capsys):
    main(["fit", *TINY, "--trainer.logger=false"])
    assert not list(folder.iterdir())
    out = capsys.readouterr().out
    assert "folder       none: nothing is written" in out and "val/fid: " in out and "next:" not in out


def test_the_look_at_the_samples(folder):
    main(["fit", *TINY, "--collapse=false", "--trainer.log_every_n_steps=1"])
    assert "diversity" not in next(folder.rglob("metrics.csv")).read_text()


def test_the_same_words_in_a_file(folder):
    Path("c.yaml").write_text("quality: false\nsamples: null\nbest: {save_top_k: 2}\n")
    main(["fit", "--config=c.yaml", *[word for word in TINY if "quality" not in word]])
    assert written(folder) == ALL - SCORED - PICTURES
    config = next(folder.rglob("config.yaml"))
    off = yaml.safe_load(config.read_text())["off"]
    assert off == {"samples": True, "last": False, "quality": True, "collapse": False, "best": False, "texts": False}
    # the run is repeated with them, and one may be switched on again
    main(["fit", f"--config={config}", "--samples=true", "--trainer.logger.version=again"][:3])
    assert {path.name for path in folder.glob("runs/*/version_1/samples/*")} == PICTURES


def test_another_word_is_refused(folder):
    assert "--quality is true, false or a file of its settings, got 'maybe'" in fails(
        "fit", *TINY, "--quality=maybe", code=2
    )
    assert not list(folder.iterdir())


def test_three_best_checkpoints(folder):
    main(["fit", *TINY, "--best.save_top_k=3", "--trainer.max_epochs=3", "--quality.every=1"])
    assert len(list(folder.rglob("best_step=*.ckpt"))) == 3
