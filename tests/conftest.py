"""What several test files share: small runs of small models, on the CPU and without noise."""

import contextlib
import gc
import inspect
import io
import os
import subprocess
import sys
import tempfile
from dataclasses import fields, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # nothing here is large enough for two, and workers share the cores

import pytest
import torch
from lightning.pytorch import Trainer
from warm import Command

import lit_gans.models
from lit_gans import (
    SGAN,
    CaptionedGlyphs,
    Glyphs,
    GrammarLines,
    LabelGAN,
    NumberPairs,
    PairedGlyphs,
    UnpairedGlyphs,
)
from lit_gans.callbacks import Quality, SaveLast
from lit_gans.checkpoints import AtomicCheckpointIO
from lit_gans.cli.main import main
from lit_gans.errors import UsageError
from lit_gans.networks import Backbone, RandomFeatures, RecurrentBackbone

EVERY_MODEL = [getattr(lit_gans.models, name) for name in lit_gans.models.__all__]
MODELS = [model for model in EVERY_MODEL if model.draws and not model.of_texts]
LATENT_MODELS = [model for model in MODELS if isinstance(model.default_backbone, Backbone)]  # images from noise (N, d)
SHAPE = (1, 16, 16)
TEXT_SHAPE = (34, 200)  # enough for every number of texts in these sets
# options that make the networks of any backbone a few thousand weights
NARROW = {"width": 4, "blocks": 1, "style_dim": 8, "generator_hidden": (16,), "discriminator_hidden": (16,)}
NARROW |= {"layers": 1, "heads": 2}
# what the command line takes from the data
SHAPES = ("image_shape", "source_shape", "num_classes", "text_shape", "source_text_shape")
_READER = RecurrentBackbone(width=8, dropout=0.0)
# for models that would be slow otherwise, or show nothing in a few batches; no model needs an entry
SMALL = {
    "CUT": {"features": 8},
    "CycleGAN": {"pool": 10},
    "DiscreteVAE": {"codes": 8, "width": 8, "blocks": 1, "temperature_steps": 8},
    "DFGAN": {"text_encoder": _READER},
    "GANCLS": {"text_encoder": _READER},
    "InfoGAN": {"categories": (2,), "continuous": 1},
    "ProjectedGAN": {"features": RandomFeatures(4, size=16), "projection": 4},  # the paper's need a package
    "Seq2SeqGAN": {"likelihood_steps": 0, "discriminator_steps": 0, "width": 8},
    "SeqGAN": {"likelihood_steps": 0, "discriminator_steps": 0, "generator_every": 1, "filters": 4, "roll_outs": 1},
    "StackGAN": {"text_encoder": _READER, "stage_one_steps": 6, "augmentation": 4, "refiner_width": 8, "blocks": 1},
    "UnrolledGAN": {"unrolled_steps": 2},
    **{name: {"generator_every": 1} for name in ("ProjectionGAN", "SNGAN", "WGAN", "WGANGP")},
}


@pytest.hookimpl(wrapper=True)
def pytest_collect_file():
    """No examples are looked for in the docstrings of tests, which have none: that took as long as to import them."""
    return [found for found in (yield) if type(found).__name__ != "DoctestModule"]


def pytest_collection_finish():
    """What has been imported stays: whoever asks for garbage to be collected need not wait until it is looked at."""
    gc.collect()
    gc.freeze()


def narrow(backbone, **options):
    """A backbone of the same kind whose networks are small."""
    names = {field.name for field in fields(backbone)}
    return replace(backbone, **{name: value for name, value in NARROW.items() if name in names} | options)


def arguments_for(cls, **given):
    """What makes a model small, and what the command line would take from the data.

    Options of its backbone may be among the arguments that are given: ``discriminator_norm="none"``, say.
    """
    data = data_for(cls)
    arguments = {} if data.image_shape is None else {"image_shape": data.image_shape}
    if issubclass(cls, (LabelGAN, SGAN)):
        arguments["num_classes"] = data.num_classes
    if cls.draws_by_text or cls.of_texts:
        arguments["text_shape"] = TEXT_SHAPE if cls.of_texts else data.text_shape
    if {"source", "a"} & set(cls.needs):
        arguments |= {"source_text_shape": TEXT_SHAPE} if cls.of_texts else {"source_shape": data.source_shape}
    if _takes(cls, "tokenizer"):
        arguments["tokenizer"] = small(lit_gans.DiscreteVAE)
    if cls.draws and _takes(cls, "latent_dim") and "generator" not in given:
        arguments["latent_dim"] = 8
    arguments |= SMALL.get(cls.__name__, {}) | given
    backbone = getattr(cls, "default_backbone", None)
    if backbone is None:
        return arguments
    own = {"latent_dim", *inspect.signature(cls.__init__).parameters}
    options = {field.name: arguments.pop(field.name) for field in fields(backbone) if field.name in given.keys() - own}
    networks = {"generator", "discriminator", "encoder"} & given.keys()
    sides = arguments.get("image_shape", SHAPE)[1:]
    if len(networks) < 2 and min(sides) >= getattr(backbone, "smallest", 1):
        arguments.setdefault("backbone", narrow(backbone, **options))
    return arguments


