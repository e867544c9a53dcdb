"""The library from Python, as people who know Lightning use it: their own hooks, optimizers, loaders, networks."""

import warnings
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from conftest import LATENT_MODELS, MODELS, SHAPE, data_for, fit, glyphs, refused, small, trainer
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import BaseFinetuning, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR
from torch.utils.data import DataLoader, TensorDataset

import lit_gans
from lit_gans import (
    CGAN,
    CUT,
    DCGAN,
    GAN,
    SGAN,
    VAE,
    WGAN,
    WGANGP,
    CycleGAN,
    GenerativeModel,
    InfoGAN,
    LatentGAN,
    UnpairedGlyphs,
)
from lit_gans.callbacks import LearningRateMonitor
from lit_gans.networks import DCGANBackbone, ResNetTranslation
from lit_gans.optim import Adam

NOISE = 8


def images(n=40, low=-1.0, high=1.0, size=16):
    rng = torch.Generator().manual_seed(0)
    return torch.rand(n, 1, size, size, generator=rng) * (high - low) + low


def loader(values, **options):
    return DataLoader(values, batch_size=10, **options)


class Linear(nn.Sequential):
    """A generator that a user may write."""

    latent_dim = NOISE

    def __init__(self):
        super().__init__(nn.Linear(NOISE, 256), nn.Tanh(), nn.Unflatten(1, SHAPE))


def judge():
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 1))


class Hinge(LatentGAN):
    def discriminator_loss(self, batch, fake):
        real = F.relu(1 - self.discriminator(batch["image"])).mean()
        return {"real": real, "fake": F.relu(1 + self.discriminator(fake)).mean()}

    def generator_loss(self, batch, fake):
        return {"fake": -self.discriminator(fake).mean()}


def hinge(cls=Hinge, **arguments):
    torch.manual_seed(0)
    return cls(**{"generator": Linear(), "discriminator": judge(), "image_shape": SHAPE, **arguments})


# -------------------------------------------------------------------- batches


def test_training_is_inspected_whatever_validation_was(tmp_path):
    outside = loader(images(low=0, high=255))
    run = trainer(tmp_path)
    refused(lambda: run.fit(small(DCGAN), outside, loader(images())), "[-1, 1]", "127.5")
    from lightning.pytorch import Trainer

    quiet = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    refused(lambda: Trainer(max_steps=2, **quiet).fit(small(DCGAN), outside, loader(images())), "[-1, 1]")


def test_validation_and_a_second_fit_are_inspected(tmp_path):
    model = small(DCGAN)
    refused(lambda: trainer(tmp_path).fit(model, loader(images()), loader(images(low=0, high=255))), "[-1, 1]")
    refused(lambda: trainer(tmp_path).fit(model, loader(images(low=0, high=255))), "[-1, 1]")
    refused(lambda: trainer(tmp_path).fit(model, loader(images(size=20))), "(1, 20, 20)")
    refused(lambda: trainer(tmp_path).validate(model, loader(images(low=0, high=255)), verbose=False), "[-1, 1]")


def test_fakes_of_another_size_are_refused(tmp_path):
    model = hinge(image_shape=None)
    refused(lambda: trainer(tmp_path).fit(model, loader(images(size=20))), "(1, 16, 16)", "(1, 20, 20)")


def test_batches_that_are_none(tmp_path):
    class Batch:
        pass

    refused(lambda: small(DCGAN).receive(Batch()), "Batch", "collate_fn")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("cls", [DCGAN, VAE])
def test_images_of_another_number_type(cls, dtype, tmp_path):
    trainer(tmp_path, max_steps=2).fit(small(cls), loader(images().to(dtype)))


# -------------------------------------------------------------------- what is logged


@pytest.mark.parametrize("cls", [WGAN, WGANGP])
def test_terms_that_come_seldom_are_logged(cls, tmp_path):
    """The generator moves on batches 0, 5, 10 ...; losses are logged on 9, 19, 29 ..."""
    run = trainer(tmp_path, max_steps=20, logger=CSVLogger(tmp_path), log_every_n_steps=10, limit_val_batches=0)
    run.fit(small(cls, generator_every=5), datamodule=glyphs())
    assert "generator/loss" in (tmp_path / "lightning_logs" / "version_0" / "metrics.csv").read_text()
    assert torch.isfinite(run.callback_metrics["generator/loss"])


