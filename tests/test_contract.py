"""One contract over every class in lit_gans.models."""

import json

import pytest
import torch
from conftest import SHAPE, SMALL, assert_equal, fit, glyphs, paced, refused, shaped, small, trainer, training_state
from lightning.pytorch import Callback
from torch.utils.data import DataLoader, TensorDataset

import lit_gans
from lit_gans import InfoGAN, LabelGAN
from lit_gans.optim import Adam, LinearDecay


class Watch(Callback):
    """Notes every batch what it gave."""

    def __init__(self):
        self.outputs = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.outputs.append(outputs)


class Turns(Watch):
    """Notes also at every optimizer step who may move."""

    def __init__(self):
        super().__init__()
        self.turns = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        players = {"generator": pl_module.generator, "discriminator": pl_module.discriminator}
        own = {id(p) for group in optimizer.param_groups for p in group["params"]}
        (player,) = [name for name, net in players.items() if {id(p) for p in net.parameters()} == own]
        (other,) = set(players) - {player}
        assert not any(p.requires_grad for p in players[other].parameters())
        assert all(p.requires_grad and p.grad is not None for p in players[player].parameters())
        self.turns.append(player)


def weights(network):
    return [p.detach().clone() for p in network.parameters()]


def moved(network, before):
    """Biases are left out: a critic's last one cancels between real and fake."""
    return all(not torch.equal(a, b) for a, b in zip(network.parameters(), before, strict=True) if a.ndim > 1)


def test_both_players_move_in_turn(game_class, tmp_path):
    model, watch = small(game_class), Turns()
    before = weights(model.generator), weights(model.discriminator)
    checkpoint = fit(tmp_path, model, callbacks=[watch], max_steps=3)
    assert watch.turns == ["discriminator", "generator"] * 3
    assert moved(model.generator, before[0]) and moved(model.discriminator, before[1])
    assert all(p.requires_grad for p in [*model.generator.parameters(), *model.discriminator.parameters()])
    assert checkpoint["global_step"] == 3
    for outputs in watch.outputs:
        for player in ("discriminator", "generator"):
            terms = [v for k, v in outputs.items() if k.startswith(player) and not k.endswith("/loss")]
            assert terms and all(t.ndim == 0 and torch.isfinite(t) and not t.requires_grad for t in terms)
            torch.testing.assert_close(sum(terms), outputs[f"{player}/loss"])


def test_one_generator_forward_a_batch(game_class, tmp_path):
    model, calls = small(game_class), []
    model.generator.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    fit(tmp_path, model, max_steps=4, limit_val_batches=0)
    assert calls == [True] * 4


def test_generator_every_counts_batches_of_the_run(game_class, tmp_path):
    """Four batches an epoch and a generator that moves on every third: batch_idx would never get it right."""
    model, watch, graphs = small(game_class, generator_every=3), Turns(), []
    model.generator.register_forward_hook(lambda *_: graphs.append(torch.is_grad_enabled()))
    checkpoint = fit(tmp_path, model, glyphs(count=16), callbacks=[watch], max_steps=8, limit_val_batches=0)
    assert watch.turns.count("discriminator") == checkpoint["global_step"] == 8
    assert ["generator/loss" in outputs for outputs in watch.outputs] == [True, False, False] * 2 + [True, False]
    assert graphs == [True, False, False] * 2 + [True, False]
    assert int(model.generator_ema.n_averaged) == 3


def test_fast_dev_run_moves_the_generator(game_class, tmp_path):
    model = small(game_class, generator_every=5)
    before = weights(model.generator)
    trainer(tmp_path, fast_dev_run=True).fit(model, datamodule=glyphs())
    assert any(not torch.equal(a, b) for a, b in zip(model.generator.parameters(), before, strict=True))


def test_sample(model_class):
    model = small(model_class)
    model.train()
    images = model.sample(5, seed=1)
    assert images.shape == (5, *SHAPE) and images.dtype == torch.float32 and not images.requires_grad
    assert images.abs().max() <= 1 and images.std() > 0
    torch.testing.assert_close(images, model.sample(5, seed=1), rtol=0, atol=0)
    assert not torch.equal(images, model.sample(5, seed=2))
    assert all(module.training for module in model.generator_ema.module.modules())
    state = torch.get_rng_state()
    model.sample(5, seed=1)
    assert torch.equal(state, torch.get_rng_state())


def test_arguments_are_kept_as_given(model_class):
    """What a checkpoint repeats is the call, not what an ``__init__`` made of it."""
    model = small(model_class)
    given = {**shaped(model_class), "latent_dim": 8, **SMALL[model_class.__name__]}
    assert {name: model.hparams[name] for name in given} == given
    assert model.given_networks == {}


