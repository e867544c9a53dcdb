"""Saves the last checkpoint, so that a run can be stopped at any time and go on from there."""

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from lightning.pytorch.utilities import rank_zero_info

from lit_gans.callbacks.loggers import upload_last
from lit_gans.callbacks.run_folder import run_of
from lit_gans.errors import at_least
from lit_gans.signals import Terminated, is_first

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ASK_EVERY = 10  # batches between two looks at the other devices' flags on accelerators, where each look is a sync


class SaveLast(Callback):
    """Keeps ``<run>/checkpoints/last.ckpt``, and saves and stops when a signal tells the run to.

    The checkpoint is written after every epoch (and at the end of a run that stops within one), every
    ``every_n_steps`` batches, and when SIGTERM or Ctrl-C arrives at any of the processes: the batch is finished, never
    left between the two players, all processes save together and exit with 128 plus the signal's number (143, 130). A
    second Ctrl-C ends at once. In a sweep of W&B, whose agent ends poor runs by SIGTERM, the exit code is 0.

    Args:
        every_n_steps: batches between two checkpoints within an epoch; 0 saves only at its end.

    Raises:
        UsageError: if ``every_n_steps`` is negative.
    """

    def __init__(self, every_n_steps: int = 0) -> None:
        at_least(0, every_n_steps=every_n_steps)
        self.every_n_steps = every_n_steps
        self.path = Path("last.ckpt")
        self.received = 0
        self._before: dict[int, Any] = {}
        self._taken = False
        self.saves = True

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Finds the run's folder (on every device, since they have to agree on it)."""
        if self.saves:
            self.path = run_of(trainer).last
        if stage == "fit":
            self.received = 0
            self._before = {number: signal.getsignal(number) or signal.SIG_DFL for number in _SIGNALS}

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes over the two signals, in place of Lightning's handlers."""
        self._take()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes over the two signals, if there was no sanity check."""
        self._take()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves if it is time, and stops if any process was told to."""
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0:
            self._save(trainer)
        due = trainer.strategy.root_device.type == "cpu" or trainer.global_step % _ASK_EVERY == 0
        if due and (number := self._agreed(trainer)) != 0:
            self._save(trainer, ended=True)
            trainer._logger_connector.update_train_step_metrics()  # Lightning's next step, which is not reached
            self._leave(trainer, number)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves."""
        self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Uploads what was saved last, and stops if a signal came after the last batch, say in the last validation."""
        self._restore()
        if self.saves and not trainer.fast_dev_run and self.path.is_file():  # type: ignore[attr-defined]
            self._upload(trainer, ended=True)
        number = self._agreed(trainer)
        self.received = 0
        if number:  # all processes leave or none: one alone would wait for the others
            self._leave(trainer, number)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Gives the signals back; a signal that came before training ends the other processes too."""
        self._restore()
        launcher = trainer.strategy.launcher
        if isinstance(exception, Terminated) and isinstance(launcher, _SubprocessScriptLauncher):
            launcher.kill(signal.SIGKILL)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Stops if a signal came in a run without a batch."""
        self._restore()
        if stage == "fit" and self.received:
            raise SystemExit(128 + self.received)

    def _take(self) -> None:
        if not self._taken and threading.current_thread() is threading.main_thread():
            self._taken = True
            for number in _SIGNALS:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received == signal.SIGINT and number == signal.SIGINT:
            self._restore()
            raise KeyboardInterrupt
        self.received = number
        if number == signal.SIGINT and is_first():
            os.write(2, b"\nfinishing this batch, then saving; Ctrl-C again to end at once\n")

    def _agreed(self, trainer: Trainer) -> int:
        """The signal that any of the processes has received, 0 for none; all get the same answer."""
        if trainer.world_size == 1:
            return self.received
        flag = torch.tensor([self.received], device=trainer.strategy.root_device)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return int(flag)

    def _save(self, trainer: Trainer, ended: bool = False) -> None:
        if self.saves and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            trainer.save_checkpoint(self.path)
            self._upload(trainer, ended)

    def _upload(self, trainer: Trainer, ended: bool) -> None:
        if trainer.is_global_zero:
            upload_last(trainer, self.path, ended)

    def _leave(self, trainer: Trainer, number: int) -> None:
        trainer.strategy.barrier()
        self._restore()
        rank_zero_info(
            f"{signal.Signals(number).name}: stopped after batch {trainer.global_step}"
            + (f"; go on with the same command and --ckpt_path {self.path}" if self.saves else ", nothing was saved")
        )
        # an agent of W&B ends a run early by SIGTERM; it takes other codes than 0 for failures, and gives up after five
        ended_early = number == signal.SIGTERM and os.environ.get("WANDB_SWEEP_ID")
        raise SystemExit(0 if ended_early else 128 + number)

    def _restore(self) -> None:
        """Puts back the handlers that were there before Lightning's own."""
        if self._taken:
            self._taken = False
            for number, handler in self._before.items():
                signal.signal(number, handler)
