"""What people write first in Python works, or is answered in one sentence that says what to write."""

import numpy as np
import pytest
import torch
from conftest import glyphs, refused, small
from lightning.pytorch import LightningDataModule
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lit_gans
from lit_gans import CGAN, DCGAN, VAE, Glyphs, LatentGAN, Pix2Pix
from lit_gans.callbacks import Quality
from lit_gans.networks import DCGANBackbone

QUICK = {"accelerator": "cpu", "enable_progress_bar": False, "report": False}
IMAGES = torch.rand(40, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Bare(nn.Module):
    """A module that draws and is neither a LightningModule nor has weights."""

    def sample(self, n):
        return torch.rand(n, 1, 16, 16) * 2 - 1


@pytest.mark.parametrize(
    "given, answers",
    [
        ({"max_epoch": 3}, ["no argument 'max_epoch'", "did you mean max_epochs?"]),
        ({"epochs": 3}, ["did you mean max_epochs?"]),
        ({"gpus": 1}, ["did you mean devices?"]),
        ({"device": "cpu"}, ["did you mean accelerator?"]),
        ({"ckpt_path": "last.ckpt"}, ["trainer.fit(model, data, ckpt_path=...)"]),
        ({"batch_size": 8}, ["the data has it"]),
        ({"zzz": 8}, ["no argument 'zzz'", "it takes scores, pictures"]),
        ({"folder": "mine"}, ["folder must be True or False, got 'mine'", "default_root_dir"]),
        ({"max_epochs": "3"}, ["max_epochs must be a whole number, got '3'"]),
        ({"max_steps": 2.5}, ["max_steps must be a whole number"]),
        ({"seed": "x"}, ["seed must be a whole number", "got 'x'"]),
        ({"callbacks": [Quality]}, ["got the class Quality", "Quality(...)"]),
        ({"callbacks": "EarlyStopping"}, ["callbacks must be objects", "'EarlyStopping'"]),
        ({"logger": "wanb"}, ["no logger 'wanb'", "did you mean wandb?"]),
        ({"logger": "csv", "folder": False}, ["folder=False leaves loggers without a place"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_wrong_argument_of_the_trainer_is_answered(given, answers):
    refused(lambda: lit_gans.Trainer(**given), *answers)


@pytest.mark.parametrize(
    "model, answer",
    [
        (DCGAN, "got the class DCGAN; make an object of it"),
        ("DCGAN", "got 'DCGAN'"),
        (Glyphs(size=16, count=20), "the data after it; got a Glyphs first"),
        (nn.Linear(2, 2), "networks of yours go into one"),
        (3, "got 3"),
    ],
    ids=["class", "name", "swapped", "network", "number"],
)
def test_what_is_no_model_is_refused(model, answer):
    trainer = lit_gans.Trainer(**QUICK)
    for call in (trainer.fit, trainer.validate, trainer.test, trainer.predict):
        refused(lambda call=call: call(model, glyphs()), answer)


def test_data_without_a_batch_is_refused():
    rows = TensorDataset(IMAGES)
    for loader in (DataLoader(TensorDataset(IMAGES[:0]), 10), DataLoader(rows, 100, drop_last=True)):
        refused(lambda loader=loader: lit_gans.fit(small(DCGAN), loader, **QUICK), "gives no batch", "drop_last=True")
    refused(lambda: lit_gans.fit(small(DCGAN), IMAGES.numpy(), **QUICK), "was given a ndarray", "DataLoader(data")


def test_short_names_of_loggers_write_where_the_run_does():
    trainer = lit_gans.fit(small(DCGAN), glyphs(), steps=1, logger=["tensorboard", "csv"], **QUICK)
    csv, board = trainer.loggers
    assert isinstance(csv, CSVLogger) and isinstance(board, TensorBoardLogger)
    assert board.log_dir.rstrip("/") == str(trainer.run.folder) and list(trainer.run.folder.glob("events*"))
    trainer = lit_gans.fit(small(DCGAN), glyphs(), steps=1, logger=[CSVLogger("own", "x"), TensorBoardLogger], **QUICK)
    assert trainer.loggers[1].log_dir.rstrip("/") == str(trainer.run.folder) == "own/x/version_0"


def test_a_run_or_its_folder_stands_for_its_checkpoint():
    trainer = lit_gans.fit(small(DCGAN), glyphs(), steps=2, **QUICK)
    place = trainer.run.folder
    assert {type(lit_gans.load(which)) for which in (place, f"{place}/", trainer.run, "last")} == {DCGAN}
    assert not lit_gans.take(small(DCGAN), place).missing
    assert "swd" in lit_gans.score(place, glyphs(), "swd", count=20)
    # training goes on from the last, not from the best
    (trainer.run.checkpoints / "best.ckpt").write_bytes(b"")
    again = lit_gans.fit(small(DCGAN), glyphs(), steps=3, ckpt_path=place, **QUICK)
    assert again.global_step == 3 and again.ckpt_path == trainer.run.last
    refused(lambda: lit_gans.load(None), "a checkpoint is a file, or the folder of a run", "got None")


def test_a_second_loader_validates():
    loaders = DataLoader(TensorDataset(IMAGES), 20), DataLoader(TensorDataset(IMAGES[:20]), 20)
    trainer = lit_gans.fit(small(DCGAN), *loaders, epochs=1, scores=False, **QUICK)
    assert trainer.num_val_batches == [1] and "val/diversity" in trainer.callback_metrics


def test_a_compiled_model_gives_its_own_name_to_the_run():
    trainer = lit_gans.Trainer(**QUICK)
    trainer._named(torch.compile(small(DCGAN), backend="eager"), glyphs())  # to train it takes half a minute
    assert trainer.run.folder.parent.name == "DCGAN-Glyphs"


def test_a_file_that_is_there_is_replaced_by_the_word_of_python():
    lit_gans.save(small(DCGAN), "a.ckpt")
    refused(lambda: lit_gans.save(small(DCGAN), "a.ckpt"), "is there already", "with force=True")


def methods():
    drawing, encoding = small(DCGAN), small(VAE)
    translating = Pix2Pix(image_shape=(1, 16, 16))
    yield "invert", lambda images: drawing.invert(images, steps=1, restarts=1).reconstructions
    yield "translate", lambda images: translating.translate(images, seed=0)
    yield "encode", encoding.encode


@pytest.mark.parametrize("name, method", list(methods()), ids=["invert", "translate", "encode"])
def test_images_of_another_range_or_shape_are_refused(name, method):
    good = IMAGES[:2]
    as_bytes = ((good + 1) * 127.5).round().byte()
    assert torch.allclose(method(as_bytes), method(as_bytes.float() / 127.5 - 1), atol=1e-5)
    assert torch.equal(method(good.numpy()), method(good))
    refused(lambda: method((good + 1) * 127.5), "must be floats in [-1, 1] or uint8", "image / 127.5 - 1")
    refused(lambda: method(good[0]), "got (1, 16, 16); for one image give image[None]")
    refused(lambda: method("a.png"), "got a str")
    refused(lambda: method(good.expand(-1, 3, -1, -1)), "(3, 16, 16)")
    with pytest.warns(UserWarning, match="these look like"):
        method((IMAGES + 1) / 2)


def test_wrong_seeds_labels_and_noise_are_refused():
    model = small(DCGAN)
    refused(lambda: model.sample(2, seed="a"), "seed must be a whole number", "got 'a'")
    refused(lambda: model.interpolate(2, seed="a"), "seed must be a whole number")
    assert torch.equal(model.sample(2, seed=np.int64(3)), model.sample(2, seed=3))
    refused(lambda: model(torch.randn(2, 7)), "noise for this DCGAN must be", "got (2, 7)")
    told = small(CGAN, num_classes=3)
    refused(
        lambda: told.sample(2, label="a"),
        "label must be a number from 0 to 2, since the model does not know",
        "got 'a'",
    )
    refused(lambda: told.sample(2, label=1.5), "label must be a class from 0 to 2, got 1.5")
    refused(lambda: DCGAN(image_shape=(1, 16, 16), latent_dim=(24, 8)), "one whole number", "draw_noise()")


def test_anything_that_draws_is_scored():
    assert "swd" in lit_gans.score(Bare(), TensorDataset(IMAGES), "swd", count=20)
    refused(lambda: lit_gans.score(Bare(), glyphs(), "accuracy", count=20), "but Bare draws without any")


def test_a_data_module_of_ones_own_and_any_name_for_the_images_are_scored():
    class Own(LightningDataModule):
        def train_dataloader(self):
            return DataLoader(TensorDataset(IMAGES), 20)

    assert "swd" in lit_gans.score(small(DCGAN), Own(), "swd", count=20)
    rows = [{"pixel_values": image, "labels": 1} for image in IMAGES]
    assert "swd" in lit_gans.score(Bare(), DataLoader(rows, 20), "swd", count=20)
    rows = [{"left": image, "right": image} for image in IMAGES]
    refused(
        lambda: lit_gans.score(Bare(), DataLoader(rows, 20), "swd", count=20), "one other tensor", "got left, right"
    )


class Third(LatentGAN):
    """A game of three players, which lacks what a subclass has."""

    players = ("generator", "discriminator", "encoder")

    def discriminator_loss(self, batch, fake):
        return {"fake": self.discriminator(fake).mean() - self.discriminator(batch["image"]).mean()}

    def generator_loss(self, batch, fake):
        return {"fake": -self.discriminator(fake).mean()}


class Encoding(Third):
    def make_encoder(self):
        return nn.Sequential(nn.Flatten(), nn.Linear(256, 8))


def test_what_a_third_player_lacks_is_named():
    refused(lambda: small(Third), "no method make_encoder", "write Third.make_encoder")
    refused(lambda: lit_gans.fit(small(Encoding), glyphs(), steps=1, **QUICK), "write Encoding.encoder_loss")


class WithCodes(LatentGAN):
    """A game whose discriminator sees more than an image."""

    def make_discriminator(self):
        return nn.Sequential(nn.Linear(256 + 1, 1))

    def judge(self, images):
        return self.discriminator(torch.cat([images.flatten(1), images.mean((1, 2, 3))[:, None]], 1)).mean()

    def discriminator_loss(self, batch, fake):
        return {"fake": self.judge(fake) - self.judge(batch["image"])}

    def generator_loss(self, batch, fake):
        return {"fake": -self.judge(fake)}


def test_a_discriminator_that_sees_more_than_images_does_not_end_the_run():
    with pytest.warns(UserWarning, match="no look at the discriminator"):
        trainer = lit_gans.fit(small(WithCodes), glyphs(), epochs=1, scores=False, pictures=False, **QUICK)
    assert "val/diversity" in trainer.callback_metrics


def test_a_generator_alone_says_the_size_of_its_noise():
    def generator():
        return nn.Sequential(nn.Linear(8, 256), nn.Tanh(), nn.Unflatten(1, (1, 16, 16)))

    assert DCGAN(generator=generator(), latent_dim=8).shape == (1, 16, 16)
    refused(lambda: DCGAN(generator=generator()), "need image_shape")
    with_size = generator()
    with_size.latent_dim = 8
    assert DCGAN(generator=with_size).sample(2).shape == (2, 1, 16, 16)
    words = DCGANBackbone(width="a")
    refused(lambda: DCGAN(image_shape=(1, 16, 16), backbone=words), "width must be at least 1, got 'a'")
