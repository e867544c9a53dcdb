"""Messages of Lightning that do not help a user who trains a GAN here."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

#: parts of warnings
WARNINGS = (
    "does not have many workers",
    "smaller than the logging interval",
    "LightningCLI's args",
    "treespec",
    "could not find the monitored",
    "sync_dist",
    "The dirpath",
    "manual optimization",
    "pre-optimization state",
    "Be aware that when using `ckpt_path`",
)
#: parts of notes
NOTES = (
    "`Trainer.fit` stopped",
    "GPU available: ",
    "litlogger",
    "litmodels",
    "TPU available",
    "`weights_only` was not set",
    "Restoring states from",  # the table says where a run goes on
    "Restored all states",
    "Loaded model weights",
    "Initializing distributed",
    "distributed_backend=",  # the table counts the processes
    "[rank: ",  # and the seed of each is the seed of all
)
_ZERO = "utilities.rank_zero"
LOGGERS = (
    f"lightning.pytorch.{_ZERO}",
    f"lightning.fabric.{_ZERO}",
    f"lightning_{_ZERO}",
    "lightning.fabric.utilities.distributed",
    "lightning.fabric.utilities.seed",
    "lightning.pytorch.trainer.connectors.checkpoint_connector",
)


def says_something(record: logging.LogRecord) -> bool:
    """Whether a note is worth a line."""
    return not any(part in record.getMessage() for part in NOTES)


@contextmanager
def quiet() -> Iterator[None]:
    """Leaves these messages out as long as it lasts."""
    with warnings.catch_warnings():
        for part in WARNINGS:
            warnings.filterwarnings("ignore", f".*{part}")
        for name in LOGGERS:
            logging.getLogger(name).addFilter(says_something)
        try:
            yield
        finally:
            for name in LOGGERS:
                logging.getLogger(name).removeFilter(says_something)
