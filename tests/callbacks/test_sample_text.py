"""Runs of models of texts with every default callback: what is written, measured and kept."""

import json
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.loggers import MLFlowLogger, TensorBoardLogger, WandbLogger
from text_models import ANSWERS, TEXTS, Bigrams, Lines, Pairs, Unsaid, WordByWord

import lit_gans
from lit_gans.callbacks import SampleText, loggers
from lit_gans.callbacks.loggers import _as_table
from lit_gans.errors import UsageError
from lit_gans.optim import Adam


def run(model, data, folder, **options):
    """A run with all defaults, and its folder."""
    trainer = lit_gans.Trainer(accelerator="cpu", max_epochs=2, default_root_dir=folder, **options)
    trainer.fit(model, data)
    return trainer, trainer.run


def made(cls, data):
    torch.manual_seed(0)
    optimizer = partial(Adam, lr=0.3)
    return cls(text_shape=data.text_shape, source_text_shape=data.source_text_shape, optimizer=optimizer, ema_decay=0)


def test_a_model_that_writes_has_a_file_after_each_validation_and_no_picture(tmp_path, recwarn, capsys):
    data = Lines()
    model = made(Bigrams, data)
    trainer, found = run(model, data, tmp_path)
    assert {path.name for path in found.samples.iterdir()} == {"real.txt", "step_0000004.txt", "step_0000008.txt"}
    assert {*(found.samples / "real.txt").read_text().splitlines()} <= {*TEXTS}
    assert (found.samples / "step_0000008.txt").read_text().splitlines() == model.write(16, seed=0)
    assert [path.name for path in sorted(found.checkpoints.iterdir())] == ["best.ckpt", "last.ckpt"]
    assert not found.scores.is_file()
    best = next(each for each in trainer.checkpoint_callbacks if getattr(each, "monitor", None))
    assert (best.monitor, best.mode) == ("val/nll", "min")
    assert float(best.best_model_score) <= float(trainer.callback_metrics["val/nll"])
    said = capsys.readouterr().out
    assert "scores       the model's own" in said and "texts        16" in said and "pictures" not in said
    assert "val/nll: " in said and "lit-gans sample" in said
    assert not [str(each.message) for each in recwarn if "lit_gans" in each.filename]


def test_a_model_that_translates_has_blocks_of_source_target_and_translation(tmp_path, capsys):
    data = Pairs()
    trainer, found = run(made(WordByWord, data), data, tmp_path)
    blocks = (found.samples / "step_0000008.txt").read_text().split("\n\n")
    assert blocks[0] == f"source       {TEXTS[0]}\ntarget       {ANSWERS[0]}\ntranslation  {ANSWERS[0]}"
    assert len(blocks) == len(TEXTS)
    best = next(each for each in trainer.checkpoint_callbacks if getattr(each, "monitor", None))
    assert (best.monitor, best.mode, float(best.best_model_score)) == ("val/exact", "max", 1.0)
    said = capsys.readouterr().out
    assert "val/exact: 1 at last" in said and "lit-gans translate" in said and '--text "..."' in said


def test_a_model_that_does_not_say_its_best_score_keeps_the_last_checkpoint_alone(tmp_path, capsys):
    data = Lines()
    _, found = run(made(Unsaid, data), data, tmp_path)
    assert [path.name for path in found.checkpoints.iterdir()] == ["last.ckpt"]
    said = capsys.readouterr().out
    assert "checkpoints  the last\n" in said and "val/nll " in said.partition("done:")[2]


def test_texts_are_a_table_in_every_logger_that_takes_some(tmp_path, monkeypatch):
    tables, shown, files = [], {}, {}

    class Recorder:
        def add_text(self, name, text, step):
            shown[name, step] = text

        def log_text(self, run, text, file):
            files[file] = text

    monkeypatch.setattr(WandbLogger, "log_table", lambda self, key, **table: tables.append((key, table)))
    for kind in (TensorBoardLogger, MLFlowLogger):
        monkeypatch.setattr(kind, "experiment", Recorder())
    monkeypatch.setattr(MLFlowLogger, "run_id", "1")
    made = [kind.__new__(kind) for kind in (WandbLogger, TensorBoardLogger, MLFlowLogger)]
    columns = {"source": ["one"], "translation": ["eins"]}
    loggers.show_texts(SimpleNamespace(loggers=made), "samples", columns, 8)
    assert tables == [("samples", {"columns": ["source", "translation"], "data": [["one", "eins"]], "step": 8})]
    table = "| source | translation |\n| --- | --- |\n| one | eins |"
    assert shown == {("samples", 8): table} and files == {"samples_0000008.md": table}


def test_no_character_of_a_text_is_markup():
    assert _as_table(["sample"], [["a|b *c*\nd"]]) == "| sample |\n| --- |\n| a\\|b \\*c\\* d |"


def test_without_a_vocabulary_a_run_says_once_that_there_are_no_texts(tmp_path):
    class Bare(Lines):
        vocabularies = {}

    data = Bare()
    with pytest.warns(UserWarning, match="no texts: this Bigrams does not have a vocabulary of 'tokens'"):
        run(made(Bigrams, data), data, tmp_path)


def test_a_count_of_nothing_is_refused():
    with pytest.raises(UsageError, match=r"texts\.count must be at least 1"):
        SampleText(count=0)


def test_predictions_are_texts(tmp_path):
    data = Lines()
    model = made(Bigrams, data)
    trainer = lit_gans.Trainer(accelerator="cpu", default_root_dir=tmp_path)
    trainer.predict(model, data)
    model.vocabularies = dict(data.vocabularies)
    texts = (trainer.run.samples / "predict_00_000000.txt").read_text().splitlines()
    assert len(texts) == 8 and texts == model.write(8, seed=0)


def test_scores_of_texts_have_a_protocol(tmp_path):
    from lit_gans import GrammarLines, LanguageModel
    from lit_gans.networks import RecurrentBackbone
    from lit_gans.training.texts import own_scores

    data = GrammarLines(count=40, batch_size=8)
    model = LanguageModel(text_shape=data.text_shape, backbone=RecurrentBackbone(width=4))
    values, protocol = own_scores(model, data)
    assert {"nll", "perplexity"} <= values.keys() and (protocol.split, protocol.real, protocol.fake) == ("test", 4, 0)
    assert protocol.data.startswith("GrammarLines") and "count=40" in protocol.data
    json.dumps(values)
