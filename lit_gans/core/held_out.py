"""Counts each held-out sample once, also on several devices."""

from typing import Any

from lightning.pytorch import LightningModule

from lit_gans.data.order import first_of, repeated, size_of
from lit_gans.errors import UsageError


class HeldOut(LightningModule):
    """Numbers held-out batches, cuts off repeated samples and weighs what is logged."""

    #: whether all samples of a held-out batch are in another device's batch too
    repeats: bool = False
    _weight: float | None = None

    def number(self, batch_idx: int) -> int:
        """The number that a held-out batch would have on a single device: devices take turns."""
        if self._trainer is None:
            return batch_idx
        return batch_idx * self.trainer.world_size + self.trainer.global_rank

    def _on_before_batch_transfer(self, batch: Any, dataloader_idx: int = 0) -> Any:
        """Makes sure that on several devices no held-out sample counts twice.

        Loaders are padded, so that all devices have equally many batches. Samples that another batch has too are cut
        off here. Where these are the whole batch, it stays, so that devices keep step, ``repeats`` is true and the
        batch counts for nothing. (Not the public hook: where a data module has it too, Lightning warns and calls one of
        the two.)
        """
        batch = super()._on_before_batch_transfer(batch, dataloader_idx)
        trainer, self.repeats, self._weight = self._trainer, False, None
        if batch is None and trainer is not None and trainer.training and not trainer.fit_loop.total_batch_idx:
            raise UsageError("the loader gave None for its first batch; let its collate_fn return what it has made")
        if trainer is None or trainer.world_size == 1 or trainer.training:
            return batch
        of_command: dict[str, tuple[Any, Any]] = {
            "validate": (trainer.validate_loop, trainer.val_dataloaders),
            "test": (trainer.test_loop, trainer.test_dataloaders),
            "predict": (trainer.predict_loop, trainer.predict_dataloaders),
        }
        inside_fit: tuple[Any, Any] = trainer.fit_loop.epoch_loop.val_loop, trainer.val_dataloaders
        loop, loaders = of_command.get(str(trainer.state.fn.value if trainer.state.fn else ""), inside_fit)
        loader = loaders[dataloader_idx] if isinstance(loaders, (list, tuple)) else loaders
        twice, size = repeated(loader, loop.batch_progress.current.ready), size_of(batch)
        self.repeats = twice is None or (twice > 0 and twice == size)
        if size is not None:
            self._weight = 0.0 if self.repeats else float(size - (twice or 0))
        return batch if self.repeats or not twice or size is None else first_of(batch, size - twice)

    def log(self, name: str, value: Any, *arguments: Any, **options: Any) -> None:
        """Lightning's; on several devices every held-out sample has the same weight, and repeated ones have none.

        Lightning takes the mean of the batch sizes over devices in whole numbers, unless they are floats.
        """
        if self._weight is not None and self._current_fx_name in ("validation_step", "test_step"):
            options["batch_size"] = 0.0 if self.repeats else float(options.get("batch_size") or self._weight)
        super().log(name, value, *arguments, **options)
