"""The length of a run in batches, and the time that is left of it."""

import math
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer


def all_batches(trainer: Trainer) -> float:
    """The batches that a run has when it ends, counted from its first start; infinity if nothing says it.

    To be asked when training starts, and not between two epochs. A resumed run may have epochs of another length.
    """
    steps = trainer.max_steps if trainer.max_steps >= 0 else math.inf
    epoch = trainer.num_training_batches
    if trainer.max_epochs is None or trainer.max_epochs < 0 or math.isinf(epoch):
        return steps
    begun = trainer.fit_loop.epoch_loop.batch_progress.current.ready
    rest = (trainer.max_epochs - trainer.current_epoch) * epoch - (begun if begun < epoch else 0)
    return min(steps, trainer.global_step + max(0, rest))


def next_validation(trainer: Trainer) -> float:
    """The batch, counted from a run's first start, after which it is validated next; infinity if nothing says it.

    To be asked when training starts, also of a resumed run.
    """
    if trainer.limit_val_batches == 0 or not trainer.enable_validation:
        return math.inf
    epoch, every, done = trainer.num_training_batches, trainer.check_val_every_n_epoch, trainer.global_step
    within = trainer.val_check_batch or epoch
    if math.isinf(within):
        return math.inf
    if every is None:  # validations do not begin anew in each epoch
        return (done // within + 1) * within
    begun = trainer.fit_loop.epoch_loop.batch_progress.current.ready
    begun = begun if begun < epoch else 0
    ahead, batch = -(trainer.current_epoch + 1) % every, within  # epochs before the next with validations
    if not ahead:
        batch = (begun // within + 1) * within
        if batch > epoch:  # this epoch had its last
            ahead, batch = every, within
    return done - begun + (ahead * epoch if ahead else 0) + batch


def between_validations(trainer: Trainer) -> float:
    """Batches between two validations; infinity if nothing says it."""
    epoch, inside = trainer.num_training_batches, trainer.val_check_batch
    if inside is None:  # validations are started by the clock
        return math.inf
    if trainer.check_val_every_n_epoch is None or inside < epoch:
        return float(inside)
    return float(epoch) * trainer.check_val_every_n_epoch


def validated_at_end(trainer: Trainer) -> bool:
    """Whether a run is validated where ``max_steps`` ends it, also within an epoch: if it was validated before."""
    return trainer.check_val_every_n_epoch in (None, 1) and between_validations(trainer) < trainer.max_steps


def validate_at_end(trainer: Trainer) -> None:
    """Has the last batch of such a run validated; to be called after each batch.

    Lightning validates before a run that is told to stop, and else would leave the last weights without a score.
    """
    if trainer.global_step >= trainer.max_steps and validated_at_end(trainer):
        trainer.should_stop = True


def by_epochs(trainer: Trainer, whole: float) -> bool:
    """Whether it is the number of epochs that ends a run of ``whole`` batches, and not one of batches."""
    return trainer.max_steps < 0 or whole < trainer.max_steps


def seconds_allowed(trainer: Trainer) -> float:
    """The seconds that ``max_time`` leaves; infinity without it."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    left = [c.time_remaining() for c in callbacks if isinstance(c, Timer)]
    return min((seconds for seconds in left if seconds is not None), default=math.inf)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds.

    Examples:
        >>> clock(5), clock(754.2), clock(90_000)
        ('0:05', '12:34', '25:00:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def words(seconds: float) -> str:
    """About how long something takes, in words.

    Examples:
        >>> words(0.3), words(2), words(200), words(100_000)
        ('less than a second', '2 seconds', '3 minutes', '28 hours')
    """
    if round(seconds) < 1:
        return "less than a second"
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= (2 if unit != "day" else 3) * size:
            return f"{seconds / size:.0f} {unit}s"
    return "1 second" if round(seconds) == 1 else f"{seconds:.0f} seconds"


def counted(number: float, what: str) -> str:
    """A number with a noun.

    Examples:
        >>> counted(1, "batch"), counted(1200, "batch"), counted(2, "epoch")
        ('1 batch', '1,200 batches', '2 epochs')
    """
    return f"{number:,.0f} {what}{'' if number == 1 else 'es' if what.endswith('ch') and what != 'epoch' else 's'}"