def test_a_lazy_penalty_is_logged(tmp_path):
    run = trainer(tmp_path, max_steps=10, logger=CSVLogger(tmp_path), log_every_n_steps=5, limit_val_batches=0)
    run.fit(small(DCGAN, r1=1.0, r1_every=4, discriminator_norm="none"), datamodule=glyphs())
    assert run.callback_metrics["discriminator/r1"] > 0


# -------------------------------------------------------------------- who moves


def test_weights_that_both_players_have_train(tmp_path):
    shared = nn.Linear(256, 256)
    generator = Linear()
    generator.insert(1, shared)
    discriminator = nn.Sequential(nn.Flatten(), shared, nn.Linear(256, 1))
    model = hinge(generator=generator, discriminator=discriminator)
    before = shared.weight.detach().clone()
    fit(tmp_path, model, max_steps=2)
    assert not torch.equal(before, shared.weight) and shared.weight.requires_grad


class Third(Hinge):
    def __init__(self, **base):
        super().__init__(**base)
        self.encoder = nn.Linear(256, 8)


def test_a_third_network_that_nobody_moves_is_refused(tmp_path):
    words = ("encoder", "a part of the generator or the discriminator", "requires_grad_(False)")
    refused(lambda: fit(tmp_path, hinge(Third)), *words)
    frozen = hinge(Third)
    frozen.encoder.requires_grad_(False)
    fit(tmp_path, frozen, max_steps=1)


def test_a_third_network_in_an_optimizer_trains(tmp_path):
    class Moved(Third):
        def discriminator_loss(self, batch, fake):
            code = self.encoder(batch["image"].flatten(1))
            return {**super().discriminator_loss(batch, fake), "code": code.square().mean()}

        def configure_optimizers(self):
            both = [*self.discriminator.parameters(), *self.encoder.parameters()]
            return [torch.optim.Adam(self.generator.parameters(), 1e-4), torch.optim.Adam(both, 4e-4)]

    model = hinge(Moved)
    before = model.encoder.weight.detach().clone()
    fit(tmp_path, model, max_steps=3)
    assert not torch.equal(before, model.encoder.weight)


def test_a_third_network_of_a_model_without_a_game(tmp_path):
    class Half(VAE):
        def configure_optimizers(self):
            return torch.optim.Adam(self.encoder.parameters(), 1e-4)

    class Whole(VAE):
        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 1e-4)

    refused(
        lambda: fit(tmp_path, Half(image_shape=SHAPE, backbone=DCGANBackbone(width=4))),
        "generator",
        "a part of the encoder or the generator, or give it to the one optimizer",
        "requires_grad_(False)",
    )
    assert fit(tmp_path, Whole(image_shape=SHAPE, backbone=DCGANBackbone(width=4)), max_steps=1)["global_step"] == 1


def test_a_model_without_a_game_that_is_frozen_cannot_learn(tmp_path):
    model = small(VAE)
    model.requires_grad_(False)
    refused(lambda: fit(tmp_path, model), "no network of encoder, generator has a parameter that requires a gradient")


def optimizers(*players, schedule=None):
    class Own(Hinge):
        def configure_optimizers(self):
            made = [torch.optim.Adam(getattr(self, player).parameters(), 1e-3) for player in players]
            return (made, [schedule(made[0])]) if schedule else made

    return hinge(Own)


def test_optimizers_as_lightning_has_them(tmp_path):
    assert fit(tmp_path, optimizers("generator", "discriminator"), max_steps=3)["global_step"] == 3


@pytest.mark.parametrize("players", [["generator"], ["generator", "discriminator", "discriminator"]])
def test_other_numbers_of_optimizers_are_refused(players, tmp_path):
    refused(lambda: fit(tmp_path, optimizers(*players)), "2 optimizers", f"got {len(players)}")


def test_optimizers_in_the_wrong_order_are_refused(tmp_path):
    refused(
        lambda: fit(tmp_path, optimizers("discriminator", "generator")), "generator and discriminator, in that order"
    )


