"""Words of the command line that several of its modules use."""

import re
import sys
from typing import NoReturn

TRAINING = ("fit", "validate", "test", "predict")
ALIASES = {"train": "fit", "eval": "validate", "val": "validate"}  # what other tools call a command
OWN = "or the dotted name of a class of yours"  # ends every list of names to choose from
HELP_FLAG = re.compile(r"-h|--(?:([\w.-]+)\.)?help(?:=(.*))?")  # asks for help: of which option, on what
NOBODY: list[str] = []  # the default of every --trust


def known(home: str) -> list[str]:
    """The short names of the models (``lit_gans.models``) or data sets (``lit_gans.data``) of this library."""
    from lit_gans import _HOME

    return sorted(name for name in _HOME if _HOME[name] == home)


def fail(message: str, code: int = 1) -> NoReturn:
    """Prints one sentence to standard error and ends the process."""
    print(f"lit-gans: error: {message}", file=sys.stderr)
    raise SystemExit(code)
