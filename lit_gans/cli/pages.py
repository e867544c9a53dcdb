"""The pages of the help of the training commands."""

from collections.abc import Iterable

from lit_gans.cli.index import Entry, index
from lit_gans.cli.rows import first_sentence, option_rows, paragraph, rows, shown

EPOCHS = 10  # of a run whose length nobody has set; a test compares it with the run's own
PARTS = {  # of a training command: the callbacks of every run by the names of their options
    "trainer": "the trainer, which is Lightning's",
    "samples": "pictures of samples, drawn while it trains",
    "texts": "texts of a model of texts, written after each validation",
    "quality": "scores of samples, measured while it trains",
    "best": "best.ckpt, the checkpoint with the best score",
    "last": "last.ckpt, the checkpoint to go on from",
    "collapse": "the warning when all samples look alike",
}
LISTS = {  # the kind of the classes, and an example
    "models": ("model", "--model WGANGP"),
    "data": ("data", "--data MNIST"),
    "backbones": ("backbone", "--model.backbone ResNet --model.backbone.width 32"),
    "optimizers": ("optimizer", "--model.optimizer AdamW --model.optimizer.lr 1e-4"),
    "schedulers": ("scheduler", "--model.scheduler LinearDecay --model.scheduler.steps 10000"),
    "callbacks": ("callback", "--trainer.callbacks EarlyStopping --trainer.callbacks.monitor val/fid"),
    "loggers": ("logger", "--trainer.logger tensorboard"),
    "networks": ("network", "--model.generator MLPGenerator"),
}
SHORT = (
    "epochs",
    "steps",
    "batch_size",
    "size",
    "lr",
    "device",
    "gpus",
    "precision",
    "workers",
    "seed",
    "name",
    "resume",
)
_FLAGS = {
    "backbone": "model.backbone",
    "optimizer": "model.optimizer",
    "scheduler": "model.scheduler",
    "callback": "trainer.callbacks",
    "logger": "trainer.logger",
    "network": "model.generator",
}
_FROM_DATA = ("image_shape", "source_shape", "num_classes", "text_shape", "source_text_shape")
_OF_ONE = tuple(f"{player}_{kind}" for kind in ("optimizer", "scheduler") for player in ("generator", "discriminator"))
# what helps nobody here, or is refused
UNTOLD = ("barebones", "gradient_clip_algorithm", "gradient_clip_val", "model_registry", "accumulate_grad_batches")
_EVERY_RUN = ("Best", "CollapseMonitor", "ProgressBar", "Quality", "SampleGrid", "SampleText", "SaveLast")
_ABSTRACT = ("BaseFinetuning", "BasePredictionWriter", "Checkpoint", "LambdaCallback", "ModelCheckpoint")
_WHAT = {
    "fit": "Trains a model.",
    "validate": "Measures a checkpoint on the validation data.",
    "test": "Measures a checkpoint on the test data.",
    "predict": "Writes one sample for every entry of the test data.",
}
_EXAMPLES = {
    "fit": (
        "fit --data MNIST --epochs 5",
        "fit --model StyleGAN2 --data ImageFolder --data.root photos --size 64",
        "fit --resume runs/DCGAN-MNIST/version_0",
    )
}


def general(command: str) -> str:
    """The options that matter most, three examples, and the way to the others."""
    fits = command == "fit"
    sections = [_what(command), *([_pace()] if fits else []), _where(fits), _result(command)]
    column = max(len(left) for section in sections for left, _ in section) + 4
    run = "runs/DCGAN-MNIST/version_0"
    examples = _EXAMPLES.get(command) or (
        f"{command} {run}",
        f"{command} {run} --ckpt_path best",
    )
    more = [
        (f"lit-gans {command} --model DCGAN --help", "the options of a model, with those of its networks"),
        (f"lit-gans {command} --data MNIST --help", "the options of a data set"),
        (f"lit-gans {command} --help trainer", f"or {', '.join([*PARTS][1:])}"),
        (f"lit-gans {command} --help callbacks", f"or {', '.join(name for name in LISTS if name != 'callbacks')}"),
        (f"lit-gans {command} --help all", "this page, and all options of trainer to collapse"),
    ]
    return "\n\n".join(
        [
            f"usage: lit-gans {command} [MODEL] [DATA] [options]",
            paragraph(f"{_WHAT[command]} Defaults stand in brackets, the full names of options in parentheses."),
            *(rows(section, column) for section in sections),
            "examples:\n" + "\n".join(f"  lit-gans {line}" for line in examples),
            "more:\n" + rows(more, 42),
        ]
    )


