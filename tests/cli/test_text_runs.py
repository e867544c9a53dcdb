"""What a run of texts says: its units, its files and the commands after it, none of which is about pictures."""

from pathlib import Path

import pytest
from conftest import fails

import lit_gans
from lit_gans.cli.main import main
from lit_gans.errors import one
from lit_gans.metrics.scoring import LOWER_IS_BETTER


@pytest.fixture
def ran(tmp_path, monkeypatch, capsys):
    """Trains a model of texts for two batches from the command line; gives its folder and what was said."""

    def train(model, data):
        monkeypatch.chdir(tmp_path)
        bar = ["--trainer.callbacks", "lit_gans.callbacks.ProgressBar", "--trainer.callbacks.lines", "0"]
        options = ["--data.count", "64", "--data.batch_size", "32", "--epochs", "1", "--trainer.accelerator", "cpu"]
        main(["fit", model, data, *options, *bar])
        return Path("runs") / f"{model}-{data}" / "version_0", capsys.readouterr().out

    return train


def test_a_run_of_texts_speaks_of_texts(ran, capsys):
    folder, said = ran("LanguageModel", "GrammarLines")
    assert "texts/s" in said and "img/s" not in said
    assert "after each validation and at the end" in said
    main(["plot", str(folder)])
    assert "no animation: there are texts in" in capsys.readouterr().out
    config = str(folder / "config.yaml")
    main(["predict", "--config", config, "--ckpt_path", str(folder)])
    assert "1 file of predictions in" in capsys.readouterr().out


def test_texts_of_the_validation_are_not_promised_at_the_end(ran):
    _, said = ran("MaskedLM", "GrammarLines")
    assert "after each validation" in said and "and at the end" not in said


def test_a_path_may_be_a_path(tmp_path):
    file = tmp_path / "lines.txt"
    file.write_text("".join(f"the key {n} is here\n" for n in range(20)), "utf-8")
    data = lit_gans.TextLines(path=file)
    assert data.text_shape == lit_gans.TextLines(path=str(file)).text_shape


def test_less_of_the_loss_of_hidden_tokens_is_better():
    assert "mlm" in LOWER_IS_BETTER


def test_the_base_of_models_without_a_game_is_exported():
    assert issubclass(lit_gans.VAE, lit_gans.JointModel)


def test_words_of_captions_are_texts_too(ran):
    folder, _ = ran("LanguageModel", "CaptionedGlyphs")
    assert "a " in (folder / "samples" / "real.txt").read_text()
    assert not (folder / "samples" / "real.png").exists()  # it does not look at the images


@pytest.mark.parametrize(
    ("model", "data", "what"),
    [
        ("DCGAN", "GrammarLines", "GrammarLines has texts alone; take other data, or a model of texts, such as Lang"),
        ("CycleGAN", "NumberPairs", "NumberPairs has texts alone; take other data, or a model of texts, such as Seq2"),
        ("LanguageModel", "Glyphs", "Glyphs has images alone; take other data, such as GrammarLines"),
        ("Seq2SeqGAN", "Glyphs", "Glyphs has images alone; take other data, such as NumberPairs"),
        ("Seq2Seq", "GrammarLines", "GrammarLines has single ones; take other data, such as NumberPairs"),
    ],
)
def test_other_data_than_the_model_is_for(model, data, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = fails("fit", model, data)
    assert f"{model} needs " in said and what in said


def test_articles():
    assert [one(cls(image_shape=(1, 8, 8))) for cls in (lit_gans.GAN, lit_gans.AutoEncoder)] == [
        "a GAN",
        "an AutoEncoder",
    ]
