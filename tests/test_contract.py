"""One contract over every class in lit_gans.models.

Every model is trained once and watched: `record` is what that run left, and most tests only read it.
"""

import json
import os
from functools import partial

import pytest
import torch
from conftest import (
    EVERY_MODEL,
    SHAPE,
    SHAPES,
    SMALL,
    arguments_for,
    assert_equal,
    data_for,
    fit,
    glyphs,
    refused,
    small,
    trainer,
    training_state,
)
from lightning.pytorch import Callback
from torch.utils.data import DataLoader, TensorDataset

import lit_gans
from lit_gans import (
    BEGAN,
    DCGAN,
    GAN,
    SGAN,
    VAE,
    BaseGAN,
    Colorizer,
    CycleGAN,
    InfoGAN,
    LabelGAN,
    StackGAN,
    StyleGAN2,
    TextToImageTransformer,
    UnrolledGAN,
)
from lit_gans.checkpoints.recording import plain
from lit_gans.cli.main import main
from lit_gans.core.texts import Texts
from lit_gans.errors import UsageError
from lit_gans.optim import Adam, LinearDecay
from lit_gans.text import ended

DRAWING = [model for model in EVERY_MODEL if model.draws and not model.of_texts]
# whose generator makes a sample in one pass
IN_ONE_PASS = [model for model in DRAWING if not issubclass(model, TextToImageTransformer)]
WRITING = [model for model in EVERY_MODEL if model.draws and model.of_texts]
TEXTS = ["ten", "nineteen"]  # whose letters every set of numbers has
GAMES = [model for model in EVERY_MODEL if issubclass(model, BaseGAN)]
# One for each kind of state that a run may stop in the midst of: of two optimizers, of styles and path lengths,
# BEGAN's k, the averaged classifier, one optimizer for two networks, pools of earlier fakes, hints drawn on the go, and
# two stages with captions that are remembered.
KINDS_OF_STATE = [GAN, StyleGAN2, BEGAN, SGAN, VAE, CycleGAN, Colorizer, StackGAN]
# test_configs trains and loads every model by the command line, where the real data are
COMMANDED = KINDS_OF_STATE if os.environ.get("LIT_GANS_DATA") else EVERY_MODEL
LABELLED = [model for model in DRAWING if issubclass(model, LabelGAN)]
PACED = [DCGAN, StyleGAN2, UnrolledGAN]  # the plain game, turns that count batches themselves, steps inside a step
SCHEDULE = partial(LinearDecay, steps=18, end=0.1)
BATCHES, KEPT = 8, 3  # batches of the recorded run, whose epochs have five, and the one it is continued from


def each(models, quick=EVERY_MODEL):
    """Runs a test for every one of the models, whose record is then thrown away; those not in ``quick`` are slow."""
    marked = [pytest.param(model, marks=[] if model in quick else [pytest.mark.slow]) for model in models]
    return pytest.mark.parametrize("model_class", marked, ids=lambda cls: cls.__name__, scope="module")


class Watch(Callback):
    """Notes every batch what it gave, and what every batch of a validation showed."""

    def __init__(self):
        self.outputs, self.validations = [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.outputs.append(outputs)

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self.validations.append(outputs)


class Turns(Watch):
    """Notes also at every optimizer step who may move, and of every batch whether the generator's graph was kept."""

    def __init__(self):
        super().__init__()
        self.turns, self.graphs = [], []

    def on_train_start(self, trainer, pl_module):
        self.hook = pl_module.generator.register_forward_hook(
            lambda *_: self.graphs.append(torch.is_grad_enabled()) if trainer.training else None
        )

    def on_train_end(self, trainer, pl_module):
        self.hook.remove()

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        if not isinstance(pl_module, BaseGAN):
            return
        players = {name: getattr(pl_module, name) for name in pl_module.players}
        own = {id(p) for group in optimizer.param_groups for p in group["params"]}
        (player,) = [name for name, net in players.items() if {id(p) for p in net.parameters()} == own]
        others = [net for name, net in players.items() if name != player]
        assert not any(p.requires_grad for net in others for p in net.parameters())
        moving = [p.grad is not None for p in players[player].parameters() if p.requires_grad]
        assert moving and all(moving) and (len(moving) == len(own) or pl_module.stages > 1)  # one of two stages rests
        self.turns.append(player)


class Record(Turns):
    """Notes everything, and keeps a checkpoint of the third batch beside that of the end."""

    def __init__(self, model_class, folder):
        super().__init__()
        self.folder, self.third = folder, folder / "third.ckpt"
        self.model = small(model_class, clip_norm=1.0, scheduler=SCHEDULE)
        self.before = {name: weights(getattr(self.model, name)) for name in model_class.players}
        self.checkpoint = fit(folder, self.model, few_batches(model_class), callbacks=[self], max_steps=BATCHES)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if trainer.global_step == KEPT:
            trainer.save_checkpoint(self.third)

    @property
    def last(self):
        return self.folder / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="module")
