"""The command line: training goes to LightningCLI, every other command is a plain function.

Slow imports are delayed until they are needed, so that help answers at once.
"""

import os
import shlex
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from signal import SIGINT
from typing import Any

from lit_gans import __version__, signals
from lit_gans.cli.cache import cache
from lit_gans.cli.cite import cite
from lit_gans.cli.colorize import colorize
from lit_gans.cli.demo import demo
from lit_gans.cli.embed import embed
from lit_gans.cli.evaluate import compare, evaluate, features
from lit_gans.cli.explore import arithmetic, interpolate
from lit_gans.cli.export import export, push
from lit_gans.cli.invert import invert
from lit_gans.cli.plot import plot
from lit_gans.cli.sample import sample
from lit_gans.cli.shard import shard
from lit_gans.cli.translate import translate
from lit_gans.cli.waiting import keep_memory, wait_politely
from lit_gans.cli.words import ALIASES, HELP_FLAG, TRAINING, fail, known
from lit_gans.errors import nearest

HELP = """usage: lit-gans COMMAND [options]

Train generative adversarial networks.

train:
  fit          train a model:  lit-gans fit --model DCGAN --data MNIST
  validate     measure a checkpoint on the validation data
  test         measure a checkpoint on the test data
  predict      write one sample for every entry of the test data

from a checkpoint alone:
  sample       draw images, or write texts:  lit-gans sample runs/.../last.ckpt --output grid.png;
               from a model that comes along:  lit-gans sample r3gan-mnist
  interpolate  draw what lies between latent points:  lit-gans interpolate runs/.../last.ckpt
  arithmetic   smiling woman - woman + man:  lit-gans arithmetic last.ckpt --expression "7 - 1 + 4"
  invert       project pictures onto what a generator draws:  lit-gans invert last.ckpt digit.png
  translate    make pictures of pictures, texts of texts:  lit-gans translate last.ckpt horses --output zebras
  colorize     give a grey photo colours:  lit-gans colorize last.ckpt grey.jpg
  embed        features of texts, one a line:  lit-gans embed last.ckpt lines.txt --output features.npz
  evaluate     score against a data set:  lit-gans evaluate runs/.../best.ckpt --metrics fid kid
  demo         all of this on a page in the browser:  lit-gans demo runs/DCGAN-MNIST/version_0
  export       for other programs, as ONNX say:  lit-gans export last.ckpt --format onnx
  push         onto the Hugging Face Hub:  lit-gans push last.ckpt user/name --licence mit

from what the others have written:
  compare      scores side by side, if they were measured alike:  lit-gans compare a.json b.json
  plot         a run's curves, and its samples over time:  lit-gans plot runs/DCGAN-MNIST/version_0
  features     train a network to score by:  lit-gans features SVHN --output svhn.safetensors
  cite         the papers of a run or a model, as BibTeX:  lit-gans cite runs/DCGAN-MNIST/version_0
  cache        decoded pictures on the disk:  lit-gans cache list, lit-gans cache clear
  shard        pictures into shards, for large sets:  lit-gans shard FOLDER --output SHARDS

about lit-gans itself:
  list         models, backbones, data and configurations, and what they cost:  lit-gans list models;
               those that come along, trained:  lit-gans list shipped
  help         of a command or of anything that has a name:  lit-gans help fit, lit-gans help DCGAN
  doctor       what is installed, what this machine is good for, what is missing
  completion   commands and options by the tab key:  eval "$(lit-gans completion bash)"
  version      of this package

{models}
{data}
A class of your own, in the working directory or installed, goes by its dotted
name: --model my_project.MyGAN

'lit-gans COMMAND --help' lists a command's options, 'lit-gans fit --model DCGAN --help'
a model's and 'lit-gans fit --data MNIST --help' a data set's.
"""


COMMANDS: dict[str, Any] = {
    "sample": sample,
    "interpolate": interpolate,
    "arithmetic": arithmetic,
    "invert": invert,
    "translate": translate,
    "colorize": colorize,
    "embed": embed,
    "evaluate": evaluate,
    "demo": demo,
    "export": export,
    "push": push,
    "compare": compare,
    "features": features,
    "plot": plot,
    "cite": cite,
    "cache": cache,
    "shard": shard,
}
ABOUT = {  # a command about lit-gans itself, and the most words that it takes
    "list": 1,
    "help": 1,
    "doctor": 0,
    "completion": 1,
    "version": 0,
}
_WORDS = {"list": "models, shipped, backbones, data or configs", "completion": "bash, zsh or fish"}
_PIPE = 13  # the number of SIGPIPE, which Windows does not have
_ASK = "__complete"  # what the scripts of shells call


