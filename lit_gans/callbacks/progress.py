"""A progress bar with the losses, the speed, the time left and the scores."""

import shutil
import sys
from collections.abc import Sequence
from math import isfinite
from time import monotonic
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar as LightningBar
from tqdm import tqdm

from lit_gans.callbacks.length import all_batches, by_epochs, clock, seconds_allowed
from lit_gans.callbacks.quality import Quality
from lit_gans.callbacks.standing import Standing
from lit_gans.callbacks.strangers import seen
from lit_gans.data.order import size_of
from lit_gans.errors import at_least

_NARROW = 8  # columns below which the bar itself is not worth its place


class ProgressBar(LightningBar):
    """One line in the terminal: every player's loss, the samples a second, the time left, the last score and the best.

    The losses are read from the device only when the line is redrawn. While samples are scored the line says how many
    have been drawn. Where the output is no terminal, a file or a pipe, it prints a line now and then instead.

    Args:
        seconds: between two redraws.
        lines: seconds between two lines where the output is no terminal.

    Raises:
        UsageError: if one of them is negative.
    """

    def __init__(self, seconds: float = 0.5, lines: float = 60.0) -> None:
        super().__init__()
        at_least(0, seconds=seconds, lines=lines)
        self.seconds, self.lines = seconds, lines
        self.standing = Standing()
        self._enabled = True
        self._bar: tqdm[Any] | None = None
        self._outputs: Any = None
        self._due = 0.0  # when the line is redrawn, on a clock that never goes back
        self._since, self._from = 0.0, 0  # the time and the batch since which the speed is measured
        self._speed = 0.0  # batches a second
        self._whole = 0.0  # batches of the run

    # ---------------------------------------------------------------- what Lightning asks of a bar

    @property
    def is_enabled(self) -> bool:
        """Whether this process shows anything."""
        return self._enabled

    def enable(self) -> None:
        """Shows what happens from now on."""
        self._enabled = True

    def disable(self) -> None:
        """Shows nothing from now on; Lightning calls it on all devices but the first."""
        self._enabled = False

    def print(self, *args: Any, sep: str = " ", **kwargs: Any) -> None:
        """Prints a text above the line."""
        tqdm.write(sep.join(map(str, args)), file=sys.stdout, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_bar": None}  # an open bar cannot be copied

    # ---------------------------------------------------------------- training

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begins the line."""
        self.standing.begin(trainer, pl_module)
        self._restart(trainer)
        self._whole = all_batches(trainer)
        self._due = monotonic() + (self.seconds if _is_live() else self.lines / 6)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Redraws the line, if it is time; else nothing is read."""
        if not self._enabled or (now := monotonic()) < self._due:
            return
        self._measure(trainer, now)
        self._redraw(trainer, outputs, batch)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Removes the line; a table or a sentence says how the run ended."""
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Removes the line, so that an error begins a line of its own."""
        self._close()

    def _restart(self, trainer: Trainer) -> None:
        """Measures the speed from here: what came before was no training."""
        self._since, self._from = monotonic(), trainer.global_step

    def _measure(self, trainer: Trainer, now: float) -> None:
        done, passed = trainer.global_step - self._from, now - self._since
        if done > 0 and passed > 0:
            self._speed = done / passed if not self._speed else 0.7 * self._speed + 0.3 * done / passed
            self._restart(trainer)

    def _redraw(self, trainer: Trainer, outputs: Any, batch: Any) -> None:
        done, whole = trainer.global_step, self._whole
        if by_epochs(trainer, whole):
            inside, length = trainer.fit_loop.epoch_loop.batch_progress.current.ready, trainer.num_training_batches
            place = f"epoch {trainer.current_epoch + 1}{f'/{trainer.max_epochs}' if isfinite(whole) else ''}"
        else:
            inside, length, place = done, trainer.max_steps, f"batch {done}/{trainer.max_steps}"
        said = [" ".join(f"{name} {value:<5.3g}" for name, value in losses(outputs).items()).strip()]
        if size := size_of(batch):
            unit = "texts/s" if seen(trainer.lightning_module).of_texts else "img/s"
            said.append(f"{_short(self._speed * size * trainer.world_size)} {unit}")
        left = (whole - done) / self._speed if self._speed and isfinite(whole) else float("inf")
        if isfinite(left := min(left + _scoring(trainer, whole - done), seconds_allowed(trainer))):
            said.append(f"{clock(left)} left")
        if self.standing.last is not None and self.standing.name is not None:
            name = self.standing.name.rpartition("/")[2]
            said.append(f"{name} {self.standing.last:.4g} best {self.standing.best:.4g}")
        self._write(place, inside, length, said)

    # ---------------------------------------------------------------- validation, scores and the rest

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Says that the data are tried."""
        self.show("trying the validation", 0, 0)

    def on_sanity_check_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Removes the line."""
        self._close()

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Shows how far a validation is."""
        if not trainer.sanity_checking:
            self.show("validation", batch_idx + 1, trainer.num_val_batches[dataloader_idx])

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the new score; training goes on from here."""
        if trainer.state.fn != "fit":
            self._close()
        elif not trainer.sanity_checking:
            self.standing.look(trainer)
            self._restart(trainer)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lets the scores say how far they are."""
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Quality):
                callback.watcher = self.show

    on_validation_start = on_test_start

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Shows how far a test is."""
        self.show("test", batch_idx + 1, trainer.num_test_batches[dataloader_idx])

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Removes the line."""
        self._close()

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Shows how far the predictions are."""
        self.show("predictions", batch_idx + 1, trainer.num_predict_batches[dataloader_idx])

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Removes the line."""
        self._close()

    def show(self, what: str, done: float, whole: float) -> None:
        """Says in a terminal how far something else than training is, if it is time for it."""
        if self._enabled and _is_live() and monotonic() >= self._due:
            count = f"{done:,}/{whole:,}" if whole and isfinite(whole) else f"{done:,}" if done else ""
            self._write(what, done, whole, [count])

    # ---------------------------------------------------------------- the line itself

    def _write(self, place: str, done: float, whole: float, said: Sequence[str]) -> None:
        """Redraws the line, or prints one where the output is no terminal."""
        right = "  ".join(filter(None, said))
        share = done / whole if whole and isfinite(whole) else 0.0
        if not _is_live():
            self._due = monotonic() + self.lines
            print(f"{place} {f'{share:.0%}  ' if share else ''}{right}", flush=True)
            return
        self._due = monotonic() + self.seconds
        columns = shutil.get_terminal_size().columns
        if self._bar is None:
            self._bar = tqdm(leave=False, file=sys.stdout, bar_format="{desc}", ncols=columns - 1, nrows=2)
        self._bar.ncols = columns - 1  # a full last column would break the line on some terminals
        self._bar.total, self._bar.n = whole if whole and isfinite(whole) else None, done
        room = columns - len(place) - len(right) - 10
        bar = "|{bar}| " if self._bar.total and room >= _NARROW else ""
        percent = "{percentage:2.0f}% " if self._bar.total else ""
        left, right = (text.replace("{", "{{").replace("}", "}}") for text in (place, right))
        self._bar.bar_format = f"{left} {percent}{bar}{right}"
        self._bar.refresh()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def make_room() -> None:
    """Removes the lines of open bars, so that a message begins a line of its own; they come back when redrawn."""
    for bar in list(getattr(tqdm, "_instances", ())):
        bar.clear()


def losses(outputs: Any) -> dict[str, float]:
    """Every player's loss by the first letter of its name in a batch's terms; ``loss`` for a single one.

    Examples:
        >>> losses({"generator/loss": 0.5, "generator/fake": 0.5, "discriminator/loss": 2})
        {'D': 2.0, 'G': 0.5}
    """
    terms = outputs if isinstance(outputs, dict) else {"loss": outputs} if outputs is not None else {}
    found = {name.rpartition("/")[0]: float(v) for name, v in terms.items() if name.rpartition("/")[2] == "loss"}
    if len(found) == 1:
        return {"loss": next(iter(found.values()))}
    return {name[:1].upper(): found[name] for name in sorted(found)}


def _scoring(trainer: Trainer, batches: float) -> float:
    """Seconds that the scores of a run will still take, if so many batches are left."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    return sum(callback.pace.left(trainer, batches) for callback in callbacks if isinstance(callback, Quality))


def _short(number: float) -> str:
    """A number in at most five letters."""
    return f"{number / 1000:.0f}k" if number >= 99_950 else f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _is_live() -> bool:
    """Whether a line can be redrawn: in a terminal, and in a notebook."""
    return sys.stdout.isatty() or "ipykernel" in sys.modules
