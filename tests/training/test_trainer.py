"""Runs from Python have what runs from the command line have, and each part is switched off by one word."""

import json
import warnings

import pytest
import torch
from conftest import glyphs, refused, small
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import lit_gans
from lit_gans import DCGAN, HingeGAN
from lit_gans.callbacks import Best, CollapseMonitor, ProgressBar, Quality, SampleGrid, SaveLast

QUICK = {"accelerator": "cpu", "enable_progress_bar": False, "max_epochs": 1}
EVERYTHING = {"scores.jsonl", "samples/real.png", "checkpoints/last.ckpt", "checkpoints/best.ckpt"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def few(**arguments):
    return Quality(**{"count": 40, **arguments})


def written(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def images(count=40, low=-1.0):
    drawn = torch.rand(count, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    return drawn * (1 - low) + low


def test_one_word_gives_a_whole_run(folder):
    trainer = lit_gans.Trainer(callbacks=[few()], **QUICK)
    trainer.fit(small(HingeGAN), glyphs())
    assert trainer.run.folder.as_posix() == "runs/HingeGAN-Glyphs/version_0"
    there = written(trainer.run.folder)
    assert there >= {
        "metrics.csv",
        "scores.jsonl",
        "samples/real.png",
        "checkpoints/last.ckpt",
        "checkpoints/best.ckpt",
    }
    assert "val/fid" in trainer.callback_metrics
    assert isinstance(lit_gans.load(trainer.run.last), HingeGAN)
    again = lit_gans.Trainer(callbacks=[few()], **QUICK)
    again.fit(small(HingeGAN), glyphs())
    assert again.run.folder.name == "version_1"


@pytest.mark.parametrize(
    "word, gone",
    [
        ("scores", {"scores.jsonl", "checkpoints/best.ckpt"}),
        ("pictures", {"samples/real.png"}),
        ("checkpoints", {"checkpoints/last.ckpt", "checkpoints/best.ckpt"}),
    ],
)
def test_each_part_is_switched_off_by_one_word(folder, word, gone):
    own = [few()] if word != "scores" else []
    trainer = lit_gans.Trainer(callbacks=own, **{word: False}, **QUICK)
    trainer.fit(small(DCGAN), glyphs())
    assert EVERYTHING - written(trainer.run.folder) == gone


@pytest.mark.parametrize("off", [{"folder": False}, {"logger": False}], ids=str)
def test_without_a_folder_nothing_is_written(folder, off):
    trainer = lit_gans.Trainer(callbacks=[few()], **off, **QUICK)
    trainer.fit(small(DCGAN), glyphs())
    assert trainer.run is None and not written(folder) and "val/fid" in trainer.callback_metrics


def test_a_callback_of_ones_own_takes_the_defaults_place(folder):
    own = [few(), SampleGrid(count=4), SaveLast(), CollapseMonitor(), Best(monitor="val/fid"), ModelCheckpoint()]
    kinds = [type(each) for each in lit_gans.callbacks.default(own=own)]
    for kind in (Quality, SampleGrid, SaveLast, CollapseMonitor, Best, ModelCheckpoint, ProgressBar):
        assert kinds.count(kind) == 1


def test_loggers_of_ones_own_come_after_the_run_folder(folder):
    trainer = lit_gans.Trainer(logger=[CSVLogger("mine", "name")], scores=False, **QUICK)
    trainer.fit(small(DCGAN), glyphs())
    assert trainer.run.folder.as_posix() == "mine/name/version_0"


def test_a_run_ends_by_itself():
    assert lit_gans.Trainer(accelerator="cpu").max_epochs == 10
    assert lit_gans.Trainer(accelerator="cpu", max_steps=3).max_epochs in (None, -1)


def test_a_seed_makes_runs_alike(folder):
    def weights(seed):
        trainer = lit_gans.Trainer(seed=seed, scores=False, folder=False, **QUICK)
        model = DCGAN(image_shape=(1, 16, 16), backbone=lit_gans.networks.DCGANBackbone(width=4))
        trainer.fit(model, glyphs())
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert torch.equal(weights(3), weights(3)) and not torch.equal(weights(3), weights(4))


def test_what_does_not_suit_is_said_in_one_sentence(folder):
    refused(lambda: lit_gans.Trainer(barebones=True), "barebones", "scores=False")
    refused(lambda: lit_gans.Trainer(folder=False, callbacks=[SampleGrid()]), "run folder")
    clips = lit_gans.Trainer(gradient_clip_val=1.0, **QUICK)
    refused(lambda: clips.fit(small(DCGAN), glyphs()), "clip_norm")


def test_a_training_loader_alone_is_scored_against_itself(folder):
    loader = DataLoader(TensorDataset(images()), batch_size=20)
    trainer = lit_gans.Trainer(callbacks=[few()], **QUICK)
    trainer.fit(small(DCGAN), loader)
    assert trainer.run.folder.as_posix() == "runs/DCGAN-TensorDataset/version_0"
    card = json.loads(trainer.run.scores.read_text().splitlines()[0])["protocol"]
    assert (card["split"], card["real"]) == ("train", 40)


def test_reference_train_is_said_where_it_cannot_be_had(folder):
    class Stream(IterableDataset):
        def __iter__(self):
            yield from images()

    stream, held = DataLoader(Stream(), batch_size=20), DataLoader(images(20), batch_size=20)
    trainer = lit_gans.Trainer(callbacks=[few()], limit_train_batches=2, **QUICK)
    with pytest.warns(UserWarning, match="compare with the validation images"):
        trainer.fit(small(DCGAN), stream, held)
    card = json.loads(trainer.run.scores.read_text().splitlines()[0])["protocol"]
    assert (card["split"], card["real"]) == ("val", 20)


def test_scoring_a_loader_leaves_the_random_numbers_of_training_alone(folder):
    """A data set that draws is read once more for its scores."""

    class Drawing(torch.utils.data.Dataset):
        def __len__(self):
            return 40

        def __getitem__(self, row):
            return torch.rand(1, 16, 16) * 2 - 1

    def weights(**arguments):
        trainer = lit_gans.Trainer(seed=1, folder=False, **arguments, **QUICK)
        model = small(DCGAN)
        trainer.fit(model, DataLoader(Drawing(), batch_size=20), DataLoader(images(20), batch_size=20))
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert torch.equal(weights(scores=False), weights(callbacks=[few()]))


@pytest.mark.parametrize("where", ["last", "run", "file"])
def test_a_run_goes_on_from_a_name_a_folder_or_a_file(folder, where):
    quick = {**QUICK, "scores": False, "pictures": False, "max_epochs": -1}
    first = lit_gans.Trainer(max_steps=3, **quick)
    first.fit(small(DCGAN), glyphs())
    given = {"last": "last", "run": first.run.folder, "file": first.run.last}[where]
    again = lit_gans.Trainer(max_steps=5, **quick)
    again.fit(small(DCGAN), glyphs(), ckpt_path=given)
    assert again.global_step == 5 and again.run.folder.name == "version_1"
    other = lit_gans.Trainer(max_steps=5, **quick)
    refused(lambda: other.fit(small(HingeGAN), glyphs(), ckpt_path="last"), "HingeGAN-Glyphs", "last.ckpt")


def test_fit_is_one_call(folder):
    trainer = lit_gans.fit(small(DCGAN), glyphs(), steps=2, scores=False, accelerator="cpu", enable_progress_bar=False)
    assert trainer.global_step == 2 and trainer.run.last.is_file()


def test_lightnings_own_trainer_takes_the_callbacks(folder):
    from lightning.pytorch import Trainer

    trainer = Trainer(callbacks=lit_gans.callbacks.default(own=[few()], bar=False), **QUICK)
    trainer.fit(small(DCGAN), glyphs())
    assert "val/fid" in trainer.callback_metrics and "checkpoints/last.ckpt" in " ".join(written(folder))


def test_notes_that_do_not_help_are_left_out(folder):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer = lit_gans.Trainer(scores=False, callbacks=[ModelCheckpoint(every_n_train_steps=1)], **QUICK)
        trainer.fit(small(DCGAN), glyphs())
    said = " ".join(str(each.message) for each in caught)
    assert "logging interval" not in said and "pre-optimization" not in said
