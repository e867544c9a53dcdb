"""How a run ends: the score that may stop it early is checked to be measured, and the last batch is validated."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from lit_gans.callbacks.best import logged, never_logged, unknown
from lit_gans.callbacks.length import all_batches, next_validation, validate_at_end
from lit_gans.errors import UsageError


class StoppingCheck(Callback):
    """Refuses an ``EarlyStopping`` whose score no validation of the run will measure.

    Lightning itself says so only after the first epoch, if nothing logs the name, or else after the last batch, when
    the training is lost. A ``ModelCheckpoint`` is checked in the same way.

    A run that ``max_steps`` ends within an epoch is validated then, too, if it was validated before.
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
        if scores and trainer.global_step == 0 and all_batches(trainer) < next_validation(trainer):
            raise UsageError(
                f"EarlyStopping watches {scores[0]}, but this run of {all_batches(trainer):g} batches ends before its "
                "first validation; let it run longer, lower trainer.val_check_interval, or leave EarlyStopping out"
            )

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Asks for a validation after the last batch."""
        validate_at_end(trainer)
