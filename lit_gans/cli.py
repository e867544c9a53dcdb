"""The command line: what trains goes to LightningCLI, what needs only a checkpoint is a plain function.

Nothing heavy is imported before it is needed, so that help answers at once.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

TRAINING = ("fit", "validate", "test", "predict")
HELP = """usage: lit-gans COMMAND [options]

Train generative adversarial networks.

train:
  fit        train a model:  lit-gans fit --model DCGAN --data MNIST
  validate   measure a checkpoint on the validation data
  test       measure a checkpoint on the test data
  predict    write one sample for every entry of the test data

from a checkpoint alone:
  sample     draw images:  lit-gans sample runs/.../last.ckpt --count 64 --seed 1 --output grid.png

models: {models}
data:   {data}
A class of your own, in the working directory or installed, goes by its dotted name: --model my_project.MyGAN

'lit-gans COMMAND --help' lists a command's options, 'lit-gans fit --model.help DCGAN' a model's and
'lit-gans fit --data.help MNIST' a data set's; 'lit-gans --version' prints the version.
"""


def sample(
    checkpoint: str,
    count: int = 64,
    seed: int | None = None,
    output: str = "samples.png",
    columns: int | None = None,
    device: str = "cpu",
) -> None:
    """Draws images from a checkpoint.

    Args:
        checkpoint: a checkpoint file, say runs/DCGAN-Glyphs/version_0/checkpoints/last.ckpt.
        count: how many images.
        seed: makes the draw repeatable; without it every call draws anew.
        output: a .png file for a grid, or a folder for one file an image.
        columns: images in a row of the grid; by default about as many as there are rows.
        device: where to compute, for example cpu or cuda.
    """
    from lit_gans.checkpoints import load
    from lit_gans.errors import UsageError
    from lit_gans.pictures import grid, to_uint8, write_png

    target = Path(output)
    if count < 1:
        raise UsageError(f"count must be at least 1, got {count}")
    if target.suffix and target.suffix.lower() != ".png":
        raise UsageError(f"output must end in .png (a grid) or be a folder (one file an image), got {output}")
    if target.is_file() and not target.suffix:
        raise UsageError(f"output {output} is a file; name a folder, or a .png file for a grid")
    images = load(checkpoint, device).sample(count, seed=seed)
    if target.suffix:
        write_png(grid(images, columns), target)
    else:
        for number, image in enumerate(to_uint8(images)):
            single = image if len(image) in (1, 3) else grid(images[number : number + 1])
            write_png(single, target / f"{number:05}.png")
    print(f"{count} images in {target}")


COMMANDS = {"sample": sample}
_CONNECTOR = "lightning.pytorch.trainer.connectors.checkpoint_connector"
_CHATTER = ("litlogger", "litmodels", "TPU available", "`weights_only` was not set")


def main(args: Sequence[str] | None = None) -> None:
    """Runs one command; ``args`` default to the process's own.

    Raises:
        SystemExit: with 0 if all went well, 2 for a wrong command, 1 for input that cannot be used, 128 plus a signal's
            number if one ended the run.
    """
    arguments = list(sys.argv[1:] if args is None else args)
    folder = str(Path.cwd())
    if folder not in sys.path:  # a console script does not look there by itself
        sys.path.insert(0, folder)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help(), end="")
    elif arguments[0] == "--version":
        from lit_gans import __version__

        print(__version__)
    elif arguments[0] in COMMANDS:
        _run(lambda: _call(arguments[0], arguments[1:]))
    elif arguments[0] in TRAINING or arguments[0].startswith("-"):
        _run(lambda: _train(arguments))
    else:
        fail(f"unknown command {arguments[0]!r}{nearest(arguments[0], [*TRAINING, *COMMANDS])}", 2)


def known(home: str) -> list[str]:
    """The short names of the models (``lit_gans.models``) or data sets (``lit_gans.data``) of this library."""
    from lit_gans import _HOME

    return sorted(name for name in _HOME if _HOME[name] == home)


def nearest(word: str, choices: Sequence[str]) -> str:
    """``; did you mean X? choose from ...``, for the end of an error."""
    import difflib

    lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.5)
    hint = f"; did you mean {lower[close[0]]}?" if close else ";"
    return f"{hint} choose from {', '.join(choices)}"


def fail(message: str, code: int = 1) -> NoReturn:
    """Prints one sentence to standard error and ends the process."""
    print(f"lit-gans: error: {message}", file=sys.stderr)
    raise SystemExit(code)


def _help() -> str:
    return HELP.format(models=", ".join(known("lit_gans.models")), data=", ".join(known("lit_gans.data")))


def _call(name: str, arguments: list[str]) -> None:
    from jsonargparse import ArgumentParser, auto_cli

    class Parser(ArgumentParser):
        def error(self, message: str, ex: Exception | None = None) -> NoReturn:
            fail(f"{' '.join(str(message).split())}; 'lit-gans {name} --help' lists the options", 2)

    auto_cli(COMMANDS[name], args=arguments, prog=f"lit-gans {name}", as_positional=True, parser_class=Parser)


def _train(arguments: list[str]) -> None:
    import logging
    import warnings

    # what Lightning says that is no news to somebody who trains a GAN here
    for noise in (
        "does not have many workers",
        "smaller than the logging interval",
        "LightningCLI's args",
        "treespec",
        "could not find the monitored",
        "sync_dist",
        "The dirpath",
    ):
        warnings.filterwarnings("ignore", f".*{noise}")
    zero = "utilities.rank_zero"
    for logger in (f"lightning.pytorch.{zero}", f"lightning.fabric.{zero}", f"lightning_{zero}", _CONNECTOR):
        logging.getLogger(logger).addFilter(lambda r: not any(n in r.getMessage() for n in _CHATTER))

    from lit_gans.train import TrainCLI

    TrainCLI.run(arguments)


def _run(command: Any) -> None:
    """Runs a command; what a user can cause becomes one sentence."""
    try:
        command()
    except Exception as error:
        reason = _user_caused(error)
        if reason is None or os.environ.get("LIT_GANS_TRACEBACK"):
            raise
        fail(" ".join(str(reason).split()))
    except KeyboardInterrupt:
        fail("interrupted", 130)


def _user_caused(error: BaseException | None) -> BaseException | None:
    """The error, or the one that it hides, if a user can mend it."""
    from lit_gans.errors import NonFiniteLoss, UsageError

    kinds: tuple[type[BaseException], ...] = (UsageError, NonFiniteLoss, PermissionError, FileNotFoundError)
    if "lightning" in sys.modules:
        from lightning.fabric.utilities.exceptions import MisconfigurationException

        kinds += (MisconfigurationException,)
    while error is not None and not isinstance(error, kinds):
        error = error.__cause__ or error.__context__
    return error
