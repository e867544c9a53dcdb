"""The precision that a run is fastest with, by a trial before its first batch."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any
from weakref import ref

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.precision import MixedPrecision, Precision

from lit_gans.callbacks.trial import Untried, seconds_a_batch
from lit_gans.checkpoints.place import RUN
from lit_gans.errors import UsageError

BY_TRIAL = "auto"  # the word for it, which Lightning does not know
FULL = "32-true"
_MIXED = ("bf16-mixed", "16-mixed")
_WORTH = 0.9  # the share of the time in 32-true that a mixed precision may take at most

Measure = Callable[[Trainer, LightningModule, Sequence[str]], dict[str, float]]


class FastestPrecision(Callback):
    """Chooses between 32-true and the mixed precision of the device, whichever makes the faster batches.

    Before the first batch of a run a few batches are tried with copies of the model, which takes some five seconds, or
    one batch each where that is more, and leaves the run as it would be if the precision had been named. The mixed
    precision, which is bf16-mixed, or 16-mixed on a GPU without bfloat16, must be a tenth faster. The first process
    tries, and all take what it has found. Where nothing can be tried, it is bf16-mixed on a GPU that has it, and else
    32-true.

    Args:
        measure: the seconds that a batch takes in each of some precisions.
    """

    def __init__(self, measure: Measure = seconds_a_batch) -> None:
        self.measure = measure
        #: the choice and its reason, for the table that a run begins with
        self.said = ""
        self._saved: tuple[str, Any] | None = None  # of the checkpoint that the next run begins with
        self._of: Callable[[], LightningModule | None] = lambda: None

    def follow(self, checkpoint: dict[str, Any], path: Any) -> None:
        """Takes the precision of a checkpoint, which the next run begins with, for that run.

        Raises:
            UsageError: if that is one that is never chosen here.
        """
        name = checkpoint.get(RUN, {}).get("precision")
        if name is not None and name not in (FULL, *_MIXED):
            raise UsageError(
                f"{path} was trained with precision {name}, and auto chooses between {FULL} and {_MIXED[0]}; give "
                f"precision {name}"
            )
        self._saved = None if name is None else (name, path)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Chooses, once for a model, and gives the choice to the Trainer; without training only a checkpoint's.

        Raises:
            UsageError: if the Trainer was given another precision as a plugin.
        """
        if self._saved is None and (stage != "fit" or self._of() is pl_module):
            return
        strategy = trainer.strategy
        if type(strategy.precision_plugin) not in (Precision, MixedPrecision):
            raise UsageError(
                f"precision auto chooses a precision, and the Trainer has a {type(strategy.precision_plugin).__name__} "
                "already; leave one of them out"
            )
        chosen = self._choose(trainer, pl_module) if trainer.is_global_zero else ("", "")
        name, self.said = strategy.broadcast(chosen)
        strategy.precision_plugin = _plugin(name, strategy.root_device)
        self._saved, self._of = None, ref(pl_module)

    def _choose(self, trainer: Trainer, model: LightningModule) -> tuple[str, str]:
        """The precision, and what is said of it."""
        device = trainer.strategy.root_device
        mixed = _mixed(device)
        if self._saved is not None:
            name, path = self._saved
            name = name if name == FULL else mixed or FULL  # this device may have the other mixed one
            return name, f"{name} (auto: that of {path})"
        try:
            if mixed is None:
                raise Untried(f"no other precision is tried on {device.type}")
            began = monotonic()
            took = self.measure(trainer, model, (mixed, FULL))  # the first pays for what is done once in a process
            trial = monotonic() - began
        except Untried as why:
            name = "bf16-mixed" if device.type == "cuda" and mixed == "bf16-mixed" else FULL
            return name, f"{name} (auto, without a trial: {why})"
        name, other = (mixed, FULL) if took[mixed] <= _WORTH * took[FULL] else (FULL, mixed)
        times = f"{_words(took[name])} a batch, {other} {_words(took[other])}"
        return name, f"{name} (auto: {times}; trying took {trial:.1f} s)"


def _mixed(device: torch.device) -> str | None:
    """The mixed precision of a device; None where none is tried."""
    if device.type == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    return "bf16-mixed" if device.type == "cpu" else None


def _plugin(name: str, device: torch.device) -> Precision:
    """What computes in a precision, as Lightning's Trainer makes it."""
    return Precision() if name == FULL else MixedPrecision(name, device.type)  # type: ignore[arg-type]


def _words(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