def main(args: Sequence[str] | None = None) -> None:
    """Runs one command; ``args`` default to the process's own.

    Raises:
        SystemExit: with 0 if all went well, 2 for a wrong command, 1 for input that cannot be used, 128 plus a signal's
            number if one ended the run.
    """
    arguments = list(sys.argv[1:] if args is None else args)
    wait_politely()
    keep_memory()
    folder = str(Path.cwd())
    if folder not in sys.path:  # a console script does not look there by itself; last, so that nothing is shadowed
        sys.path.append(folder)
    if arguments:
        arguments[0] = ALIASES.get(arguments[0], arguments[0])
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help(), end="")
    elif arguments[0] in ("-v", "-V", "--version"):
        print(__version__)
    elif arguments[0] == _ASK:
        from lit_gans.cli.completion import answer

        answer(arguments[1:], COMMANDS, ABOUT)
    elif arguments[0] in ABOUT:
        _run(lambda: _about(arguments[0], arguments[1:]), args is None)
    elif arguments[0] in COMMANDS:
        _run(lambda: _call(arguments[0], arguments[1:]), args is None)
    elif arguments[0] in TRAINING or (arguments[0][:1] == "-" and not {*TRAINING}.isdisjoint(arguments)):
        _run(lambda: _train(arguments), args is None)
    elif arguments[0].startswith("-"):
        fail(f"name a command first: lit-gans fit {shlex.join(arguments)}", 2)
    else:
        fail(f"unknown command {arguments[0]!r}{nearest(arguments[0], [*TRAINING, *COMMANDS, *ABOUT])}", 2)


def _about(name: str, words: list[str]) -> None:
    """Runs a command that has no options."""
    if words and words[0] in ("-h", "--help"):
        print(next(line.strip() for line in HELP.splitlines() if line.startswith(f"  {name} ")))
        if name in _WORDS:
            print(f"a word may follow: {_WORDS[name]}")
    elif len(words) > ABOUT[name] or any(word.startswith("-") for word in words):
        fail(f"{name} takes {'one word' if ABOUT[name] else 'no further words'}, got {shlex.join(words)}", 2)
    elif name == "version":
        print(__version__)
    elif name == "help":
        _help_on(*words)
    elif name == "list":
        from lit_gans.cli.lists import list_all

        list_all(*words)
    elif name == "doctor":
        from lit_gans.cli.doctor import doctor

        doctor()
    else:
        from lit_gans.cli.completion import script

        print(script(*words), end="")


def _help_on(name: str = "") -> None:
    """Prints the help of a command, or of a topic or a class, which is fit's."""
    name = ALIASES.get(name, name)
    if not name:
        print(_help(), end="")
    elif name in ABOUT:
        _about(name, ["--help"])
    elif name in COMMANDS:
        _call(name, ["--help"])
    else:
        from lit_gans.cli.help import show

        show(name if name in TRAINING else "fit", ["--help", *([] if name in TRAINING else [name])])


def _help() -> str:
    lists = (f"{name}: {', '.join(known(f'lit_gans.{name}'))}" for name in ("models", "data"))
    models, data = (textwrap.fill(text, 80, subsequent_indent="  ") for text in lists)
    return HELP.format(models=models, data=data)


def _call(name: str, arguments: list[str]) -> None:
    import warnings

    from lit_gans.cli.calling import Call

    warnings.formatwarning = _short
    Call(name, COMMANDS[name]).run(arguments)


def _train(arguments: list[str]) -> None:
    """Runs a training command, or prints the help that it asks for; torch is loaded once all words are understood."""
    from lit_gans.cli.reading import command_first, ready

    command, *words = arguments = command_first(arguments)
    if command in TRAINING and any(map(HELP_FLAG.fullmatch, words)):
        from lit_gans.cli.help import show

        if show(command, words):  # else its parser knows what the index does not
            raise SystemExit(0)
    arguments = ready(arguments)
    _say_less()

    from lit_gans.cli.processes import ending_together
    from lit_gans.cli.train import TrainCLI

    with ending_together(_explain):
        TrainCLI.run(arguments)


def _say_less() -> None:
    """Leaves out what libraries tell that is of no use here; what is left begins a line of its own."""
    import logging
    import warnings

    from lit_gans.callbacks.progress import make_room
    from lit_gans.training.quiet import LOGGERS, WARNINGS, says_something

    def short(message: Any, *_: Any, **__: Any) -> str:
        make_room()
        return _short(message)

    def said(record: logging.LogRecord) -> bool:
        make_room()
        return says_something(record)

    warnings.formatwarning = short
    for part in WARNINGS:
        warnings.filterwarnings("ignore", f".*{part}")
    for logger in LOGGERS:
        logging.getLogger(logger).addFilter(said)


def _short(message: Any, *_: Any, **__: Any) -> str:
    """A warning without the line of code that warns, which tells a user nothing."""
    return f"warning: {' '.join(str(message).split())}\n"


def _explain(error: BaseException) -> tuple[str, int]:
    """The text to print for an error in another process than the first, and the exit code."""
    import traceback

    from lit_gans.cli.reasons import reason

    said = None if os.environ.get("LIT_GANS_TRACEBACK") else reason(error)
    if said is None:
        return "".join(traceback.format_exception(error)).rstrip(), 1
    return f"lit-gans: error: {said}", 1


def _run(command: Any, to_the_end: bool) -> None:
    """Runs a command; an error that a user can cause becomes one sentence, and a signal its exit code."""
    try:
        with signals.noticed(to_the_end):
            command()
            sys.stdout.flush()  # not at Python's end, where nobody catches that the reader has gone
        return
    except BrokenPipeError:  # whoever read the output has seen enough: lit-gans list | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
        raise SystemExit(128 + _PIPE) from None
    except BaseException as error:
        if number := signals.ended_by(error):
            if number == SIGINT:
                signals.tell(number)
            raise SystemExit(128 + number) from None
        if isinstance(error, SystemExit):
            raise
        from lit_gans.cli.reasons import reason, unwrapped

        said = None if os.environ.get("LIT_GANS_TRACEBACK") else reason(error)
        failure = unwrapped(error)
    if said is not None:
        fail(said)
    raise failure  # out here, where it keeps its own context
