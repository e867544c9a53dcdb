"""How long a batch of a run takes in each precision, tried with a copy of its model before it begins."""

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from copy import copy, deepcopy
from functools import partial
from io import StringIO
from time import monotonic, perf_counter, thread_time
from types import MethodType
from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning_utilities.core.apply_func import apply_to_collection
from torch.utils.data import DataLoader, IterableDataset

from lit_gans import checkpoints
from lit_gans.callbacks.strangers import Stranger, seen
from lit_gans.data.order import BatchStream
from lit_gans.errors import reason

_SECONDS = 5.0  # after which no further round begins
_SLOW = 2.0  # seconds of a first batch that is taken as it is, though the first is slower than those after it
_ROUNDS, _MOST = 3, 20  # rounds after the first, and batches of each at most
_CLEAR = 1.5  # times as long as another: no further round would change which is the fastest


class Untried(Exception):
    """Nothing can be tried; the text says why."""


def seconds_a_batch(trainer: Trainer, model: LightningModule, names: Sequence[str]) -> dict[str, float]:
    """The seconds that a batch of a run takes in each precision, on the device of this process alone.

    Copies of the model are trained on one batch of the data, by a Trainer that writes nothing. The model, the data and
    all random numbers stay as they are. The precisions take turns, and the shortest time of each counts. On the CPU the
    seconds are those in which the main thread computes, so that other processes of a busy machine disturb little. It
    takes some five seconds at most, or one batch in each precision where that is more.

    Args:
        trainer: of the run, in its setup.
        model: what it trains.
        names: of the precisions, in Lightning's words.

    Raises:
        Untried: if the data cannot be looked at before the run, or the copies cannot be trained.
    """
    if isinstance(seen(model), Stranger):
        raise Untried("only models of this library can be copied and tried")
    batch = _first_batch(trainer)
    with _unseen(trainer.strategy.root_device):
        try:
            copies = {name: _copied(model) for name in names}
            return rounds(lambda name, batches: _trained(trainer, copies[name], batch, name, batches), names)
        except Exception as error:
            raise Untried(f"a copy cannot be trained ({type(error).__name__}: {reason(error)})") from error


def rounds(run: Callable[[str, int], float], names: Sequence[str], limit: float = _SECONDS) -> dict[str, float]:
    """The shortest time of each precision in a few rounds, in which each has its turn.

    The first shows how many batches there is time for, and counts only if there is time for no other. A round that
    would not end within the limit does not begin, nor one after the fastest precision has become clear.

    Args:
        run: trains so many batches in a precision after a first one, and gives the seconds of one.
        names: of the precisions.
        limit: seconds of all rounds, of which the first takes what it takes.
    """
    began = monotonic()
    best = {name: run(name, 1) for name in names}
    for number in range(_ROUNDS):
        left = limit - (monotonic() - began)
        possible = int(left / (_ROUNDS - number) / sum(best.values())) - 1  # a first batch does not count
        if left < 2 * sum(best.values()) or (number and _is_clear(best.values())):
            break
        took = {name: run(name, max(1, min(_MOST, possible))) for name in names}
        best = {name: min(best[name], took[name]) for name in names} if number else took
    return best


def _is_clear(seconds: Iterable[float]) -> bool:
    """Whether the shortest time is much shorter than all others."""
    shortest, *others = sorted(seconds)
    return all(other > _CLEAR * shortest for other in others)


def _first_batch(trainer: Trainer) -> Any:
    """The first batch of the training data; their loader is not asked for it, since it would then miss in the run.

    Raises:
        Untried: if only the loader could say what it is.
    """
    source = trainer.fit_loop._data_source.instance
    loaders = source.train_dataloader() if isinstance(source, LightningDataModule) else source
    found = []

    def first(loader: DataLoader[Any]) -> Any:
        data, size = loader.dataset, loader.batch_size
        found.append(loader)
        if isinstance(data, IterableDataset):
            raise Untried("the training data are a stream, of which a trial would take a part")
        if isinstance(loader.sampler, BatchStream):
            return loader.collate_fn(data[next(iter(loader.sampler))])
        if size is None:
            raise Untried("the training loader does not say how many samples a batch has")
        return loader.collate_fn([data[index] for index in range(min(size, len(data)))])  # type: ignore[arg-type]

    batch = apply_to_collection(loaders, DataLoader, first)
    if not found:
        raise Untried("the training data are in no DataLoader")
    return batch