def _standing(command: str = "fit") -> tuple[Entry, Entry]:
    """The model and the data that are used where none is named."""
    known = index()
    named = {kind: known.find(kind, str(known.commands[command][kind].default)) for kind in ("model", "data")}
    assert named["model"] is not None and named["data"] is not None
    return named["model"], named["data"]


def _what(command: str) -> list[tuple[str, str]]:
    model, data = _standing(command)
    size, batch = (shown(data.options[name].default) for name in ("size", "batch_size"))
    return [
        ("--model NAME", f"DCGAN, WGANGP, StyleGAN2 or another of 'lit-gans list models' [{model.short}]"),
        ("--data NAME", f"MNIST, CelebA, ImageFolder or another of 'lit-gans list data' [{data.short}]"),
        ("--data.root FOLDER", "where the pictures are, or are put when they are downloaded [data]"),
        ("--size N", f"pixels of a side (data.size) [{size} for {data.short}]"),
        ("--batch_size N", f"pictures of a batch (data.batch_size) [{batch}]"),
    ]


def _pace() -> list[tuple[str, str]]:
    model, _ = _standing()
    optimizer = index().classes["optimizer"][str(model.options["optimizer"].default)]
    lr = shown(optimizer.options["lr"].default)
    return [
        ("--epochs N", f"passes over the data (trainer.max_epochs) [{EPOCHS}]"),
        ("--steps N", "batches, if they end sooner (trainer.max_steps) [no limit]"),
        (
            "--lr X",
            f"of all optimizers (model.optimizer.lr) [{lr} for {model.short}]",
        ),
    ]


def _where(fits: bool) -> list[tuple[str, str]]:
    _, data = _standing()
    seed = [("--seed N", "the same seed repeats a run (seed_everything) [0]")] if fits else []
    return [
        ("--device NAME", "cpu, cuda, cuda:1 or mps (trainer.accelerator, trainer.devices) [the best one]"),
        ("--gpus N", "number of GPUs, a process each (trainer.devices) [1]"),
        ("--precision NAME", "bf16-mixed is often faster, auto tries it here (trainer.precision) [32-true]"),
        ("--workers N", f"processes that read pictures (data.num_workers) [{data.options['num_workers'].default}]"),
        *seed,
    ]


def _result(command: str) -> list[tuple[str, str]]:
    scores = shown(index().commands[command]["quality.scores"].default)
    model, data = _standing(command)
    if command != "fit":
        return [
            ("--ckpt_path FILE", "the checkpoint, or the folder of a run"),
            ("--config FILE", "the run's config.yaml, which names its model and its data"),
            ("--quality.scores A,B", f"what is measured [{scores}]"),
        ]
    return [
        ("--name NAME", f"the folder of the run, in runs [{model.short}-{data.short}]"),
        ("--quality.scores A,B", f"what is measured after an epoch [{scores}]"),
        ("--resume [RUN]", "go on with a run; without its name, with the newest of this model and data"),
        ("--config FILE", "options from a file; those after it change it ('lit-gans list configs')"),
    ]


# -------------------------------------------------------------------- one class