@pytest.mark.parametrize(
    "interval, frequency, rates", [("epoch", 1, 2), ("epoch", 2, 1), ("step", 1, 8), ("step", 3, 2)]
)
def test_a_users_schedule_is_stepped_when_it_says(interval, frequency, rates, tmp_path):
    """Eight batches in two epochs of four."""

    def schedule(optimizer):
        scheduler = StepLR(optimizer, 1, 0.5)
        return {"scheduler": scheduler, "interval": interval, "frequency": frequency}

    model = optimizers("generator", "discriminator", schedule=schedule)
    run = trainer(tmp_path, max_steps=-1, max_epochs=2, limit_val_batches=0)
    run.fit(model, loader(images()))
    assert run.optimizers[0].param_groups[0]["lr"] == pytest.approx(1e-3 * 0.5**rates)


def test_a_schedule_that_waits_does_not_hold_up_the_next(tmp_path):
    class Own(Hinge):
        def configure_optimizers(self):
            made = [torch.optim.Adam(getattr(self, player).parameters(), 1e-3) for player in self.players]
            paces = zip(made, ("epoch", "step"), strict=True)
            return made, [{"scheduler": StepLR(each, 1, 0.5), "interval": interval} for each, interval in paces]

    run = trainer(tmp_path, max_steps=-1, max_epochs=1, limit_val_batches=0)
    run.fit(hinge(Own), loader(images()))  # four batches
    rates = [optimizer.param_groups[0]["lr"] for optimizer in run.optimizers]
    assert rates == pytest.approx([1e-3 * 0.5, 1e-3 * 0.5**4])


def test_a_plateau_of_nothing_is_refused(tmp_path):
    class Typo(DCGAN):
        plateau = "generator/lss"

    torch.manual_seed(0)
    model = Typo(
        image_shape=SHAPE, backbone=DCGANBackbone(width=4), generator_scheduler=partial(ReduceLROnPlateau, patience=0)
    )
    refused(lambda: fit(tmp_path, model), "generator/lss", "generator/loss")


# -------------------------------------------------------------------- hooks


class NoSuper(DCGAN):
    """Overrides every hook that Lightning leaves empty, without super()."""

    seen = ()

    def configure_callbacks(self):
        return []

    def setup(self, stage):
        self.seen += ("setup",)

    def on_fit_start(self):
        self.seen += ("on_fit_start",)

    def on_train_start(self):
        self.seen += ("on_train_start",)

    def on_before_optimizer_step(self, optimizer):
        self.seen += ("on_before_optimizer_step",)

    def on_save_checkpoint(self, checkpoint):
        checkpoint["extra"] = 1

    def on_load_checkpoint(self, checkpoint):
        assert checkpoint["extra"] == 1
        self.seen += ("on_load_checkpoint",)


class Mixin:
    def on_save_checkpoint(self, checkpoint):
        checkpoint["extra"] = 2


class Mixed(Mixin, DCGAN):
    pass


def test_hooks_without_super_keep_the_librarys_part(tmp_path):
    def made(cls=NoSuper):
        torch.manual_seed(0)
        return cls(image_shape=SHAPE, backbone=DCGANBackbone(width=4), latent_dim=NOISE, clip_norm=1e-3)

    model = made()
    refused(lambda: fit(tmp_path / "clipped", made(), gradient_clip_val=1.0), "clip_norm")
    checkpoint = fit(tmp_path / "straight", model, max_steps=6)
    assert {"setup", "on_train_start", "on_before_optimizer_step"} <= set(model.seen) and checkpoint["extra"] == 1
    for player in (model.generator, model.discriminator):
        assert float(nn.utils.get_total_norm([p.grad for p in player.parameters()])) <= 1.01e-3
    path = tmp_path / "first" / "checkpoints" / "last.ckpt"
    fit(tmp_path / "first", made(), max_steps=3)
    assert type(lit_gans.load(path)) is NoSuper
    torch.manual_seed(99)
    resumed = fit(tmp_path / "second", made(), ckpt_path=path, max_steps=6)
    for name, value in checkpoint["state_dict"].items():
        assert torch.equal(value, resumed["state_dict"][name]), name
    plain = fit(tmp_path / "plain", made(DCGAN), max_steps=6)
    assert all(torch.equal(value, plain["state_dict"][name]) for name, value in checkpoint["state_dict"].items())