def _copied(model: LightningModule) -> LightningModule:
    """A copy of a model that is in no Trainer."""
    trainer = model._trainer
    # those that the command line makes hold all of the run, its data too
    shared = {id(each): each for module in model.modules() for each in _factories(vars(module))}
    model.trainer = None
    try:
        made = deepcopy(model, shared)
    finally:
        model.trainer = trainer
    _leave_alone(made, LightningModule)
    return made


def _factories(value: Any) -> Iterator[partial[Any]]:
    """What makes optimizers and the like, in dicts and lists."""
    if isinstance(value, partial):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from _factories(each)


def _trained(trainer: Trainer, model: LightningModule, batch: Any, precision: Any, batches: int) -> float:
    """Trains a copy on so many batches after a first one, and gives the seconds of one."""
    device, watch = trainer.strategy.root_device, _Watch(batches)
    alone: Any = {"accelerator": "gpu", "devices": [device.index or 0]} if device.type == "cuda" else {"devices": 1}
    made = Trainer(
        **{"accelerator": device.type, **alone},
        precision=precision,
        max_epochs=-1,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        log_every_n_steps=trainer.log_every_n_steps,  # type: ignore[attr-defined]
        callbacks=[watch],
        plugins=[LightningEnvironment()],  # one process, though the run may have several
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=trainer.default_root_dir,
    )
    data = trainer.datamodule  # type: ignore[attr-defined]
    if data is None:
        made.fit(model, _Repeated(batch))
    else:
        made.fit(model, datamodule=_standing_in(data, batch))
    return watch.seconds


def _standing_in(data: LightningDataModule, batch: Any) -> LightningDataModule:
    """The same data module, with its way of bringing a batch to the device, that gives this batch alone."""
    other = copy(data)
    other.trainer = None
    _leave_alone(other, LightningDataModule)
    other.setup = other.teardown = lambda stage: None  # type: ignore[method-assign]
    other.train_dataloader = lambda: _Repeated(batch)  # type: ignore[method-assign]
    return other


def _leave_alone(part: Any, kind: type) -> None:
    """Gives a part of a trial Lightning's own, empty ``prepare_data``: all processes of a run meet around any other."""
    part.prepare_data = MethodType(kind.prepare_data, part)  # type: ignore[attr-defined]


class _Repeated:
    """A loader of one batch, again and again."""

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield copy(self.batch)  # what brings it to the device may take parts of it out


class _Watch(Callback):
    """Ends a training after a first batch and so many others, and keeps the seconds of one of these."""

    def __init__(self, batches: int) -> None:
        self.batches, self.seconds = batches, 0.0
        self._done, self._start, self._began = 0, 0.0, 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begins with the first batch, whose seconds count only if there is no other."""
        self._start, self._began = monotonic(), _now(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stops where it is enough; of a very slow model that is the first batch alone."""
        if self._done in (0, self.batches):
            now = _now(trainer)
            self.seconds = (now - self._began) / max(self._done, 1)
            trainer.should_stop = self._done > 0 or monotonic() - self._start > _SLOW
            self._began = now
        self._done += 1


def _now(trainer: Trainer) -> float:
    """The time by which batches are compared, in seconds."""
    device = trainer.strategy.root_device
    if device.type == "cpu":
        return thread_time()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter()


@contextmanager
def _unseen(device: torch.device) -> Iterator[None]:
    """While it lasts, nothing is printed; afterwards all random numbers are as before."""
    states, level = checkpoints.random_state(device), logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), torch.compiler.set_stance("force_eager"):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
        checkpoints.set_random_state(states, device)
