"""Decides how often a run is scored: scores take a tenth of its time at most, and the last validation has them."""

from collections.abc import Callable
from math import ceil, isfinite
from time import monotonic
from typing import Any

from lightning.pytorch import Trainer

from lit_gans.callbacks.length import between_validations, validated_at_end

_SHARE = 0.1  # of a run's time that scores may take


class Pace:
    """Chooses the validations that are scored: one of every n, and the last.

    If n is not given, the first scoring is timed, which fixes n: by the time of the scoring and of the training between
    two validations. A guess of that time puts the first scoring off for as many validations as it would cost. A
    checkpoint keeps n, so that a resumed run goes on with it.

    Args:
        every: n; None lets the first scoring decide.
    """

    def __init__(self, every: int | None) -> None:
        self.given, self.fixed = every, every
        self.validations = 0
        self.seconds = 0.0  #: that the last scoring took
        self._since, self._batch = monotonic(), 0

    def state_dict(self) -> dict[str, Any]:
        """The pace and how many validations there were."""
        return {"every": self.fixed, "validations": self.validations}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on at the same pace, unless another one was given for this run."""
        self.validations = int(state["validations"])
        if self.given is None:
            self.fixed = state["every"]

    def train(self, trainer: Trainer) -> None:
        """Notes that training goes on from here."""
        self._since, self._batch = monotonic(), trainer.fit_loop.total_batch_idx + 1

    def validate(self, trainer: Trainer, guess: Callable[[], float]) -> bool:
        """Counts a validation of a fit, and says whether it is to be scored.

        Args:
            trainer: of the fit.
            guess: the seconds that a scoring takes at least; asked until there was one, on all devices.
        """
        self.validations += 1
        self._trained = _training_time(trainer, monotonic() - self._since, self._batch)
        if self.fixed is not None:
            return self.validations % self.fixed == 0 or _is_last(trainer)
        return self.validations >= self._often(trainer, guess()) or _is_last(trainer)

    def _often(self, trainer: Trainer, seconds: float) -> int:
        """In how many validations one may be scored that takes so many seconds on the first device."""
        # seconds / (seconds + n trained) is at most the share
        cost = seconds * (1 - _SHARE) / _SHARE / self._trained if self._trained > 0 else 1
        return int(trainer.strategy.broadcast(max(1, ceil(round(cost, 6)))))

    def left(self, trainer: Trainer, batches: float) -> float:
        """Seconds that the rest of a run's scorings will take, if so many batches are left."""
        between = between_validations(trainer)
        rest = ceil(batches / between) if isfinite(between) and isfinite(batches) else 0
        if rest <= 0:
            return 0.0
        done = self.validations // (every := self.fixed or 1)
        times = (self.validations + rest) // every - done
        return self.seconds * (times + ((self.validations + rest) % every > 0))

    def fix(self, trainer: Trainer, seconds: float) -> str:
        """Fixes the pace by the time that a scoring took on the first device; returns a sentence that says so."""
        self.fixed = self._often(trainer, seconds)
        often = "every validation" if self.fixed == 1 else f"every {self.fixed} validations, and for the last one"
        return (
            f"scores take {seconds:.2g} s, and training between two validations {self._trained:.2g} s: they are "
            f"computed for {often}; quality.every sets it"
        )


def _training_time(trainer: Trainer, seconds: float, first: int) -> float:
    """Seconds of training between two validations, if ``seconds`` of it have passed since the batch ``first``."""
    done, whole = trainer.fit_loop.total_batch_idx + 1 - first, between_validations(trainer)
    return seconds * whole / done if done > 0 and isfinite(whole) else seconds


def _is_last(trainer: Trainer) -> bool:
    """Whether this is the last validation, as far as steps and epochs tell; a time limit does not tell."""
    epoch, steps, epochs = trainer.num_training_batches, float("inf"), float("inf")
    if trainer.max_steps is not None and trainer.max_steps >= 0:
        steps = trainer.max_steps - trainer.global_step
    if trainer.max_epochs is not None and trainer.max_epochs >= 0 and isfinite(epoch):
        rest = epoch - trainer.fit_loop.epoch_loop.batch_progress.current.ready
        epochs = (trainer.max_epochs - trainer.current_epoch - 1) * epoch + rest
    if steps <= epochs and validated_at_end(trainer):
        return steps <= 0
    left, between = min(steps, epochs), between_validations(trainer)
    return isfinite(left) and isfinite(between) and left < between
