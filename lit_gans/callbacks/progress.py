"""A progress bar with the losses."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar


class ProgressBar(TQDMProgressBar):
    """Lightning's bar with every player's loss, read from the device only when the bar is redrawn.

    Args:
        refresh_rate: batches between two redraws.
    """

    def __init__(self, refresh_rate: int = 20) -> None:
        super().__init__(refresh_rate=refresh_rate)
        self._outputs: Any = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keeps the batch's terms until the bar asks for them."""
        self._outputs = outputs
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def say(self, text: str) -> None:
        """Says on the bar of a validation or a test what is done after its batches."""
        bar = self._test_progress_bar if self.trainer.testing else self._val_progress_bar
        if bar is not None:
            bar.set_description(text)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """The losses of the last batch and what was logged for the bar."""
        shown = {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}
        for name, value in (self._outputs or {}).items():
            if name.rpartition("/")[2] == "loss":
                shown[name.removesuffix("/loss")] = f"{float(value):.3f}"
        return shown
