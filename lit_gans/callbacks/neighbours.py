"""Shares the cores of a machine with other runs, and says when the machine is too busy."""

import os
import statistics
from time import monotonic
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn

from lit_gans.devices import Presence, cores, take_threads

_KNOWN = 50  # batches whose time is known before one is compared with them
_SLOWER = 10.0  # times


class Neighbours(Callback):
    """Shares the cores with other runs of yours on this machine, and says, once, when it is too busy.

    A run on the CPU computes with one thread for each core. Where n others train already, it takes its part: cores / (n
    + 1), at least one. That is decided at its start and never changed, since the number of threads changes sums in the
    last bit; a resumed run goes on with as many as it had. ``OMP_NUM_THREADS`` goes before it.

    When twenty batches take ten times as long as they did, and more processes want to compute than there are cores, a
    line says so.
    """

    def __init__(self) -> None:
        self._presence = Presence()
        self._threads: int | None = None  # before the run
        self._times: list[float] = []
        self._usual: float | None = None
        self._last, self._said = 0.0, False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Takes the run's part of the cores."""
        if stage != "fit" or trainer.strategy.root_device.type != "cpu" or trainer.local_rank:
            return
        self._threads, others = torch.get_num_threads(), self._presence.begin()
        if others and trainer.world_size == 1:
            take_threads(min(torch.get_num_threads(), max(1, cores() // (others + 1))))

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leaves the cores to others."""
        self._leave()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leaves the cores to others."""
        self._leave()

    def _leave(self) -> None:
        self._presence.end()
        if self._threads is not None:
            take_threads(self._threads)
        self._threads = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Notes the time."""
        self._last = monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Compares the times of the last batches with those of the first."""
        if self._said or trainer.strategy.root_device.type != "cpu":
            return
        self._times.append(monotonic() - self._last)
        if len(self._times) < (_KNOWN if self._usual is None else 20):
            return
        now, self._times = statistics.median(self._times), []
        if self._usual is None:
            self._usual = now
        elif now > _SLOWER * self._usual and (load := _load()) > cores() + 0.5:
            self._said = True
            rank_zero_warn(
                f"a batch takes {now:.2g} s, {now / self._usual:.0f} times as long as at first, since {load:.1f} "
                f"processes want {cores()} core{'s' * (cores() > 1)}; end the others, or give each run fewer threads "
                "(OMP_NUM_THREADS=1)"
            )


def _load() -> float:
    """How many processes want to compute; 0 where the system does not say it."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return 0.0
