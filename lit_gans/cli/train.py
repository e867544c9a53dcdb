"""``lit-gans fit``, ``validate``, ``test`` and ``predict``: LightningCLI with short names and a run folder."""

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, Timer
from lightning.pytorch.callbacks import ProgressBar as AnyProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.trainer.connectors.accelerator_connector import _PRECISION_INPUT

from lit_gans import checkpoints
from lit_gans.callbacks import (
    Best,
    CollapseMonitor,
    Neighbours,
    ProgressBar,
    Quality,
    RateCheck,
    RunReport,
    SampleGrid,
    SampleText,
    SaveLast,
)
from lit_gans.callbacks.best import AUTO, DEFAULTS
from lit_gans.callbacks.loggers import tell_options
from lit_gans.callbacks.precision import BY_TRIAL
from lit_gans.callbacks.run_folder import remove_unused, run_of
from lit_gans.callbacks.stopping import StoppingCheck
from lit_gans.callbacks.strangers import seen
from lit_gans.checkpoints.changes import LINKED
from lit_gans.checkpoints.loading import named_class, was_restoring
from lit_gans.checkpoints.place import RUN, find
from lit_gans.checkpoints.resume import nothing_left, tell
from lit_gans.checkpoints.trust import class_path, import_class
from lit_gans.cli import switches
from lit_gans.cli.arguments import in_order, split
from lit_gans.cli.artifacts import fetched
from lit_gans.cli.classes import constructors_heard, our_rules, spelled_out
from lit_gans.cli.loggers import Loggers
from lit_gans.cli.making import Making, make
from lit_gans.cli.parser import Parser
from lit_gans.cli.reasons import causes
from lit_gans.cli.words import NOBODY, known
from lit_gans.core.checks import refuse_processes, refuse_strategy
from lit_gans.core.generative import GenerativeModel
from lit_gans.devices import take_tasks
from lit_gans.errors import UsageError, at_least, own_line, reason, with_article
from lit_gans.metrics.suited import AUTO as SUITED
from lit_gans.runs import Run
from lit_gans.training.defaults import EPOCHS, ROOT, NoProfiler, as_list, endless, fastest_precision, safe_plugins


class SaveConfig(SaveConfigCallback):
    """Writes ``config.yaml`` into the run's own folder, which no other run shares."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Writes it, unless the run has no folder of its own, and gives it to the loggers.

        The checkpoint that a run was resumed from is left out: from the beginning, the run ends at the same weights. A
        backbone that the user did not name is written out, too, and what ``auto`` has become: a precision, and features
        that a machine has where it goes on.
        """
        self.config = self.config.clone()
        if "ckpt_path" in self.config:
            self.config["ckpt_path"] = None
        if self.config.get("model.init_args.backbone", "no such option") is None:
            self.config["model.init_args.backbone"] = spelled_out(pl_module.hparams.get("backbone"))
        quality = next((each for each in trainer.callbacks if isinstance(each, Quality)), None)  # type: ignore[attr-defined]
        if quality is not None and self.config.get("quality.features") == SUITED and not seen(pl_module).of_texts:
            self.config["quality.features"] = quality.settle(trainer.datamodule, pl_module)  # type: ignore[attr-defined]
        if self.config.get("trainer.precision") == BY_TRIAL:
            self.config["trainer.precision"] = trainer.precision
        if not trainer.loggers or trainer.fast_dev_run or stage != "fit":  # type: ignore[attr-defined]
            return
        super().setup(trainer, pl_module, stage)
        run = run_of(trainer)  # asked on all devices, which have to agree on it
        if trainer.is_global_zero:
            tell_options(trainer, run.folder, run.config.read_text("utf-8"))


class RunTrainer(Trainer):
    """Lightning's Trainer, of which the command line also takes the precision ``auto``."""

    def __init__(self, precision: _PRECISION_INPUT | Literal["auto"] | None = None, **trainer: Any) -> None:
        super().__init__(precision=precision, **trainer)  # type: ignore[arg-type]


