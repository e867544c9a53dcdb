"""The place in a run that a checkpoint resumes at, whenever it was saved: no batch and no validation is lost.

Lightning counts an epoch as finished when its loop ends, also when it was cut by ``max_steps``, ``max_time``, a
callback or ``limit_train_batches``, and skips the rest of it on resuming. Here the place of a run is its number of
batches: an epoch is finished when all of its batches are done.
"""

from dataclasses import dataclass, replace
from typing import Any

from lightning.pytorch import LightningDataModule, Trainer

RUN = "run"  # the entry of a checkpoint that describes the run that saved it


@dataclass(frozen=True)
class Place:
    """A place between two batches.

    Args:
        batches: number of batches that the run has done.
        epoch: the number, from 0, of the epoch that the last of them belongs to.
        batch: number of batches of that epoch that are done.
        over: whether that was the epoch's last batch.
        ended: whether the hooks at the end of the epoch have run too.
        validated: whether the validation that may follow the last batch is done.
    """

    batches: int
    epoch: int
    batch: int
    over: bool
    ended: bool
    validated: bool

    @property
    def epochs(self) -> int:
        """The number of epochs that are finished."""
        return self.epoch + (self.over and self.ended)


def lengths(trainer: Trainer, loader: Any) -> tuple[int | None, int | None]:
    """The number of batches of ``loader``, and of an epoch of this run; None where it is not known."""
    if isinstance(loader, (list, tuple, dict)):  # several loaders: the length of the list says nothing
        return None, None
    try:
        every = len(loader)
    except (TypeError, NotImplementedError, RuntimeError):  # a CombinedLoader has none before it is iterated
        return None, None
    limit: int | float = trainer.limit_train_batches
    return every, min(every, limit) if isinstance(limit, int) else int(every * limit)


def upcoming(trainer: Trainer) -> tuple[int | None, int | None]:
    """The `lengths` of the data of a run that begins, before Lightning has asked for them."""
    loader = trainer.fit_loop._data_source.instance
    if isinstance(loader, LightningDataModule):
        loader = loader.train_dataloader()
    shares = trainer.world_size == 1 or hasattr(getattr(loader, "sampler", None), "world_size")
    return lengths(trainer, loader) if shares else (None, None)  # Lightning has not divided it among the devices yet


def measure(trainer: Trainer) -> dict[str, Any]:
    """The numbers that a checkpoint needs beside Lightning's counters."""
    every, epoch = lengths(trainer, trainer.train_dataloader)
    loop = trainer.fit_loop.epoch_loop
    done = loop.batch_progress.state_dict()["total"]["processed"]
    stepped = loop._batches_that_stepped >= done  # a batch is counted there after its validation
    interrupted = trainer.state.status == "interrupted"
    return {"batches": every, "epoch": epoch, "validated": stepped or (trainer.validating and not interrupted)}


def find(checkpoint: dict[str, Any]) -> Place:
    """The place that a checkpoint was saved at, in whatever hook."""
    loops = checkpoint["loops"]["fit_loop"]
    epochs, progress = loops["epoch_progress"]["current"], loops["epoch_loop.batch_progress"]
    current, run = progress["current"], checkpoint.get(RUN, {})
    batches, batch = progress["total"]["processed"], current["processed"]
    over = batch > 0 and (batch == run.get("epoch") or (progress["is_last_batch"] and batch == current["ready"]))
    validated = run.get("validated", current["completed"] == batch)
    begun = epochs["ready"]
    if epochs["started"] < begun or (batch == 0 and begun):  # a new epoch that has done no batch yet
        return Place(batches, begun - 2, 0, True, True, True)
    return Place(batches, begun - 1, batch, over or not begun, epochs["processed"] == begun, validated)


def fitted(place: Place, old: tuple[Any, Any], new: tuple[Any, Any]) -> Place:
    """The same place in a run whose epochs have another length.

    If only the limit has changed, the place is where a run with the new limit would be after as many batches. If the
    number of batches has changed, the finished epochs count as finished, and the same share of the unfinished one.
    """
    if None in (*old, *new) or old[1] == new[1]:
        return place
    if old[0] == new[0]:
        epoch, batch = divmod(place.batches, new[1])
    elif place.over:
        return replace(place, batch=new[1])
    else:
        epoch, batch = place.epoch, place.batch * new[1] // old[1]
    if batch == 0:
        return replace(place, epoch=epoch - 1, batch=new[1], over=True, ended=True)
    return replace(place, epoch=epoch, batch=batch, over=False)


def rewind(checkpoint: dict[str, Any], trainer: Trainer) -> tuple[Place, int | None]:
    """Writes the place into Lightning's counters, as they are after a batch, or after an epoch that is over.

    Returns:
        The place, for `go_on`, and the number of batches that an epoch will have.
    """
    run, new = checkpoint.get(RUN, {}), upcoming(trainer)
    place = fitted(find(checkpoint), (run.get("batches"), run.get("epoch")), new)
    loops = checkpoint["loops"]["fit_loop"]
    begun = place.epoch + 1
    finished = begun if place.over and place.ended else place.epoch
    for counts in loops["epoch_progress"].values():
        counts.update(ready=begun, started=begun, processed=finished, completed=finished)
    progress = loops["epoch_loop.batch_progress"]
    names = ("ready", "started", "processed", "completed")
    progress["total"].update(dict.fromkeys(names, place.batches))
    progress["current"].update(dict.fromkeys(names, place.batch))
    progress["is_last_batch"] = place.over
    stepped = place.batches - (finished == place.epoch)  # the last batch is counted when the loop goes on from it
    loops["epoch_loop.state_dict"]["_batches_that_stepped"] = max(stepped, 0)
    return place, new[1]


def go_on(trainer: Trainer, place: Place) -> None:
    """Tells Lightning's loops, which have just been restored and asked for data, how to begin.

    Lightning guesses from its counters, and with ``max_steps`` takes every restored epoch for an unfinished one.
    """
    loop, fetcher = trainer.fit_loop.epoch_loop, trainer.fit_loop._data_fetcher
    assert fetcher is not None
    if place.over and place.ended:
        loop.restarting = False  # the next epoch is a new one
    elif not place.validated and loop._should_check_val_fx(fetcher):
        loop.val_loop.batch_progress.reset_on_run()  # the whole validation once more, also where a part was done
        loop.val_loop._restart_stage = "restarted_mid_evaluation"
    else:
        loop._restart_stage = "none"
        fetcher.done = place.over  # there is nothing left but the epoch's end