def record(model_class, tmp_path_factory):
    return Record(model_class, tmp_path_factory.mktemp(model_class.__name__))


def few_batches(cls, **arguments):
    """Data of five batches an epoch."""
    sizes = {"count": 20, "batch_size": 4} if cls.draws or cls.of_texts else {"count": 10, "batch_size": 2}
    return data_for(cls, **sizes, **arguments)


def weights(network):
    return [p.detach().clone() for p in network.parameters()]


def moved(network, before):
    """Biases are left out: a critic's last one cancels between real and fake."""
    return all(not torch.equal(a, b) for a, b in zip(network.parameters(), before, strict=True) if a.ndim > 1)


def drawn(model, seed=0):
    """Something that depends on all that a model has learned: samples, or what it makes of the same images or texts."""
    if model.draws:
        return model.sample(4, seed=seed)
    if model.translates_texts:
        return model.translate_tokens(model.encode_text(TEXTS, "source"))
    if model.of_texts:
        return model.encode_texts(["the a will be", "be the"])
    images = torch.rand(4, *model.source_shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return model.translate(images, seed=seed) if model.domains else model.reconstruct(images)


# -------------------------------------------------------------------- the recorded run


@each(GAMES)
def test_both_players_move_in_turn(record):
    model = record.model
    if model.stages > 1:
        first = SMALL[type(model).__name__]["stage_one_steps"]
        judges = ["discriminator"] * first + ["large_discriminator"] * (BATCHES - first)
    else:
        judges = ["discriminator"] * BATCHES
    assert record.turns == [player for judge in judges for player in (judge, "generator")]
    assert all(moved(getattr(model, name), before) for name, before in record.before.items())
    assert all(p.requires_grad for name in model.players for p in getattr(model, name).parameters())
    assert record.checkpoint["global_step"] == BATCHES == len(record.outputs)
    for outputs, judge in zip(record.outputs, judges, strict=True):
        for player in (judge, "generator"):
            terms = [v for k, v in outputs.items() if k.startswith(f"{player}/") and not k.endswith("/loss")]
            assert terms and all(t.ndim == 0 and torch.isfinite(t) and not t.requires_grad for t in terms)
            torch.testing.assert_close(sum(terms), outputs[f"{player}/loss"])


@each([model for model in GAMES if model.draws])
def test_one_generator_forward_a_batch(record):
    assert record.graphs == [True] * BATCHES


@each(IN_ONE_PASS)
def test_sample_is_the_average(record, model_class):
    model, noise, images = record.model, torch.randn(3, 8), {}
    inputs = (noise, torch.eye(2)[[0, 1, 0]]) if issubclass(model_class, LabelGAN) else (noise,)
    given = {"code": model.codes(3)} if issubclass(model_class, InfoGAN) else {}
    given |= {"text": ["a small red one on blue"] * 3} if model.draws_by_text else {}
    for name, network in (("average", model.generator_ema.module), ("last", model.generator)):
        told = [network.eval().read(model.encode_text(given["text"]))] if model.draws_by_text else given.values()
        images[name] = network.eval()(*inputs, *told)
    torch.testing.assert_close(model.sample(noise=noise, **given), images["average"])
    assert not torch.equal(model.sample(noise=noise, **given), images["last"])
    assert small(model_class, ema_decay=0).generator_ema is None


@each(EVERY_MODEL)
def test_checkpoint_describes_itself(record, model_class):
    loaded = lit_gans.load(record.last)
    assert type(loaded) is model_class and loaded.clip_norm == 1.0 and loaded.image_shape == record.model.image_shape
    assert loaded.training  # Lightning trains a model in the mode it is given
    assert type(model_class.load_from_checkpoint(record.last)) is model_class
    assert torch.equal(drawn(loaded), drawn(record.model))
    assert loaded.hparams == record.model.hparams
    # a loaded model trains on and saves again
    again = fit(record.folder / "again", loaded, few_batches(model_class), max_steps=2, limit_val_batches=0)
    assert again["global_step"] == 2


@each(EVERY_MODEL)
def test_resume_is_exact(record, model_class, tmp_path):
    """In the middle of an epoch, and on over the beginning of the next."""
    third = torch.load(record.third, weights_only=True)
    assert third["global_step"] == KEPT
    if model_class is CycleGAN:  # the pools of ten earlier fakes are past half, and full soon after
        kept = [int(c["state_dict"]["pool_a.kept"]) for c in (third, record.checkpoint)]
        assert kept == [6, SMALL["CycleGAN"]["pool"]]
    torch.manual_seed(99)
    model = small(model_class, clip_norm=1.0, scheduler=SCHEDULE)
    resumed = fit(tmp_path, model, few_batches(model_class), max_steps=BATCHES, ckpt_path=record.third)
    assert_equal(training_state(record.checkpoint), training_state(resumed))
    with pytest.raises(AssertionError):  # the comparison can fail
        assert_equal(training_state(record.checkpoint), training_state(third))


# -------------------------------------------------------------------- runs that stop, and runs of another pace


@pytest.mark.parametrize("stop, workers", [(3, 2), (5, 0)], ids=["inside an epoch with workers", "at its end"])
@each(KINDS_OF_STATE)
def test_a_run_that_stopped_goes_on_exactly(model_class, tmp_path, stop, workers):
    def parts():
        return small(model_class, scheduler=SCHEDULE), few_batches(model_class, num_workers=workers)

    straight = fit(tmp_path / "straight", *parts(), max_steps=2 * stop)
    first = fit(tmp_path / "first", *parts(), max_steps=stop)
    assert first["global_step"] == stop
    torch.manual_seed(99)
    last = tmp_path / "first" / "checkpoints" / "last.ckpt"
    resumed = fit(tmp_path / "second", *parts(), max_steps=2 * stop, ckpt_path=last)
    assert_equal(training_state(straight), training_state(resumed))


@each(PACED)
def test_generator_every_counts_batches_of_the_run(model_class, tmp_path):
    """Four batches an epoch and a generator that moves on every third: batch_idx would never get it right."""
    model, watch = small(model_class, generator_every=3), Turns()
    checkpoint = fit(tmp_path, model, glyphs(count=16), callbacks=[watch], max_steps=8, limit_val_batches=0)
    assert watch.turns.count("discriminator") == checkpoint["global_step"] == 8
    assert ["generator/loss" in outputs for outputs in watch.outputs] == [True, False, False] * 2 + [True, False]
    assert watch.graphs == [True, False, False] * 2 + [True, False]
    assert int(model.generator_ema.n_averaged) == 3


@each(PACED)
def test_fast_dev_run_moves_the_generator(model_class, tmp_path):
    model = small(model_class, generator_every=5)
    before = weights(model.generator)
    trainer(tmp_path, fast_dev_run=True).fit(model, datamodule=glyphs())
    assert any(not torch.equal(a, b) for a, b in zip(model.generator.parameters(), before, strict=True))


@each(EVERY_MODEL, quick=KINDS_OF_STATE)
def test_bf16(model_class, tmp_path):
    watch = Watch()
    fit(tmp_path, small(model_class), few_batches(model_class), callbacks=[watch], precision="bf16-mixed", max_steps=6)
    assert len(watch.outputs) == 6 and watch.validations
    assert all(torch.isfinite(v) and v.dtype == torch.float32 for o in watch.outputs for v in o.values())
    shown = [v for o in watch.validations if o for v in o.get("shown", {}).values()]
    assert all(v.dtype == torch.float32 for v in shown) and (model_class.draws or model_class.of_texts or shown)


# -------------------------------------------------------------------- without the recorded run


@each(DRAWING)
def test_sample(model_class):
    model = small(model_class)
    model.train()
    images = model.sample(5, seed=1)
    assert images.shape == (5, *model.shape) and images.dtype == torch.float32 and not images.requires_grad
    assert images.abs().max() <= 1 and images.std() > 0
    torch.testing.assert_close(images, model.sample(5, seed=1), rtol=0, atol=0)
    assert not torch.equal(images, model.sample(5, seed=2))
    assert all(module.training for module in model.generator_ema.module.modules())
    state = torch.get_rng_state()
    model.sample(5, seed=1)
    assert torch.equal(state, torch.get_rng_state())


@each(EVERY_MODEL)
def test_arguments_are_kept_as_given(model_class):
    """What a checkpoint repeats is the call, not what an ``__init__`` made of it."""
    given = arguments_for(model_class, optimizer=Adam)
    model = small(model_class, optimizer=Adam)
    assert {name: model.hparams[name] for name in given} == {name: plain(name, given[name]) for name in given}
    assert model.given_networks == {}


def first_optimizer(model):
    made = model.configure_optimizers()
    made = made["optimizer"] if isinstance(made, dict) else made
    return made[0][0] if isinstance(made, tuple) else made


@each(COMMANDED, quick=KINDS_OF_STATE)
def test_a_checkpoint_of_the_command_line_describes_itself(model_class, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, given = type(data_for(model_class)).__name__, arguments_for(model_class)
    flags = [f"--model={model_class.__name__}", "--model.clip_norm=1.0", f"--data={data}"]
    flags += [] if model_class.of_texts else ["--data.size=[16,16]"]
    own = [name for name in given if name not in (*SHAPES, "tokenizer")]
    if "tokenizer" in given:
        lit_gans.save(given["tokenizer"], "tokenizer.ckpt")
        flags.append("--model.tokenizer=tokenizer.ckpt")
    flags += [f"--model.{name}={json.dumps(plain(name, given[name]))}" for name in own]
    flags += ["--data.count=40", "--data.batch_size=4", "--model.optimizer.lr=0.001", "--trainer.accelerator=cpu"]
    # no validation, so no scores: those have their own tests
    main(
        ["fit", *flags, "--trainer.max_steps=1", "--trainer.limit_val_batches=0", "--trainer.enable_progress_bar=false"]
    )
    (path,) = tmp_path.glob("runs/*/version_0/checkpoints/last.ckpt")
    loaded, default = lit_gans.load(path), small(model_class)
    assert type(loaded) is model_class and loaded.clip_norm == 1.0 and loaded.image_shape == default.image_shape
    assert loaded.training and type(model_class.load_from_checkpoint(path)) is model_class
    (group, *_) = first_optimizer(loaded).param_groups
    assert group.get("initial_lr", group["lr"]) == 0.001  # some have a schedule, which warms up
    assert type(first_optimizer(loaded)) is type(first_optimizer(default))


@pytest.mark.parametrize("form", ["image", "pair"])
@each([model for model in DRAWING if not model.draws_by_text], quick=[*KINDS_OF_STATE, *LABELLED])
def test_a_users_own_loader(model_class, tmp_path, form):
    images = torch.rand(16, *SHAPE) * 2 - 1
    dataset = TensorDataset(images, torch.arange(16) % 2) if form == "pair" else images
    model = small(model_class)
    if form == "image" and "label" in model.needs:
        refused(lambda: trainer(tmp_path).fit(model, DataLoader(dataset, batch_size=4)), model_class.__name__, "label")
        return
    before = weights(model.generator)
    trainer(tmp_path, max_steps=2).fit(model, DataLoader(dataset, batch_size=4))
    assert moved(model.generator, before)


@each([model for model in EVERY_MODEL if model.domains])
def test_translate(model_class):
    model = small(model_class)
    images = torch.rand(3, *model.source_shape) * 2 - 1
    made = model.translate(images, seed=1)
    assert made.shape == (3, *model.image_shape) and made.abs().max() <= 1 and not made.requires_grad
    assert torch.equal(made, model.translate(images, seed=1))
    state = torch.get_rng_state()
    model.translate(images, seed=1)
    assert torch.equal(state, torch.get_rng_state())
    other = torch.rand(1, model.source_shape[0], 21, 38) * 2 - 1
    assert model.translate(other).shape == (1, model.image_shape[0], 21, 38)
    refused(lambda: model.sample(2), model_class.__name__, "translate")


@each(WRITING)
def test_write(record, model_class):
    model = record.model.train()
    state = torch.get_rng_state()
    tokens = model.sample(5, seed=1)
    assert torch.equal(state, torch.get_rng_state())
    assert len(tokens) == 5 and tokens.dtype == torch.int64 and tokens.shape[1] <= model.longest()
    assert torch.equal(tokens, ended(tokens)) and tokens.max() < model.text_shape[1]
    assert torch.equal(tokens, model.sample(5, seed=1)) and not torch.equal(tokens, model.sample(5, seed=2))
    assert model.write(5, seed=1) == model.decode_text(tokens)
    assert all(module.training for module in model.generator_ema.module.modules())
    refused(lambda: model.write(2, guidance=3.0), "does not draw by guidance")
    refused(lambda: model.write(2, text=" "), "texts that are not empty")


@each([model for model in EVERY_MODEL if model.translate_text is not Texts.translate_text])
def test_translate_text(record, model_class):
    model = record.model
    made = model.translate_text(TEXTS)
    assert len(made) == 2 and made == model.translate_text(TEXTS) and model.translate_text(TEXTS[0]) == made[:1]
    assert len(model.translate_text(TEXTS, beams=3)) == 2
    refused(lambda: model.translate_text(""), "texts that are not empty")
    refused(lambda: model.translate_text("nine" * 50), "shorten it")
    with pytest.raises(UsageError, match="'z' in 'zwölf' is not in the vocabulary"):
        model.translate_text("zwölf")


@each([model for model in EVERY_MODEL if not model.draws or model.of_texts])
def test_a_translation_is_the_averages(record):
    """It is what the plain generator makes once it has the average's weights."""
    model, average = lit_gans.load(record.last), drawn(record.model)
    model.generator_ema = None
    assert model.of_texts or not torch.equal(drawn(model), average)  # the likeliest token may be the same
    model.generator.load_state_dict(record.model.generator_ema.module.state_dict())
    assert torch.equal(drawn(model), average)
