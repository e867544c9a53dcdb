"""Calls the function of a command with the words that somebody has typed: its parameters are the options.

Nothing here imports PyTorch, and no word of a parser's insides is printed.
"""

import os
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from lit_gans.cli.options import FOREIGN
from lit_gans.cli.parameters import Parameter, described, parameters
from lit_gans.cli.rows import paragraph, rows
from lit_gans.cli.words import fail
from lit_gans.errors import UsageError, nearest, refuse_odd_numbers
from lit_gans.runs import KINDS, find_checkpoint

_NUMBERS = re.compile(r"[\[\]\d,\s-]+")


class Call:
    """One call of a command.

    Args:
        name: the command's.
        command: its function. Parameters without a default, and others that say so, are given by place, the rest by
            name.
    """

    def __init__(self, name: str, command: Callable[..., Any]) -> None:
        self.name, self.command = name, command
        self.parameters = {parameter.name: parameter for parameter in parameters(command)}
        self.places = [parameter for parameter in self.parameters.values() if parameter.by_place]
        self.by_place: list[str] = []
        self.given: dict[str, list[str]] = {}
        self.data: dict[str, str] = {}

    def run(self, words: Sequence[str]) -> None:
        """Reads the words and calls the function.

        Raises:
            SystemExit: with 2 after one sentence, if the words are wrong; with 0 after the help.
        """
        if {"-h", "--help"} & {*words}:
            print(self.help(), end="")
            raise SystemExit(0)
        self._sort([*words])
        self._place()
        last = sorted(self.given, key=lambda name: self.parameters[name].by_place)  # wrong options come before files
        if "data" in self.parameters:
            self._refuse_data()
        values = {name: self._value(self.parameters[name], self.given[name]) for name in last}
        if self.data:
            values["data_options"] = self.data
        refuse_odd_numbers(values)
        self.command(**values)

    # ---------------------------------------------------------------- words

    def _sort(self, words: list[str]) -> None:
        """Divides the words into those by place and those that follow a flag."""
        while words:
            word = words.pop(0)
            if word == "--":
                self.by_place += words
                return
            if not _is_flag(word):
                self.by_place.append(word)
                continue
            flag, equals, text = word.partition("=")
            if "." in flag:
                self._dotted(flag, text if equals else self._following(flag, words))
                continue
            parameter = self._known(flag)
            if equals:
                texts = [text]
            elif parameter.kind is bool:
                texts = [words.pop(0)] if words and words[0].lower() in ("true", "false") else ["true"]
            else:
                texts = [self._following(flag, words)]
                while parameter.many and words and _goes_on(parameter, words[0]):
                    texts.append(words.pop(0))
            self.given[parameter.name] = texts

    def _following(self, flag: str, words: list[str]) -> str:
        if not words or words[0].startswith("--"):
            self.fail(f"{flag} needs a value")
        return words.pop(0)

    def _dotted(self, flag: str, text: str) -> None:
        kind, _, option = flag.lstrip("-").partition(".")
        if kind != "data" or "data" not in self.parameters:
            has = (
                "has none with a dot" if "data" not in self.parameters else "takes the data's alone, say --data.size 32"
            )
            fail(f"{flag} is an option of fit; {self.name} {has}, 'lit-gans {self.name} --help' lists its own", 2)
        if not re.fullmatch(r"\w[\w.]*", option):
            self.fail(f"{flag} names no option of the data")
        if not text.strip():
            self.fail(f"{flag} needs a value")
        self.data[option] = text

    def _refuse_data(self) -> None:
        """Refuses data and options of it that there are not, before anything slow is imported."""
        from lit_gans.cli.other_data import refuse_data

        given = {name: " ".join(self.given[name]) for name in ("data", "root") if name in self.given}
        try:
            refuse_data(given.get("data"), given.get("root"), self.data)
        except UsageError as error:
            fail(str(error), 2)

    def _known(self, flag: str) -> Parameter:
        """The parameter of a flag, with - or _ between its words."""
        name = flag.lstrip("-").replace("-", "_")
        name = "checkpoint" if name == "ckpt_path" else name  # as fit calls it
        if name in self.parameters and flag.startswith("--"):
            return self.parameters[name]
        meant = FOREIGN.get(name, name)
        meant = meant if meant in self.parameters else FOREIGN.get(meant, meant)
        if meant in self.parameters:
            place = self.parameters[meant].by_place
            self.fail(f"{flag} is no option of {self.name}; {f'name the {meant} alone' if place else f'use --{meant}'}")
        close = nearest(name, [*self.parameters]).partition(";")[2].partition("?")
        hint = close[0].replace("did you mean ", "did you mean --") + "?" if close[1] else ""
        self.fail(f"{flag} is no option of {self.name}{f';{hint}' if hint else ''}")

    def _place(self) -> None:
        """Gives the words by place to the parameters without a default."""
        waiting = [parameter for parameter in self.places if parameter.name not in self.given]
        if waiting and waiting[-1].many:
            head, rest = self.by_place[: len(waiting) - 1], self.by_place[len(waiting) - 1 :]
            found = [[word] for word in head] + ([rest] if rest else [])
        else:
            found = [[word] for word in self.by_place]
        self.given |= {parameter.name: texts for parameter, texts in zip(waiting, found, strict=False)}
        if missing := " and ".join(parameter.name for parameter in waiting[len(found) :] if parameter.required):
            self.fail(f"{self.name} lacks what is required: {missing}")
        if len(found) > len(waiting):
            self.fail(f"{found[len(waiting)][0]!r} is a word too many: {self.name} takes {self._takes()}")

    def _takes(self) -> str:
        return " and ".join(f"one {parameter.name}" for parameter in self.places) or "no words but options"

    def _value(self, parameter: Parameter, texts: list[str]) -> Any:
        if not all(text.strip() for text in texts):
            self.fail(f"{_named(parameter)} needs a value")
        try:
            return parameter.read(texts)
        except UsageError:  # a sentence already: there is no such checkpoint
            raise
        except ValueError as error:
            self.fail(f"{_named(parameter)} must be {error}, got {' '.join(texts)!r}")

    def fail(self, message: str) -> NoReturn:
        """Ends with one sentence."""
        joined = f"{message} " if message.endswith("?") else f"{message}; "
        fail(f"{joined}'lit-gans {self.name} --help' lists the options", 2)

    # ---------------------------------------------------------------- help

    def help(self) -> str:
        """The text of ``--help``."""
        words = " ".join([f"usage: lit-gans {self.name}", *map(_in_usage, self.places), "[options]"])
        about = [" ".join(part.split()) for part in described(self.command)[0].split("\n\n")]
        options = [(_left(parameter), parameter.help.removesuffix(".")) for parameter in self.parameters.values()]
        return "\n\n".join([words, *(paragraph(part) for part in about), rows(options)]) + "\n"


