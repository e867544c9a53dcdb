"""The loggers beside the run's own: where each writes, and the things that each can hold.

All of them hold losses, scores and the model's arguments, as Lightning logs them. Beside these:

| logger | writes to | pictures, texts | protocol of the scores | options of the run | checkpoints |
|---|---|---|---|---|---|
| `csv` | the run folder | `samples/` | `scores.jsonl` | `config.yaml` | `checkpoints/` |
| `wandb` | `wandb/` in the run folder, and the server | yes | in the configuration | the configuration | `log_model` |
| `tensorboard` | the run folder | yes | as text | as text | no |
| `mlflow` | `mlflow.db` and `mlartifacts/` beside all runs | yes | `protocol.json` | `config.yaml` | `log_model` |

The place holds unless the user has said another. MLflow has one store for all runs, since its page compares those of
one store; it is a database because MLflow no longer writes plain files. Other loggers get the losses and scores alone.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from torch import Tensor

from lit_gans.errors import UsageError, nearest
from lit_gans.images.grid import to_image

_SHORT: dict[str, type[Logger]] = {
    "csv": CSVLogger,
    "wandb": WandbLogger,
    "tensorboard": TensorBoardLogger,
    "mlflow": MLFlowLogger,
}
_PROJECT = "lit_gans"  # on the server of W&B, if nobody has named one


def in_run_folder(kind: type[Logger], run: CSVLogger) -> dict[str, Any]:
    """The arguments by which a logger writes beside a run's own; the variables of W&B and MLflow hold.

    Args:
        kind: the logger's class.
        run: the run's own logger, which knows the folder; asking it makes the folder.

    Examples:
        >>> in_run_folder(TensorBoardLogger, CSVLogger("runs", "DCGAN-MNIST", 0))["save_dir"]
        'runs/DCGAN-MNIST/version_0'
    """
    if issubclass(kind, TensorBoardLogger):
        return {"save_dir": run.log_dir, "name": "", "version": ""}
    folder = Path(run.log_dir)
    if issubclass(kind, WandbLogger):
        names = {"project": ("WANDB_PROJECT", _PROJECT), "name": ("WANDB_NAME", f"{folder.parent.name}/{folder.name}")}
        own = {argument: name for argument, (variable, name) in names.items() if not os.environ.get(variable)}
        return {"save_dir": _chosen_for_wandb() or run.log_dir, **own}
    if issubclass(kind, MLFlowLogger):
        named = {"experiment_name": folder.parent.name, "run_name": folder.name}
        if os.environ.get("MLFLOW_TRACKING_URI"):
            return named
        store = Path(run.save_dir).resolve()
        artifacts = (store / "mlartifacts" / folder.parent.name).as_uri()
        return {"tracking_uri": f"sqlite:///{store / 'mlflow.db'}", "artifact_location": artifacts, **named}
    return {}


def _chosen_for_wandb() -> str | None:
    """The folder that the user has chosen for W&B; an agent of a sweep chooses the working directory by itself."""
    chosen = os.environ.get("WANDB_DIR")
    by_agent = chosen and os.environ.get("WANDB_SWEEP_ID") and Path(chosen).resolve() == Path.cwd()
    return None if by_agent else chosen


def logger_kind(given: str | type) -> type[Logger]:
    """The class of a logger by its short name, or that class itself.

    Raises:
        UsageError: if there is none.
    """
    if isinstance(given, type) and issubclass(given, Logger):
        return given
    if isinstance(given, str) and (kind := _SHORT.get(given.lower().removesuffix("logger"))):
        return kind
    word = given if isinstance(given, str) else given.__name__
    raise UsageError(f"there is no logger {word!r}{nearest(word, list(_SHORT))}, or pass one of Lightning's loggers")


def loggers_beside(run: CSVLogger, kinds: Sequence[type[Logger]]) -> list[Logger]:
    """Loggers of these classes that write where a run does, whose own logger is there already.

    Raises:
        UsageError: if the package of one is not installed.
    """
    made = []
    for kind in dict.fromkeys(kinds):
        if not issubclass(kind, CSVLogger):
            refuse_missing(kind)
            made.append(kind(**in_run_folder(kind, run)))
    return made


def refuse_missing(kind: type) -> None:
    """Refuses a logger whose package is not installed.

    Raises:
        UsageError: with what to install.
    """
    from lightning.pytorch.loggers import mlflow, tensorboard, wandb

    needed: dict[type, tuple[Any, str]] = {
        MLFlowLogger: (mlflow._MLFLOW_AVAILABLE, "mlflow"),
        WandbLogger: (wandb._WANDB_AVAILABLE, "wandb"),
        TensorBoardLogger: (tensorboard._TENSORBOARD_AVAILABLE, "tensorboard"),
    }
    for base, (there, package) in needed.items():
        if issubclass(kind, base) and not there:
            raise UsageError(f"the logger {package} needs the package {package}: pip install {package}")


def show(trainer: Trainer, name: str, picture: Tensor, step: int) -> None:
    """Gives a picture to the loggers that take pictures.

    Args:
        trainer: whose loggers they are.
        name: of the picture, the same at every step.
        picture: (3, H, W) or (1, H, W), uint8; wandb does not scale other types.
        step: batches done.
    """
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(name, [to_image(picture)], step=step)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(name, picture, step)
        elif isinstance(logger, MLFlowLogger):
            logger.experiment.log_image(logger.run_id, to_image(picture), key=name, step=step)


def show_texts(trainer: Trainer, name: str, columns: Mapping[str, Sequence[str]], step: int) -> None:
    """Gives texts, as a table, to the loggers that take some.

    Args:
        trainer: whose loggers they are.
        name: of the table, the same at every step.
        columns: texts by the name of their column, all equally many.
        step: batches done.
    """
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_table(name, columns=[*columns], data=rows, step=step)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_text(name, _as_table([*columns], rows), step)
        elif isinstance(logger, MLFlowLogger):
            text = _as_table([*columns], rows)
            logger.experiment.log_text(logger.run_id, text, f"{name}_{step:07}.md")


def tell_options(trainer: Trainer, folder: Path, text: str) -> None:
    """Gives the options of the run, as YAML, to the loggers that hold them, and its folder; the first device calls it.

    The folder is an argument because only all devices together can ask the trainer for it.
    """
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            config = logger.experiment.config
            options = yaml.safe_load(text)
            swept = {name for name in options if isinstance(config.get(name), (str, int, float))}  # a sweep's own stay
            told = {name: options[name] for name in options.keys() - swept} | {"run_folder": str(folder)}
            config.update(told, allow_val_change=True)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_text("config", _as_code(text))
        elif isinstance(logger, MLFlowLogger):
            logger.experiment.log_text(logger.run_id, text, "config.yaml")


def tell_protocol(trainer: Trainer, protocol: dict[str, Any]) -> None:
    """Gives the protocol, by which scores are measured, to the loggers that hold it."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.config.update({"protocol": protocol}, allow_val_change=True)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_text("protocol", _as_code(json.dumps(protocol, indent=2)))
        elif isinstance(logger, MLFlowLogger):
            logger.experiment.log_dict(logger.run_id, protocol, "protocol.json")


