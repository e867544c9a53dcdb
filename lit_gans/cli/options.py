"""The options that commands share: each is described in one place, and means the same in all of them.

Nothing here imports PyTorch, so that a wrong word is answered at once.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from lit_gans.cli.artifacts import fetched
from lit_gans.errors import UsageError
from lit_gans.runs import find_checkpoint, is_shipped, no_checkpoint

_MOST_SEEDS = 1_000_000
# words of other tools, and the option that they mean here
FOREIGN = {
    "batch": "batch_size",
    "ckpt": "checkpoint",
    "dataroot": "root",
    "gpu": "device",
    "gpu_ids": "device",
    "gpus": "device",
    "load_size": "size",
    "n": "count",
    "name": "checkpoint",
    "network": "checkpoint",
    "num": "count",
    "num_samples": "count",
    "num_test": "count",
    "o": "output",
    "out": "output",
    "outdir": "output",
    "overwrite": "force",
    "results_dir": "output",
    "to_text": "to",
    "caption": "text",
    "prompt": "text",
    "samples": "count",
    "save_dir": "output",
    "scores": "metrics",
    "seeds": "seed",
    "pictures": "input",
    "source": "pictures",
    "trunc": "truncation",
}


@dataclass(frozen=True)
class Option:
    """What a command's signature says of an argument beside its type.

    Args:
        help: for ``--help``; by default what the function's docstring says.
        parse: makes a value of the whole text; by default the type says how. Raises `UsageError` or ``ValueError``,
            whose text then ends the sentence "--name must be ...".
        shown: stands for the value in ``--help``.
        separate: whether commas part the entries of a list.
        verbatim: whether a word is a value, or an entry of a list, as it stands: a sentence, say.
        by_place: whether it may be given without its name, though it has a default.
    """

    help: str = ""
    parse: Callable[[str], Any] | None = None
    shown: str = ""
    separate: bool = True
    verbatim: bool = False
    by_place: bool = False


def checkpoint_file(place: str) -> str:
    """The checkpoint that a word stands for; says which, if the word is not its name.

    The name of a model that comes along stays as it is, so that nothing is written beside its file.

    Raises:
        UsageError: if there is none.
    """
    if is_shipped(place):
        return place
    path = find_checkpoint(fetched(place))
    if not path.is_file():
        raise UsageError(no_checkpoint(path))
    if path != Path(place):
        print(f"checkpoint: {path}", file=sys.stderr)
    return str(path)


def existing(place: str) -> str:
    """A file or folder that is there.

    Raises:
        UsageError: if it is not.
    """
    if not Path(place).exists():
        raise UsageError(
            f"there is no file or folder {place}; name a picture, a folder of them, or a text file for a model of texts"
        )
    return place


def seeds(text: str) -> list[int]:
    """The seeds in ``5``, ``0-63`` or ``3,5,9``, which may be mixed.

    Raises:
        ValueError: if it is something else.
    """
    found: list[int] = []
    for part in text.strip("[] ").replace(",", " ").split():
        first, dash, last = part.lstrip("-").partition("-")
        sign = -1 if part.startswith("-") else 1
        if not first.isdecimal() or (dash and not (last.isdecimal() and sign > 0)):
            raise ValueError("a whole number, say 5, or several, say 3,5,9 or 0-63")
        begin, end = sign * int(first), int(last) if dash else sign * int(first)
        if not begin <= end < begin + _MOST_SEEDS:
            raise ValueError("whole numbers, the smaller first, at most a million")
        found += range(begin, end + 1)
    if not found:
        raise ValueError("a whole number, say 5, or several, say 3,5,9 or 0-63")
    return found


Checkpoint = Annotated[
    str,
    Option(
        "a checkpoint file, or a run's folder, whose best.ckpt is used, else its last.ckpt; last and best are those of "
        "the newest run in runs, hf://user/name is a model on the Hugging Face Hub, and r3gan-mnist is one that comes "
        "along, as 'lit-gans list shipped' has them",
        checkpoint_file,
    ),
]
Pictures = Annotated[str, Option("a picture, or a folder of pictures and of folders with them", existing)]
Input = Annotated[
    str | None,
    Option(
        "a picture, or a folder of pictures and of folders with them; or a text file, one text a line",
        existing,
        by_place=True,
    ),
]
Text = Annotated[str | None, Option("a sentence, in quotes", shown='"TEXT"', verbatim=True)]
Texts = Annotated[
    list[str] | None,
    Option("a text, in quotes, or several of them, each in quotes", shown='"TEXT"', verbatim=True),
]
Megapixels = Annotated[
    float, Option("the most that a picture may have, since a small file can unpack until the memory is full")
]
Device = Annotated[str, Option("cpu, cuda, cuda:1 or mps; auto is cuda where there is one, else mps, else cpu")]
BatchSize = Annotated[
    int | None, Option("how many go through the networks at once, which changes no result; fewer take less memory")
]
Force = Annotated[bool, Option("replace files that are there")]
Trust = Annotated[
    list[str],
    Option("packages of yours that the files name classes of; they are imported, which runs their code", shown="A,B"),
]
Labels = Annotated[list[str] | None, Option(shown="CLASS,CLASS")]
Data = Annotated[
    str | None,
    Option(
        "a data set's name (MNIST, CelebA, ...), a folder of pictures, or a .yaml file with a data section; by default "
        "what the run was trained on. Its options are as in fit, say --data.size 32"
    ),
]
Root = Annotated[str | None, Option("the folder that holds the data; by default as in training")]
DataOptions = Annotated[dict[str, str] | None, Option()]  # what was given as --data.NAME, not an option by itself