def test_hooks_of_a_mixin(tmp_path):
    torch.manual_seed(0)
    checkpoint = fit(tmp_path, Mixed(image_shape=SHAPE, backbone=DCGANBackbone(width=4)))
    assert checkpoint["extra"] == 2 and checkpoint["lit_gans"]["class_path"].endswith("Mixed")


def test_hooks_that_call_super_run_it_once():
    calls = []

    class Counting(DCGAN):
        def on_save_checkpoint(self, checkpoint):
            super().on_save_checkpoint(checkpoint)

    class Child(Counting):
        def on_save_checkpoint(self, checkpoint):
            calls.append(1)
            super().on_save_checkpoint(checkpoint)
            checkpoint["lit_gans"]["class_path"] = "mine"  # would be undone by a second pass

    checkpoint = {"state_dict": {}}
    Child(image_shape=SHAPE, backbone=DCGANBackbone(width=4)).on_save_checkpoint(checkpoint)
    assert calls == [1] and checkpoint["lit_gans"]["class_path"] == "mine"


@pytest.mark.parametrize("family", [DCGAN, VAE])
def test_the_librarys_part_of_a_hook_runs_once(family, tmp_path, monkeypatch):
    """Twice would, for one, give a resumed run on several devices other random numbers."""
    calls = []

    def count(hook):
        own = getattr(GenerativeModel, hook)

        def counted(self, *given, **named):
            calls.append(hook)
            return own(self, *given, **named)

        monkeypatch.setattr(GenerativeModel, hook, counted)

    hooks = ["setup", "on_fit_start", "on_train_start", "on_save_checkpoint"]
    for hook in hooks:
        count(hook)

    class Calling(family):
        def setup(self, stage):
            super().setup(stage)

        def on_save_checkpoint(self, checkpoint):
            super().on_save_checkpoint(checkpoint)

    class Again(Calling):
        def setup(self, stage):
            super().setup(stage)

        def on_train_start(self):
            pass

    for cls in (family, Calling, Again):
        calls.clear()
        fit(tmp_path / cls.__name__, small(cls), max_steps=1, limit_val_batches=0)
        assert calls == hooks, cls  # SaveLast saves once


@pytest.mark.parametrize("calls_super", [True, False])
def test_an_optimizer_step_of_ones_own_keeps_the_averages(calls_super, tmp_path):
    class Warm(VAE):
        def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None):
            if calls_super:
                super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
            else:
                optimizer.step(closure=optimizer_closure)

    warm, plain = small(Warm), small(VAE)
    warm.load_state_dict(plain.state_dict())
    for name, model in (("warm", warm), ("plain", plain)):
        torch.manual_seed(0)
        fit(tmp_path / name, model, max_steps=3)
    assert int(warm.generator_ema.n_averaged) == int(warm.encoder_ema.n_averaged) == 3
    assert torch.equal(warm.sample(2, seed=0), plain.sample(2, seed=0))


# -------------------------------------------------------------------- turns


@pytest.mark.parametrize("moves", [0, 1, 3])
def test_a_batch_is_a_step_however_often_the_discriminator_moves(moves, tmp_path):
    class Uneven(Hinge):
        def discriminator_step(self, batch, fake):
            terms = {}
            for _ in range(moves):
                terms = super().discriminator_step(batch, fake)
            return terms

    class Count(Callback):
        batches = 0

        def on_train_batch_end(self, *_):
            self.batches += 1

    count = Count()
    checkpoint = fit(tmp_path, hinge(Uneven), callbacks=[count], max_steps=6)
    assert count.batches == checkpoint["global_step"] == 6
    steps = checkpoint["loops"]["fit_loop"]["epoch_loop.manual_optimization.optim_step_progress"]
    assert steps["total"] == {"ready": 6, "completed": 6}


def returning(value, of="generator_loss"):
    class Wrong(Hinge):
        pass

    setattr(Wrong, of, lambda self, batch, fake: value(self, fake) if callable(value) else value)
    return hinge(Wrong)


