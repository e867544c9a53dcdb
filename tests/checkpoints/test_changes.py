"""What a run that goes on says: one sentence for every difference, and one where it is over already."""

from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from conftest import refused, small
from lightning.pytorch import LightningDataModule
from lightning.pytorch.callbacks import Timer

from lit_gans import DCGAN, LSGAN, Glyphs
from lit_gans.checkpoints import KEY, class_path
from lit_gans.checkpoints.changes import argument_notes, describe, differences, notes
from lit_gans.checkpoints.place import Place
from lit_gans.checkpoints.resume import nothing_left, refuse_class

INEXACT = "so the run goes on, but cannot be the same bit for bit as one that never stopped"
RUN = {
    "precision": "32-true",
    "accelerator": "cpu",
    "limit_train_batches": 1.0,
    "overfit_batches": 0.0,
    "data": "lit_gans.data.glyphs.Glyphs",
    "arguments": {"batch_size": 4, "num_workers": 0, "size": 16},
    "samples": [36],
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"limit_train_batches": 5}, ["limit_train_batches was 1.0 in a.ckpt and is now 5"]),
        ({"precision": "bf16-mixed"}, ["precision was 32-true in a.ckpt and is now bf16-mixed", INEXACT]),
        ({"samples": [36, 20]}, ["the number of training samples was 36 in a.ckpt and is now 36 and 20", INEXACT]),
        ({"data": "lit_gans.MNIST"}, ["data was Glyphs in a.ckpt and is now MNIST", INEXACT]),
        (
            {"arguments": {**RUN["arguments"], "batch_size": 8}},
            ["data.batch_size was 4 in a.ckpt and is now 8", INEXACT],
        ),
        ({"arguments": {**RUN["arguments"], "num_workers": 2}}, []),
        ({"arguments": {**RUN["arguments"], "size": [16, 16]}}, []),
    ],
    ids=str,
)
def test_a_sentence_for_every_difference(change, said):
    assert notes(RUN, {**RUN, **change}, "a.ckpt") == said


@pytest.mark.parametrize("name", ["precision", "samples", "data"])
def test_what_a_checkpoint_does_not_say_is_not_compared(name):
    old = {key: value for key, value in RUN.items() if key != name}
    assert notes(old, {**RUN, name: "lit_gans.MNIST"}, "a.ckpt") == []


def test_loaders_of_ones_own_are_other_data():
    new = {key: value for key, value in RUN.items() if key not in ("data", "arguments", "samples")}
    assert notes(RUN, new, "a.ckpt") == ["data was Glyphs in a.ckpt and is now loaders without a data module", INEXACT]


class Plain(LightningDataModule):
    """Data that are not of this library."""

    def __init__(self, batch_size=4):
        super().__init__()
        self.save_hyperparameters()


@pytest.mark.parametrize(
    ("data", "described"),
    [
        (None, {}),
        (Plain(8), {"data": f"{__name__}.Plain", "arguments": {"batch_size": 8}}),
    ],
    ids=str,
)
def test_a_run_is_described_by_plain_values(data, described):
    settings = {"precision": "32-true", "limit_train_batches": 1.0, "overfit_batches": 0.0}
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    found = describe(SimpleNamespace(datamodule=data, strategy=strategy, **settings))
    assert found == {**settings, "accelerator": "cpu", "threads": torch.get_num_threads(), **described}


def test_a_run_of_this_librarys_data_is_described():
    data = Glyphs(characters="01", size=16, count=40, batch_size=4)
    data.setup("fit")
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    settings = dict.fromkeys(("precision", "limit_train_batches", "overfit_batches"), 1)
    found = describe(SimpleNamespace(datamodule=data, strategy=strategy, **settings))
    assert found["data"] == "lit_gans.data.glyphs.Glyphs" and found["samples"] == data.splits["train"].sizes
    assert found["arguments"]["batch_size"] == 4 and "seed" in found["arguments"], "also what nobody gave"


def test_arguments_of_factories_are_compared_by_name():
    adam = torch.optim.Adam
    old, new = ({"class_path": "torch.optim.Adam", "init_args": {"lr": rate}} for rate in (1.0, 2.0))
    assert [*differences({"a": old}, {"a": new})] == [("a.lr", 1.0, 2.0)]
    assert [*differences({"a": old}, {"a": {**old, "class_path": "torch.optim.SGD"}})] == [("a", "Adam", "SGD")]
    assert [*differences({"a": adam}, {"a": torch.optim.SGD})] == [("a", adam, torch.optim.SGD)]
    assert [*differences({"a": [1, 2], "b": 16}, {"a": (1, 2), "b": (16, 16), "c": 3})] == []


