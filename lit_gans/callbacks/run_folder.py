"""The folder that a run writes to: its own, never one that holds another run."""

import os
import shutil
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lit_gans.errors import UsageError
from lit_gans.files import clear_leftovers
from lit_gans.runs import Run

_made: list[tuple[Path, list[Path]]] = []  # folders of runs, each with the folders that were made around it
_EVENTS = "events.out.tfevents"  # TensorBoard makes a file as soon as it is asked
_MADE_BY_ALL = {
    "config.yaml",
    "hparams.yaml",
    "samples/real.png",
    "samples/real.txt",
}  # what a run writes before its first batch is done


class RunLogger(CSVLogger):
    """Lightning's CSV logger, in a folder that this run alone has made.

    Two runs that start together get two versions, and a version that already holds a run is refused; Lightning's logger
    would delete its ``metrics.csv``. The arguments are `CSVLogger`'s.
    """

    _claimed = False

    @classmethod
    def like(cls, logger: CSVLogger) -> "RunLogger":
        """A logger with the arguments of another one, which has not written yet."""
        return cls(logger.save_dir, logger.name, logger._version, logger._prefix, logger._flush_logs_every_n_steps)

    @property
    def version(self) -> int | str:
        """The version that was given, or the first that is free.

        Raises:
            UsageError: if its folder holds a run.
        """
        if not self._claimed and getattr(rank_zero_only, "rank", 0) == 0:  # it tells the others
            self._version = self._claim(self._version)
        self._claimed = True
        return super().version

    @property
    def experiment(self) -> Any:
        """Lightning's writer, without its warning of files that other loggers of this run have put into the folder."""
        if self._experiment is None:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Experiment logs directory")
                return super().experiment
        return super().experiment

    def _claim(self, version: int | str | None) -> int | str:
        root = Path(self.root_dir)
        around = [folder for folder in (root, *root.parents) if not folder.exists()]
        root.mkdir(parents=True, exist_ok=True)
        number = self._get_next_version() if version is None else version
        while True:
            folder = root / (number if isinstance(number, str) else f"version_{number}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                if version is None:  # another run was faster
                    number = int(number) + 1
                    continue
                refuse_used(folder)
            _made.append((folder, around))
            _clear_older(root)
            return number


def refuse_used(folder: Path) -> None:
    """Refuses a folder that holds a run.

    Raises:
        UsageError: if it does.
    """
    if there := Run(folder).written():
        raise UsageError(
            f"{folder} holds a run already ({there}), which another would overwrite; leave out the logger's version "
            "for a new one, or name another"
        )


def begun() -> None:
    """Keeps the folders of this process's runs from now on: they have something to show."""
    _made.clear()


def remove_unused() -> None:
    """Removes the folders of this process's runs that did not begin: they hold their options and nothing more."""
    while _made:
        folder, around = _made.pop()
        files = [path for path in folder.rglob("*") if not path.is_dir() and not path.name.startswith(_EVENTS)]
        with suppress(OSError):
            if {path.relative_to(folder).as_posix() for path in files} <= _MADE_BY_ALL:
                shutil.rmtree(folder)
                for outer in around:  # unless they hold other runs by now
                    outer.rmdir()


def run_of(trainer: Trainer) -> Run:
    """The run whose folder the callbacks write to; to be called on all processes, since they have to agree on it.

    The folder is that of the first logger: the one that Lightning's CSV or TensorBoard logger writes to; for others,
    say W&B, ``save_dir/name/version``, where Lightning keeps their checkpoints, too. Without a logger it is the
    trainer's ``default_root_dir``. No run but the one that is resumed may have written there before.

    Raises:
        UsageError: before the first batch, if there is no logger and the folder holds another run.
    """
    first: Any = trainer.loggers[0] if trainer.loggers else None
    if trainer.fast_dev_run or isinstance(first, (CSVLogger, TensorBoardLogger)):  # type: ignore[attr-defined]
        return Run(Path(trainer.log_dir or trainer.default_root_dir))
    if first is not None:
        version = first.version if isinstance(first.version, str) else f"version_{first.version}"
        folder = Path(first.save_dir or trainer.default_root_dir) / str(first.name) / version
        return Run(trainer.strategy.broadcast(folder))
    folder = Path(trainer.strategy.broadcast(trainer.default_root_dir))
    if trainer.state.fn == TrainerFn.FITTING and not any(isinstance(c, _OwnFolder) for c in _callbacks(trainer)):
        _callbacks(trainer).append(_OwnFolder(Run(folder)))
    return Run(folder)


def _callbacks(trainer: Trainer) -> list[Callback]:
    return trainer.callbacks  # type: ignore[attr-defined]


class _OwnFolder(Callback):
    """Refuses a folder that holds another run, before the first batch, when it is known which run is resumed."""

    def __init__(self, run: Run) -> None:
        self.run, self.ours = run, False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        run, folder = self.run, self.run.folder
        there = next((path for path in (run.last, run.scores, run.samples) if path.exists()), None)
        name = there and there.relative_to(folder)
        ours = self.ours or there is None or _continues(trainer, folder)
        if not trainer.strategy.broadcast(ours):
            raise UsageError(
                f"{folder} holds another run already ({name}), which this one would overwrite; give the Trainer "
                "another default_root_dir, or logger=CSVLogger(...), which makes a new folder for every run, or go on "
                "with that run by its ckpt_path"
            )
        self.ours = True


def _continues(trainer: Trainer, folder: Path) -> bool:
    """Whether a run goes on from a checkpoint in a folder."""
    given = trainer.ckpt_path
    return given is not None and folder.resolve() in Path(os.fspath(given)).resolve().parents


def _clear_older(root: Path) -> None:
    """Removes what earlier runs left half written when they were killed."""
    for folder in [*root.glob("*/checkpoints"), *root.glob("*/samples")]:
        clear_leftovers(folder)
