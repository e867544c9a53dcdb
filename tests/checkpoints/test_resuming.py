"""Wherever a run is cut and however it goes on: every batch and every validation of the straight run, once."""

import warnings
from functools import partial

import pytest
import torch
from conftest import SHAPE, assert_equal, fit, glyphs, refused, small, trainer, training_state
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_gans import DCGAN, LSGAN, VAE, WGAN, CycleGAN, UnpairedGlyphs
from lit_gans.callbacks import CollapseMonitor, SaveLast
from lit_gans.checkpoints.changes import differences
from lit_gans.cli.main import main
from lit_gans.networks import ResNetTranslation
from lit_gans.optim import Adam, LinearDecay, RMSprop

EPOCH = 5  # batches


class Log(Callback):
    """Every batch, validation and end of an epoch, with the epoch and the batch of the run that it is from."""

    def __init__(self):
        self.batches, self.validations, self.ends = [], [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        loss = next(float(value) for name, value in outputs.items() if name.endswith("loss"))
        self.batches.append((trainer.current_epoch, batch_idx, trainer.global_step, loss))

    def on_validation_end(self, trainer, pl_module):
        self.validations.append((trainer.current_epoch, trainer.global_step))

    def on_train_epoch_end(self, trainer, pl_module):
        self.ends.append((trainer.current_epoch, trainer.global_step))


class At(Callback):
    """Does something in a hook after so many batches."""

    def __init__(self, hook, step, act):
        def perform(trainer, *arguments, **named):
            if trainer.global_step == step:
                act(trainer)

        setattr(self, hook, perform)


class Boom(Exception):
    pass


def stop(trainer):
    trainer.should_stop = True


def boom(trainer):
    raise Boom


def game():
    return small(DCGAN), glyphs(count=4 * EPOCH)


def autoencoder():
    return small(VAE, scheduler=partial(LinearDecay, steps=14)), glyphs(count=4 * EPOCH)


def translator():
    torch.manual_seed(0)
    data = UnpairedGlyphs(size=16, count=20, batch_size=2, flip=True)
    return CycleGAN(
        image_shape=data.image_shape,
        source_shape=data.source_shape,
        backbone=ResNetTranslation(width=2, blocks=1),
        pool=3,
    ), data


def run(folder, parts=game, checkpoint=None, callbacks=(), **limits):
    """The log and the last checkpoint of a run; if an exception was to be saved, of that."""
    log, (model, data) = Log(), parts()
    keeper = next((c for c in callbacks if isinstance(c, ModelCheckpoint)), None)
    limits = {"max_steps": -1, "enable_checkpointing": keeper is not None, **limits}
    played = trainer(folder, callbacks=[SaveLast(), log, *callbacks], **limits)
    try:
        played.fit(model, datamodule=data, ckpt_path=checkpoint)
    except Boom:
        assert keeper is not None
    path = folder / "checkpoints" / "last.ckpt"
    if keeper is not None:
        (path,) = folder.glob("kept*.ckpt")
    return log, torch.load(path, weights_only=True), path


def kept(folder, **when):
    when = {"every_n_epochs": None, "every_n_train_steps": None, **when}
    return ModelCheckpoint(folder, "kept", save_top_k=1, enable_version_counter=False, **when)


def counters(checkpoint):
    loop = checkpoint["loops"]["fit_loop"]
    batches = {name: loop["epoch_loop.batch_progress"][name] for name in ("total", "current")}
    return checkpoint["epoch"], loop["epoch_progress"], batches, loop["epoch_loop.state_dict"]


def cuts(folder):
    saved = partial(kept, folder, save_on_exception=True, every_n_epochs=100)
    return {
        "max_steps": {"max_steps": 7},
        "max_steps at an epoch's end": {"max_steps": EPOCH},
        "should_stop": {"callbacks": [At("on_train_batch_end", 7, stop)], "max_epochs": 9},
        "limit_train_batches": {"limit_train_batches": 3, "max_epochs": 1},
        "two epochs of limit_train_batches": {"limit_train_batches": 4, "max_epochs": 2},
        "every_n_train_steps": {"callbacks": [kept(folder, every_n_train_steps=7)], "max_steps": 9},
        "every_n_train_steps at an epoch's end": {"callbacks": [kept(folder, every_n_train_steps=10)], "max_steps": 12},
        "the best": {"callbacks": [kept(folder, every_n_epochs=2, save_on_train_epoch_end=False)], "max_steps": 12},
        "every_n_epochs": {"callbacks": [kept(folder, every_n_epochs=2)], "max_steps": 12},
        "exception after a batch": {"callbacks": [At("on_train_batch_end", 7, boom), saved()], "max_epochs": 3},
        "exception before a batch": {"callbacks": [At("on_train_batch_start", 7, boom), saved()], "max_epochs": 3},
        "exception in validation": {"callbacks": [At("on_validation_epoch_end", 5, boom), saved()], "max_epochs": 3},
        "exception at an epoch's end": {"callbacks": [At("on_train_epoch_end", 5, boom), saved()], "max_epochs": 3},
        "exception at an epoch's start": {"callbacks": [At("on_train_epoch_start", 5, boom), saved()], "max_epochs": 3},
    }


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    return run(tmp_path_factory.mktemp("straight"), max_epochs=3)


def check_goes_on(straight, cut, resumed):
    """What follows the cut is what follows it in the straight run, and so is the end."""
    (whole, end, _), (before, middle, _), (after, last, _) = straight, cut, resumed
    done = middle["global_step"]
    assert after.batches == [batch for batch in whole.batches if batch[2] > done] != []
    pending = [v for v in whole.validations if v[1] == done and (v not in before.validations or v in after.validations)]
    assert after.validations == pending + [v for v in whole.validations if v[1] > done]
    ends = [e for e in whole.ends if e[1] == done and (e not in before.ends or e in after.ends)]
    assert after.ends == ends + [e for e in whole.ends if e[1] > done]
    assert_equal(training_state(end), training_state(last))
    assert_equal(counters(end), counters(last))


@pytest.mark.parametrize("how", [{"max_epochs": 3}, {"max_steps": 3 * EPOCH}], ids=["by epochs", "by steps"])
@pytest.mark.parametrize("kind", cuts(""))
def test_a_cut_loses_nothing(kind, how, straight, tmp_path):
    cut = run(tmp_path / "cut", **cuts(tmp_path / "cut")[kind])
    torch.manual_seed(99)
    check_goes_on(straight, cut, run(tmp_path / "resumed", checkpoint=cut[2], **how))


@pytest.mark.parametrize("kind", ["every_n_train_steps at an epoch's end", "exception in validation"])
def test_a_validation_that_had_not_been_is_made_up_for(kind, straight, tmp_path):
    cut = run(tmp_path / "cut", **cuts(tmp_path / "cut")[kind])
    after, *_ = run(tmp_path / "resumed", checkpoint=cut[2], max_epochs=3)
    done = cut[1]["global_step"]
    assert after.validations == [v for v in straight[0].validations if v[1] >= done]


def test_cut_twice(straight, tmp_path):
    first = run(tmp_path / "a", max_steps=7)
    second = run(tmp_path / "b", checkpoint=first[2], max_steps=9)
    check_goes_on(straight, second, run(tmp_path / "c", checkpoint=second[2], max_epochs=3))


@pytest.mark.parametrize(
    "interval", [{"val_check_interval": 2}, {"val_check_interval": 4, "check_val_every_n_epoch": None}]
)
def test_validations_between_epochs_are_counted_on(interval, tmp_path):
    whole = run(tmp_path / "a", max_epochs=3, **interval)
    cut = run(tmp_path / "b", max_steps=8, **interval)
    check_goes_on(whole, cut, run(tmp_path / "c", checkpoint=cut[2], max_epochs=3, **interval))


@pytest.mark.parametrize("parts", [autoencoder, translator])
@pytest.mark.parametrize("cut", [{"max_steps": 8}, {"limit_train_batches": 2, "max_epochs": 1}])
def test_other_models(parts, cut, tmp_path):
    whole = run(tmp_path / "a", parts, max_epochs=2)
    first = run(tmp_path / "b", parts, **cut)
    check_goes_on(whole, first, run(tmp_path / "c", parts, first[2], max_epochs=2))


def test_other_batches_keep_the_epochs_that_are_done(tmp_path, capsys):
    """Batches of twice the size: a whole epoch and two fifths of one are so again."""
    cut = run(tmp_path / "a", max_steps=7)
    parts = lambda: (small(DCGAN), glyphs(count=4 * EPOCH * 4, batch_size=8))  # noqa: E731
    after, last, _ = run(tmp_path / "b", parts, cut[2], max_epochs=3)
    assert [batch[:2] for batch in after.batches] == [(1, n) for n in range(4, 10)] + [(2, n) for n in range(10)]
    assert last["global_step"] == 7 + 6 + 10
    said = capsys.readouterr().err
    for words in ("data.batch_size was 4", "data.count was 20", "cannot be the same bit for bit", "had 5 batches"):
        assert words in said
    assert "goes on with 1 epochs and 4 batches done" in said


def test_an_epoch_that_is_done_leaves_no_batches(tmp_path, capsys):
    cut = run(tmp_path / "a", max_epochs=1)
    parts = lambda: (small(DCGAN), glyphs(count=4 * EPOCH * 4, batch_size=8))  # noqa: E731
    run(tmp_path / "b", parts, cut[2], max_steps=EPOCH + 1)
    assert "goes on with 1 epochs and 0 batches done" in capsys.readouterr().err


# -------------------------------------------------------------------- what is said


def test_every_difference_is_said(tmp_path, capsys):
    cut = run(tmp_path / "a", max_steps=2)
    other = small(DCGAN, clip_norm=5.0, generator_optimizer=partial(Adam, lr=1e-3))
    run(
        tmp_path / "b",
        lambda: (other, glyphs(count=20, flip=True, seed=3)),
        cut[2],
        max_steps=3,
        precision="bf16-mixed",
    )
    notes = [line.replace(f" in {cut[2]}", "") for line in capsys.readouterr().err.splitlines() if "note: " in line]
    assert notes == [
        "note: clip_norm was None and is now 5.0",
        "note: generator_optimizer.lr was 0.0002 and is now 0.001, but the optimizer goes on with its saved state",
        "note: precision was 32-true and is now bf16-mixed",
        "note: data.seed was 0 and is now 3",
        "note: data.flip was False and is now True",
        "note: so the run goes on, but cannot be the same bit for bit as one that never stopped",
    ]


def test_nothing_is_said_of_a_run_that_only_goes_on(tmp_path, capsys):
    cut = run(tmp_path / "a", max_steps=2)
    run(tmp_path / "b", lambda: (small(DCGAN), glyphs(count=20, size=16, num_workers=1)), cut[2], max_steps=3)
    assert "note: " not in capsys.readouterr().err


def test_differences():
    old = {"a": (1, 2), "b": {"class_path": "x.Adam", "init_args": {"lr": 1, "eps": 2}}, "c": 3, "size": 16}
    new = {"a": [1, 2], "b": {"class_path": "y.Adam", "init_args": {"lr": 4}}, "d": 5, "size": (16, 16)}
    assert list(differences(old, new)) == [("b.lr", 1, 4)]
    named = [{"class_path": "lit_gans.optim.Adam", "init_args": given} for given in ({}, {"lr": 0.1}, {"lr": 2e-4})]
    assert list(differences({"o": named[0]}, {"o": named[1]})) == [("o.lr", 2e-4, 0.1)]
    assert not list(differences({"o": named[0]}, {"o": named[2]}))
    assert list(differences({"s": None}, {"s": old["b"]})) == [("s", None, "Adam")]


def test_nothing_left_to_do(tmp_path, capsys):
    cut = run(tmp_path / "a", max_epochs=1)
    folder = tmp_path / "b"
    for limits, name in (({"max_epochs": 1}, "max_epochs=1"), ({"max_steps": 4}, "max_steps=4")):
        trainer(folder, **{"max_steps": -1, **limits}).fit(*game()[:1], datamodule=game()[1], ckpt_path=cut[2])
        assert (
            f"nothing is left to do: {cut[2]} is from batch 5, with 1 epochs done, and {name}"
            in capsys.readouterr().err
        )


def test_another_model_is_refused(tmp_path):
    _, _, path = run(tmp_path, max_steps=1)
    data = glyphs()
    refused(lambda: trainer(tmp_path).fit(small(LSGAN), datamodule=data, ckpt_path=path), "DCGAN", "LSGAN", path)
    refused(lambda: trainer(tmp_path).fit(small(WGAN), datamodule=data, ckpt_path=path), "DCGAN", "WGAN")
    refused(lambda: trainer(tmp_path).validate(small(LSGAN), datamodule=data, ckpt_path=path), "DCGAN", "LSGAN")


def test_another_optimizer_and_weights_alone_are_refused(tmp_path):
    _, whole, path = run(tmp_path, max_steps=1)
    other = small(DCGAN, generator_optimizer=RMSprop)
    refused(lambda: trainer(tmp_path).fit(other, datamodule=glyphs(), ckpt_path=path), "another optimizer", "RMSprop")
    torch.save({name: value for name, value in whole.items() if name != "optimizer_states"}, path)
    refused(lambda: trainer(tmp_path).fit(small(DCGAN), datamodule=glyphs(), ckpt_path=path), "weights alone")


@pytest.mark.parametrize("model", [DCGAN, VAE])
@pytest.mark.parametrize("option", [{"accumulate_grad_batches": 2}, {"gradient_clip_val": 1.0}])
def test_what_lightning_would_do_to_one_optimizer_is_refused(model, option, tmp_path):
    refused(
        lambda: fit(tmp_path, small(model), **option), *option, "batch_size" if "accu" in str(option) else "clip_norm"
    )


@pytest.mark.parametrize("devices", [2, 3])
def test_random_states_of_other_devices_are_not_dropped_in_silence(devices, tmp_path):
    _, whole, path = run(tmp_path / "a", max_steps=1)
    torch.save({**whole, "random_states": whole["random_states"] * devices}, path)
    with pytest.warns(UserWarning, match=rf"resuming on 1 device\(s\) what was saved on {devices}"):
        run(tmp_path / "b", checkpoint=path, max_steps=2)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run(tmp_path / "c", checkpoint=run(tmp_path / "d", max_steps=1)[2], max_steps=2)
    assert not [warning for warning in said if "resuming on" in str(warning.message)]


def test_an_older_checkpoint_goes_on(straight, tmp_path):
    """One of 0.1 says nothing of the data and of what an epoch was."""
    log, whole, path = run(tmp_path / "a", max_steps=7)
    torch.save({name: value for name, value in whole.items() if name != "run"}, path)
    check_goes_on(straight, (log, whole, path), run(tmp_path / "b", checkpoint=path, max_epochs=3))


def test_the_monitor_goes_on_counting(tmp_path):
    watch, again = CollapseMonitor(), CollapseMonitor()
    watch.won, watch.warned = {"discriminator": 2, "generator": 0}, {"collapse"}
    path = run(tmp_path / "a", callbacks=[watch], max_steps=1, limit_val_batches=0)[2]
    run(tmp_path / "b", checkpoint=path, callbacks=[again], max_steps=2, limit_val_batches=0)
    assert (again.won, again.warned) == (watch.won, watch.warned)


# -------------------------------------------------------------------- the command line

FLAGS = [
    "fit",
    "--data.size=16",
    "--data.count=40",
    "--data.batch_size=4",
    "--model.backbone.width=4",
    "--trainer.accelerator=cpu",
]
FLAGS += ["--trainer.enable_progress_bar=false", "--trainer.limit_val_batches=0"]


def test_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main([*FLAGS, "--trainer.max_steps=13"])
    runs = tmp_path / "runs" / "DCGAN-Glyphs"
    last = "--ckpt_path=runs/DCGAN-Glyphs/version_0/checkpoints/last.ckpt"
    for done in ("--trainer.max_steps=13", "--trainer.max_epochs=1", "--trainer.max_time=00:00:00:00"):
        with pytest.raises(SystemExit) as ended:
            main([*FLAGS, done, last])
        assert ended.value.code == 0 and "nothing is left to do" in capsys.readouterr().err
    assert [folder.name for folder in runs.iterdir()] == ["version_0"]  # no folder for nothing
    main([*FLAGS, "--trainer.max_epochs=2", last, "--data.seed=1"])
    assert "note: data.seed was 0 in runs" in capsys.readouterr().err
    second = runs / "version_1"
    assert torch.load(second / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 20
    # the configuration repeats the run, and does not resume it
    main(["fit", f"--config={second / 'config.yaml'}"])
    assert "Restor" not in capsys.readouterr().err
    again = torch.load(runs / "version_2" / "checkpoints" / "last.ckpt", weights_only=True)
    assert again["global_step"] == 20 and tuple(again["hyper_parameters"]["image_shape"]) == SHAPE
