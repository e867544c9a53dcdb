"""Says what a run has found and will do, and at its end what there is and what to do next."""

import sys
from pathlib import Path
from shlex import quote
from time import monotonic
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from rich.console import Console
from rich.table import Table

from lit_gans.callbacks import opening
from lit_gans.callbacks.length import all_batches, by_epochs, counted, words
from lit_gans.callbacks.quality import Quality
from lit_gans.callbacks.run_folder import begun, run_of
from lit_gans.callbacks.standing import Standing
from lit_gans.callbacks.strangers import Stranger, seen
from lit_gans.checkpoints.description import to_trust
from lit_gans.runs import Run

_FIRST, _TIMED = 1, 20  # batches: the first is slower than the others
_SHORT = 60  # seconds of a run whose length need not be said
_BESIDE = ("recall", "coverage", "memorisation")  # scores that are said with the one that counts
_WIDTH = 80  # columns where the output is no terminal


class RunReport(Callback):
    """Prints a table before the first batch, how long the run will take, and at its end what there is.

    The table says what the run has found, what it will do and where it writes. After twenty batches a line says how
    long the training will take, unless that is less than a minute. At the end there are the scores, the files, and the
    commands that use them. The first device alone prints.
    """

    def __init__(self) -> None:
        self.standing = Standing()
        self._began, self._start, self._done = 0.0, 0, False
        self._timed = self._whole = 0.0
        self._folder: Path | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the table."""
        silent = not trainer.loggers or trainer.fast_dev_run  # type: ignore[attr-defined]
        self._folder = None if silent else run_of(trainer).folder  # all devices have to agree on it, so all ask here
        rows = opening.lines(trainer, pl_module, self._folder)
        self.standing.begin(trainer, pl_module)
        self._began, self._start, self._whole = monotonic(), trainer.global_step, all_batches(trainer)
        if trainer.is_global_zero:
            table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
            table.add_column(style="bold", no_wrap=True)
            table.add_column(overflow="fold")
            for row in rows:
                table.add_row(*row)
            terminal = sys.stdout.isatty()
            console = Console(file=sys.stdout, width=None if terminal else _WIDTH, markup=False, highlight=False)
            with console.capture() as captured:
                console.print(table)
            # the spaces that fill a line would be in the way of whoever copies it
            print("\n".join(line.rstrip() for line in captured.get().splitlines()), flush=True)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Says how long the run will take, once."""
        done = trainer.global_step - self._start
        if done > _TIMED:
            return
        if done == _FIRST:
            begun()
        if done in (_FIRST, _TIMED) and trainer.is_global_zero:
            if trainer.strategy.root_device.type == "cuda":
                torch.cuda.synchronize()  # else the time would be that of asking for the batches
            if done == _FIRST:
                self._timed = monotonic()
            else:
                self._say_time(trainer, pl_module, (monotonic() - self._timed) / (_TIMED - _FIRST))

    def _say_time(self, trainer: Trainer, pl_module: LightningModule, seconds: float) -> None:
        left = self._whole - trainer.global_step
        if _SHORT < seconds * left < float("inf"):
            besides = " and the scores besides" if self.standing.name is not None else ""
            pl_module.print(
                f"{_TIMED} batches took {seconds * _TIMED:.2g} s: about {words(seconds * left)} of training for the "
                f"{left:,.0f} that are left{besides}"
            )

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keeps the folder of a run that only validates."""
        if trainer.state.fn != "fit":
            begun()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keeps the folder."""
        begun()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keeps the folder."""
        begun()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the new score."""
        self.standing.look(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes that the run has come to its end."""
        self._done = True

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Says what there is."""
        if not self._done or not trainer.is_global_zero:
            return
        for logger in trainer.loggers:
            if isinstance(logger, CSVLogger):
                logger.save()  # it would write its last rows a moment later
        epochs = f", {counted(trainer.current_epoch, 'epoch')}" if by_epochs(trainer, self._whole) else ""
        took = words(monotonic() - self._began)
        print(f"done: {counted(trainer.global_step, 'batch')}{epochs}{_why(trainer)}; {took}")
        print(self._scores(trainer))
        if self._folder is not None:
            print("\n".join(results(self._folder, pl_module, _limit(trainer))))
        sys.stdout.flush()

    def _scores(self, trainer: Trainer) -> str:
        standing = self.standing
        if seen(trainer.lightning_module).of_texts and standing.name is None:
            own = {name: value for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
            return ", ".join(f"{name} {float(value):.4g}" for name, value in own.items()) or "scores were not measured"
        if standing.last is None or standing.best is None:
            why = "are off" if opening.first(trainer, Quality) is None else "were not measured"
            return f"scores {why}" if standing.name is None else f"{standing.name} was not measured"
        best = f"best {standing.best:.4g}" + (f" after batch {standing.best_at:,}" if standing.best_at else "")
        at = "at last"  # a run may end within an epoch, after its last validation
        if standing.last_at < trainer.global_step:
            at = f"after batch {standing.last_at:,}, the last that was scored"
        return f"{standing.name}: {standing.last:.4g} {at}, {best}{_beside(trainer)}"


def _beside(trainer: Trainer) -> str:
    """What the last scoring says of diversity and copies, which a distance does not tell apart."""
    found = {name: trainer.callback_metrics.get(f"val/{name}") for name in _BESIDE}
    told = ", ".join(f"{name} {float(value):.3g}" for name, value in found.items() if value is not None)
    return f"; {told}" if told else ""


def _limit(trainer: Trainer) -> str:
    """Which limit has ended a run; empty if none of these two."""
    if -1 < trainer.max_steps <= trainer.global_step:
        return "steps"
    epochs = trainer.max_epochs
    return "epochs" if epochs is not None and -1 < epochs <= trainer.current_epoch else ""


def _why(trainer: Trainer) -> str:
    """Why a run has ended, in words."""
    if limit := _limit(trainer):
        return f" (max_{limit}={getattr(trainer, f'max_{limit}')})"
    return " (stopped early)" if trainer.should_stop else ""


def _command(model: Any, run: str) -> str:
    """The command that uses a model's checkpoint."""
    if model.draws:
        told = model.captions(1)
        return f"sample {run} --text {quote(told[0])}" if told else f"sample {run}"
    if model.translates_texts:
        return f'translate {run} --text "..."'
    if model.of_texts:
        return f"embed {run} LINES.txt"
    if hasattr(model, "colorize_photo"):
        return f"colorize {run} GREY.jpg"
    return f"translate {run} PICTURES --output FOLDER" if model.domains else f"evaluate {run}"


def results(folder: Path, model: Any, limit: str = "epochs") -> list[str]:
    """Lines that say what is in a run's folder, and the commands that use it; ``limit`` is what a longer run raises."""
    run = Run(folder)
    files = [path.name for path in (run.config, run.metrics, run.scores) if path.is_file()]
    files += ["samples/"] if run.samples.is_dir() and any(run.samples.iterdir()) else []
    saved = sorted(run.checkpoints.glob("*.ckpt")) if run.checkpoints.is_dir() else []
    files += [f"checkpoints/{path.name}" for path in saved]
    lines = [f"{folder} has {', '.join(files)}" if files else f"nothing was written into {folder}"]
    name, commands = quote(str(folder)), []
    if saved and not isinstance(seen(model), Stranger):  # whose checkpoints no command reads
        command = f"lit-gans {_command(model, name)}"
        own = to_trust(model)  # a class of one's own is imported only if its package is named
        commands.append(f"{command} --trust {' '.join(own)}" if own else command)
    if run.metrics.is_file():
        commands.append(f"lit-gans plot {name}")
    if run.last.is_file() and run.config.is_file():
        commands.append(f"lit-gans fit --resume {name}{f' --{limit} N' if limit else ''}")
    return lines + [f"{'next:' if not n else '     '} {command}" for n, command in enumerate(commands)]
