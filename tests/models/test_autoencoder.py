"""The autoencoder, and what it shares with the VAE: one optimizer, two networks, averages of both."""

from functools import partial

import pytest
import torch
from conftest import SHAPE, fit, glyphs, refused, small, trainer
from lightning.pytorch import Callback
from lightning.pytorch.loggers import CSVLogger
from torch.nn.functional import binary_cross_entropy

from lit_gans import VAE, AutoEncoder, Gaussians
from lit_gans.callbacks import CollapseMonitor, SampleGrid
from lit_gans.networks import DCGANGenerator, Decoder, MLPBackbone
from lit_gans.optim import LinearDecay

both = pytest.mark.parametrize("cls", [AutoEncoder, VAE])


# -------------------------------------------------------------------- the autoencoder


def test_objective_by_hand():
    images = torch.rand(5, *SHAPE) * 2 - 1
    model = small(AutoEncoder)
    decoded = model.generator.decoder(model.encoder(images))
    expected = 0.5 * (decoded - images).square().flatten(1).sum(1).mean()
    torch.testing.assert_close(model.objective(images)["reconstruction"], expected)
    model = small(AutoEncoder, likelihood="bernoulli")
    white = (model.generator.decoder(model.encoder(images)) + 1) / 2
    expected = binary_cross_entropy(white, (images + 1) / 2, reduction="sum") / 5
    torch.testing.assert_close(model.objective(images)["reconstruction"], expected)


def test_error_falls_below_that_of_principal_components():
    """On images that lie on a curve: one code number is enough for it, one principal component is not."""
    torch.manual_seed(0)
    angle = 3 * torch.rand(512, 1)
    images = torch.sin(angle + torch.arange(64) / 10).view(-1, 1, 8, 8)
    model = AutoEncoder(image_shape=(1, 8, 8), backbone=MLPBackbone((64,), (64,), latent_dim=1), ema_decay=0)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(300):
        optimizer.zero_grad()
        model.objective(images)["reconstruction"].backward()
        optimizer.step()
    flat = images.flatten(1)
    left = torch.linalg.svdvals(flat - flat.mean(0))[1:].square().sum() / flat.numel()
    error = (model.reconstruct(images) - images).square().mean()
    assert error < 0.5 * left
    torch.testing.assert_close(model.decode(model.encode(images)), model.reconstruct(images))
    # and what it draws lies where the images do, which N(0, 1) as codes need not
    codes = model.generator.codes(torch.randn(2000, 1))
    torch.testing.assert_close(codes.mean(), model.encode(images).mean(), atol=0.3, rtol=0.1)
    torch.testing.assert_close(codes.std(), model.encode(images).std(), atol=0.3, rtol=0.1)


def test_noise_goes_through_the_averaged_statistics(tmp_path):
    model = small(AutoEncoder)
    fit(tmp_path, model, max_steps=6)
    average = model.generator_ema.module
    assert int(average.batches) == 6 and not torch.equal(average.mean, torch.zeros(8))
    assert torch.equal(average.covariance, model.generator.covariance)
    noise = torch.randn(3, 8)
    torch.testing.assert_close(model.sample(noise=noise), model.decode(average.codes(noise)))


def test_a_decoder_of_ones_own():
    model = small(AutoEncoder, generator=Decoder(DCGANGenerator(SHAPE, 5, 4)))
    assert model.latent_dim == 5 and model.encode(torch.zeros(2, *SHAPE)).shape == (2, 5)
    plain = torch.nn.Sequential(torch.nn.Linear(3, 256), torch.nn.Tanh(), torch.nn.Unflatten(1, SHAPE))
    assert small(AutoEncoder, generator=plain, latent_dim=3).sample(2).shape == (2, *SHAPE)
    refused(lambda: small(AutoEncoder, generator=torch.nn.Linear(2, 2)), "Linear", "latent_dim")
    refused(lambda: AutoEncoder(), "image_shape", "encoder")


# -------------------------------------------------------------------- what both share


