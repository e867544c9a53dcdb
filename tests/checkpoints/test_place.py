"""Where a run is: the place that a checkpoint's counters stand for, in this run's epochs, and back into counters."""

from types import SimpleNamespace

import pytest
from lightning.pytorch import LightningDataModule
from lightning.pytorch.loops.evaluation_loop import RestartStage as Validation
from lightning.pytorch.loops.training_epoch_loop import RestartStage as Training

from lit_gans.checkpoints.place import RUN, Place, find, fitted, go_on, lengths, measure, rewind, upcoming

COUNTS = ("ready", "started", "processed", "completed")
CUT = Place(8, 1, 3, False, False, True)  # three batches into the second epoch of five
DONE = Place(10, 1, 5, True, True, True)  # after two epochs of five


def run(loader=range(5), limit=1.0, world_size=1):
    source = SimpleNamespace(instance=loader)
    loops = SimpleNamespace(_data_source=source)
    return SimpleNamespace(limit_train_batches=limit, world_size=world_size, fit_loop=loops)


def checkpoint(epochs, counts, total, last=False, **said):
    """What Lightning's counters say: of epochs, and of the batches of this epoch, each ready, started and so on."""
    progress = {"current": dict(zip(COUNTS, counts, strict=True)), "total": dict.fromkeys(COUNTS, total)}
    loops = {
        "epoch_progress": {name: dict(zip(COUNTS, epochs, strict=True)) for name in ("current", "total")},
        "epoch_loop.batch_progress": {**progress, "is_last_batch": last},
        "epoch_loop.state_dict": {"_batches_that_stepped": 0},
    }
    return {"loops": {"fit_loop": loops}, **({RUN: said} if said else {})}


@pytest.mark.parametrize(
    ("loader", "limit", "expected"),
    [
        (range(10), 1.0, (10, 10)),
        (range(10), 3, (10, 3)),
        (range(10), 20, (10, 10)),
        (range(10), 0.25, (10, 2)),
        (iter(range(10)), 1.0, (None, None)),
        ([range(10), range(4)], 1.0, (None, None)),
    ],
    ids=["no limit", "a lower limit", "a higher limit", "a share", "no length", "several loaders"],
)
def test_the_length_of_an_epoch(loader, limit, expected):
    assert lengths(run(limit=limit), loader) == expected
    assert upcoming(run(loader, limit)) == expected


def test_the_length_on_several_devices_is_known_where_the_sampler_shares():
    shared = type("Loader", (), {"sampler": SimpleNamespace(world_size=2), "__len__": lambda self: 4})()
    assert upcoming(run(shared, world_size=2)) == (4, 4)
    assert upcoming(run(range(4), world_size=2)) == (None, None)  # Lightning is going to divide it
    data = LightningDataModule()
    data.train_dataloader = lambda: shared
    assert upcoming(run(data, 3, world_size=2)) == (4, 3)


@pytest.mark.parametrize(
    ("stepped", "validating", "status", "validated"),
    [
        (3, False, "running", True),
        (2, False, "running", False),
        (2, True, "running", True),  # a callback saves at its end
        (2, True, "interrupted", False),
        (3, False, "interrupted", True),
    ],
)
def test_what_a_checkpoint_says_beside_the_counters(stepped, validating, status, validated):
    progress = SimpleNamespace(state_dict=lambda: {"total": {"ready": 4, "processed": 3}})
    trainer = run(limit=3)
    trainer.fit_loop.epoch_loop = SimpleNamespace(batch_progress=progress, _batches_that_stepped=stepped)
    trainer.state, trainer.validating = SimpleNamespace(status=status), validating
    trainer.train_dataloader = range(5)
    assert measure(trainer) == {"batches": 5, "epoch": 3, "validated": validated}


@pytest.mark.parametrize(
    ("saved", "expected"),
    [
        (checkpoint((0, 0, 0, 0), (0, 0, 0, 0), 0), Place(0, -1, 0, True, True, True)),
        (checkpoint((2, 2, 1, 1), (3, 3, 3, 3), 8), CUT),
        (checkpoint((2, 2, 1, 1), (3, 3, 3, 2), 8), Place(8, 1, 3, False, False, False)),
        (checkpoint((2, 2, 1, 1), (3, 3, 3, 2), 8, epoch=5, validated=True), CUT),
        (checkpoint((2, 2, 1, 1), (5, 5, 5, 5), 10, epoch=5, validated=False), Place(10, 1, 5, True, False, False)),
        (checkpoint((2, 2, 2, 1), (5, 5, 5, 5), 10, epoch=5, validated=True), DONE),
        (checkpoint((2, 2, 1, 1), (5, 5, 5, 5), 10, last=True), Place(10, 1, 5, True, False, True)),
        (checkpoint((2, 2, 1, 1), (5, 5, 4, 4), 9, last=True), Place(9, 1, 4, False, False, True)),
        (checkpoint((3, 2, 2, 2), (5, 5, 5, 5), 10, epoch=5), Place(10, 1, 0, True, True, True)),
        (checkpoint((3, 3, 2, 2), (0, 0, 0, 0), 10, epoch=5), Place(10, 1, 0, True, True, True)),
        (checkpoint((3, 3, 2, 2), (1, 1, 0, 0), 10, last=True), Place(10, 1, 0, True, True, True)),
    ],
    ids=[
        "nothing done",
        "in an epoch",
        "in its validation",
        "after its validation",
        "all batches done",
        "an epoch's end",
        "the last batch by Lightning's word",
        "in the last batch",
        "a new epoch",
        "a new epoch's begin",
        "a new epoch's first batch",
    ],
)
def test_the_place_of_a_checkpoint(saved, expected):
    assert find(saved) == expected


