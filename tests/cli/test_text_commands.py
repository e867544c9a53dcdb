"""Commands that write, translate and measure texts, and commands that draw by sentences."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import text_models
import torch
from conftest import data_for, fails, small
from text_models import ANSWERS, TEXTS

import lit_gans
from lit_gans import GANCLS, LanguageModel
from lit_gans.cli.main import main
from lit_gans.optim import Adam

TRUST = ["--trust", "text_models", "--device", "cpu"]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Of two models that have learned their texts, of a language model and of one that draws by sentences."""
    folder = tmp_path_factory.mktemp("texts")
    for cls, data in ((text_models.Bigrams, text_models.Lines()), (text_models.WordByWord, text_models.Pairs())):
        torch.manual_seed(0)
        shapes = {"text_shape": data.text_shape, "source_text_shape": data.source_text_shape}
        model = cls(**shapes, optimizer=partial(Adam, lr=0.3), ema_decay=0)
        fitted(model, data, folder / f"{cls.__name__}.ckpt", 20)
    for cls in (GANCLS, LanguageModel):
        fitted(small(cls), data_for(cls), folder / f"{cls.__name__}.ckpt", 1)
    return folder


def fitted(model, data, file, steps):
    silent = {"folder": False, "scores": False, "report": False, "monitor": False, "enable_progress_bar": False}
    trainer = lit_gans.Trainer(max_epochs=-1, max_steps=steps, accelerator="cpu", limit_val_batches=0, **silent)
    trainer.fit(model, data)
    trainer.save_checkpoint(file)