def upload_last(trainer: Trainer, path: Path, ended: bool) -> None:
    """Uploads the last checkpoint as ``last``, where a logger's ``log_model`` asks for it.

    Lightning uploads those of its ``ModelCheckpoint``, and so of `Best`, as ``best``.

    Args:
        trainer: whose loggers they are.
        path: the checkpoint.
        ended: whether the run ends with it; before its end only ``log_model="all"`` uploads.
    """
    for logger in trainer.loggers:
        if not (wanted := getattr(logger, "_log_model", False)) or not (ended or wanted == "all"):
            continue
        if isinstance(logger, WandbLogger):
            _log_artifact(logger, path)
        elif isinstance(logger, MLFlowLogger):
            logger.experiment.log_artifact(logger.run_id, str(path), path.stem)


def _log_artifact(logger: WandbLogger, path: Path) -> None:
    """Uploads a checkpoint under the name that Lightning gives those of `Best`."""
    import wandb

    logger._checkpoint_name = logger._checkpoint_name or f"model-{logger.experiment.id}"
    artifact = wandb.Artifact(logger._checkpoint_name, "model", metadata={"original_filename": path.name})
    artifact.add_file(str(path), name="model.ckpt", policy="mutable")  # a copy: the run writes the file anew
    logger.experiment.log_artifact(artifact, aliases=["latest", "last"])


def _as_code(text: str) -> str:
    """Markdown that keeps lines as they are."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _as_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of texts, in which no character of theirs is markup."""
    lines = [list(names), ["---"] * len(names), *([_plain(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _plain(text: str) -> str:
    """A text as it is, in Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>()#+.!|~-])", r"\\\1", " ".join(text.splitlines()))