@pytest.mark.parametrize(
    "value, parts",
    [
        (lambda self, fake: -self.discriminator(fake).mean(), ("dict", "Tensor")),
        (lambda self, fake: {"fake": -self.discriminator(fake)}, ("'fake'", "mean()", "(4, 1)")),
        ({"fake": 0.0}, ("'fake'", "float")),
        ({}, ("empty dict",)),
        (None, ("dict", "NoneType")),
        (lambda self, fake: {"fake": fake.detach().mean()}, ("depend on no weight",)),
    ],
    ids=["tensor", "not reduced", "number", "empty", "nothing", "detached"],
)
@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_terms_that_are_none(player, value, parts, tmp_path):
    refused(lambda: fit(tmp_path, returning(value, f"{player}_loss"), max_steps=1), player, *parts)


@pytest.mark.parametrize(
    "value, parts",
    [
        (lambda self, fake: torch.ones(()), ("discriminator_penalty", "dict", "Tensor")),
        (None, ("discriminator_penalty", "dict", "NoneType")),
        (lambda self, fake: {"fake": torch.ones(())}, ("'fake'", "both")),
        ({"mine": torch.ones(2)}, ("'mine'", "mean()")),
    ],
    ids=["tensor", "nothing", "a name twice", "not reduced"],
)
def test_penalties_that_are_none(value, parts, tmp_path):
    refused(lambda: fit(tmp_path, returning(value, "discriminator_penalty"), max_steps=1), *parts)


@pytest.mark.parametrize("step", ["generator_step", "discriminator_step"])
def test_a_step_that_returns_nothing(step, tmp_path):
    refused(lambda: fit(tmp_path, returning(None, step), max_steps=1), step, "super()")


