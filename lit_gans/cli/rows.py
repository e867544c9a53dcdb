"""Prints options as rows: the flag, what it is for, and its default in brackets."""

import re
import shutil
import textwrap
from collections.abc import Iterable
from typing import Any

from lit_gans.cli.index import Option

_LEAST, _MOST, _UNKNOWN = 60, 100, 90  # columns
_LONG = 125  # letters of a sentence that need not stand whole in a table
_LEFT = 32  # of the flags; longer ones have a line of their own
_VALUES = {"int": "N", "float": "X", "str": "TEXT", "path": "PATH", "list": "A,B", "class": "CLASS", "dict": "{...}"}


def width() -> int:
    """The columns to print in: those of the terminal, but no more than can be read."""
    return min(_MOST, max(_LEAST, shutil.get_terminal_size((_UNKNOWN, 24)).columns))


def paragraph(text: str, indent: str = "") -> str:
    """A text in lines; no word is broken."""
    return textwrap.fill(
        text,
        width(),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def row(left: str, text: str, column: int = _LEFT) -> str:
    """A flag with its text beside it, or below it if the flag is long."""
    lines = textwrap.wrap(text, width() - column, break_long_words=False, break_on_hyphens=False)
    left = f"  {left}"
    if len(left) > column - 2 and lines:
        return "\n".join([left, *(" " * column + line for line in lines)])
    first = f"{left:<{column}}{lines[0] if lines else ''}".rstrip()
    return "\n".join([first, *(" " * column + line for line in lines[1:])])


def rows(pairs: Iterable[tuple[str, str]], column: int = 0) -> str:
    """Several rows, with the texts in one column."""
    pairs = list(pairs)
    column = column or min(_LEFT, max((len(left) for left, _ in pairs), default=0) + 4)
    return "\n".join(row(left, text, column) for left, text in pairs)


def option_rows(options: Iterable[Option], prefix: str = "", short: bool = False) -> str:
    """The rows of options.

    Args:
        options: in the order to print them.
        prefix: what a flag begins with, ``model.``.
        short: print the first sentence of a description only.
    """
    seen: dict[tuple[object, ...], str] = {}  # choices that stand in an earlier row
    pairs = []
    for option in options:
        text = described(option, short)
        if value(option) == "CHOICE" and option.choices in seen:
            text = text.replace(listing(option), f"those of {seen[option.choices]}")
        seen.setdefault(option.choices, option.name)
        pairs.append((flag(option, prefix), text))
    return rows(pairs)


def flag(option: Option, prefix: str = "") -> str:
    """``--model.width N``."""
    return f"--{prefix}{option.name} {value(option)}".rstrip()


def value(option: Option) -> str:
    """A word for the value that an option takes: its kinds, its choices if they are few, what is not the default."""
    kinds = {*option.kinds} - {"null"}
    words = ["true", "false"] if "bool" in kinds else []
    words += [str(choice) for choice in option.choices if str(choice).lower() not in words]
    if words and not kinds - {"bool"}:
        if kinds and isinstance(option.default, bool) and len(words) == 2:
            return str(not option.default).lower()
        return "|".join(words) if len("|".join(words)) < 16 else "CHOICE"
    taken = [_VALUES[kind] for kind in option.kinds if kind in _VALUES]
    if {"path", "list"} & kinds:
        taken = [word for word in taken if word != "TEXT"]
    return "|".join(taken[:2]) or "VALUE"


def described(option: Option, short: bool = False) -> str:
    """The description of an option, its choices and its default."""
    text = first_sentence(option.help) if short else option.help
    text = text.removesuffix(".")
    if option.choices and value(option) == "CHOICE":
        text += f": {listing(option)}"
    if option.required:
        return f"{text} [required]"
    return text if option.default in (None, []) else f"{text} [{shown(option.default)}]"


def listing(option: Option) -> str:
    """The choices of an option."""
    return ", ".join(dict.fromkeys(str(choice) for choice in option.choices))  # 16 is a number and a text


def first_sentence(text: str) -> str:
    """A text without its sources, up to its first full stop; of a long sentence the part before a semicolon."""
    text = re.sub(r" \([^()]*(?:arXiv|et al\.)[^()]*\)", "", text)
    text = re.split(r"(?<![ .][a-z])(?<!e\.g)(?<!i\.e)(?<!etc)\. (?=[A-Z])", text, maxsplit=1)[0]
    return text if len(text) < _LONG else text.partition("; ")[0]


def shown(value: Any) -> str:
    """A default as it is typed."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ",".join(shown(each) for each in value)
    return str(value)
