"""The running reconstruction error: its protocol, what it says of a generator, and that it leaves no trace."""

import pytest
import torch
from conftest import SHAPE, assert_equal, fit, glyphs, refused, small, trainer, training_state
from torch import nn

from lit_gans import DCGAN, WeightNormGAN
from lit_gans.callbacks import Reconstruction
from lit_gans.cli.main import main
from lit_gans.core.game import BaseGAN
from lit_gans.latents.inversion import XIANG_LI, invert_images
from lit_gans.metrics import ReconstructionError


class Linear(nn.Module):
    """Draws the combinations of a few orthonormal images, so that the nearest one is known."""

    latent_dim = 6

    def __init__(self, basis):
        super().__init__()
        self.basis = nn.Parameter(basis)

    def forward(self, noise):
        return (noise @ self.basis).view(-1, *SHAPE)


class Labelled(Linear):
    def forward(self, noise, label):
        return super().forward(noise) + label.view(-1, 1, 1, 1)


def orthonormal(seed=0):
    basis = torch.empty(6, 256)
    nn.init.orthogonal_(basis, generator=torch.Generator().manual_seed(seed))
    return basis


# -------------------------------------------------------------------- the protocol


def test_running_is_the_papers_descent():
    """z from 0 by RMSprop with learning rate 0.01, decay 0.9 and epsilon 1e-6, written out; the best point counts."""
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Unflatten(1, (3, 2, 2)))
    image = torch.rand(1, 3, 2, 2) * 2 - 1
    z, square, errors = torch.zeros(1, 5), torch.zeros(1, 5), []
    for _ in range(51):
        z.requires_grad_()
        error = (generator(z) - image).square().mean()
        errors.append(error.item())
        (grad,) = torch.autograd.grad(error, z)
        square = 0.9 * square + 0.1 * grad**2
        z = (z - 0.01 * grad / (square.sqrt() + 1e-6)).detach()
    found = invert_images(generator, image, 5, **XIANG_LI)
    assert found.errors.item() == pytest.approx(min(errors), rel=1e-3)
    assert min(errors) < 0.9 * errors[0]
    metric = ReconstructionError(5, **XIANG_LI)
    metric.update(image, generator)
    assert float(metric.compute()) == pytest.approx(found.errors.item())


def test_it_stays_near_the_origin_and_needs_no_seed():
    generator = Linear(orthonormal())
    images = generator(torch.full((3, 6), 9.0)).detach()
    found = invert_images(generator, images, 6, **XIANG_LI)
    assert 0.4 < found.noise.abs().max() < 0.7
    assert torch.equal(found.noise, invert_images(generator, images, 6, **XIANG_LI, seed=7).noise)


def test_one_start_from_the_origin():
    refused(lambda: invert_images(Linear(orthonormal()), torch.zeros(1, *SHAPE), 6, **{**XIANG_LI, "restarts": 2}), 2)


# -------------------------------------------------------------------- the callback


class Still(DCGAN):
    """Keeps its generator as it is."""

    def generator_step(self, batch, fake):
        return {}


def measured(folder, generator, callback=None):
    """What a run of one epoch logs, with a generator that does not learn."""
    model = Still(generator=generator, discriminator=nn.Sequential(nn.Flatten(), nn.Linear(256, 1)), image_shape=SHAPE)
    run = trainer(folder, callbacks=[callback or Reconstruction(images=6)], max_epochs=1, max_steps=-1)
    run.fit(model, datamodule=glyphs(count=200))
    return run.callback_metrics.get("val/reconstruction")


def validation_images(count):
    data = glyphs(count=200)
    data.setup("fit")
    return torch.cat([data.on_after_batch_transfer(batch, 0)["image"] for batch in data.val_dataloader()])[:count]