@pytest.mark.parametrize(
    ("place", "new", "expected"),
    [
        (CUT, (5, 5), CUT),
        (CUT, (9, 5), CUT),
        (CUT, (None, 3), CUT),
        (CUT, (5, 3), Place(8, 2, 2, False, False, True)),  # as many batches
        (CUT, (5, 4), Place(8, 1, 4, True, True, True)),
        (CUT, (10, 10), Place(8, 1, 6, False, False, True)),  # the same share of the epoch that was cut
        (CUT, (1, 1), Place(8, 0, 1, True, True, True)),
        (DONE, (10, 10), Place(10, 1, 10, True, True, True)),
        (DONE, (5, 4), Place(10, 2, 2, False, True, True)),
    ],
    ids=str,
)
def test_the_same_place_in_epochs_of_another_length(place, new, expected):
    assert fitted(place, (5, 5), new) == expected
    assert fitted(place, (None, None), new) == place


@pytest.mark.parametrize(
    ("epochs", "counts", "total", "finished", "stepped"),
    [
        ((0, 0, 0, 0), (0, 0, 0, 0), 0, 0, 0),
        ((2, 2, 1, 1), (3, 3, 3, 2), 8, 1, 7),
        ((1, 1, 0, 0), (5, 5, 5, 5), 5, 0, 4),
        ((2, 2, 2, 1), (5, 5, 5, 5), 10, 2, 10),
    ],
    ids=str,
)
def test_counters_are_as_at_the_end_of_a_batch_or_an_epoch(epochs, counts, total, finished, stepped):
    saved = checkpoint(epochs, counts, total, batches=5, epoch=5, validated=True)
    place, length = rewind(saved, run())
    loops, progress = saved["loops"]["fit_loop"], saved["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    assert length == 5 and place == find(saved)
    counters = dict(zip(COUNTS, (epochs[0], epochs[0], finished, finished), strict=True))
    assert loops["epoch_progress"] == {"current": counters, "total": counters}
    assert progress["total"] == dict.fromkeys(COUNTS, total)
    assert progress["current"] == dict.fromkeys(COUNTS, counts[2])
    assert progress["is_last_batch"] == (counts[2] in (0, 5))
    assert loops["epoch_loop.state_dict"] == {"_batches_that_stepped": stepped}


def test_counters_of_epochs_of_another_length():
    saved = checkpoint((2, 2, 1, 1), (3, 3, 3, 3), 8, batches=5, epoch=5, validated=True)
    assert rewind(saved, run(limit=3)) == (Place(8, 2, 2, False, False, True), 3)
    assert saved["loops"]["fit_loop"]["epoch_progress"]["current"] == dict(zip(COUNTS, (3, 3, 2, 2), strict=True))


@pytest.mark.parametrize(
    ("place", "due"), [(DONE, True), (CUT, True), (CUT, False), (Place(8, 1, 3, False, False, False), False)]
)
def test_a_run_goes_on_after_what_is_done(place, due):
    """``due`` says whether a validation would follow; the last place has not been validated, but need not be."""
    loop, fetcher = loops(due)
    go_on(SimpleNamespace(fit_loop=SimpleNamespace(epoch_loop=loop, _data_fetcher=fetcher)), place)
    assert loop.validations == 0
    if place is DONE:
        assert loop.restarting is False and loop._restart_stage == "as it was" and fetcher.done == "as it was"
    else:
        assert loop.restarting is True and loop._restart_stage == Training.NONE and fetcher.done is place.over


def test_a_validation_that_is_missing_is_made_up_for():
    loop, fetcher = loops(True)
    missing = Place(10, 1, 5, True, False, False)
    go_on(SimpleNamespace(fit_loop=SimpleNamespace(epoch_loop=loop, _data_fetcher=fetcher)), missing)
    assert loop.validations == 1
    assert loop.val_loop._restart_stage == Validation.RESTARTED_MID_EVALUATION
    assert loop.restarting is True and loop._restart_stage == "as it was"


def loops(due):
    """Lightning's training loop and what fetches its data, restored."""
    fetcher = SimpleNamespace(done="as it was")
    loop = SimpleNamespace(restarting=True, _restart_stage="as it was", validations=0)
    loop._should_check_val_fx = lambda given: due and given is fetcher
    loop.val_loop = SimpleNamespace(
        batch_progress=SimpleNamespace(reset_on_run=lambda: vars(loop).update(validations=1))
    )
    return loop, fetcher
