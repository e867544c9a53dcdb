"""``lit-gans fit``, ``validate``, ``test`` and ``predict``: LightningCLI with short names and a run folder."""

import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import Namespace
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, Timer
from lightning.pytorch.callbacks import ProgressBar as AnyProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, WandbLogger

from lit_gans import checkpoints
from lit_gans.callbacks import Best, CollapseMonitor, ProgressBar, Quality, SampleGrid, SaveLast
from lit_gans.callbacks.run_folder import RunLogger, remove_unused
from lit_gans.callbacks.stopping import StoppingCheck
from lit_gans.checkpoints.changes import LINKED
from lit_gans.checkpoints.loading import named_class, was_restoring
from lit_gans.checkpoints.place import RUN, find
from lit_gans.checkpoints.resume import nothing_left, tell
from lit_gans.checkpoints.trust import class_path, import_class
from lit_gans.cli.arguments import in_order
from lit_gans.cli.classes import our_rules, spelled_out
from lit_gans.cli.making import Making, make
from lit_gans.cli.parser import OF_RUN, Parser
from lit_gans.cli.reasons import causes
from lit_gans.cli.words import NOBODY, known
from lit_gans.core.checks import refuse_strategy
from lit_gans.core.generative import GenerativeModel
from lit_gans.errors import UsageError, at_least, own_line, reason

_EPOCHS = 10  # of a run whose length nobody has set
_AUTO = "auto"  # a monitor: the first score of which less is better
_BEST = "best"
_USUAL = (3, 64, 64)  # the image shape, if neither the data nor the model gives one


class SaveConfig(SaveConfigCallback):
    """Writes ``config.yaml`` into the run's own folder, which no other run shares."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Writes it, unless the run has no folder of its own, and sends it to W&B.

        The checkpoint that a run was resumed from is left out: from the beginning, the run ends at the same weights. A
        backbone that the user did not name is written out, too.
        """
        self.config = self.config.clone()
        if "ckpt_path" in self.config:
            self.config["ckpt_path"] = None
        if self.config.get("model.init_args.backbone", "no such option") is None:
            self.config["model.init_args.backbone"] = spelled_out(pl_module.hparams.get("backbone"))
        if trainer.log_dir is not None and stage == "fit":
            super().setup(trainer, pl_module, stage)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger) and trainer.is_global_zero and stage == "fit":
                options = yaml.safe_load(self.parser.dump(self.config, skip_none=False))
                logger.experiment.config.update(options, allow_val_change=True)