def _takes(cls, name):
    """Whether a constructor of a model, or of one above it, names an argument."""
    owners = [owner for owner in cls.__mro__ if "__init__" in vars(owner)]
    return any(name in inspect.signature(owner.__init__).parameters for owner in owners)


def small(cls, **given):
    """A model of a few thousand weights: with these arguments, and else those that make it small."""
    torch.manual_seed(0)
    return cls(**arguments_for(cls, **given))


def glyphs(**arguments):
    return Glyphs(**{"characters": "01", "size": SHAPE[1:], "count": 40, "batch_size": 4, **arguments})


def data_for(cls, **arguments):
    """Drawn images, pairs or two domains, captions or texts, whatever a model learns from."""
    if cls.of_texts and "source" in cls.needs:
        return NumberPairs(**{"kinds": ["cardinal"], "largest": 999, "count": 40, "batch_size": 4, **arguments})
    if cls.of_texts:
        return GrammarLines(**{"count": 40, "batch_size": 4, **arguments})
    if cls.draws_by_text:
        few = {"characters": "01", "size": SHAPE[1:], "count": 40, "batch_size": 4}
        return CaptionedGlyphs(**{**few, **arguments})
    if cls.draws:
        return glyphs(**arguments)
    kinds = {("source", "target"): PairedGlyphs, ("a", "b"): UnpairedGlyphs, ("image",): CaptionedGlyphs}
    return kinds[cls.needs](**{"size": SHAPE[1:], "count": 24, "batch_size": 2, **arguments})


def trainer(folder, **arguments):
    """A silent trainer that writes nothing by itself."""
    arguments = {"max_steps": 4, "logger": False, "enable_checkpointing": False, **arguments}
    return Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        devices=arguments.pop("devices", 1),
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        plugins=[AtomicCheckpointIO(), *arguments.pop("plugins", [])],
        **arguments,
    )


def fit(folder, model, data=None, ckpt_path=None, **arguments):
    """Trains, keeps the last checkpoint and gives back its content."""
    callbacks = [SaveLast(), *arguments.pop("callbacks", [])]
    run = trainer(folder, callbacks=callbacks, **arguments)
    run.fit(model, datamodule=data if data is not None else glyphs(), ckpt_path=ckpt_path)
    return torch.load(Path(folder) / "checkpoints" / "last.ckpt", weights_only=True)


def assert_equal(left, right, path=""):
    """Equal bit for bit, whatever is nested in whatever."""
    assert type(left) is type(right), path
    if isinstance(left, torch.Tensor):
        assert torch.equal(left, right), path
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), path
        for key in left:
            assert_equal(left[key], right[key], f"{path}/{key}")
    elif isinstance(left, (list, tuple)):
        assert len(left) == len(right), path
        for number, pair in enumerate(zip(left, right, strict=True)):
            assert_equal(*pair, f"{path}/{number}")
    else:
        assert left == right, path


def training_state(checkpoint):
    """What must be equal after a resume: weights, average, optimizers, schedules and random states."""
    names = ("state_dict", "optimizer_states", "lr_schedulers", "random_states", "global_step")
    return {name: checkpoint[name] for name in names}


def run_cli(*arguments, cwd, timeout=300, cold=False, joined=False, **environment):
    """The command line in a process of its own, as a user has it; ``cold``: one that makes its imports itself.

    A script in the place of the command is run instead of ``lit-gans``. ``joined``: standard error goes where standard
    output does.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    if cold:
        command = [sys.executable, "-m", "lit_gans", *map(str, arguments)]
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout)
    with tempfile.TemporaryDirectory() as folder:
        said = [Path(folder, name) for name in ("stdout", "stdout" if joined else "stderr")]
        command = Command(arguments, cwd, said, environment)
        code = command.wait(timeout)
        return subprocess.CompletedProcess(command.args, code, *(path.read_text() for path in said))


def refused(call, *parts):
    """The message of a UsageError: one sentence that has all these parts."""
    with pytest.raises(UsageError) as error:
        call()
    message = str(error.value)
    assert "\n" not in message and not message.endswith("."), message
    for part in parts:
        assert str(part) in message, message


def fails(*arguments, code=1):
    """The one sentence that a command leaves on standard error."""
    error = io.StringIO()
    with pytest.raises(SystemExit) as ended, contextlib.redirect_stderr(error):
        main([str(argument) for argument in arguments])
    assert ended.value.code == code, error.getvalue()
    last = error.getvalue().strip().splitlines()[-1]
    assert last.startswith("lit-gans: error: ") and "Traceback" not in error.getvalue()
    return last


def few(**arguments):
    """Scores of few samples, at every validation, by the features that take no time."""
    return Quality(**{"count": 60, "real_count": 90, "every": 1, "features": "digits", **arguments})


def logged_by(folder, quality, model=None, data=None, **arguments):
    """What a run with these scores logs."""
    model, logged = small(lit_gans.DCGAN) if model is None else model, {}
    original = model.log_dict

    def log_dict(values, **options):
        logged.update({name: float(value) for name, value in values.items()})
        original(values, **options)

    model.log_dict = log_dict
    arguments = {"max_steps": 4, "callbacks": [quality], **arguments}
    fit(folder, model, data if data is not None else glyphs(count=160), **arguments)
    return logged
