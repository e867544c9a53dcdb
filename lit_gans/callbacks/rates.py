"""Notices a learning rate that is far too high, by what is certain: weights and losses that have exploded."""

from math import isfinite
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from lit_gans.callbacks.progress import losses

_EVERY = 50  # batches between two looks, each of which waits for the device
_GROWN = 10.0  # times that a network's weights have grown: in the runs of the shipped configurations at most 1.2 times
_EARLY = 200  # batches within which that is looked at: later, a healthy network may have grown
_HUGE = 1e9  # a loss that no game has


class RateCheck(Callback):
    """Says, once, that a learning rate is far too high.

    Every 50 batches it looks at the losses, and within the first 200 at how much the weights of each network have
    grown. Weights that are ten times as large as at the beginning, or a loss above 1e9, come from steps that are far
    too long, whatever the game.
    """

    def __init__(self) -> None:
        self._first: dict[str, Tensor] = {}
        self._start, self._said = 0, False

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Measures the weights that the run begins with."""
        self._start, self._said = trainer.global_step, False
        self._first = _norms(pl_module) if trainer.is_global_zero else {}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Looks, every 50 batches."""
        done = trainer.global_step - self._start
        if self._said or done % _EVERY or not done or not trainer.is_global_zero:
            return
        found = {name: value for name, value in losses(outputs).items() if not abs(value) <= _HUGE}
        grown = {}
        if done <= _EARLY:
            now = _norms(pl_module)
            grown = {name: float(now[name] / was) for name, was in self._first.items() if name in now and was > 0}
        grown = {name: times for name, times in grown.items() if times > _GROWN or not isfinite(times)}
        if found or grown:
            self._said = True
            _say(trainer, done, losses(outputs), grown)


def _say(trainer: Trainer, done: int, now: dict[str, float], grown: dict[str, float]) -> None:
    rates = sorted({float(g["lr"]) for optimizer in trainer.optimizers for g in optimizer.param_groups if "lr" in g})
    weights = [f"the {name}'s weights are {times:,.0f} times as large as at the start" for name, times in grown.items()]
    values = ", ".join(f"{name} {value:.3g}" for name, value in now.items())
    rank_zero_warn(
        f"the learning rate ({' and '.join(map('{:g}'.format, rates))}) is far too high: after {done} batches "
        f"{', '.join([*weights, f'the losses are {values}'])}; this run will not learn: stop it and "
        "leave the option out, for the model's own rate, mostly 0.0002"
    )


@torch.no_grad()
def _norms(model: Any) -> dict[str, Tensor]:
    """The norm of each network's weights, on the device."""
    networks = getattr(model, "players", ())
    return {name: nn.utils.get_total_norm([*getattr(model, name).parameters()]) for name in networks}
