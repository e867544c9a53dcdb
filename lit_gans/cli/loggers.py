"""Makes the loggers of a run: its own first, and those that the user asks for in the run's folder."""

from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from lit_gans.callbacks.loggers import in_run_folder, refuse_missing
from lit_gans.callbacks.run_folder import RunLogger
from lit_gans.cli.making import make
from lit_gans.errors import UsageError
from lit_gans.training.defaults import ROOT, as_list

OF_RUN = ""  # the value of an option that is left to the run: where a logger writes
_DEFAULTS: dict[type[Logger], tuple[str, ...]] = {  # what is left to the run, unless the user says it
    CSVLogger: ("save_dir", "name"),
    TensorBoardLogger: ("save_dir", "name"),
    WandbLogger: ("save_dir",),
    MLFlowLogger: ("save_dir", "experiment_name"),
}


def left_to_the_run(kind: Any) -> dict[str, str]:
    """The options of a logger's class that are left to the run, with their value until then; none of other classes."""
    if not isinstance(kind, type):
        return {}
    return {name: OF_RUN for base, names in _DEFAULTS.items() if issubclass(kind, base) for name in names}


class Loggers:
    """The loggers of one command.

    ``config.yaml`` keeps what the user said of a logger and not the folder of this run, so that the same options
    make another run with a folder of its own.

    Args:
        options: of the command.

    Raises:
        UsageError: if the name of the run is no name of a folder.
    """

    def __init__(self, options: Namespace) -> None:
        classes = "-".join(options[key]["class_path"].rpartition(".")[2] for key in ("model", "data"))
        if (name := options["name"] or classes) != Path(name).name or name in (".", ".."):
            raise UsageError(
                f"--name is the name of a folder, without slashes; got {name}; --output says where it lies"
            )
        self.place = {"save_dir": options["trainer"]["default_root_dir"] or ROOT, "name": name}
        asked = [each for each in as_list(options["trainer"]["logger"]) if isinstance(each, Namespace)]
        csv = next(
            (each for each in asked if each["class_path"].rpartition(".")[2] in ("CSVLogger", "RunLogger")), None
        )
        self._own_options = self._filled(dict(csv["init_args"].items())) if csv is not None else self.place
        self._own: CSVLogger | None = None

    @property
    def own(self) -> CSVLogger:
        """The run's own logger, whose folder no other run has."""
        self._own = self._own or RunLogger(**self._own_options)
        return self._own

    def make(self, kind: type[Logger], *arguments: Any, **options: Any) -> Logger:
        """Makes a logger; what the user left open says that it writes beside the run's own.

        Raises:
            UsageError: if its package is not installed.
        """
        if issubclass(kind, CSVLogger):
            self._own = self._own or RunLogger.like(make(kind, *arguments, **self._filled(options)))
            return self._own
        refuse_missing(kind)
        if options.get("save_dir") == OF_RUN:
            placed = in_run_folder(kind, self.own)
            if options.get("dir"):  # W&B's other word for it
                placed["save_dir"] = None
            if options.get("tracking_uri"):  # a server of MLflow knows its own place for artifacts
                placed.pop("artifact_location", None)
            options |= {name: value for name, value in placed.items() if options.get(name) in (OF_RUN, None)}
        made: Logger = make(kind, *arguments, **options)
        return made

    def all(self, given: Any) -> list[Logger]:
        """The run's own logger, then what the user asked for."""
        others = (logger for logger in as_list(given) if isinstance(logger, Logger) and logger is not self.own)
        return [self.own, *others]

    def _filled(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options, with the folder of all runs and the run's name where they are left open."""
        return options | {name: str(Path(value)) for name, value in self.place.items() if options.get(name) == OF_RUN}
