"""Keeps the best checkpoint of the validations that were scored."""

import difflib
import re
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from lit_gans.callbacks.quality import Quality
from lit_gans.callbacks.strangers import seen
from lit_gans.errors import UsageError
from lit_gans.metrics.scoring import OF_COVERAGE, VALUES

AUTO = "auto"  # a monitor: the first score of which less is better
BEST = "best"  # the file's name
#: the arguments of every run's own `Best`, from the command line and from Python
DEFAULTS: dict[str, Any] = {"monitor": AUTO, "mode": "min", "filename": BEST, "enable_version_counter": False}
_SCORES = {f"val/{value}" for values in VALUES.values() for value in values} | {f"val/{v}" for v in OF_COVERAGE}
_OTHERS = {"val/diversity", "val/discriminator_auroc", "val/reconstruction"}  # of this library's other callbacks


class Best(ModelCheckpoint):
    """Lightning's ``ModelCheckpoint``, which looks at a score only after validations that measured it.

    A validation that `Quality` leaves out, or whose score cannot be computed, changes nothing: the run goes on, and an
    earlier value is not taken for a new one. A name that nothing will log is refused before the first batch. Scores
    are named ``val/fid`` and so on; in the name of a file their slash becomes an underscore, so that
    ``best_{val/fid:.1f}`` names a file, not a file in a folder.

    Its arguments are those of ``ModelCheckpoint``. ``monitor="auto"`` is the first score of `Quality` of which less is
    better; a model of texts says by its ``best_score`` which value it is, and whether less of it is better.
    """

    #: tells `Quality` that validations without a score do no harm
    waits = True

    @property
    def state_key(self) -> str:
        """Lightning's own key, so that either class can resume from a checkpoint of the other."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Chooses the score, if it is left to ``auto``; refuses one that `Quality` does not compute."""
        self._warned = False
        quality = _quality(trainer)
        self.choose(quality, pl_module, trainer.datamodule)  # type: ignore[attr-defined]
        super().setup(trainer, pl_module, stage)
        if stage != "fit" or quality is None or trainer.limit_val_batches == 0 or self.monitor not in _SCORES:
            return
        if self.monitor not in (names := quality.names(trainer, pl_module)):
            raise UsageError(
                f"best.monitor is {self.monitor}, but the scores of this run are {', '.join(names)}; name one of them "
                "or add the score to quality.scores"
            )

    def choose(self, quality: Quality | None, model: Any, data: Any) -> None:
        """Chooses the score, if it is left to ``auto``.

        A model of texts that does not say its ``best_score`` keeps no best checkpoint.

        Raises:
            UsageError: if there is no score to choose from.
        """
        model = seen(model)
        if self.monitor != AUTO:
            return
        if model.best_score is not None:
            self.monitor, self.mode = model.best_score
            self.kth_value = torch.tensor(float("inf" if self.mode == "min" else "-inf"))
        elif model.of_texts:
            self.monitor, self.save_top_k = None, 0
        elif quality is None:
            raise UsageError('Best(monitor="auto") needs scores to choose from: add Quality(), or name what to monitor')
        else:
            self.monitor = quality.monitor(quality.shape(data, model))

    def on_sanity_check_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Refuses a name that no validation logs; by now the model has logged all that it logs in one."""
        names = logged(trainer, pl_module)
        if self.monitor is None or self.monitor in names:
            return
        near = difflib.get_close_matches(self.monitor, sorted(names), n=1, cutoff=0.8)
        near = [f"val/{self.monitor}"] if f"val/{self.monitor}" in names else near
        if never_logged(self.monitor, trainer, pl_module) or near:
            raise unknown("best.monitor", self.monitor, names, near)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Does what Lightning does, if there is a new value."""
        if self._measured(trainer):
            super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Does what Lightning does, if there is a new value."""
        if self._measured(trainer):
            super().on_train_epoch_end(trainer, pl_module)

    def _measured(self, trainer: Trainer) -> bool:
        """Whether the last validation measured the monitored value; the answer is the same on every device."""
        quality = _quality(trainer)
        if self.monitor is None or trainer.sanity_checking:
            return True
        if self.monitor in _SCORES and quality is not None and not quality.fresh:
            return self._without(trainer) if quality.due else False
        return True if self.monitor in trainer.callback_metrics else self._without(trainer)

    def _without(self, trainer: Trainer) -> bool:
        """Warns, once in a run, that a validation did not measure the value; returns False."""
        validated = trainer.fit_loop.epoch_loop.val_loop._has_run
        if validated and not self._warned:
            self._warned = True
            rank_zero_warn(f"{self.monitor} was not measured, so that no best checkpoint is kept of this validation")
        return False

    def format_checkpoint_name(
        self,
        metrics: dict[str, Tensor],
        filename: str | None = None,
        ver: int | None = None,
        prefix: str | None = None,
    ) -> str:
        """Names a file as Lightning does, with an underscore for the slash in the name of a value."""
        template = filename or self.filename or ""
        for name in re.findall(r"\{([^}:]*/[^}:]*)", template):
            plain = name.replace("/", "_")
            template = template.replace("{" + name, "{" + plain)
            if name in metrics:
                metrics = {**metrics, plain: metrics[name]}
        return super().format_checkpoint_name(metrics, template or None, ver, prefix)


def logged(trainer: Trainer, pl_module: Any) -> set[str]:
    """The names that validations log; complete once one has been run."""
    quality = _quality(trainer)
    return {*trainer.callback_metrics, *_OTHERS, *(quality.names(trainer, pl_module) if quality else ())}


def never_logged(name: str, trainer: Trainer, pl_module: Any) -> bool:
    """Whether it is certain that no validation logs a name; a user's own callback may log any."""
    strangers = [c for c in trainer.callbacks if not type(c).__module__.startswith(("lightning.", "lit_gans."))]  # type: ignore[attr-defined]
    return name.startswith("val/") and not strangers and name not in logged(trainer, pl_module)


def unknown(option: str, name: str, names: set[str], near: Sequence[str] = ()) -> UsageError:
    """The error for a name that no validation logs."""
    return UsageError(
        f"{option} is {name!r}, which no validation logs; {f'did you mean {near[0]}? ' if near else ''}there are "
        f"{', '.join(sorted(names))}"
    )


def _quality(trainer: Trainer) -> Quality | None:
    """The callback that scores, if there is one."""
    callbacks: Sequence[Any] = trainer.callbacks  # type: ignore[attr-defined]
    return next((callback for callback in callbacks if isinstance(callback, Quality)), None)