@pytest.fixture
def folder(checkpoints, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in checkpoints.iterdir():
        Path(file.name).symlink_to(file)
    return tmp_path


def said(capsys, *words):
    capsys.readouterr()
    main([*map(str, words)])
    return capsys.readouterr().out.splitlines()


# -------------------------------------------------------------------- sample


def test_texts_are_printed_or_written_and_a_seed_repeats_them(folder, capsys):
    model = lit_gans.load("Bigrams.ckpt", trust=["text_models"])
    texts = said(capsys, "sample", "Bigrams.ckpt", "--seed", 1, *TRUST)
    assert texts == model.write(16, seed=1) and len({*texts}) > 1
    assert said(capsys, "sample", "Bigrams.ckpt", "--seed", "1-3", *TRUST) == [
        model.write(1, seed=s)[0] for s in (1, 2, 3)
    ]
    report = said(capsys, "sample", "Bigrams.ckpt", "--count", 3, "--output", "a.txt", *TRUST)
    assert report == ["3 texts written in a.txt"] and len(Path("a.txt").read_text().splitlines()) == 3
    assert "a.txt is there already" in fails("sample", "Bigrams.ckpt", "--output", "a.txt", *TRUST)


def test_texts_go_on_from_beginnings(folder, capsys):
    words = ["sample", "Bigrams.ckpt", "--text", "a red", "one blue", "--count", 4, "--temperature", 0.1, *TRUST]
    texts = said(capsys, *words)
    assert [text.split()[:2] for text in texts] == [["a", "red"]] * 2 + [["one", "blue"]] * 2
    assert {*texts} <= {*TEXTS}


def test_many_texts_come_in_parts(folder, capsys, monkeypatch):
    monkeypatch.setattr("lit_gans.cli.texts._AT_ONCE", 4)
    texts = said(capsys, "sample", "Bigrams.ckpt", "--count", 10, "--seed", 0, *TRUST)
    assert texts == said(capsys, "sample", "Bigrams.ckpt", "--count", 10, "--seed", 0, *TRUST)
    assert len(texts) == 10 and texts[:4] != texts[4:8]


def test_images_are_drawn_by_sentences_that_stand_under_them(folder, capsys):
    plain = said(capsys, "sample", "GANCLS.ckpt", "--count", 2, "--output", "plain.zip", "--device", "cpu")
    assert plain == ["2 images in plain.zip"]
    sentences = ["a small red one on blue", "a large blue zero on white"]
    assert said(capsys, "sample", "GANCLS.ckpt", "--text", *sentences, "--device", "cpu") == ["2 images in samples.png"]
    from PIL import Image

    with Image.open("samples.png") as picture:
        assert picture.height > picture.width / 2  # words are under the images
    words = ["interpolate", "GANCLS.ckpt", "--text", sentences[0], "--to", sentences[1], "--count", 2, "--steps", 3]
    assert said(capsys, *words, "--device", "cpu") == ["2 x 3 images in interpolation.png"]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["sample", "Bigrams.ckpt", "--text", "a purple"], ["'purple' in 'a purple' is not in the vocabulary"]),
        (["sample", "Bigrams.ckpt", "--text", "a red cup hat a"], ["shorten it"]),
        (
            ["sample", "Bigrams.ckpt", "--guidance", "3"],
            ["does not draw by --guidance", "--temperature"],
        ),
        (["sample", "Bigrams.ckpt", "--label", "3"], ["does not draw by --label"]),
        (["sample", "Bigrams.ckpt", "--output", "a.png"], ["writes texts: output must end in .txt, got a.png"]),
        (["sample", "Bigrams.ckpt", "--temperature", "0"], ["temperature must be above 0"]),
        (["sample", "WordByWord.ckpt"], ["translates texts", 'lit-gans translate WordByWord.ckpt --text "..."']),
        (["sample", "GANCLS.ckpt", "--text", "a small red one on gold"], ["'gold' in"]),
        (["sample", "GANCLS.ckpt", "--stage", "1"], ["does not draw by --stage", "--text"]),
        (["sample", "GANCLS.ckpt", "--output", "a.txt"], ["output must end in"]),
        (["interpolate", "GANCLS.ckpt", "--to", "a small red one on blue"], ["say by --text which one to begin with"]),
        (["interpolate", "Bigrams.ckpt", "--text", "a red cup"], ["Bigrams, which does not draw from points"]),
        (
            ["translate", "Bigrams.ckpt", "--text", "a cup"],
            ["draws from noise and translates nothing"],
        ),
        (["translate", "WordByWord.ckpt", "--text", "a green cup"], ["'green' in 'a green cup'"]),
        (["translate", "WordByWord.ckpt", "--text", "a cup", "--size", "32"], ["leave out --size"]),
        (["translate", "WordByWord.ckpt", "--text", "a cup", "--direction", "BtoA"], ["translates one way only"]),
        (["sample", "LanguageModel.ckpt", "--noise", "in.txt"], ["in.txt"]),
        (["sample", "LanguageModel.ckpt", "--temperature", "inf"], ["temperature must be finite"]),
        (["sample", "Bigrams.ckpt", "--output", "TAKEN.TXT"], ["TAKEN.TXT is there already"]),
        (["translate", "WordByWord.ckpt", "--text", "a cup", "--beams", "100000"], ["beams must be at most 256"]),
        (["translate", "WordByWord.ckpt", "--text", "a cup", "--output", "a.png"], ["must be a text file, got a.png"]),
        (["translate", "WordByWord.ckpt", "gone.txt"], ["there is no file or folder gone.txt", "a text file"]),
        (["evaluate", "GANCLS.ckpt", "--data", "GrammarLines"], ["has no images, but the generator draws some"]),
        (["translate", "WordByWord.ckpt"], ["needs something to translate"]),
        (["translate", "WordByWord.ckpt", "."], ["is a folder; name a text file"]),
        (["translate", "WordByWord.ckpt", "empty.txt"], ["empty.txt has no text"]),
        (["translate", "WordByWord.ckpt", "latin.txt"], ["latin.txt is not text in UTF-8 (line 2)"]),
        (["translate", "WordByWord.ckpt", "in.txt", "--output", "in.txt"], ["would replace in.txt"]),
        (["translate", "WordByWord.ckpt", "in.txt", "--text", "a cup"], ["takes a text or a file"]),
        (["evaluate", "LanguageModel.ckpt", "--metrics", "fid", "--data", "GrammarLines"], ["leave out --metrics"]),
        (
            ["evaluate", "LanguageModel.ckpt", "--data", "GrammarLines", "--data.tokens", "characters"],
            ["has another vocabulary of 'tokens'"],
        ),
    ],
    ids=lambda given: " ".join(given[:4]) if given[0] in ("sample", "interpolate", "translate", "evaluate") else "",
)
def test_what_cannot_be_is_one_sentence(words, parts, folder):
    Path("empty.txt").write_text("\n\n")
    Path("TAKEN.TXT").write_text("mine")
    Path("latin.txt").write_bytes("a cup\nein hübscher Hut\n".encode("latin-1"))
    Path("in.txt").write_text("a cup\n")
    message = fails(*words, *TRUST)
    for part in parts:
        assert part in message, message