class TrainCLI(LightningCLI):
    """The training commands."""

    @classmethod
    def run(cls, arguments: Sequence[str]) -> None:
        """Parses ``arguments``, builds the model, the data and the trainer, and runs."""
        try:
            cls(
                GenerativeModel,
                LightningDataModule,
                save_config_callback=SaveConfig,
                trainer_defaults={"default_root_dir": "runs", "enable_model_summary": False},
                seed_everything_default=0,
                parser_class=Parser,
                subclass_mode_model=True,
                subclass_mode_data=True,
                auto_configure_optimizers=False,
                args=in_order(arguments),
            )
        finally:
            remove_unused()

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the callbacks of every run, and passes the shapes of the data on to the model."""
        parser.add_lightning_class_args(SampleGrid, "samples")
        parser.add_lightning_class_args(SaveLast, "last")
        parser.add_lightning_class_args(Quality, "quality")
        parser.add_lightning_class_args(CollapseMonitor, "collapse")
        parser.add_lightning_class_args(Best, "best")
        parser.set_defaults(
            {
                "model": {"class_path": "lit_gans.DCGAN"},
                "data": {"class_path": "lit_gans.Glyphs"},
                "best.monitor": _AUTO,
                "best.mode": "min",
                "best.filename": _BEST,
                "best.enable_version_counter": False,
            }
        )
        parser.add_argument(
            "--trust", nargs="+", type=str, default=NOBODY, help="packages of yours that a checkpoint names classes of"
        )
        for name in LINKED:
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses by `our_rules`: names of classes are short, and each class begins with its own defaults."""
        with our_rules():
            super().parse_arguments(parser, args)

    def _add_instantiators(self) -> None:
        """Adds the functions that make the objects which options describe."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # what replaces it came with jsonargparse 4.49
            for key, kind in (("model", GenerativeModel), ("data", LightningDataModule)):
                self.parser.add_instantiator(Making(self, key), kind)
            self.parser.add_instantiator(make, object)

    def _set_seed(self) -> None:
        """Refuses a seed that NumPy does not take."""
        seed = self._get(self.config, "seed_everything")
        if not isinstance(seed, bool) and not 0 <= seed < 2**32:
            raise UsageError(f"--seed_everything must be from 0 to {2**32 - 1}, got {seed}")
        super()._set_seed()

    def _parse_ckpt_path(self) -> None:
        """The command line says what is trained; a checkpoint must fit it (Lightning would let the file win)."""
        config = self.config[self.config["subcommand"]]
        if (path := config.get("ckpt_path")) == "":
            raise UsageError("--ckpt_path is empty; name a checkpoint, or leave the option out")
        if path is None:
            if self.config["subcommand"] != "fit":
                print("note: without --ckpt_path this looks at an untrained model", file=sys.stderr)
            return
        saved = checkpoints.read(path)
        asked = import_class(config["model"]["class_path"])
        holds = named_class(saved, path, asked, config["trust"])
        if holds is not asked:
            own = holds.__name__ in known("lit_gans.models")
            raise UsageError(
                f"{path} holds a {holds.__name__}, but the command asks for a {asked.__name__}; add --model "
                f"{holds.__name__ if own else class_path(holds)}, or the --config of the run that saved it"
            )
        if self.config["subcommand"] == "fit":
            _end_if_done(saved, config["trainer"], path)

    def _run_subcommand(self, subcommand: str) -> None:
        """Runs; if Lightning cannot resume from the checkpoint, the user is told to use another one."""
        try:
            super()._run_subcommand(subcommand)
        except Exception as error:
            if isinstance(error, UsageError) or not was_restoring(error) or own_line(error):
                raise
            raise UsageError(
                f"{self.config[subcommand].get('ckpt_path')} cannot be gone on from ({type(error).__name__}: "
                f"{reason(error)}); it is damaged or of another model: use another checkpoint of the run"
            ) from error

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Adds the run folder, the safe checkpoint writer and the progress bar to what the user asked for."""
        trainer = self._get(self.config_init, "trainer", default={})
        if _endless(trainer):
            trainer["max_epochs"] = _EPOCHS
        name = f"{type(self.model).__name__}-{type(self.datamodule).__name__}"
        trainer["logger"] = _loggers(trainer["logger"], trainer["default_root_dir"], name)
        plugins, callbacks = _as_list(trainer["plugins"]), _as_list(trainer["callbacks"])
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            trainer["plugins"] = [*plugins, checkpoints.AtomicCheckpointIO()]
        if trainer["enable_progress_bar"] is not False and not any(isinstance(c, AnyProgressBar) for c in callbacks):
            trainer["callbacks"] = [*callbacks, ProgressBar()]
        at_least(1, check_val_every_n_epoch=trainer["check_val_every_n_epoch"])
        if str(wanted := trainer["devices"]).isdigit() and trainer["accelerator"] in ("cpu", "auto"):
            most = 4 * max(os.cpu_count() or 1, torch.cuda.device_count())  # each is a process of its own
            if int(wanted) > most:
                raise UsageError(
                    f"trainer.devices={wanted} starts that many processes; this machine takes at most {most}"
                )
        if trainer["barebones"]:
            raise UsageError(
                "trainer.barebones allows no logger, checkpoint or callback, which every run here has; use "
                "trainer.limit_val_batches=0 for no scores and trainer.enable_checkpointing=false for no checkpoints"
            )
        if trainer["gradient_clip_val"]:
            raise UsageError("a model clips by itself: use --model.clip_norm, not trainer.gradient_clip_val")
        if trainer["accumulate_grad_batches"] not in (None, 1):
            raise UsageError("a batch is a step here: use a larger --data.batch_size, do not accumulate")
        try:
            made = super().instantiate_trainer(**kwargs)
        except UsageError:
            raise
        except (ValueError, TypeError) as error:
            raise UsageError(f"the trainer cannot be made: {error}") from None
        refuse_strategy(made.strategy)
        best, quality = (self._get(self.config_init, name) for name in ("best", "quality"))
        if best.monitor in (None, _AUTO):
            # a user's own data module may not give its images' shape, and a model with given networks may not either
            shape = getattr(self.datamodule, "image_shape", None) or self.model.image_shape or _USUAL
            best.monitor = quality.monitor(shape)
        if best.save_top_k not in (0, 1) and "{" not in (best.filename or "{"):
            best.filename += "_{step}"  # several cannot have one name
        return made

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Any]) -> Trainer:
        """Adds `StoppingCheck`; leaves out the callbacks that save checkpoints, if the user wants none."""
        callbacks = [*callbacks, StoppingCheck()]
        if config["enable_checkpointing"] is False:
            callbacks = [c for c in callbacks if not isinstance(c, ModelCheckpoint)]
            for callback in callbacks:
                if isinstance(callback, SaveLast):
                    callback.saves = False
        return super()._instantiate_trainer(config, callbacks)

    def before_instantiate_classes(self) -> None:
        """Tells loggers where the run is; refuses options that cannot be written to a file."""
        config = self.config[self.config["subcommand"]]
        name = "-".join(config[key]["class_path"].rpartition(".")[2] for key in ("model", "data"))
        for logger in _as_list(config["trainer"]["logger"]):
            for option, value in (("save_dir", config["trainer"]["default_root_dir"] or "runs"), ("name", name)):
                if isinstance(logger, Namespace) and logger.get(f"init_args.{option}") == OF_RUN:
                    logger[f"init_args.{option}"] = value
        try:
            self._dump_config()
        except Exception as error:
            reason = str(list(causes(error))[-1])
            raise UsageError(f"these options cannot be written to the run's config.yaml: {reason}") from error

    def before_fit(self) -> None:
        """Says what is trained and where the run is."""
        folder = self.trainer.log_dir
        if self.trainer.is_global_zero:
            players = {name: getattr(self.model, name).parameters() for name in self.model.players}
            sizes = [f"{name} {sum(w.numel() for w in weights):,} weights" for name, weights in players.items()]
            print(f"{type(self.model).__name__} on {type(self.datamodule).__name__}: {', '.join(sizes)}")
            print(f"run folder: {folder}" if folder else "no run folder: logging is off", flush=True)

    def after_fit(self) -> None:
        """Says where the results are."""
        if (folder := self.trainer.log_dir) and self.trainer.is_global_zero and not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            print(f"config, metrics.csv, samples and checkpoints are in {folder}", flush=True)