def of_class(entry: Entry, path: str, command: str) -> str:
    """The options of a class, with full flags.

    Args:
        entry: the class.
        path: the option that it stands for, ``model.optimizer``, or its kind.
        command: the training command.
    """
    path = _FLAGS.get(path, path)
    name = entry.short if index().find(entry.kind, entry.short) else entry.path
    parts = [f"usage: lit-gans {command} --{path} {name} [options]"]
    good = f" Good at: {entry.good}. Bad at: {entry.bad}." if entry.good else ""
    parts.append(paragraph(f"{entry.name}: {entry.summary}{good}"))
    own = [*entry.options.values()]
    if entry.kind == "model":
        hidden = {*_FROM_DATA, *_OF_ONE, "optimizer", *(["backbone"] if entry.backbone else [])}
        own = [option for option in own if option.name not in hidden]
    parts.append(option_rows(own, f"{path}.", short=True) if own else "It has no options.")
    if entry.open:
        parts.append(paragraph("It also takes the options of the package that it writes to."))
    if entry.kind == "model":
        parts += _of_model(entry, path)
    return "\n\n".join(parts)


def _of_model(entry: Entry, path: str) -> list[str]:
    """What is told of a model alone: its networks, its optimizer, and where more is written."""
    known = index()
    parts = []
    if (own := entry.backbone) is not None:
        backbone = known.classes["backbone"][own.name]
        suited = [e for e in known.classes["backbone"].values() if known.suits(e, entry)]
        others = [e.short for e in suited if e.name != own.name]
        title = f"--{path}.backbone CLASS, its networks [{backbone.short}]; others are {', '.join(others)}:"
        options = option_rows(own.options.values(), f"{path}.backbone.", short=True)
        parts.append(f"{paragraph(title)}\n{options}")
    if "optimizer" in entry.options and (optimizer := known.find("optimizer", str(entry.options["optimizer"].default))):
        title = f"--{path}.optimizer CLASS, of each player [{optimizer.short}]; others: '--help optimizers':"
        often = [option for option in optimizer.options.values() if option.name in ("lr", "betas")]
        options = option_rows(often, f"{path}.optimizer.", short=True)
        parts.append(f"{paragraph(title)}\n{options}")
    if ones := [f"--{path}.{name}" for name in _OF_ONE if name in entry.options]:
        parts.append(paragraph(f"Of one player alone: {', '.join(ones)}."))
    shapes = ", ".join(name for name in _FROM_DATA if name in entry.options)
    last = [f"The data says {shapes}."] if shapes else []
    last += [f"More is in {entry.card}."] if entry.card else []
    names = ", ".join(file.rpartition("/")[2] for file in entry.configs)
    last += [f"Configurations in examples/configs: {names}."] if names else []
    return [*parts, *([paragraph(" ".join(last))] if last else [])]


# -------------------------------------------------------------------- several


def part(name: str, command: str) -> str:
    """The options of a part of a training command."""
    options = index().commands[command]
    own = [option for option in options.values() if option.name.partition(".")[0] == name and "." in option.name]
    told = [option for option in own if option.name.partition(".")[2] not in UNTOLD]
    off = f"; --{name} false switches it off" if f"off.{name}" in options else ""
    return f"{paragraph(f'{name}: {PARTS[name]}{off}')}\n" + option_rows(told, short=True)


def listed(topic: str, path: str = "", model: Entry | None = None) -> str:
    """The classes of a kind, each with its first line; of backbones those that a model can have."""
    kind, example = LISTS[topic]
    path = path or _FLAGS.get(kind, kind)
    entries: Iterable[Entry] = index().classes[kind].values()
    entries = [entry for entry in entries if entry.name not in (*_EVERY_RUN, *_ABSTRACT)]
    entries = [entry for entry in entries if model is None or index().suits(entry, model)]
    lines = [(entry.short, first_sentence(entry.summary).removesuffix(".")) for entry in entries]
    every = ""
    if kind == "callback":
        names = ", ".join(f"--{name}" for name in PARTS if name != "trainer")
        every = "\n\n" + paragraph(f"Every run has those of {names} already ('--help quality' lists the options).")
    last = f"'lit-gans fit --{path}.help {lines[0][0]}' lists the options of one. Your own goes by its dotted name."
    return f"{topic}, for example:\n  lit-gans fit {example}\n\n{rows(lines)}{every}\n\n{paragraph(last)}"