@pytest.mark.parametrize("command", ["sample", "translate"])
def test_an_empty_text_is_refused(command, folder):
    assert "--text needs a value" in fails(command, "WordByWord.ckpt", "--text", " ", code=2)


def test_a_model_without_texts_says_so(folder, monkeypatch):
    model = small(lit_gans.DCGAN)
    lit_gans.save(model, "dcgan.ckpt")
    message = fails("sample", "dcgan.ckpt", "--text", "a red cup")
    assert "holds a DCGAN, which does not draw by --text: leave it out; it draws by --seed" in message
    assert "does not draw by --text" in fails("interpolate", "dcgan.ckpt", "--text", "a cup", "--to", "a hat")


# -------------------------------------------------------------------- translate and evaluate


def test_a_text_and_a_file_of_texts_are_translated(folder, capsys):
    assert said(capsys, "translate", "WordByWord.ckpt", "--text", *TEXTS[:2], *TRUST) == ANSWERS[:2]
    Path("in.txt").write_text(f"{TEXTS[0]}\n\n{TEXTS[3]}\n")
    assert said(capsys, "translate", "WordByWord.ckpt", "in.txt", *TRUST) == [ANSWERS[0], "", ANSWERS[3]]
    report = said(capsys, "translate", "WordByWord.ckpt", "in.txt", "--output", "out.txt", "--batch_size", 1, *TRUST)
    assert report == ["2 texts translated in out.txt"]  # between them is an empty line
    assert Path("out.txt").read_text() == f"{ANSWERS[0]}\n\n{ANSWERS[3]}\n"
    assert "out.txt is there already" in fails("translate", "WordByWord.ckpt", "in.txt", "--output", "out.txt", *TRUST)


def test_texts_are_drawn_from_a_file_of_noise(folder, capsys):
    model = lit_gans.load("LanguageModel.ckpt")
    noise = model.draw_noise(3)
    np.save("noise.npy", noise.numpy())
    words = ["sample", "LanguageModel.ckpt", "--noise", "noise.npy", "--device", "cpu"]
    assert said(capsys, *words) == [text.strip() or text for text in model.write(3, noise=noise)]
    assert len(said(capsys, *words, "--count", "2")) == 2


def test_a_line_that_cannot_be_translated_is_named_and_left_empty(folder, capsys):
    Path("in.txt").write_text(f"{TEXTS[0]}\na green cup\n{TEXTS[3]}\n")
    main(["translate", "WordByWord.ckpt", "--input", "in.txt", *TRUST])
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [ANSWERS[0], "", ANSWERS[3]]
    assert "skipped line 2: 'green' in 'a green cup' is not in the vocabulary" in printed.err


def test_a_model_of_texts_is_measured_by_its_own_scores(folder, capsys):
    rows = said(
        capsys, "evaluate", "LanguageModel.ckpt", "--data", "GrammarLines", "--data.count", 40, "--output", "a.json"
    )
    assert any("nll (less is better)" in row for row in rows) and any("split: test" in row for row in rows)
    kept = json.loads(Path("a.json").read_text())
    assert kept["values"].keys() >= {"nll", "perplexity"} and kept["protocol"]["real"] == 4
    assert said(capsys, "compare", "a.json", "a.json")


def test_a_picture_is_looked_for_by_its_sentence(folder, capsys):
    lit_gans.images.photos.write_picture(lit_gans.images.grid.grid(torch.zeros(1, 3, 16, 16)), Path("a.png"))
    words = lit_gans.load("GANCLS.ckpt").captions(1)[0]
    options = ["invert", "GANCLS.ckpt", "a.png", "--steps", 1, "--restarts", 1]
    assert "a.png" in said(capsys, *options, "--text", words)[0]
    assert "add --text, the sentence to draw by" in fails(*options)