def test_it_falls_when_the_generator_can_draw_the_images(tmp_path):
    """Two linear generators: one draws the validation images exactly, the other what is at right angles to them."""
    images = validation_images(6).flatten(1)
    noise = 0.3 * torch.eye(6)
    able = Linear(torch.linalg.lstsq(noise, images).solution)
    unable = Linear(torch.linalg.svd(images, full_matrices=True).Vh[-6:].contiguous())
    low, high = measured(tmp_path / "a", able), measured(tmp_path / "b", unable)
    assert float(high) == pytest.approx(float(images.square().mean()), rel=1e-3)  # z = 0 is its best
    assert low < 0.1 * high
    expected = invert_images(able, images.view(-1, *SHAPE), 6, **XIANG_LI).errors.mean()
    assert float(low) == pytest.approx(float(expected), rel=1e-4)
    more = measured(tmp_path / "c", able, Reconstruction(images=6, steps=100))
    assert more < low
    assert measured(tmp_path / "d", able, Reconstruction(images=2)) != low


def test_epochs_between_two_measurements(tmp_path):
    logged, callback = [], Reconstruction(images=2, steps=1, every_n_epochs=2)
    model = small(WeightNormGAN)
    model.log = lambda name, value, **_: logged.append((name, model.current_epoch))
    run = trainer(tmp_path, callbacks=[callback], max_epochs=5, max_steps=-1)
    run.fit(model, datamodule=glyphs(count=16))
    assert [epoch for name, epoch in logged if name == "val/reconstruction"] == [1, 3]


@pytest.mark.parametrize("cls", [DCGAN, WeightNormGAN])
def test_measuring_leaves_no_trace(tmp_path, cls):
    """The run with it is the run without it, bit for bit, and every module keeps its mode."""
    states = []
    for name, callbacks in (("plain", []), ("measured", [Reconstruction(images=4, steps=3)])):
        checkpoint = fit(tmp_path / name, small(cls), glyphs(count=20), max_steps=12, callbacks=callbacks)
        states.append(training_state(checkpoint))
    assert_equal(*states)
    model, data = small(cls).train(), glyphs()
    next(model.generator_ema.module.children()).eval()
    modes, state = [m.training for m in model.modules()], torch.get_rng_state()
    run = trainer(tmp_path, callbacks=[Reconstruction(images=2, steps=2)])
    (values,) = run.validate(model, datamodule=data, verbose=False)
    assert values["val/reconstruction"] > 0
    assert [m.training for m in model.modules()] == modes and torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in model.parameters())


def test_a_model_without_noise(tmp_path):
    class Copies(BaseGAN):
        def generate(self, batch): ...
        def discriminator_loss(self, batch, fake): ...
        def generator_loss(self, batch, fake): ...
        def sample(self, n=64, *, seed=None): ...

    model = Copies(generator=nn.Linear(1, 1), discriminator=nn.Linear(1, 1))
    refused(lambda: trainer(tmp_path, callbacks=[Reconstruction()]).fit(model, glyphs()), "Copies", "from noise alone")


@pytest.mark.parametrize("name", ["images", "steps", "every_n_epochs"])
def test_numbers_below_one(name):
    refused(lambda: Reconstruction(**{name: 0}), f"{name}=0")


def test_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = [
        "--model=WeightNormGAN",
        "--model.backbone.width=4",
        "--data=Glyphs",
        "--data.size=[16,16]",
        "--data.count=80",
    ]
    flags += ["--trainer.max_epochs=1", "--trainer.callbacks+=Reconstruction", "--trainer.callbacks.images=4"]
    flags += ["--trainer.limit_val_batches=1"]
    main(["fit", *flags, "--best.monitor=val/reconstruction", "--trainer.accelerator=cpu"])
    (metrics,) = tmp_path.glob("runs/*/version_0/metrics.csv")
    assert "val/reconstruction" in metrics.read_text().splitlines()[0]
    assert list(tmp_path.glob("runs/*/version_0/checkpoints/best.ckpt"))
