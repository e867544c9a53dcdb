"""What the base class promises beside the contract: refusals, clipping, schedules, descriptions."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from conftest import SHAPE, fit, glyphs, small, trainer
from lightning.pytorch import Callback
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader

import lit_gans
from lit_gans import DCGAN, GAN, LatentGAN
from lit_gans.errors import NonFiniteLoss, UsageError
from lit_gans.networks import DCGANBackbone, MLPDiscriminator, MLPGenerator
from lit_gans.optim import LinearDecay


class GeometricGAN(LatentGAN):
    """A user's own game, as the README has it."""

    def discriminator_loss(self, batch, fake):
        return {
            "real": F.relu(1 - self.discriminator(batch["image"])).mean(),
            "fake": F.relu(1 + self.discriminator(fake)).mean(),
        }

    def generator_loss(self, batch, fake):
        return {"fake": -self.discriminator(fake).mean()}


class Fixed(LatentGAN):
    """Builds its own networks and fixes an argument of the base."""

    def __init__(self, hidden=8, **base):
        shape = base["image_shape"]
        generator, discriminator = MLPGenerator(shape, 8, (hidden,)), MLPDiscriminator(shape)
        super().__init__(generator=generator, discriminator=discriminator, generator_every=2, **base)

    discriminator_loss = GeometricGAN.discriminator_loss
    generator_loss = GeometricGAN.generator_loss


def test_a_users_own_game(tmp_path):
    model = Fixed(hidden=12, image_shape=SHAPE)
    fit(tmp_path, model)
    loaded = lit_gans.load(tmp_path / "checkpoints" / "last.ckpt")
    assert type(loaded) is Fixed and loaded.generator.layers[0].out_features == 12 and loaded.generator_every == 2


@pytest.mark.parametrize("shape", [(3, 24, 16), (2, 1, 1)])
def test_a_family_has_networks_for_any_shape(shape):
    assert GeometricGAN(image_shape=shape).sample(2).shape == (2, *shape)