def test_layers_that_a_callback_unfreezes_train(tmp_path):
    class Later(BaseFinetuning):
        def freeze_before_training(self, module):
            self.freeze(module.discriminator[1])

        def finetune_function(self, module, epoch, optimizer):
            if epoch == 1 and optimizer.param_groups[0]["params"][0].shape[0] != 256:
                self.unfreeze_and_add_param_group(module.discriminator[1], optimizer, lr=1e-2)

    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(256, 16), nn.Linear(16, 1))
    model = hinge(discriminator=discriminator)
    before = discriminator[1].weight.detach().clone()
    frozen_in_turns = []

    class Watch(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            if optimizer is trainer.optimizers[0]:
                frozen_in_turns.append(not discriminator[1].weight.requires_grad)

    run = trainer(tmp_path, max_steps=-1, max_epochs=2, callbacks=[Later(), Watch()], limit_val_batches=0)
    run.fit(model, loader(images()))
    assert not torch.equal(before, discriminator[1].weight) and all(frozen_in_turns)


# -------------------------------------------------------------------- the average, forward, number types


@pytest.mark.parametrize("cls", [DCGAN, VAE])
def test_loaded_weights_are_what_is_sampled(cls, tmp_path):
    pretrained, model = small(cls), small(cls)
    for parameter in pretrained.generator.parameters():
        nn.init.normal_(parameter, std=0.3)
    model.generator.load_state_dict(pretrained.generator.state_dict())
    assert torch.equal(model.sample(4, seed=0), pretrained.sample(4, seed=0))
    fit(tmp_path, model, max_steps=1, limit_val_batches=0)
    first = next(model.generator_ema.module.parameters())
    assert torch.allclose(first, next(pretrained.generator.parameters()), atol=0.01)


def test_the_average_can_begin_anew(tmp_path):
    model, pretrained = small(VAE), small(VAE)
    fit(tmp_path, model)
    model.generator.load_state_dict(pretrained.generator.state_dict())
    model.encoder.load_state_dict(pretrained.encoder.state_dict())
    assert not torch.equal(model.sample(4, seed=0), pretrained.sample(4, seed=0))
    model.reset_average()
    assert torch.equal(model.sample(4, seed=0), pretrained.sample(4, seed=0))
    assert torch.equal(model.encode(images(4)), pretrained.encode(images(4)))


@pytest.mark.parametrize("model_class", LATENT_MODELS, ids=lambda cls: cls.__name__)
def test_forward_is_the_average_in_evaluation_mode(model_class, tmp_path):
    model = small(model_class)
    noise = torch.randn(3, NOISE)
    given = ([0, 1, 0],) if issubclass(model_class, lit_gans.LabelGAN) else ()
    given = (model.codes(3, seed=0),) if issubclass(model_class, InfoGAN) else given
    drawn = model(noise, *given)
    name = "code" if issubclass(model_class, InfoGAN) else "label"
    expected = model.sample(noise=noise, **({name: given[0]} if given else {}))
    torch.testing.assert_close(drawn, expected)
    assert drawn.requires_grad or not any(p.requires_grad for p in model.generator_ema.parameters())
    assert model.training and model.generator_ema.module.training


def test_forward_has_a_gradient_of_its_noise():
    noise = torch.randn(3, NOISE, requires_grad=True)
    small(DCGAN)(noise).mean().backward()
    assert noise.grad.abs().sum() > 0


@pytest.mark.parametrize("cls", [CycleGAN, CUT])
def test_forward_of_a_translator_translates(cls):
    torch.manual_seed(0)
    model = small(cls, image_shape=SHAPE)
    torch.testing.assert_close(model(images(2)), model.translate(images(2)))


def test_a_label_may_be_a_condition():
    model, noise = small(CGAN), torch.randn(2, NOISE)
    condition = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    torch.testing.assert_close(model(noise, condition), model.sample(noise=noise, label=condition))


@pytest.mark.parametrize("model_class", MODELS, ids=lambda cls: cls.__name__)
def test_double_precision_trains(model_class, tmp_path):
    model = small(model_class)
    trainer(tmp_path, precision="64-true", max_steps=2).fit(model, datamodule=data_for(model_class))
    assert next(model.generator.parameters()).dtype == torch.float64
    assert model.sample(2, seed=0).dtype == torch.float32


@pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
@pytest.mark.parametrize("cls", [DCGAN, VAE])
def test_weights_of_few_bits_are_refused(cls, precision, tmp_path):
    refused(lambda: fit(tmp_path, small(cls), precision=precision), precision, "bf16-mixed")


@pytest.mark.parametrize(("convert", "name"), [("half", "float16"), ("bfloat16", "bfloat16")])
@pytest.mark.parametrize("cls", [DCGAN, VAE])
def test_a_model_converted_to_few_bits_is_refused(cls, convert, name, tmp_path):
    model = getattr(small(cls), convert)()
    refused(lambda: fit(tmp_path, model), f"a model converted to {name} ", "float()")
    fit(tmp_path, model.float(), max_steps=1)


@pytest.mark.parametrize("convert", ["half", "bfloat16", "double"])
@pytest.mark.parametrize("cls", [DCGAN, VAE, lit_gans.StyleGAN2])
def test_a_model_converted_by_its_method_draws(cls, convert):
    assert torch.isfinite(getattr(small(cls), convert)().sample(2, seed=0)).all()


@pytest.mark.parametrize("model_class", MODELS, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_a_model_of_another_number_type_draws(model_class, dtype):
    drawn = small(model_class).to(dtype).sample(2, seed=0)
    assert drawn.dtype == torch.float32 and torch.isfinite(drawn).all()


@pytest.mark.parametrize("word", ["half", "bfloat16", "double"])
def test_a_model_is_of_the_number_type_that_it_was_told(word):
    model = getattr(small(DCGAN), word)()
    assert model.dtype == next(model.parameters()).dtype
    assert torch.isfinite(model.sample(2, seed=0)).all()


@pytest.mark.parametrize("cls", [DCGAN, VAE, lit_gans.AutoEncoder, SGAN])
@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_validation_in_another_number_type(cls, precision, tmp_path):
    trainer(tmp_path, precision=precision).validate(small(cls), glyphs(), verbose=False)


def test_a_loaded_model_is_exported(tmp_path):
    fit(tmp_path, small(DCGAN), max_steps=1)
    model = lit_gans.load(tmp_path / "checkpoints" / "last.ckpt").eval()
    noise = torch.randn(2, NOISE)
    program = torch.export.export(model, (noise,)).module()
    torch.testing.assert_close(program(noise), model(noise))


# -------------------------------------------------------------------- networks


class Falsy(nn.Sequential):
    latent_dim = NOISE

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "_inner", Linear())
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, noise):
        return self._inner(noise) + self.weight