@both
def test_both_networks_move_by_one_optimizer(cls, tmp_path):
    model, outputs = small(cls), []

    class Watch(Callback):
        def on_train_batch_end(self, trainer, pl_module, given, batch, batch_idx):
            outputs.append(given)

    before = [p.detach().clone() for p in [*model.encoder.parameters(), *model.generator.parameters()]]
    checkpoint = fit(tmp_path, model, callbacks=[Watch()], max_steps=3)
    after = [*model.encoder.parameters(), *model.generator.parameters()]
    assert all(not torch.equal(a, b) for a, b in zip(after, before, strict=True))
    assert checkpoint["global_step"] == 3 and len(checkpoint["optimizer_states"]) == 1
    assert int(model.generator_ema.n_averaged) == int(model.encoder_ema.n_averaged) == 3
    for given in outputs:
        terms = [value for name, value in given.items() if name != "loss"]
        assert len(terms) == (2 if cls is VAE else 1)
        torch.testing.assert_close(sum(terms), given["loss"].detach())


@both
def test_the_averages_are_those_of_the_weights(cls, tmp_path):
    """By the rule min(decay, (1 + t) / (10 + t)), recomputed from the weights after every batch."""
    model, seen = small(cls, ema_decay=0.3), []

    class Watch(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            seen.append([p.detach().clone() for p in pl_module.encoder.parameters()])

    expected = [p.detach().clone() for p in model.encoder.parameters()]
    fit(tmp_path, model, callbacks=[Watch()], max_steps=5)
    for t, weights in enumerate(seen):
        kept = min(0.3, (1 + t) / (10 + t))
        expected = [kept * old + (1 - kept) * new for old, new in zip(expected, weights, strict=True)]
    for mean, average in zip(expected, model.encoder_ema.module.parameters(), strict=True):
        torch.testing.assert_close(mean, average)
    with model.inference_encoder() as encoder:
        assert encoder is model.encoder_ema.module and not encoder.training
    assert small(cls, ema_decay=0).encoder_ema is None


@both
def test_schedule_clipping_and_pictures(cls, tmp_path):
    norms = []

    class Norms(Callback):
        def on_before_zero_grad(self, trainer, pl_module, optimizer):
            gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
            if gradients:
                norms.append(float(torch.nn.utils.get_total_norm(gradients)))

    model = small(cls, clip_norm=1e-3, scheduler=partial(LinearDecay, steps=8))
    callbacks = [Norms(), SampleGrid(count=9), CollapseMonitor(after=0)]
    once = {"max_steps": -1, "max_epochs": 1, "log_every_n_steps": 1}
    run = trainer(tmp_path, callbacks=callbacks, logger=CSVLogger(tmp_path), **once)
    data = glyphs(count=20)
    run.fit(model, datamodule=data)
    steps = run.global_step
    assert run.optimizers[0].param_groups[0]["lr"] == pytest.approx(2e-4 * (1 - min(steps, 8) / 8))
    assert norms and max(norms) <= 1e-3 * 1.001
    folder = next(tmp_path.glob("lightning_logs/version_0"))
    assert (folder / "samples" / f"reconstruction_{steps:07}.png").is_file()
    names = (folder / "metrics.csv").read_text()
    for name in ("encoder/gradient_norm", "generator/gradient_norm", "reconstruction", "loss", "val/mse"):
        assert name in names
    assert "discriminator" not in names


@both
def test_points_get_perceptrons(cls, tmp_path):
    model = cls(image_shape=(2, 1, 1), latent_dim=3)
    fit(tmp_path, model, Gaussians(), max_steps=4, limit_val_batches=1)
    assert model.sample(5).shape == (5, 2, 1, 1) and model.reconstruct(torch.zeros(4, 2, 1, 1)).shape == (4, 2, 1, 1)


@both
def test_a_broken_loss_stops_the_run(cls, tmp_path):
    from lit_gans.errors import NonFiniteLoss

    model = small(cls)
    with torch.no_grad():
        next(model.encoder.parameters()).fill_(torch.nan)
    with pytest.raises(NonFiniteLoss, match="the model's term 'reconstruction' became nan at batch 0"):
        trainer(tmp_path).fit(model, datamodule=glyphs())


@both
def test_a_schedule_must_not_wait_for_a_score(cls, tmp_path):
    model = small(cls, scheduler=torch.optim.lr_scheduler.ReduceLROnPlateau)
    refused(lambda: trainer(tmp_path).fit(model, datamodule=glyphs()), "ReduceLROnPlateau", "LinearDecay")
