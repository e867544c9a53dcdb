"""Checks before a run's first batch that the score which may stop it early will be measured."""

import math
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from lit_gans.callbacks.best import logged, never_logged, unknown
from lit_gans.errors import UsageError


class StoppingCheck(Callback):
    """Refuses an ``EarlyStopping`` whose score no validation of the run will measure.

    Lightning itself says so only after the first epoch, if nothing logs the name, or else after the last batch, when
    the training is lost. A ``ModelCheckpoint`` is checked in the same way.
    """

    def on_sanity_check_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compares the names that are watched with those that validations log.

        Raises:
            UsageError: if nothing will log one of them.
        """
        callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
        for each in callbacks:
            watches = (isinstance(each, EarlyStopping) and each.strict) or type(each) is ModelCheckpoint
            if watches and each.monitor is not None and never_logged(each.monitor, trainer, pl_module):
                raise unknown(f"{type(each).__name__}.monitor", each.monitor, logged(trainer, pl_module))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compares the run's length with the batches before its first validation.

        Raises:
            UsageError: if there will be no validation.
        """
        callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
        watched = [c.monitor for c in callbacks if isinstance(c, EarlyStopping) and c.strict]
        scores = [name for name in watched if name.startswith("val/")]
        if scores and trainer.global_step == 0 and _batches(trainer) < _first_validation(trainer):
            raise UsageError(
                f"EarlyStopping watches {scores[0]}, but this run of {_batches(trainer):g} batches ends before its "
                "first validation; let it run longer, lower trainer.val_check_interval, or leave EarlyStopping out"
            )


def _batches(trainer: Trainer) -> float:
    """The most batches that a run may have."""
    epochs = trainer.max_epochs if trainer.max_epochs is not None and trainer.max_epochs >= 0 else math.inf
    steps = trainer.max_steps if trainer.max_steps >= 0 else math.inf
    return min(steps, epochs * trainer.num_training_batches)


def _first_validation(trainer: Trainer) -> float:
    """The number of batches before the first validation."""
    if trainer.limit_val_batches == 0 or not trainer.enable_validation:
        return math.inf
    within = trainer.val_check_batch or trainer.num_training_batches
    return ((trainer.check_val_every_n_epoch or 1) - 1) * trainer.num_training_batches + within