def test_sample_is_the_average(model_class, tmp_path):
    model = small(model_class)
    fit(tmp_path, model)
    noise, images = torch.randn(3, 8), {}
    inputs = (noise, torch.eye(2)[[0, 1, 0]]) if issubclass(model_class, LabelGAN) else (noise,)
    given = {"code": model.codes(3)} if issubclass(model_class, InfoGAN) else {}
    for name, network in (("average", model.generator_ema.module), ("last", model.generator)):
        images[name] = network.eval()(*inputs, *given.values())
    torch.testing.assert_close(model.sample(noise=noise, **given), images["average"])
    assert not torch.equal(model.sample(noise=noise, **given), images["last"])
    assert small(model_class, ema_decay=0).generator_ema is None


def first_optimizer(model):
    made = model.configure_optimizers()
    return made[0][0] if isinstance(made, tuple) else made


@pytest.mark.parametrize("origin", ["python", "command line"])
def test_checkpoint_describes_itself(model_class, tmp_path, origin, monkeypatch):
    if origin == "python":
        model = small(model_class, clip_norm=1.0, **paced(model_class, "optimizer", Adam))
        fit(tmp_path, model)
        path = tmp_path / "checkpoints" / "last.ckpt"
    else:
        from lit_gans.cli import main

        monkeypatch.chdir(tmp_path)
        flags = [f"--model={model_class.__name__}", "--model.clip_norm=1.0", "--data=Glyphs", "--data.size=[16,16]"]
        optimizer = next(iter(paced(model_class, "optimizer", Adam)))
        limits = ["--trainer.max_steps=2", "--data.count=80", "--quality.count=200"]
        flags += ["--trainer.enable_progress_bar=false"]
        flags += [f"--model.{name}={json.dumps(value)}" for name, value in SMALL[model_class.__name__].items()]
        main(["fit", *flags, *limits, f"--model.{optimizer}.lr=0.001", "--trainer.accelerator=cpu"])
        (path,) = tmp_path.glob("runs/*/version_0/checkpoints/last.ckpt")
    loaded = lit_gans.load(path)
    assert type(loaded) is model_class and loaded.clip_norm == 1.0 and loaded.image_shape == SHAPE
    assert loaded.training  # Lightning trains a model in the mode it is given
    assert type(model_class.load_from_checkpoint(path)) is model_class
    if origin == "python":
        assert torch.equal(loaded.sample(4, seed=0), model.sample(4, seed=0))
    else:
        first, default = (first_optimizer(model) for model in (loaded, small(model_class)))
        assert first.param_groups[0]["lr"] == 0.001 and type(first) is type(default)
    # a loaded model trains on and saves again
    assert fit(tmp_path / "again", loaded)["global_step"] == 4


@pytest.mark.parametrize(
    "stop, workers", [(7, 0), (7, 2), (10, 0)], ids=["inside an epoch", "inside an epoch with workers", "at its end"]
)
def test_resume_is_exact(model_class, tmp_path, stop, workers):
    from functools import partial

    def parts():
        schedule = partial(LinearDecay, steps=18, end=0.1)
        return small(model_class, **paced(model_class, "scheduler", schedule)), glyphs(num_workers=workers)

    straight = fit(tmp_path / "straight", *parts(), max_steps=2 * stop)
    first = fit(tmp_path / "first", *parts(), max_steps=stop)
    assert first["global_step"] == stop
    torch.manual_seed(99)
    resumed = fit(
        tmp_path / "second", *parts(), max_steps=2 * stop, ckpt_path=tmp_path / "first" / "checkpoints" / "last.ckpt"
    )
    assert_equal(training_state(straight), training_state(resumed))
    with pytest.raises(AssertionError):  # the comparison can fail
        assert_equal(training_state(straight), training_state(first))


def test_bf16(model_class, tmp_path):
    watch = Watch()
    fit(tmp_path, small(model_class), callbacks=[watch], precision="bf16-mixed", max_steps=6)
    assert all(torch.isfinite(v) and v.dtype == torch.float32 for o in watch.outputs for k, v in o.items())


@pytest.mark.parametrize("form", ["image", "pair"])
def test_a_users_own_loader(model_class, tmp_path, form):
    images = torch.rand(16, *SHAPE) * 2 - 1
    dataset = TensorDataset(images, torch.arange(16) % 2) if form == "pair" else images
    model = small(model_class)
    if form == "image" and "label" in model.needs:
        refused(lambda: trainer(tmp_path).fit(model, DataLoader(dataset, batch_size=4)), model_class.__name__, "label")
        return
    before = weights(model.generator)
    trainer(tmp_path).fit(model, DataLoader(dataset, batch_size=4))
    assert moved(model.generator, before)
