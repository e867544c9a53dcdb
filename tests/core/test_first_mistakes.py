"""The first mistakes in Python that only show in a call or in a run, one sentence each."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import SHAPE, glyphs, refused, small, trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

import lit_gans
from lit_gans import CGAN, DCGAN, EBGAN, SGAN, VAE, WGAN, CycleGAN, InfoGAN, LatentGAN, Pix2Pix, ProjectionGAN
from lit_gans.errors import UsageError

NOISE = 8


class Linear(nn.Sequential):
    latent_dim = NOISE

    def __init__(self, inputs=NOISE):
        super().__init__(nn.Linear(inputs, 256), nn.Tanh(), nn.Unflatten(1, SHAPE))


def judge(*last):
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 1), *last)


def fitted(folder, model, **options):
    run = trainer(folder, **{"max_steps": 2, "limit_val_batches": 0, **options})
    run.fit(model, glyphs())
    return run


def test_a_usage_error_is_a_value_error_of_the_package():
    assert lit_gans.UsageError is UsageError
    with pytest.raises(ValueError, match="ema_decay"):
        small(DCGAN, ema_decay=2)


@pytest.mark.parametrize("model", [DCGAN, WGAN])
@pytest.mark.parametrize("last", [(nn.Sigmoid(),), (nn.Sigmoid(), nn.Flatten(0)), (nn.Flatten(0), nn.Sigmoid())])
def test_a_sigmoid_at_the_end_is_noticed(model, last, tmp_path):
    net = model(generator=Linear(), discriminator=judge(*last))
    refused(lambda: fitted(tmp_path, net), "ends with a sigmoid", f"the losses of {model.__name__} take logits")


class OwnLoss(LatentGAN):
    """A user's, as in many tutorials."""

    def discriminator_loss(self, batch, fake):
        real = self.discriminator(batch["image"])
        return {"real": F.binary_cross_entropy(real, torch.ones_like(real)), "fake": self.discriminator(fake).mean()}

    def generator_loss(self, batch, fake):
        return {"fake": -self.discriminator(fake).mean()}


class Broadcast(OwnLoss):
    def discriminator_loss(self, batch, fake):
        return {"real": F.mse_loss(self.discriminator(batch["image"]), torch.ones(len(fake)))}


def test_a_loss_of_ones_own_may_have_a_sigmoid_and_a_middle_may_too(tmp_path):
    fitted(tmp_path, OwnLoss(generator=Linear(), discriminator=judge(nn.Sigmoid())))
    fitted(tmp_path, DCGAN(generator=Linear(), discriminator=judge(nn.Sigmoid(), nn.Linear(1, 1))))
    fitted(tmp_path, small(EBGAN))


def test_scores_against_targets_of_another_shape(tmp_path):
    net = Broadcast(generator=Linear(), discriminator=judge())
    refused(lambda: fitted(tmp_path, net), "discriminator's loss compares", "[4, 1]", "squeeze(1)")


class Sharp(torch.optim.SGD):
    """Sharpness-aware: moves, asks for the loss there, and moves again."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)

    def step(self, closure=None):
        super().step()
        closure()
        return super().step()


class Twice(Sharp):
    def step(self, closure=None):
        closure()
        closure()


@pytest.mark.parametrize("optimizer", [Sharp, Twice])
def test_optimizers_that_compute_the_loss_again(optimizer, tmp_path):
    net = DCGAN(generator=Linear(), discriminator=judge(), optimizer=optimizer)
    refused(lambda: fitted(tmp_path, net), f"{optimizer.__name__} needs the loss several times a step")
    fitted(tmp_path, small(VAE, optimizer=Sharp))  # a model without a game computes it again


def test_a_schedule_in_lightnings_dict_is_stepped_as_it_says(tmp_path):
    by_epoch = {"scheduler": partial(StepLR, step_size=1, gamma=0.1), "interval": "epoch"}
    for model in (small(DCGAN, scheduler=by_epoch), small(VAE, scheduler=by_epoch)):
        run = fitted(tmp_path, model, max_steps=-1, max_epochs=2)
        for optimizer in run.optimizers:
            rate = optimizer.param_groups[0]["lr"]
            assert rate == pytest.approx(optimizer.param_groups[0]["initial_lr"] / 100)
    refused(lambda: fitted(tmp_path, small(VAE, scheduler=ReduceLROnPlateau)), "'monitor': 'val/fid'")


@pytest.mark.parametrize(
    ("cls", "role", "network"),
    [
        (CGAN, "generator", Linear()),
        (CGAN, "discriminator", judge()),
        (ProjectionGAN, "discriminator", judge()),
        (DCGAN, "generator", lit_gans.networks.ConditionalGenerator(Linear(NOISE), 2)),
    ],
)
def test_networks_that_do_not_take_what_they_are_called_with(cls, role, network):
    refused(
        lambda: small(cls, **{role: network}), f"the {role} {type(network).__name__} is called with", "does not take"
    )


@pytest.mark.parametrize("cls", [DCGAN, CGAN, VAE, SGAN, InfoGAN])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"noise": torch.randn(4, 7)}, "must be (n, latent_dim), that is (n, 8), got (4, 7)"),
        ({"noise": torch.randn(8)}, "for one sample give noise[None]"),
        ({"n": 4.0}, "a whole number from 0, got 4.0"),
        ({"n": -1}, "a whole number from 0, got -1"),
        ({"n": torch.randn(4, 8)}, "give noise by its name"),
    ],
    ids=lambda value: "",
)
def test_samples_of_nothing_like_it(cls, arguments, words):
    refused(lambda: small(cls).sample(**arguments), words)


def test_noise_may_be_an_array():
    assert small(DCGAN).sample(noise=np.zeros((3, 8))).shape == (3, *SHAPE)


@pytest.mark.parametrize("cls", [Pix2Pix, CycleGAN])
def test_translations_of_something_else(cls):
    model = small(cls, image_shape=SHAPE, source_shape=SHAPE)
    refused(lambda: model.translate(torch.zeros(SHAPE)), "for one image give image[None]", "(1, 16, 16)")
    refused(lambda: model.translate([torch.zeros(SHAPE)]), "got a list")
    refused(lambda: model.translate(torch.zeros(2, 3, 16, 16)), "does not translate images of shape (3, 16, 16)")
    raw = torch.zeros(2, *SHAPE, dtype=torch.uint8)
    assert torch.equal(model.translate(raw, seed=0), model.translate(-torch.ones(2, *SHAPE), seed=0))


def test_clipping_of_the_trainer_says_what_to_write(tmp_path):
    refused(lambda: fitted(tmp_path, small(DCGAN), gradient_clip_val=0.5), "clip_norm=0.5")


@pytest.mark.parametrize("filename", ["{epoch}-{val/fid:.2f}", "{val/fid}"])
def test_a_slash_in_the_name_of_a_checkpoint(filename, tmp_path):
    callback = ModelCheckpoint(tmp_path, filename)
    with pytest.warns(UserWarning, match="makes a folder for each checkpoint") as caught:
        fitted(tmp_path, small(DCGAN), callbacks=[callback], enable_checkpointing=True)
    advised = next(str(w.message) for w in caught if "makes a folder" in str(w.message))
    better = advised.partition("write filename='")[2].partition("'")[0]
    callback = ModelCheckpoint(tmp_path, better, auto_insert_metric_name=False)
    name = callback.format_checkpoint_name({"epoch": torch.tensor(3), "val/fid": torch.tensor(12.3)})
    assert name.startswith(str(tmp_path)) and "/" not in name.removeprefix(f"{tmp_path}/") and "fid=12.3" in name
