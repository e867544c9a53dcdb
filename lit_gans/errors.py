"""Errors that a user can cause: the command line prints their one sentence without a traceback."""

import math
import sys
import traceback
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from types import FrameType
from typing import Any

_INSTALLED = {"site-packages", "dist-packages"}
_LARGEST = 2**63  # PyTorch's whole numbers are smaller


class UsageError(ValueError):
    """Something the user gave cannot be used; the message says what was expected, what came and what to do."""


class NonFiniteLoss(RuntimeError):
    """A player's loss, or a weight about to be saved, is NaN or infinite."""


def reason(error: BaseException, longest: int = 200) -> str:
    """The message of an error for the end of a sentence: on one line, without characters that upset a terminal."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    return " ".join(text.split())[:longest].rstrip(" .")


def class_name(model: Any) -> str:
    """The name of a model's class in a message; an object that stands for anybody's module has that of the module."""
    return type(getattr(model, "stands_for", model)).__name__


def one(model: Any) -> str:
    """A model's class in a sentence, with its article: a DCGAN, an ELECTRA."""
    return with_article(type(model).__name__)


def with_article(name: str) -> str:
    """A class's name with its article, as it is spoken: a DCGAN, an ELECTRA, an R3GAN.

    Examples:
        >>> with_article("LSGAN"), with_article("SeqGAN"), with_article("UnrolledGAN")
        ('an LSGAN', 'a SeqGAN', 'an UnrolledGAN')
    """
    spelled = name[1:2].isupper() or name[1:2].isdigit()  # letter by letter, as S and R are: ess, ar
    vowel = name[0] in ("AEFHILMNORSX" if spelled else "AEIO") or name.startswith("Un")
    return f"{'an' if vowel else 'a'} {name}"


def finite_from(least: float, *numbers: float | Sequence[float] | None) -> bool:
    """Whether all numbers, and those in sequences, are finite and not smaller than ``least``; None is skipped.

    ``number < least`` is false for NaN, so that a plain comparison would let it through.

    Examples:
        >>> finite_from(0, 0.5, None, (1, 2)), finite_from(0, float("nan")), finite_from(1, (64, 0))
        (True, False, False)
    """
    return all(
        _is_number(number) and least <= number < math.inf
        for given in numbers
        if given is not None
        for number in (given if isinstance(given, Sequence) else (given,))
    )


def _is_number(given: Any) -> bool:
    return isinstance(given, Real) or (hasattr(given, "ndim") and not given.ndim)


def at_least(least: float, **numbers: float | Sequence[float] | None) -> None:
    """Refuses numbers that are not finite or are smaller than ``least``.

    Raises:
        UsageError: naming the first such number.

    Examples:
        >>> at_least(1, width=64, hidden=(128, 128))
        >>> at_least(1, width=0)
        Traceback (most recent call last):
        lit_gans.errors.UsageError: width must be at least 1, got 0
    """
    for name, given in numbers.items():
        if not finite_from(least, given):
            finite = "finite and " if given == math.inf else ""
            raise UsageError(f"{name} must be {finite}at least {least:g}, got {given!r}")


def usable_seed(**seeds: int | None) -> None:
    """Refuses seeds that PyTorch's random generators cannot take; None is skipped.

    Raises:
        UsageError: naming the first such seed.
    """
    for name, given in seeds.items():
        # generators take 64 bits; a data set begins with a small multiple of it, an epoch's number is added
        whole = isinstance(given, Integral) and not isinstance(given, bool)
        if given is not None and not (whole and -(2**60) < given < 2**60):
            raise UsageError(f"{name} must be a whole number between -2^60 and 2^60, got {given!r}")


def refuse_odd_numbers(options: Any, name: str = "") -> None:
    """Refuses NaN, and whole numbers that do not fit into 64 bits, anywhere in parsed options.

    Raises:
        UsageError: naming the option.
    """
    flag = f"--{name.replace('.init_args', '')}"
    if isinstance(options, float) and math.isnan(options):
        raise UsageError(f"{flag} is NaN; give a number")
    if isinstance(options, int) and abs(options) >= _LARGEST:
        raise UsageError(f"{flag} does not fit into 64 bits, got {options}; give a smaller number")
    if hasattr(options, "items"):
        for key, value in options.items():
            refuse_odd_numbers(value, f"{name}.{key}" if name else str(key))
    elif isinstance(options, (list, tuple)):
        for value in options:
            refuse_odd_numbers(value, name)


def nearest(word: str, choices: Sequence[str]) -> str:
    """``; did you mean X? choose from ...``, for the end of an error."""
    import difflib

    lower = {choice.lower(): choice for choice in choices}
    cutoff = 0.6 if len(word) > 3 else 0.5
    close = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=cutoff)
    hint = f"; did you mean {lower[close[0]]}?" if close else ";"
    return f"{hint} choose from {', '.join(choices)}"


def own_line(error: BaseException) -> str | None:
    """File and line of the innermost user's own code that an error came through; None if there is none."""
    lines = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if _is_own(frame)]
    return f"{lines[-1][0].f_code.co_filename}, line {lines[-1][1]}" if lines else None


def _is_own(frame: FrameType) -> bool:
    file, package = frame.f_code.co_filename, str(frame.f_globals.get("__name__", "")).partition(".")[0]
    known = package == "lit_gans" or package in sys.stdlib_module_names or file.startswith("<")
    module = str(frame.f_globals.get("__file__", ""))  # compiled code names a source file that is not installed
    return not known and not _INSTALLED & {*Path(file).parts, *Path(module).parts}
