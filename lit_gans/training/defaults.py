"""The settings of a run that nobody has chosen: its length, its loggers, the writer of its checkpoints."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.profilers import PassThroughProfiler

from lit_gans.callbacks.loggers import logger_kind
from lit_gans.callbacks.precision import BY_TRIAL, FastestPrecision
from lit_gans.callbacks.run_folder import RunLogger
from lit_gans.checkpoints import AtomicCheckpointIO

EPOCHS = 10  # of a run whose length nobody has set
ROOT = "runs"  # the folder of all runs


class NoProfiler(PassThroughProfiler):
    """Measures nothing, at no cost: Lightning opens about a hundred of its contexts a batch."""

    _nothing = nullcontext()

    def profile(self, action_name: str) -> Any:
        """The same empty context for every action."""
        return self._nothing


def endless(max_epochs: Any = None, max_steps: Any = -1, max_time: Any = None, **others: Any) -> bool:
    """Whether no argument of a Trainer limits the length of its run."""
    return max_epochs is None and max_steps == -1 and max_time is None


def run_loggers(given: Any, root: Any, name: str | None) -> list[Any]:
    """First the CSV logger, whose folder is the run's own and never another run's, then what the user asked for."""
    loggers = [] if given is True else as_list(given)
    loggers = [RunLogger.like(logger) if type(logger) is CSVLogger else logger for logger in loggers]
    if not any(isinstance(logger, CSVLogger) for logger in loggers):
        loggers.append(RunLogger(Path(root or ROOT), name))
    return sorted(loggers, key=lambda logger: not isinstance(logger, CSVLogger))


def split_loggers(given: Any) -> tuple[Any, list[type[Logger]]]:
    """The loggers that are made already, and the classes of those that are only named.

    Raises:
        UsageError: if there is no such logger.
    """
    named = [logger_kind(each) for each in as_list(given) if isinstance(each, (str, type))]
    return [each for each in as_list(given) if not isinstance(each, (str, type, bool))], named


def safe_plugins(given: Any) -> list[Any]:
    """The plugins that were given, and a writer that replaces a checkpoint only by a whole one, unless one is there."""
    plugins = as_list(given)
    if any(isinstance(plugin, CheckpointIO) for plugin in plugins):
        return plugins
    return [*plugins, AtomicCheckpointIO()]


def fastest_precision(trainer: dict[str, Any]) -> list[FastestPrecision]:
    """Takes the precision ``auto``, which Lightning does not know, out of a Trainer's arguments; gives what chooses it.

    Args:
        trainer: the arguments, which are changed.

    Returns:
        The callback that chooses, to stand behind `Neighbours`, which sets the number of threads; none for other words.
    """
    if trainer.get("precision") != BY_TRIAL:
        return []
    trainer["precision"] = None
    return [FastestPrecision()]


def as_list(given: Any) -> list[Any]:
    """The value of a Trainer argument that may be nothing, one thing or several, as a list."""
    return [] if given in (None, False) else list(given) if isinstance(given, (list, tuple)) else [given]
