"""Pictures of a run: samples from the same noise, over time."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from lit_gans.callbacks import loggers
from lit_gans.callbacks.run_folder import run_of
from lit_gans.callbacks.strangers import Stranger, refuse_without_samples, seen
from lit_gans.errors import UsageError
from lit_gans.images.grid import beside, grid, refuse_undrawable
from lit_gans.images.photos import write_picture
from lit_gans.images.sheet import captioned

_MOST = 10_000  # samples in a picture that can still be opened
_ROWS = 8  # of translations
_WIDEST = 50  # classes beside each other that can still be told apart on a screen


class SampleGrid(Callback):
    """A grid of samples from a fixed noise: a PNG in ``<run>/samples``, and in the loggers that take pictures.

    For a model that draws by class, each column is one class, and ``count`` is rounded down to whole rows. For one that
    draws by a sentence, each image has its own under it.

    Beside them ``real.png`` shows the first training batch as the model gets it: look at it before you wait for a run.
    Models that reconstruct also show held-out images beside their reconstructions, after every validation. Models that
    translate show held-out images beside their translations instead of samples, a row each.

    It draws for any LightningModule that has ``sample(n)``. Data that a picture cannot show (other than 1 or 3
    channels, vectors, voxels) is not drawn; a warning says so once.

    Args:
        count: samples in the grid.
        every_n_epochs: epochs between two grids; 0 draws only the last.
        every_n_steps: batches between two grids; 0 turns it off.
        seed: of the noise.

    Raises:
        UsageError: if a number is negative or there is nothing to draw.
    """

    def __init__(self, count: int = 64, every_n_epochs: int = 1, every_n_steps: int = 0, seed: int = 0) -> None:
        if not 1 <= count <= _MOST or every_n_epochs < 0 or every_n_steps < 0:
            raise UsageError(
                f"SampleGrid draws at least one sample, at most {_MOST}, every so many epochs or steps, got "
                f"count={count}, every_n_epochs={every_n_epochs}, every_n_steps={every_n_steps}"
            )
        self.count, self.every_n_epochs, self.every_n_steps, self.seed = count, every_n_epochs, every_n_steps, seed
        self.folder = Path("samples")
        self.drawn = -1
        self.rows: list[Tensor] = []
        self._refused = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Finds the run's folder (on every device, since they have to agree on it)."""
        refuse_without_samples(pl_module, type(self).__name__)
        self.folder = run_of(trainer).samples

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Draws the run's first batch; pairs and domains side by side."""
        silent = not trainer.is_global_zero or trainer.fast_dev_run  # type: ignore[attr-defined]
        if silent or seen(pl_module).of_texts or self.drawn >= 0:  # not batch_idx, which a resumed run may not begin at
            return
        self.drawn = trainer.global_step
        try:
            images = [v for v in seen(pl_module).receive(batch).values() if isinstance(v, Tensor) and v.ndim == 4]
        except UsageError as error:
            if not isinstance(seen(pl_module), Stranger):
                raise
            return self._refuse(error)  # anybody's module, which may well train on it
        if images and self._drawable(*images):
            picture = grid(beside(images)[: self.count])
            write_picture(picture, self.folder / "real.png")
            loggers.show(trainer, "real", picture, trainer.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draws after every ``every_n_steps`` batches."""
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0:
            self.draw(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws after every ``every_n_epochs`` epochs."""
        if self.every_n_epochs and (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self.draw(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the last grid."""
        self.draw(trainer, pl_module)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the first validation images beside their reconstructions or translations."""
        if trainer.sanity_checking or not isinstance(outputs, dict) or "shown" not in outputs:
            return
        if (missing := self.count - sum(len(row) for row in self.rows)) > 0:
            shown = list(outputs["shown"].values())
            if self._drawable(*shown):
                self.rows.append(beside(shown).float()[:missing].cpu())

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Draws the images that were kept."""
        rows, self.rows = self.rows, []
        if rows and trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            if seen(pl_module).draws:
                self._show(trainer, "reconstruction", grid(torch.cat(rows)), trainer.global_step)
            else:
                self._show(trainer, "step", grid(torch.cat(rows)[:_ROWS], 1), trainer.global_step)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Writes a batch of predictions as a grid; one that only keeps the devices in step is another device's too."""
        if seen(pl_module).repeats:
            return
        if isinstance(outputs, Tensor) and outputs.ndim == 4 and self._drawable(outputs):
            write_picture(grid(outputs), self.folder / f"predict_{trainer.global_rank:02}_{batch_idx:06}.png")

    def draw(self, trainer: Trainer, pl_module: Any) -> None:
        """Draws one grid now, unless this step has one."""
        step, model = trainer.global_step, seen(pl_module)
        silent = not trainer.is_global_zero or trainer.fast_dev_run  # type: ignore[attr-defined]
        if step == self.drawn or silent or not model.draws or model.of_texts:
            return
        self.drawn = step
        columns = model.columns if 0 < model.columns <= _WIDEST else None
        count = self.count if columns is None else max(1, self.count // columns) * columns
        try:
            images = model.sample(count, seed=self.seed)
        except UsageError as error:
            if not isinstance(model, Stranger):
                raise
            return self._refuse(error)
        if self._drawable(images):
            words = model.captions(count)
            self._show(trainer, "step", captioned(images, words) if words else grid(images, columns), step)

    def _drawable(self, *batches: Tensor) -> bool:
        """Whether a picture can show these batches; warns, once in a run, if not."""
        try:
            for images in batches:
                refuse_undrawable(images)
        except UsageError as error:
            self._refuse(error)
            return False
        return True

    def _refuse(self, error: UsageError) -> None:
        """Says once in a run why there is no picture."""
        if not self._refused:
            self._refused = True
            rank_zero_warn(f"no pictures: {error}")

    def _show(self, trainer: Trainer, kind: str, picture: Tensor, step: int) -> None:
        """Writes a picture to the run's folder and to the loggers that take pictures."""
        write_picture(picture, self.folder / f"{kind}_{step:07}.png")
        loggers.show(trainer, "samples" if kind == "step" else kind, picture, step)