def test_a_factory_of_another_rate_says_that_its_state_goes_on():
    model = small(DCGAN, optimizer=partial(torch.optim.SGD, lr=1e-3))
    said = lambda **saved: argument_notes(model, {**dict(model.hparams), **saved}, "a.ckpt")  # noqa: E731
    assert said() == []
    assert said(optimizer=partial(torch.optim.SGD, lr=2e-3)) == [
        "optimizer.lr was 0.002 in a.ckpt and is now 0.001, but the optimizer goes on with its saved state"
    ]
    assert said(ema_decay=0.5) == ["ema_decay was 0.5 in a.ckpt and is now 0.999"]
    assert said(image_shape=(3, 8, 8)) == [], "the data say it"


@pytest.mark.parametrize(
    ("steps", "epochs", "minutes", "limit"),
    [
        (-1, None, None, None),
        (11, 3, 3, None),
        (10, None, None, "max_steps=10"),
        (9, 3, None, "max_steps=9"),
        (-1, 2, None, "max_epochs=2"),
        (-1, -1, 2, "max_time=0:02:00"),
    ],
)
def test_a_run_that_is_over_says_by_which_limit(steps, epochs, minutes, limit):
    checkpoint = {"global_step": 10, "callbacks": {"Timer": {"time_elapsed": {"train": 120}}}}
    timer = None if minutes is None else Timer(timedelta(minutes=minutes))
    said = nothing_left(Place(10, 1, 5, True, True, True), checkpoint, steps, epochs, timer, "a.ckpt")
    if limit is None:
        assert said == []
        return
    name = limit.partition("=")[0]
    place = "a.ckpt is from batch 10, with 2 epochs done"
    assert said == [f"nothing is left to do: {place}, and {limit} ends there; raise {name} to go on"]


def test_a_checkpoint_without_a_timer_has_used_no_time():
    for callbacks in ({}, {"callbacks": {}}, {"callbacks": {"Timer": {}}}):
        timer = Timer(timedelta(minutes=1))
        assert (
            nothing_left(Place(1, 0, 1, False, False, True), {"global_step": 1, **callbacks}, -1, 3, timer, "a") == []
        )


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (None, None),
        (class_path(DCGAN), None),
        ("__main__.DCGAN", None),
        ("elsewhere.DCGAN", "a.ckpt holds a DCGAN, which cannot go on as DCGAN; resume it with a DCGAN"),
        (class_path(LSGAN), "a.ckpt holds an LSGAN, which cannot go on as DCGAN; resume it with an LSGAN"),
        ("__main__.LSGAN", "a.ckpt holds an LSGAN"),
    ],
)
def test_a_run_goes_on_as_the_class_that_it_was(held, words):
    model, checkpoint = small(DCGAN), {KEY: {"class_path": held}}
    if words is None:
        refuse_class(model, checkpoint, "a.ckpt")
    else:
        refused(lambda: refuse_class(model, checkpoint, "a.ckpt"), words)


def test_the_class_of_a_script_is_the_one_of_its_name():
    script = type("DCGAN", (DCGAN,), {"__module__": "__main__"})
    refuse_class(small(script), {KEY: {"class_path": "train.DCGAN"}}, "a.ckpt")
    refused(lambda: refuse_class(small(script), {KEY: {"class_path": "train.LSGAN"}}, "a.ckpt"), "holds an LSGAN")


@pytest.mark.parametrize(("held", "words"), [(DCGAN, None), (LSGAN, "b.ckpt holds an LSGAN")])
def test_the_class_is_looked_at_before_a_validation_too(held, words):
    model = small(DCGAN)
    model._trainer = SimpleNamespace(ckpt_path="b.ckpt", state=SimpleNamespace(fn="validate"))
    try:
        if words is None:
            model.on_load_checkpoint({KEY: {"class_path": class_path(held)}})
        else:
            refused(lambda: model.on_load_checkpoint({KEY: {"class_path": class_path(held)}}), words)
    finally:
        model._trainer = None