@pytest.mark.parametrize(
    "cls", [DCGAN, GAN, WGANGP, lit_gans.SNGAN, lit_gans.R3GAN, lit_gans.StyleGAN2, lit_gans.SAGAN]
)
def test_a_network_without_length_is_taken(cls):
    generator = Falsy()
    assert len(generator) == 0
    assert cls(generator=generator, image_shape=SHAPE).generator is generator


def test_a_network_that_cannot_be_copied(tmp_path):
    generator = Linear()
    nn.utils.weight_norm(generator[0])
    generator(torch.randn(2, NOISE))
    refused(lambda: hinge(generator=generator), "Linear", "parametrizations", "ema_decay=0")
    lazy = Linear()
    lazy[0] = nn.LazyLinear(256)
    refused(lambda: hinge(generator=lazy), "lazy", "ema_decay=0")
    assert fit(tmp_path, hinge(generator=generator, ema_decay=0), max_steps=1)["global_step"] == 1


@pytest.mark.parametrize("compiled_when", ["saved", "loaded"])
def test_compiled_networks_are_taken_and_read_back(compiled_when, tmp_path):
    def networks(compiled):
        torch.manual_seed(0)
        made = {"generator": Linear(), "discriminator": judge()}
        return {name: torch.compile(net, backend="eager") for name, net in made.items()} if compiled else made

    for network in (compiled := networks(True)).values():
        network.latent_dim = NOISE
    saved, loaded = (compiled, networks(False)) if compiled_when == "saved" else (networks(False), compiled)
    model = Hinge(**saved, image_shape=SHAPE)
    checkpoint = fit(tmp_path, model, max_steps=2)
    assert not any("_orig_mod" in key for key in checkpoint["state_dict"])
    again = lit_gans.load(tmp_path / "checkpoints" / "last.ckpt", **loaded)
    torch.testing.assert_close(again.sample(2, seed=0), model.sample(2, seed=0))


@pytest.mark.parametrize("cls", [InfoGAN, SGAN, DCGAN])
def test_a_last_batch_of_one(cls, tmp_path):
    values = TensorDataset(images(21), torch.arange(21) % 2)
    run = trainer(tmp_path, max_steps=-1, max_epochs=1)
    run.fit(small(cls), loader(values))
    assert run.global_step == 3


def test_translators_of_one_pair_at_a_time(tmp_path):
    data = UnpairedGlyphs(size=8, count=24, batch_size=1)
    model = CycleGAN(
        image_shape=data.image_shape, source_shape=data.source_shape, backbone=ResNetTranslation(width=4, blocks=1)
    )
    assert fit(tmp_path, model, data, max_steps=2, limit_val_batches=1)["global_step"] == 2
    refused(
        lambda: CycleGAN(image_shape=(3, 5, 5), backbone=ResNetTranslation(width=4)),
        "6x6",
        "5x5",
    )


def test_own_optimizer_class_still_works(tmp_path):
    assert fit(tmp_path, small(DCGAN, generator_optimizer=partial(Adam, lr=1e-3)), max_steps=1)["global_step"] == 1


# ---------------------------------------------------------------- in Python as on the command line


@pytest.mark.parametrize("step", ["training_step", "discriminator_step", "generator_step"])
def test_a_step_without_a_trainer_is_one_sentence(step):
    model, batch = small(DCGAN), {"image": torch.zeros(4, *SHAPE)}
    second = 0 if step == "training_step" else model.generate(batch)
    refused(lambda: getattr(model, step)(batch, second), "in no Trainer", "lit_gans.Trainer().fit")


def test_losses_of_short_epochs_are_there_for_a_callback(tmp_path):
    """Losses are logged every 50 batches, and an epoch of these data has ten."""
    best = ModelCheckpoint(monitor="generator/loss", dirpath=tmp_path)
    run = trainer(
        tmp_path, max_epochs=2, max_steps=-1, log_every_n_steps=50, callbacks=[best], enable_checkpointing=True
    )
    run.fit(small(DCGAN), glyphs())
    assert best.best_model_path and "discriminator/loss" in run.callback_metrics
    ends = trainer(tmp_path, max_steps=13, log_every_n_steps=50)
    ends.fit(small(DCGAN), glyphs())
    assert "generator/loss" in ends.callback_metrics