class TrainCLI(LightningCLI):
    """The training commands."""

    _begun: tuple[dict[str, Any], Any] | None = None  # what the checkpoint of the command says of its run; its path

    @classmethod
    def run(cls, arguments: Sequence[str]) -> None:
        """Parses ``arguments``, builds the model, the data and the trainer, and runs."""
        Parser.typed = {unit.key: " ".join(unit.values) for unit in split(arguments) if unit.name}
        try:
            cls(
                GenerativeModel,
                LightningDataModule,
                save_config_callback=SaveConfig,
                trainer_class=RunTrainer,
                trainer_defaults={"default_root_dir": ROOT, "enable_model_summary": False},
                seed_everything_default=0,
                parser_class=Parser,
                subclass_mode_model=True,
                subclass_mode_data=True,
                auto_configure_optimizers=False,
                args=in_order(arguments),
            )
        finally:
            remove_unused()

    def __init__(self, model: type[LightningModule], data: type[LightningDataModule], **options: Any) -> None:
        self._asked = next(iter(options["args"]), "")
        super().__init__(model, data, **options)

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """The command that was asked for; all of them, whose options take time to make, if it is not the first word."""
        known = super().subcommands()
        return {self._asked: known[self._asked]} if self._asked in known else known

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the callbacks of every run, and passes the shapes of the data on to the model."""
        parser.add_lightning_class_args(SampleGrid, "samples")
        parser.add_lightning_class_args(SampleText, "texts")
        parser.add_lightning_class_args(SaveLast, "last")
        parser.add_lightning_class_args(Quality, "quality")
        parser.add_lightning_class_args(CollapseMonitor, "collapse")
        parser.add_lightning_class_args(Best, "best")
        parser.set_defaults(
            {
                "model": {"class_path": "lit_gans.DCGAN"},
                "data": {"class_path": "lit_gans.Glyphs"},
                **{f"best.{name}": value for name, value in DEFAULTS.items()},
            }
        )
        for part, gone in switches.PARTS.items():
            parser.add_argument(f"--off.{part}", type=bool, default=False, help=f"{gone}; --{part} false says the same")
        parser.add_argument(
            "--trust", nargs="+", type=str, default=NOBODY, help="packages of yours that a checkpoint names classes of"
        )
        parser.add_argument(
            "--name", type=str | None, default=None, help="the name of the run's folder in place of MODEL-DATA"
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
            self.loggers = Loggers(self.config[self.config["subcommand"]])
            self.parser.add_instantiator(self.loggers.make, Logger)
            self.parser.add_instantiator(make, object)

    def instantiate_classes(self) -> None:
        """Makes the objects; what one of several cannot be made of is said, too."""
        with constructors_heard():
            super().instantiate_classes()

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
        config["ckpt_path"] = path = fetched(path)
        if path is None:
            if self.config["subcommand"] != "fit":
                print("note: without --ckpt_path this looks at an untrained model", file=sys.stderr)
            return
        saved = checkpoints.read(path)
        self._begun = ({RUN: saved.get(RUN, {})}, path)
        asked = import_class(config["model"]["class_path"])
        holds = named_class(saved, path, asked, config["trust"])
        if holds is not asked:
            own = holds.__name__ in known("lit_gans.models")
            raise UsageError(
                f"{path} holds {with_article(holds.__name__)}, but the command asks for "
                f"{with_article(asked.__name__)}; add --model {holds.__name__ if own else class_path(holds)}, or the "
                "--config of the run that saved it"
            )
        if self.config["subcommand"] == "fit":
            _end_if_done(saved, config["trainer"], path)

    def _run_subcommand(self, subcommand: str) -> None:
        """Runs; if Lightning cannot resume from the checkpoint, the user is told to use another one."""
        path = self.config[subcommand].get("ckpt_path")
        try:
            super()._run_subcommand(subcommand)
        except UsageError as error:
            said, unfit, _ = str(error).partition("give it the arguments it was trained with")
            if not unfit:
                raise
            config = Run.of(path).config
            raise UsageError(f"{said}{unfit}{f': --config {config}' if config.is_file() else ''}") from error
        except Exception as error:
            if not was_restoring(error) or own_line(error):
                raise
            raise UsageError(
                f"{path} cannot be gone on from ({type(error).__name__}: "
                f"{reason(error)}); it is damaged or of another model: use another checkpoint of the run"
            ) from error

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Adds the run folder, the safe checkpoint writer and the progress bar to what the user asked for."""
        trainer = self._get(self.config_init, "trainer", default={})
        if endless(**trainer):
            trainer["max_epochs"] = EPOCHS
        if trainer["logger"] is not False:
            trainer["logger"] = self.loggers.all(trainer["logger"])
        trainer["profiler"] = trainer["profiler"] or NoProfiler()
        trainer["plugins"], callbacks = safe_plugins(trainer["plugins"]), as_list(trainer["callbacks"])
        if trainer["enable_progress_bar"] is not False and not any(isinstance(c, AnyProgressBar) for c in callbacks):
            trainer["callbacks"] = [*callbacks, ProgressBar()]
        at_least(1, check_val_every_n_epoch=trainer["check_val_every_n_epoch"])
        take_tasks(trainer)
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
            raise UsageError(
                "a batch is a step here: use a larger --data.batch_size, and --model.accumulate to take it in parts"
            )
        try:
            made = super().instantiate_trainer(**kwargs)
        except UsageError:
            raise
        except (ValueError, TypeError, RuntimeError) as error:
            raise UsageError(f"the trainer cannot be made: {error}") from None
        refuse_processes(made)
        refuse_strategy(made.strategy)
        best, quality = (self._get(self.config_init, name) for name in ("best", "quality"))
        if best.monitor in (None, AUTO) and "best" not in self._off():
            best.monitor = AUTO
            best.choose(quality, self.model, self.datamodule)
        if best.save_top_k not in (0, 1) and "{" not in (best.filename or "{"):
            best.filename += "_{step}"  # several cannot have one name
        return made

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Any]) -> Trainer:
        """Adds what watches every run; leaves out the parts that the user has switched off."""
        off = self._off()
        if config["logger"] is False:
            _write_nothing(callbacks)
        chooses = fastest_precision(config)
        if self._begun is not None:
            for each in chooses:
                each.follow(*self._begun)
        callbacks = [*without(callbacks, off), StoppingCheck(), RateCheck(), Neighbours(), *chooses, RunReport()]
        if not any(isinstance(c, ModelCheckpoint) for c in (*callbacks, *as_list(config["callbacks"]))):
            config["enable_checkpointing"] = False  # or Lightning would add one of its own
        return super()._instantiate_trainer(config, callbacks)

    def _off(self) -> set[str]:
        """The parts of the run that are switched off, each by its own word or by another that leaves it nothing."""
        config = self.config[self.config["subcommand"]]
        off = {part for part in switches.PARTS if config[f"off.{part}"]}
        if not config["quality.scores"]:
            off.add("quality")
        if config["trainer.logger"] is False:
            off |= {"samples", "texts", "last", "best"}
        images = self.model.best_score is None
        unscored = images and "quality" in off and config["best.monitor"] in (None, AUTO)
        if config["trainer.enable_checkpointing"] is False or unscored:
            off.add("best")
        if config["trainer.enable_checkpointing"] is False:
            off.add("last")
        return off

    def before_instantiate_classes(self) -> None:
        """Refuses options that cannot be written to a file."""
        config = self.config[self.config["subcommand"]]
        if config["quality.count"] == 0:  # as a word for no scores; the class itself wants something to count
            config["off.quality"], config["quality.count"] = True, None
        try:
            with Parser.checked():
                self._dump_config()
        except Exception as error:
            reason = str(list(causes(error))[-1])
            raise UsageError(f"these options cannot be written to the run's config.yaml: {reason}") from error

    def after_validate(self) -> None:
        """Says where the scores are."""
        self._say_where("scores")

    def after_test(self) -> None:
        """Says where the scores are."""
        self._say_where("scores")

    def after_predict(self) -> None:
        """Says where the pictures are."""
        self._say_where("predictions")

    def _say_where(self, what: str) -> None:
        """Says where the results of a command are, if there are any."""
        if not self.trainer.loggers or self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        run = run_of(self.trainer)  # asked on all devices, as above
        if not self.trainer.is_global_zero:
            return
        found = sorted(run.samples.glob("predict_*")) if what == "predictions" else [run.scores, run.metrics]
        if what == "predictions" and found:
            kind = "file" if all(path.suffix == ".txt" for path in found) else "grid"
            print(f"{len(found)} {kind}{'s' * (len(found) != 1)} of predictions in {run.samples}", flush=True)
        elif there := [path.name for path in found if path.is_file()]:
            print(f"{' and '.join(there)} in {run.folder}", flush=True)
        else:
            print(f"there are no {what} to write", flush=True)


def without(callbacks: list[Any], off: set[str]) -> list[Any]:
    """The callbacks of a run less those of the parts that are switched off.

    Without ``last`` its callback stays, and saves nothing: it also ends a run that gets a signal between two batches.
    """
    kinds = {
        "samples": SampleGrid,
        "texts": SampleText,
        "quality": Quality,
        "collapse": CollapseMonitor,
        "best": ModelCheckpoint,
    }
    gone = tuple(kind for part, kind in kinds.items() if part in off)
    for callback in callbacks:
        if isinstance(callback, SaveLast):
            callback.saves = callback.saves and "last" not in off
    return [callback for callback in callbacks if not isinstance(callback, gone)]


def _write_nothing(callbacks: list[Any]) -> None:
    """Keeps scores out of a folder that the run does not have."""
    for callback in callbacks:
        if isinstance(callback, Quality):
            callback.records = False


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
    epochs = EPOCHS if endless(**trainer) else trainer["max_epochs"]
    if notes := nothing_left(find(saved), saved, trainer["max_steps"], epochs, timer, path):
        tell(notes)
        raise SystemExit(0)