def _left(parameter: Parameter) -> str:
    """A parameter as it is typed."""
    if parameter.by_place:
        return parameter.name
    return f"--{parameter.name}" if parameter.kind is bool else f"--{parameter.name} {parameter.shown}"


def _named(parameter: Parameter) -> str:
    """A parameter in an error."""
    return parameter.name if parameter.by_place else f"--{parameter.name}"


def _in_usage(parameter: Parameter) -> str:
    return parameter.name if parameter.required else f"[{parameter.name}]"


def _is_flag(word: str) -> bool:
    """Whether a word begins like an option and is no number, and no expression with spaces."""
    return re.match(r"--?[A-Za-z]", word) is not None and (word.startswith("--") or " " not in word)


def _goes_on(parameter: Parameter, word: str) -> bool:
    """Whether a word after a flag's first one still belongs to its list, and is not meant by place."""
    if _is_flag(word):
        return False
    if parameter.kind is int:
        return _NUMBERS.fullmatch(word) is not None
    if parameter.option.verbatim and " " in word:  # a sentence
        return True
    return os.sep not in word and "/" not in word and not re.search(r"\.\w{3,5}$", word) and not _is_checkpoint(word)


def _is_checkpoint(word: str) -> bool:
    """Whether a word stands for a checkpoint: ``last``, ``best`` or a run's folder."""
    try:
        return word in KINDS or find_checkpoint(word).is_file()
    except UsageError:
        return False
