"""The score that a run is judged by: which it is, the last value and the best so far."""

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from lit_gans.callbacks.quality import Quality
from lit_gans.metrics.scoring import LOWER_IS_BETTER


class Standing:
    """The last and the best value of the score by which the best checkpoint is chosen.

    Without such a checkpoint it is the first of the scores of `Quality` of which less is better.
    """

    def __init__(self) -> None:
        self.name: str | None = None  #: for example ``val/fid``
        self.last: float | None = None
        self.last_at = 0  #: the batches that had been trained when it was measured
        self.best: float | None = None
        self.best_at = 0  #: the batches that had been trained when it was measured
        self._sign = 1

    def begin(self, trainer: Trainer, model: Any) -> None:
        """Finds the score, and the best value that a resumed run has had."""
        callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
        best = next((c for c in callbacks if isinstance(c, ModelCheckpoint) and c.monitor is not None), None)
        if trainer.limit_val_batches == 0:
            return
        if best is not None:
            self.name, self._sign = best.monitor, -1 if best.mode == "max" else 1
            self.best = None if best.best_model_score is None else float(best.best_model_score)
        elif (quality := next((c for c in callbacks if isinstance(c, Quality)), None)) is not None:
            names = quality.names(trainer, model)
            self.name = next((name for name in names if name.removeprefix("val/") in LOWER_IS_BETTER), None)

    def look(self, trainer: Trainer) -> None:
        """Takes the value of the last validation, if it measured one; the value before it counts no second time."""
        value = trainer.callback_metrics.get(self.name or "")
        if not isinstance(value, Tensor) or trainer.sanity_checking:
            return
        self.last, self.last_at = float(value), trainer.global_step
        if self.best is None or self._sign * self.last < self._sign * self.best:
            self.best, self.best_at = self.last, trainer.global_step
