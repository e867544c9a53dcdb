"""BEGAN: the controller's arithmetic, what it watches, and how it is saved."""

import copy
from functools import partial

import pytest
import torch
from conftest import SHAPE, assert_equal, fit, glyphs, refused, small, trainer, training_state
from lightning.pytorch import Callback
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lit_gans.models import BEGAN
from lit_gans.networks import BEGANBackbone, DCGANBackbone
from lit_gans.networks.began import VanishingResidual

GAMMA, RATE = 0.7, 0.1


class Watch(Callback):
    """Computes both energies of every batch anew, with the weights from before the batch."""

    def __init__(self):
        self.outputs, self.energies, self.k = [], [], []

    def on_train_batch_start(self, trainer, model, batch, batch_idx):
        before, state = copy.deepcopy(model.discriminator), torch.get_rng_state()
        with torch.no_grad():
            fake = model.generator(torch.randn(len(batch["image"]), model.latent_dim))
            torch.set_rng_state(state)
            self.energies.append([float((v - before.reconstruct(v)).abs().mean()) for v in (batch["image"], fake)])
        self.k.append(float(model.k))

    def on_train_batch_end(self, trainer, model, outputs, batch, batch_idx):
        self.outputs.append({name: float(value) for name, value in outputs.items()})


@pytest.mark.parametrize("generator_every", [1, 3])
def test_numbers_of_several_batches(tmp_path, generator_every):
    model, watch = small(BEGAN, gamma=GAMMA, k_rate=RATE, generator_every=generator_every), Watch()
    model.k.fill_(0.4)
    trainer(tmp_path, max_steps=8, callbacks=[watch], limit_val_batches=0).fit(model, datamodule=glyphs())
    k, mean = 0.4, 0.0
    for number, (outputs, (real, fake)) in enumerate(zip(watch.outputs, watch.energies, strict=True)):
        assert watch.k[number] == pytest.approx(k, abs=1e-5)
        assert outputs["discriminator/real"] == pytest.approx(real, rel=1e-4)
        assert outputs["discriminator/fake"] == pytest.approx(-k * fake, rel=1e-4, abs=1e-6)
        assert outputs["discriminator/loss"] == pytest.approx(real - k * fake, rel=1e-3, abs=1e-5)
        convergence = real + abs(GAMMA * real - fake)
        mean += (convergence - mean) / (number + 1)
        k = min(max(k + RATE * (GAMMA * real - fake), 0.0), 1.0)
        assert outputs["state/k"] == pytest.approx(k, abs=1e-5)
        assert outputs["state/convergence"] == pytest.approx(convergence, rel=1e-4)
        assert outputs["state/convergence_mean"] == pytest.approx(mean, rel=1e-4)
        assert ("generator/fake" in outputs) == (number % generator_every == 0)
    assert len(set(watch.k)) == 8  # k moved on every batch


class Energy(nn.Module):
    """An energy that depends on whether the image is a constant, as the fakes here are."""

    def __init__(self, real, fake):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.real, self.fake = real, fake

    def forward(self, image):
        fake = image.flatten(1).std(1) < 0.01
        return self.weight * torch.where(fake, self.fake, self.real) + 0 * image.sum((1, 2, 3))


class Constant(nn.Module):
    latent_dim = 2

    def __init__(self):
        super().__init__()
        self.level = nn.Parameter(torch.zeros(()))

    def forward(self, noise):
        return self.level.expand(len(noise), *SHAPE) + 0


def frozen(real, fake, **arguments):
    """A game whose energies never change."""
    still = partial(torch.optim.SGD, lr=arguments.pop("lr", 0.0))
    players = {"generator": Constant(), "discriminator": Energy(real, fake)}
    return BEGAN(**players, image_shape=SHAPE, optimizer=still, **arguments)


@pytest.mark.parametrize("real, fake, end", [(1.0, 0.1, 1.0), (0.1, 1.0, 0.0)])
def test_k_stays_within_0_and_1(tmp_path, real, fake, end):
    model = frozen(real, fake, k_rate=0.3)
    model.k.fill_(0.5)
    trainer(tmp_path, max_steps=10, limit_val_batches=0).fit(model, datamodule=glyphs())
    assert float(model.k) == end and model.k.dtype == torch.float32


def test_k_begins_at_0_and_moves_once_a_batch(tmp_path):
    model = frozen(1.0, 0.1, k_rate=0.01)
    assert float(model.k) == 0
    trainer(tmp_path, max_steps=7, limit_val_batches=0).fit(model, datamodule=glyphs())
    assert float(model.k) == pytest.approx(7 * 0.01 * (0.5 * 1.0 - 0.1), rel=1e-5)


