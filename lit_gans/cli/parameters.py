"""The parameters of a command's function, read from its signature and its docstring."""

import inspect
import re
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from lit_gans.cli.options import DataOptions, Option

_PLAIN = Option()
_SHOWN = {int: "N", float: "X"}
_NOTHING = ("null", "none")
_BRACKETS = re.compile(r"^\s*\[(.*)\]\s*$", re.DOTALL)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a command.

    Args:
        name: its name.
        kind: the type of a value, or of an entry of a list.
        many: whether it is a list.
        choices: the values that a word must be one of.
        optional: whether ``null`` is None.
        default: its default; the class `inspect.Parameter.empty` if there is none.
        option: what else the signature says.
        help: for ``--help``.
    """

    name: str
    kind: type = str
    many: bool = False
    choices: tuple[str, ...] = ()
    optional: bool = False
    default: Any = inspect.Parameter.empty
    option: Option = _PLAIN
    help: str = ""

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is inspect.Parameter.empty

    @property
    def by_place(self) -> bool:
        """Whether it may be given without its name."""
        return self.required or self.option.by_place

    @property
    def shown(self) -> str:
        """The word that stands for its value in the help."""
        one = "|".join(self.choices) or _SHOWN.get(self.kind, self.name.upper())
        return self.option.shown or (f"{one},{one}" if self.many and self.kind in _SHOWN else one)

    def read(self, texts: list[str]) -> Any:
        """Makes the value of the words that were given for it.

        Raises:
            ValueError: with the end of the sentence "it must be ...", if they are something else.
        """
        if self.option.verbatim:
            return texts if self.many else texts[0]
        if self.optional and len(texts) == 1 and texts[0].lower() in _NOTHING:
            return None
        if self.option.parse is not None:
            return self.option.parse(" ".join(texts))
        if not self.many:
            return self._one(texts[0])
        return [self._one(entry) for text in texts for entry in _entries(text, self.option.separate)]

    def _one(self, text: str) -> Any:
        if self.choices:
            found = {choice.lower(): choice for choice in self.choices}.get(text.lower())
            if found is None:
                raise ValueError(f"{', '.join(self.choices[:-1])} or {self.choices[-1]}")
            return found
        if self.kind is bool:
            if text.lower() not in ("true", "false"):
                raise ValueError("true or false, or stand alone")
            return text.lower() == "true"
        return {int: _whole, float: _number}.get(self.kind, str)(text)


def _entries(text: str, separate: bool) -> list[str]:
    """The entries of a list in one word: ``a,b``, ``[a,b]`` or ``["a", "b"]``."""
    if Path(text).exists():  # a file may have a comma in its name
        return [text]
    inner = found[1] if (found := _BRACKETS.match(text)) else text
    parts = inner.split(",") if separate else [inner]
    return [entry for part in parts if (entry := part.strip().strip("'\""))]


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        with_exponent = re.fullmatch(r"\d+e\d{1,2}", text.lower())  # 1e5
        if with_exponent is None:
            raise ValueError("a whole number") from None
        return int(float(text))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("a number") from None


def parameters(command: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a command's function, in their order."""
    hints = get_type_hints(command, include_extras=True)
    told = described(command)[1]
    found = []
    for name, parameter in inspect.signature(command).parameters.items():
        if hints[name] == DataOptions:
            continue
        made = _typed(Parameter(name, default=parameter.default), hints[name])
        words = told.get(name, made.option.help)
        default = parameter.default
        if default not in (inspect.Parameter.empty, None, False) and default != []:
            shown = ",".join(map(str, default)) if isinstance(default, list) else default
            words = f"{words.removesuffix('.')} [{shown}]"
        found.append(replace(made, help=words))
    return found


def _typed(parameter: Parameter, hint: Any) -> Parameter:
    """The parameter with what its annotation says."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        option = next((extra for extra in inner[1:] if isinstance(extra, Option)), _PLAIN)
        return _typed(replace(parameter, option=option), inner[0])
    if origin in (Union, types.UnionType):
        (kind,) = (each for each in inner if each is not type(None))
        return _typed(replace(parameter, optional=True), kind)
    if origin is list:
        return _typed(replace(parameter, many=True), inner[0])
    if origin is Literal:
        return replace(parameter, choices=inner)
    return replace(parameter, kind=hint)


def described(command: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """A docstring's text before its arguments, and the description of each argument, on one line."""
    text, _, rest = (inspect.getdoc(command) or "").partition("\nArgs:\n")
    rest = re.split(r"\n(?=\S)", rest)[0]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", rest, re.MULTILINE)
    return text.strip(), {name: " ".join(words.split()) for name, words in entries}
