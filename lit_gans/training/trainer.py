"""Lightning's Trainer with what a run from the command line has."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, seed_everything
from lightning.pytorch import Trainer as LightningTrainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import Logger
from torch.utils.data import DataLoader, Subset

from lit_gans import checkpoints
from lit_gans.callbacks import Quality, SampleGrid, default
from lit_gans.callbacks.loggers import loggers_beside
from lit_gans.callbacks.precision import FastestPrecision
from lit_gans.callbacks.run_folder import RunLogger, remove_unused
from lit_gans.devices import take_tasks
from lit_gans.errors import UsageError, usable_seed
from lit_gans.metrics.material import why_not_read
from lit_gans.runs import KINDS, Run, find_checkpoint
from lit_gans.training.defaults import (
    EPOCHS,
    ROOT,
    NoProfiler,
    as_list,
    endless,
    fastest_precision,
    run_loggers,
    safe_plugins,
    split_loggers,
)
from lit_gans.training.mistakes import refuse_arguments, refuse_callbacks, refuse_other_models
from lit_gans.training.quiet import quiet

_LIGHTNINGS = ("best", "hpc", "registry")  # what Lightning finds by these names


class Trainer(LightningTrainer):
    """Lightning's Trainer with what a run from the command line has.

    Every run has a folder of its own, ``runs/<Model>-<Data>/version_<n>``, with ``metrics.csv``, scores and the
    protocol that they were measured by, grids of samples, ``checkpoints/last.ckpt`` and ``checkpoints/best.ckpt``.
    Checkpoints are written whole or not at all. A bar shows the losses. Ctrl-C finishes the batch and saves. Each of
    these is switched off by one word; a callback of yours that is a `Quality`, a `SampleGrid` and so on takes the place
    of the default. A run whose length nobody has set has 10 epochs.

    Args:
        scores: measure scores after validations, and keep the checkpoint with the best.
        pictures: draw grids of samples.
        checkpoints: keep the last checkpoint and, with scores, the best.
        folder: keep a run folder. Without, nothing is written: scores are logged, there are no pictures and no
            checkpoints.
        monitor: watch for a collapse and for learning rates that are far too high.
        report: print what the run finds and does before it begins, and what there is at its end.
        seed: of all random numbers from here on; None leaves them as they are. Make the Trainer before the model, and
            the model's first weights are of this seed, too.
        logger: loggers beside the run folder's own: objects, or ``"wandb"``, ``"tensorboard"``, ``"mlflow"`` and
            ``"csv"``, which write where the run does. False is ``folder=False``.
        trainer: arguments of Lightning's Trainer: max_epochs, max_steps, accelerator, devices, precision, callbacks and
            so on. ``enable_checkpointing=False`` is ``checkpoints=False``. ``precision="auto"`` takes 32-true or
            bf16-mixed, whichever makes the faster batches when `fit` tries both.

    Raises:
        UsageError: if an argument does not exist or is of another kind, a callback or a logger needs the folder that
            is switched off, or ``barebones`` is set.

    Examples:
        >>> Trainer(max_steps=100, accelerator="cpu", folder=False, seed=None).max_steps
        100
    """

    def __init__(
        self,
        *,
        scores: bool = True,
        pictures: bool = True,
        checkpoints: bool = True,
        folder: bool = True,
        monitor: bool = True,
        report: bool = True,
        seed: int | None = 0,
        logger: Logger | str | type[Logger] | Iterable[Logger | str | type[Logger]] | bool | None = True,
        **trainer: Any,
    ) -> None:
        trainer["logger"] = logger
        words = {"scores": scores, "pictures": pictures, "checkpoints": checkpoints, "folder": folder}
        refuse_arguments({**words, "monitor": monitor, "report": report, "seed": seed}, trainer)
        usable_seed(seed=seed)
        if seed is not None:
            seed_everything(seed, verbose=False)
        if not folder and logger not in (True, False, None):
            raise UsageError("folder=False leaves loggers without a place to write: leave it out, or the logger")
        folder = folder and logger is not False
        given = as_list(trainer.get("callbacks"))
        refuse_callbacks(given)
        if not folder and (writer := next((c for c in given if isinstance(c, SampleGrid)), None)):
            raise UsageError(
                f"{type(writer).__name__} draws into the run folder: leave folder=False out, or the callback"
            )
        checkpoints = checkpoints and folder and trainer.get("enable_checkpointing") is not False
        if trainer.get("barebones"):
            raise UsageError(
                "barebones allows no logger, checkpoint or callback: use scores=False, pictures=False, "
                "checkpoints=False or folder=False, or Lightning's own Trainer"
            )
        trainer["callbacks"] = default(
            scores=scores,
            pictures=pictures and folder,
            checkpoints=checkpoints,
            monitor=monitor,
            report=report,
            bar=trainer.get("enable_progress_bar") is not False,
            own=given,
        )
        trainer["callbacks"] += fastest_precision(trainer)
        trainer.setdefault("default_root_dir", ROOT)
        loggers, self._kinds = split_loggers(logger)
        trainer["logger"] = run_loggers(loggers, trainer["default_root_dir"], None) if folder else False
        trainer["plugins"] = safe_plugins(trainer.get("plugins"))
        if endless(**trainer):
            trainer["max_epochs"] = EPOCHS
        # Lightning adds a callback of its own unless it finds one or is told not to
        trainer["enable_checkpointing"] = any(isinstance(each, ModelCheckpoint) for each in trainer["callbacks"])
        trainer.setdefault("enable_model_summary", False)
        trainer["profiler"] = trainer.get("profiler") or NoProfiler()
        take_tasks(trainer)
        self.has_folder, self._scores = folder, scores
        with quiet():
            super().__init__(**trainer)
        for callback in trainer["callbacks"]:
            if isinstance(callback, Quality):
                callback.records = folder

    @property
    def run(self) -> Run | None:
        """The run's folder and the places of its files; None without a folder, and before `fit` has named it."""
        logger = self.loggers[0] if self.has_folder else None
        return Run(Path(str(logger.log_dir))) if isinstance(logger, RunLogger) and logger.name else None

    # ---------------------------------------------------------------- the four things that a trainer does

    def fit(
        self,
        model: Any,
        train_dataloaders: Any = None,
        val_dataloaders: Any = None,
        datamodule: LightningDataModule | None = None,
        ckpt_path: Any = None,
        weights_only: bool | None = None,
    ) -> None:
        """Trains, as Lightning's ``fit``.

        With scores and a training loader alone, the first batch of its data set is validated, so that there are scores
        and a best checkpoint.

        Args:
            model: to train.
            train_dataloaders: a loader, or a data module.
            val_dataloaders: a loader of images to validate with.
            datamodule: a data module, in place of loaders.
            ckpt_path: a checkpoint to go on from, or the folder of a run; ``last`` is that of the newest run of this
                model and data.
            weights_only: as in Lightning; no code in a checkpoint of this library is run, whatever it says.
        """
        refuse_other_models(model, "fit")
        data = datamodule or train_dataloaders
        if val_dataloaders is None and self._scores and isinstance(data, DataLoader):
            val_dataloaders = _first_batch(data, model)
        self._named(model, data)
        if ckpt_path is not None and not str(ckpt_path).startswith(_LIGHTNINGS):
            home = Path(self.default_root_dir, _name_of_run(model, data))
            ckpt_path = find_checkpoint(getattr(ckpt_path, "folder", ckpt_path), KINDS[::-1], home)  # the last first
            for callback in self.callbacks:  # type: ignore[attr-defined]
                if isinstance(callback, FastestPrecision):
                    callback.follow(checkpoints.read(ckpt_path), ckpt_path)
        loaders = (train_dataloaders, val_dataloaders, datamodule)
        self._clean(super().fit, model, *loaders, ckpt_path, weights_only)

    def validate(self, model: Any = None, dataloaders: Any = None, *arguments: Any, **options: Any) -> Any:
        """Validates, as Lightning's ``validate``."""
        refuse_other_models(model, "validate")
        self._named(model, options.get("datamodule") or dataloaders)
        return self._clean(super().validate, model, dataloaders, *arguments, **options)

    def test(self, model: Any = None, dataloaders: Any = None, *arguments: Any, **options: Any) -> Any:
        """Tests, as Lightning's ``test``."""
        refuse_other_models(model, "test")
        self._named(model, options.get("datamodule") or dataloaders)
        return self._clean(super().test, model, dataloaders, *arguments, **options)

    def predict(self, model: Any = None, dataloaders: Any = None, *arguments: Any, **options: Any) -> Any:
        """Predicts, as Lightning's ``predict``."""
        refuse_other_models(model, "predict")
        self._named(model, options.get("datamodule") or dataloaders)
        return self._clean(super().predict, model, dataloaders, *arguments, **options)

    def _named(self, model: Any, data: Any) -> None:
        """Names the run folder after the model and the data, unless it has a name."""
        logger: Any = self.loggers[0] if self.has_folder else None
        if isinstance(logger, RunLogger) and not logger.name and model is not None:
            logger._name = _name_of_run(model, data)
        if self._kinds and logger is not None and logger.name:  # what is beside the run has a place only now
            self.loggers, self._kinds = [*self.loggers, *loggers_beside(logger, self._kinds)], []

    @staticmethod
    def _clean(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            with quiet():
                return call(*arguments, **options)
        finally:
            remove_unused()


def _name_of_run(model: Any, data: Any) -> str:
    """The name of the folder of all runs of this model, compiled or not, with this data."""
    return "-".join([type(getattr(model, "_orig_mod", model)).__name__, *_name_of(data)])


def _name_of(data: Any) -> list[str]:
    """The name of data for a folder: that of the data module's class or of the loader's data set, if there is one."""
    if isinstance(data, LightningDataModule):
        return [type(data).__name__]
    dataset = getattr(data, "dataset", None)
    return [] if dataset is None else [type(dataset).__name__]


def _first_batch(loader: Any, model: Any) -> DataLoader[Any] | None:
    """A loader of the first batch of another one's data set; None where it would not serve to score by."""
    size = getattr(loader, "batch_size", None)
    translates = getattr(model, "draws", True) is False
    if translates or size is None or why_not_read(loader):
        return None
    first = Subset(loader.dataset, range(min(size, len(loader.dataset))))
    return DataLoader(first, batch_size=size, collate_fn=loader.collate_fn)


def fit(
    model: Any,
    data: Any,
    val_data: Any = None,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    ckpt_path: Any = None,
    **trainer: Any,
) -> Trainer:
    """Trains a model as ``lit-gans fit`` does, in one call.

    Args:
        model: to train.
        data: a data module, or a loader.
        val_data: a loader to validate on, beside a loader.
        epochs: passes over the data; 10 if there are no steps either.
        steps: batches.
        ckpt_path: the checkpoint, or the folder of the run, to go on from; ``last`` is that of the newest run.
        trainer: further arguments of `Trainer`: scores, pictures, accelerator, callbacks and so on.

    Returns:
        The trainer: ``trainer.run`` is the run's folder, ``trainer.callback_metrics`` the last values.
    """
    limits: dict[str, Any] = {"max_epochs": epochs, "max_steps": steps}
    made = Trainer(**{name: value for name, value in limits.items() if value is not None}, **trainer)
    made.fit(model, data, val_data, ckpt_path=ckpt_path)
    return made
