"""Held-out samples on several devices: what another device has too is cut off, or counts for nothing."""

from types import SimpleNamespace

import pytest
import torch
from conftest import small
from lightning.pytorch import LightningModule
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from lit_gans import DCGAN
from lit_gans.data.order import InOrder


@pytest.fixture
def model(monkeypatch):
    """A model in the validation of a run on two devices: ``model.at(number)`` is about to get that batch."""
    monkeypatch.setattr(LightningModule, "_on_before_batch_transfer", lambda self, batch, dataloader_idx=0: batch)
    monkeypatch.setattr(LightningModule, "log", lambda self, name, value, **options: self.logged.append(options))
    made = small(DCGAN)
    loop = SimpleNamespace(batch_progress=SimpleNamespace(current=SimpleNamespace(ready=0)))
    made._trainer = SimpleNamespace(
        world_size=2,
        global_rank=1,
        training=False,
        state=SimpleNamespace(fn=None),
        fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(val_loop=loop)),
        validate_loop=None,
        test_loop=None,
        predict_loop=None,
        val_dataloaders=None,
        test_dataloaders=None,
        predict_dataloaders=None,
    )
    made._current_fx_name, made.logged = "validation_step", []

    def at(number):
        loop.batch_progress.current.ready = number
        return made

    made.at = at
    yield made
    made._trainer = None


def own(rank=1):
    """Three batches of two, of which the second device has the middle one, and the first of the first again."""
    return DataLoader(TensorDataset(torch.arange(6)), batch_size=None, sampler=InOrder((6,), 2, rank, 2))


def lightnings():
    """Five samples in batches of two: the second device has 1, 3 and, which the first has too, 0."""
    data = TensorDataset(torch.arange(5))
    return DataLoader(data, batch_size=2, sampler=DistributedSampler(data, 2, 1, shuffle=False))


def test_batches_are_numbered_over_devices(model):
    assert [model.number(batch) for batch in range(3)] == [1, 3, 5]
    model._trainer = None
    assert model.number(4) == 4


def test_a_whole_batch_that_is_repeated_counts_for_nothing(model):
    model._trainer.val_dataloaders = own()
    batch = {"image": torch.zeros(2, 1)}
    assert model.at(0)._on_before_batch_transfer(batch) is batch
    assert not model.repeats
    model.log("val/a", 1.0)
    model.log("val/a", 1.0, batch_size=7)
    assert model.at(1)._on_before_batch_transfer(batch) is batch  # it keeps step with the other device
    assert model.repeats
    model.log("val/a", 1.0, batch_size=7)
    assert [options["batch_size"] for options in model.logged] == [2.0, 7.0, 0.0]
    assert all(type(options["batch_size"]) is float for options in model.logged)  # or rounded


@pytest.mark.parametrize("several", [False, True])
def test_a_sample_that_is_repeated_is_cut_off(several, model):
    model._trainer.val_dataloaders = [own(), lightnings()] if several else lightnings()
    batches = list(lightnings())
    kept = [model.at(number)._on_before_batch_transfer(batch, int(several)) for number, batch in enumerate(batches)]
    assert [rows.tolist() for (rows,) in batches] == [[1, 3], [0]]
    assert kept[0] is batches[0] and kept[1] is batches[1] and model.repeats  # all of the last one is
    model._trainer.val_dataloaders = model._trainer.val_dataloaders[1] if several else model._trainer.val_dataloaders
    (rows,) = model.at(1)._on_before_batch_transfer([torch.tensor([3, 0])])
    assert rows.tolist() == [3] and not model.repeats
    model.log("val/a", 1.0)
    assert model.logged[-1]["batch_size"] == 1.0


@pytest.mark.parametrize("fn", ["validate", "test", "predict"])
def test_every_loop_counts_its_own_batches(fn, model):
    trainer = model._trainer
    trainer.state.fn = SimpleNamespace(value=fn)
    loop = SimpleNamespace(batch_progress=SimpleNamespace(current=SimpleNamespace(ready=1)))
    setattr(trainer, f"{fn}_loop", loop)
    setattr(trainer, f"{fn.removesuffix('idate')}_dataloaders", own())
    model._on_before_batch_transfer({"image": torch.zeros(2, 1)})
    assert model.repeats


@pytest.mark.parametrize("change", [{"world_size": 1}, {"training": True}])
def test_nothing_is_cut_elsewhere(change, model):
    vars(model._trainer).update(change, val_dataloaders=own())
    batch = [torch.zeros(2, 1)]
    assert model.at(1)._on_before_batch_transfer(batch) is batch
    assert not model.repeats
    model.log("val/a", 1.0)
    assert model.logged == [{}]


def test_a_batch_without_a_size_is_left_to_lightning(model):
    model._trainer.val_dataloaders = own()
    assert model.at(0)._on_before_batch_transfer("text") == "text"
    model.log("val/a", 1.0)
    assert model.logged == [{}]