def test_live_networks_are_named_when_missing(tmp_path):
    def networks():
        return {"generator": MLPGenerator(SHAPE, 8), "discriminator": MLPDiscriminator(SHAPE)}

    model = GeometricGAN(**networks(), image_shape=SHAPE)
    fit(tmp_path, model)
    path = tmp_path / "checkpoints" / "last.ckpt"
    with pytest.raises(UsageError, match=r"generator passed as an object .*MLPGenerator.*generator=MLPGenerator"):
        lit_gans.load(path)
    assert torch.equal(lit_gans.load(path, **networks()).sample(2, seed=0), model.sample(2, seed=0))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.randint(0, 256, (8, *SHAPE), dtype=torch.int32), r"\[-1, 1\].*int32.*image / 127.5 - 1"),
        (torch.rand(8, *SHAPE) * 255, r"\[-1, 1\].*in \[0, 255\]"),
        (torch.randn(8, *SHAPE) * 3, r"\[-1, 1\]"),
        (torch.rand(8, 3, 16, 16) * 2 - 1, r"\(1, 16, 16\).*\(3, 16, 16\); set image_shape"),
    ],
)
def test_refuses_images_it_cannot_match(images, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        trainer(tmp_path).fit(small(DCGAN), DataLoader(images, batch_size=4))


def test_refuses_images_in_zero_one(tmp_path):
    with pytest.raises(UsageError, match=r"must be brought to \[-1, 1\], with image"):
        trainer(tmp_path).fit(small(DCGAN), DataLoader(torch.rand(8, *SHAPE), batch_size=4))


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_nan_names_player_and_term_and_keeps_the_checkpoint(player, tmp_path):
    class Breaks(GAN):
        def discriminator_loss(self, batch, fake):
            return self.spoil("discriminator", super().discriminator_loss(batch, fake))

        def generator_loss(self, batch, fake):
            return self.spoil("generator", super().generator_loss(batch, fake))

        def spoil(self, who, terms):
            broken = who == player and self.trainer.fit_loop.total_batch_idx == 12
            return {**terms, "fake": terms["fake"] * float("nan")} if broken else terms

    model = Breaks(image_shape=SHAPE)
    with pytest.raises(NonFiniteLoss, match=f"the {player}'s term 'fake' became nan at batch 12"):
        fit(tmp_path, model, max_steps=30)
    kept = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert kept["global_step"] == 10
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_broken_weights_are_never_saved(tmp_path):
    model = small(GAN)
    run = trainer(tmp_path)
    run.fit(model, datamodule=glyphs())
    next(model.generator.parameters()).data[0] = float("inf")
    with pytest.raises(NonFiniteLoss, match="nothing was saved"):
        run.save_checkpoint(tmp_path / "broken.ckpt")
    assert not list(tmp_path.glob("*broken*"))


def test_clipping_sees_both_players(tmp_path):
    class Norms(Callback):
        def __init__(self):
            self.norms = []

        def on_before_zero_grad(self, trainer, pl_module, optimizer):
            pass

        def on_train_batch_end(self, trainer, pl_module, *_):
            for network in (pl_module.generator, pl_module.discriminator):
                self.norms.append(nn.utils.get_total_norm([p.grad for p in network.parameters()]))

    free, clipped = Norms(), Norms()
    fit(tmp_path / "a", small(DCGAN), callbacks=[free])
    fit(tmp_path / "b", small(DCGAN, clip_norm=1e-3), callbacks=[clipped])
    assert min(free.norms) > 1e-2
    assert all(norm == pytest.approx(1e-3, rel=1e-3) for norm in clipped.norms)


def test_schedules_step_once_a_batch_and_optimizers_are_the_players_own(tmp_path):
    schedule = partial(LinearDecay, steps=8)
    model = small(DCGAN, generator_scheduler=schedule, generator_optimizer=partial(torch.optim.SGD, lr=0.1))
    checkpoint = fit(tmp_path, model, max_steps=4)
    generator, discriminator = checkpoint["optimizer_states"]
    assert generator["param_groups"][0]["lr"] == pytest.approx(0.05)
    assert discriminator["param_groups"][0]["lr"] == 2e-4
    assert checkpoint["hyper_parameters"]["generator_optimizer"] == {
        "class_path": "torch.optim.sgd.SGD",
        "init_args": {"lr": 0.1},
    }


def test_a_frozen_part_stays_frozen(tmp_path):
    model = small(DCGAN)
    model.generator.project.requires_grad_(False)
    before = model.generator.project.weight.clone()
    fit(tmp_path, model)
    assert torch.equal(before, model.generator.project.weight) and not model.generator.project.weight.requires_grad


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"generator_optimizer": lambda p: torch.optim.SGD(p, 0.1)}, "functools.partial"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"generator_every": 0}, "generator_every"),
        ({"clip_norm": -1.0}, "clip_norm"),
        ({"image_shape": None}, "need image_shape="),
        ({"image_shape": (1, 4, 4)}, "at least 8x8"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(UsageError, match=message):
        DCGAN(**{"image_shape": SHAPE, "backbone": DCGANBackbone(width=4), **arguments})


def test_a_generator_must_say_its_noise():
    with pytest.raises(UsageError, match="latent_dim"):
        GeometricGAN(generator=nn.Linear(2, 2), discriminator=nn.Linear(2, 1))


def test_hyperparameters_must_load_back(tmp_path):
    class Odd(GAN):
        def __init__(self, thing=None, **base):
            super().__init__(**base)

    with pytest.raises(UsageError, match="thing="):
        fit(tmp_path, Odd(thing=slice(1), image_shape=SHAPE))


def test_logging_counts_batches_and_costs_one_call(tmp_path):
    logger = CSVLogger(tmp_path)
    model, calls = small(DCGAN, generator_every=1), []
    log_dict = model.log_dict
    model.log_dict = lambda *a, **k: (calls.append(1), log_dict(*a, **k))
    trainer(tmp_path, max_steps=12, logger=logger, log_every_n_steps=5, limit_val_batches=0).fit(
        model, datamodule=glyphs()
    )
    logger.save()
    rows = (tmp_path / "lightning_logs" / "version_0" / "metrics.csv").read_text().splitlines()
    names = rows[0].split(",")
    assert len(calls) == 3  # the third is the last batch, for callbacks; loggers do not take it
    assert {"discriminator/real", "discriminator/fake", "discriminator/loss", "generator/loss"} <= set(names)
    assert [int(row.split(",")[names.index("step")]) for row in rows[1:]] == [4, 9]


def test_saturating_gradient_vanishes_where_the_discriminator_wins():
    """Where D(G(z)) is near 0 the minimax generator learns nothing, the non-saturating one learns fast."""
    gradients = {}
    for saturating in (True, False):
        model = small(GAN, saturating=saturating, ema_decay=0)
        with torch.no_grad():
            model.discriminator.judge.bias.fill_(-12.0)
        batch = {"image": torch.zeros(4, *SHAPE)}
        fake = model.generate(batch)
        fake.retain_grad()
        sum(model.generator_loss(batch, fake).values()).backward()
        gradients[saturating] = fake.grad.norm()
    assert gradients[False] > 0
    assert gradients[True] < 1e-4 * gradients[False]


def test_lsgan_targets():
    model = small(lit_gans.LSGAN, a=-1.0, b=2.0, c=0.5)
    model.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(256, 1, bias=False), nn.Flatten(0))
    nn.init.zeros_(model.discriminator[1].weight)  # says 0 to everything
    batch = {"image": torch.zeros(4, *SHAPE)}
    terms = {k: v.item() for k, v in model.discriminator_loss(batch, batch["image"]).items()}
    assert terms == {"real": 2.0, "fake": 0.5}
    assert model.generator_loss(batch, batch["image"])["fake"].item() == 0.125