def test_validation_leaves_k_alone(tmp_path):
    model = small(BEGAN)
    model.k.fill_(0.25)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trainer(tmp_path).validate(model, datamodule=glyphs())
    assert_equal(before, dict(model.state_dict()))


def test_resume_keeps_k_and_the_plateau_bit_for_bit(tmp_path):
    def parts():
        schedule = partial(ReduceLROnPlateau, factor=0.5, patience=2, threshold=0.1)
        return small(BEGAN, k_rate=0.5, gamma=1.0, scheduler=schedule)

    straight = fit(tmp_path / "straight", parts(), max_steps=14)
    fit(tmp_path / "first", parts(), max_steps=7)
    last = tmp_path / "first" / "checkpoints" / "last.ckpt"
    resumed = fit(tmp_path / "second", parts(), max_steps=14, ckpt_path=last)
    assert_equal(training_state(straight), training_state(resumed))
    names = {"k", "convergence_mean"}
    assert names <= straight["state_dict"].keys() and all(straight["state_dict"][name] != 0 for name in names)
    assert straight["lr_schedulers"][0]["last_epoch"] == 14 and straight["lr_schedulers"][0]["best"] < 9


def test_learning_rates_halve_when_the_convergence_stalls_and_not_before(tmp_path):
    """M is constant here, so the first batch is the best one, and after three more patience is at its end."""

    class Rates(Callback):
        rates = []

        def on_train_batch_end(self, trainer, *_):
            self.rates.append([optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers])

    schedule, watch = partial(ReduceLROnPlateau, factor=0.5, patience=2), Rates()
    model = frozen(1.0, 0.5, scheduler=schedule, lr=1e-6)
    trainer(tmp_path, max_steps=8, callbacks=[watch], limit_val_batches=0).fit(model, datamodule=glyphs())
    steps = [rates[0] / 1e-6 for rates in watch.rates]
    assert steps == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25])
    assert all(generator == discriminator for generator, discriminator in watch.rates)


def test_a_falling_convergence_keeps_the_learning_rates(tmp_path):
    class Improves(Callback):
        def on_train_batch_start(self, trainer, model, *_):
            model.discriminator.real *= 0.9
            model.discriminator.fake *= 0.9

    schedule = partial(ReduceLROnPlateau, factor=0.5, patience=2)
    model = frozen(1.0, 0.5, generator_scheduler=schedule, lr=1e-6)
    run = trainer(tmp_path, max_steps=8, callbacks=[Improves()], limit_val_batches=0)
    run.fit(model, datamodule=glyphs())
    assert run.optimizers[0].param_groups[0]["lr"] == 1e-6


def test_residuals_vanish(tmp_path):
    model, seen = small(BEGAN, vanishing=4), []
    assert any(isinstance(m, VanishingResidual) for m in model.generator.modules())
    carry = model.discriminator.encoder.discriminator.layers[1]
    assert isinstance(carry, VanishingResidual)
    model.discriminator.register_forward_pre_hook(lambda *_: seen.append(float(carry.carry)))
    trainer(tmp_path, max_steps=6, limit_val_batches=0).fit(model, datamodule=glyphs())
    assert seen[::3] == [1, 0.75, 0.5, 0.25, 0, 0]  # three looks a batch
    averaged = [m for m in model.generator_ema.modules() if isinstance(m, VanishingResidual)]
    assert averaged and all(float(m.carry) == 0 for m in averaged)


def test_options_reach_the_networks():
    model = BEGAN(
        image_shape=SHAPE, backbone=BEGANBackbone(width=4, upsampling="transposed", generator_norm="batch", skip=True)
    )
    kinds = {type(m) for m in model.generator.modules()}
    assert nn.ConvTranspose2d in kinds and nn.BatchNorm2d in kinds and model.discriminator.decoder.skip
    assert not any(isinstance(m, nn.BatchNorm2d) for m in small(BEGAN).modules())


def test_refused():
    refused(lambda: small(BEGAN, gamma=0.0), "gamma must be in (0, 1]", "0.0")
    refused(lambda: small(BEGAN, k_rate=-1.0), "k_rate must be at least 0")
    refused(lambda: small(BEGAN, k_rate=float("nan")), "k_rate must be at least 0")
    refused(lambda: small(BEGAN, augment=["translation"], augment_target=0.6), "means nothing in BEGAN")
    refused(lambda: small(BEGAN, vanishing=-1), "vanishing must be at least 0")
    refused(lambda: small(BEGAN, backbone=DCGANBackbone(width=4), vanishing=4), "DCGANBackbone", "vanishing=0")
    net = small(BEGAN)
    refused(
        lambda: BEGAN(generator=net.generator, discriminator=net.discriminator, backbone=BEGANBackbone()), "backbone"
    )
