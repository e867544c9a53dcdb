"""Texts of a run: what the model writes, or translates, over time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from lit_gans.callbacks import loggers
from lit_gans.callbacks.run_folder import run_of
from lit_gans.callbacks.strangers import seen
from lit_gans.errors import UsageError, at_least, usable_seed
from lit_gans.files import replacing

_TEXTS = ("tokens", "source", "target")  # what a batch may have

#: texts by the name of their column, all equally many
Columns = Mapping[str, Sequence[str]]


class SampleText(Callback):
    """Texts of a model of texts: a file in ``<run>/samples`` after every validation, and a table in the loggers.

    The texts are those that the model's ``validation_step`` gives as ``{"texts": {"source": [...], ...}}``, or else
    what it writes from a fixed seed. ``step_0000100.txt`` has one text a line, or where there are several columns,
    say source, target and translation, a block of lines for each row. ``real.txt`` has the texts of the first training
    batch as the model gets them: look at it before you wait for a run.

    A model of images is passed over; `SampleGrid` draws its samples.

    Args:
        count: most texts in a file.
        seed: of the texts that are drawn from nothing.

    Raises:
        UsageError: if there is nothing to write.
    """

    def __init__(self, count: int = 16, seed: int = 0) -> None:
        at_least(1, **{"texts.count": count})
        usable_seed(seed=seed)
        self.count, self.seed = count, seed
        self.folder = Path("samples")
        self.written = -1
        self._shown: dict[str, list[str]] = {}
        self._began = self._refused = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Finds the run's folder (on every device, since they have to agree on it)."""
        self.folder, self._began = run_of(trainer).samples, False

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Writes the texts of the run's first batch."""
        model = seen(pl_module)
        if self._began or not model.of_texts or _silent(trainer):
            return
        self._began = True
        entries = model.receive(batch)
        columns = {
            name: model.decode_text(entries[name][: self.count], name)
            for name in _TEXTS
            if name in entries and name in model.vocabularies
        }
        if columns:
            self._show(trainer, "real", columns, trainer.global_step)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the first texts of a validation."""
        if trainer.sanity_checking or not isinstance(outputs, dict) or "texts" not in outputs:
            return
        for name, texts in outputs["texts"].items():
            kept = self._shown.setdefault(name, [])
            kept += list(texts)[: self.count - len(kept)]

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Writes the texts that were kept."""
        shown, self._shown = self._shown, {}
        if trainer.sanity_checking:
            return
        if shown and not _silent(trainer):
            self.written = trainer.global_step
            self._show(trainer, "step", shown, trainer.global_step)
        elif not shown:
            self.write(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the last texts."""
        self.write(trainer, pl_module)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Writes a batch of predictions, tokens or texts, one a line."""
        model = seen(pl_module)
        if not model.of_texts:
            return
        texts = model.decode_text(outputs, model.subject) if isinstance(outputs, Tensor) else outputs
        if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
            _save(self.folder / f"predict_{trainer.global_rank:02}_{batch_idx:06}.txt", {"sample": texts})

    def write(self, trainer: Trainer, pl_module: Any) -> None:
        """Writes texts that the model draws now, unless this step has some or it draws none."""
        model = seen(pl_module)
        if not model.of_texts or not model.draws or _silent(trainer) or self.written == trainer.global_step:
            return
        self.written = trainer.global_step
        try:
            texts = model.write(self.count, seed=self.seed)
        except UsageError as error:  # it has no vocabulary
            if not self._refused:
                self._refused = True
                rank_zero_warn(f"no texts: {error}")
            return
        self._show(trainer, "step", {"sample": texts}, trainer.global_step)

    def _show(self, trainer: Trainer, kind: str, columns: Columns, step: int) -> None:
        """Writes texts to the run's folder and to the loggers that take texts."""
        _save(self.folder / ("real.txt" if kind == "real" else f"{kind}_{step:07}.txt"), columns)
        loggers.show_texts(trainer, "samples" if kind == "step" else kind, columns, step)


def _silent(trainer: Trainer) -> bool:
    return not trainer.is_global_zero or bool(trainer.fast_dev_run)  # type: ignore[attr-defined]


def _save(path: Path, columns: Columns) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(in_blocks(columns), "utf-8")


def in_blocks(columns: Columns) -> str:
    """Texts for a file: one a line, or of several columns a block for each row.

    Examples:
        >>> print(in_blocks({"source": ["one", "two"], "translation": ["eins", "zwei"]}), end="")
        source       one
        translation  eins
        <BLANKLINE>
        source       two
        translation  zwei
    """
    lines = {name: [" ".join(text.splitlines()) for text in texts] for name, texts in columns.items()}
    if len(lines) == 1:
        return "".join(f"{text}\n" for texts in lines.values() for text in texts)
    width = max(map(len, lines), default=0)
    rows = zip(*lines.values(), strict=True)
    blocks = ["".join(f"{name:<{width}}  {text}\n" for name, text in zip(lines, row, strict=True)) for row in rows]
    return "\n".join(blocks)