@pytest.mark.parametrize("scheduled", [False, True])
def test_rates_are_named_after_players(scheduled, tmp_path):
    schedule = {"scheduler": partial(StepLR, step_size=5)} if scheduled else {}
    monitor = LearningRateMonitor("step")
    run = trainer(tmp_path, max_steps=3, callbacks=[monitor], logger=CSVLogger(tmp_path), log_every_n_steps=1)
    run.fit(small(DCGAN, **schedule), glyphs())
    assert {*monitor.lrs} == {"lr-generator", "lr-discriminator"}
    joint = LearningRateMonitor("step")
    run = trainer(tmp_path, max_steps=3, callbacks=[joint], logger=CSVLogger(tmp_path), log_every_n_steps=1)
    run.fit(small(VAE, **schedule), glyphs())
    assert len(joint.lrs) == 1


def test_predictions_follow_the_loader(tmp_path):
    noise, run = torch.randn(6, 8), trainer(tmp_path)
    model = small(DCGAN)
    for rows in (DataLoader(noise, batch_size=6), DataLoader([{"noise": row} for row in noise], batch_size=6)):
        (found,) = run.predict(model, rows)
        assert torch.allclose(found, model.sample(noise=noise))
    labelled = small(CGAN)
    label = torch.tensor([1, 0, 0, 1])
    (found,) = run.predict(labelled, DataLoader(TensorDataset(torch.zeros(4, *SHAPE), label), batch_size=4))
    assert torch.allclose(found, labelled.sample(4, seed=0, label=label))


def test_checkpoints_within_an_epoch_come_without_advice(tmp_path):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        saver = ModelCheckpoint(every_n_train_steps=2, dirpath=tmp_path)
        trainer(tmp_path, callbacks=[saver], enable_checkpointing=True).fit(small(DCGAN), glyphs())
    assert not [each for each in said if "pre-optimization" in str(each.message)]


def test_models_have_the_words_of_the_commands():
    model = small(DCGAN)
    drawn = model.sample(2, seed=1)
    found = model.invert(drawn, steps=60, restarts=2)
    assert found.noise.shape == (2, 8) and float(found.errors.max()) < float((drawn - drawn.mean()).square().mean())
    between = model.interpolate(3, 4, seed=0)
    assert between.shape == (3, 4, *SHAPE) and torch.equal(between, model.interpolate(3, 4, seed=0))
    assert not torch.equal(between, model.interpolate(3, 4, seed=0, truncation=0.5))
    assert small(CGAN).interpolate(2, 3, label=1).shape == (2, 3, *SHAPE)
    assert small(CGAN).invert(drawn, label=1, steps=2).noise.shape == (2, 8)
    assert small(VAE).encode(drawn).shape == (2, 8)


@pytest.mark.parametrize(
    "call, parts",
    [
        (lambda: small(DCGAN).encode(torch.zeros(1, *SHAPE)), ["does not have an encoder", "invert"]),
        (lambda: small(DCGAN).translate(torch.zeros(1, *SHAPE)), ["does not translate", "Pix2Pix"]),
        (lambda: small(CycleGAN).invert(torch.zeros(1, *SHAPE)), ["CycleGAN", "from noise"]),
        (lambda: small(CycleGAN).interpolate(), ["CycleGAN", "from noise"]),
        (lambda: small(DCGAN).invert(torch.zeros(SHAPE)), ["(N, channels, height, width)", "(1, 16, 16)"]),
        (lambda: small(DCGAN).invert(torch.zeros(1, 1, 8, 8)), ["(1, 8, 8)"]),
        (lambda: small(CGAN).invert(torch.zeros(1, *SHAPE)), ["label="]),
        (lambda: small(DCGAN).interpolate(steps=1), ["steps"]),
    ],
)
def test_what_a_model_cannot_do_it_says(call, parts):
    refused(call, *parts)