def _loggers(given: Any, root: Any, name: str) -> list[Any]:
    """First the CSV logger, whose folder is the run's own and never another run's, then what the user asked for."""
    loggers = [] if given is True else _as_list(given)
    loggers = [RunLogger.like(logger) if type(logger) is CSVLogger else logger for logger in loggers]
    if not any(isinstance(logger, CSVLogger) for logger in loggers):
        loggers.append(RunLogger(Path(root or "runs"), name))
    return sorted(loggers, key=lambda logger: not isinstance(logger, CSVLogger))


def _as_list(given: Any) -> list[Any]:
    """The value of a Trainer argument that may be nothing, one thing or several, as a list."""
    return [] if given in (None, False) else list(given) if isinstance(given, (list, tuple)) else [given]


def _end_if_done(saved: dict[str, Any], trainer: Any, path: Any) -> None:
    """Ends the process with 0, before it has a run folder, if a limit of the command is reached already."""
    limit = 1.0 if trainer["limit_train_batches"] is None else trainer["limit_train_batches"]
    if (
        trainer["fast_dev_run"]
        or trainer["overfit_batches"]
        or limit != saved.get(RUN, {}).get("limit_train_batches", 1.0)
    ):
        return  # the length of an epoch is not known before the data is there
    timer = None if trainer["max_time"] is None else Timer(trainer["max_time"])
    epochs = _EPOCHS if _endless(trainer) else trainer["max_epochs"]
    if notes := nothing_left(find(saved), saved, trainer["max_steps"], epochs, timer, path):
        tell(notes)
        raise SystemExit(0)


def _endless(trainer: Any) -> bool:
    """Whether no option limits the length of a run."""
    return trainer["max_epochs"] is None and trainer["max_steps"] == -1 and trainer["max_time"] is None
