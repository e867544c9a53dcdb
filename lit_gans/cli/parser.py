"""The parser of ``fit``, ``validate``, ``test`` and ``predict``: every error is one sentence."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import yaml
from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser

from lit_gans.checkpoints.mistakes import MOVED
from lit_gans.cli import settings, switches
from lit_gans.cli.classes import own_backbone
from lit_gans.cli.loggers import left_to_the_run
from lit_gans.cli.moved import refuse_moved
from lit_gans.cli.reasons import causes, is_own
from lit_gans.cli.sentences import not_accepted, sentence
from lit_gans.cli.words import fail
from lit_gans.core.generative import GenerativeModel
from lit_gans.errors import UsageError, refuse_odd_numbers

_BACKBONE = "backbone"
_BOTH = {f"{player}_{kind}": kind for player in ("generator", "discriminator") for kind in ("optimizer", "scheduler")}


class Parser(LightningArgumentParser):
    """Reads options; an inner one, which jsonargparse makes of this class, reads those of one class."""

    of: Any = None  #: the class whose options these are
    typed: ClassVar[dict[str, str]] = {}  #: the flags of the command and their values, for errors
    _writes: ClassVar[bool] = False  # whether a configuration is written at the moment, which was read before

    def add_class_arguments(self, theclass: type, *arguments: Any, **options: Any) -> Any:
        """Also remembers the class, and leaves it to the run where a logger writes."""
        self.of = theclass
        added = super().add_class_arguments(theclass, *arguments, **options)
        self.set_defaults(left_to_the_run(theclass))
        return added

    def parse_path(self, path: Any, *arguments: Any, **options: Any) -> Any:
        """Reads a configuration file with `settings`, as all commands do."""
        with settings.opened(path) as text:
            if "off" in self._names:  # of a whole run, not of one class
                given = settings.read(Path(path).name)
                if (said := switches.spelled_out_in(given)) is not given:
                    text = yaml.safe_dump(said, sort_keys=False)
            return self.parse_string(text, os.fspath(path), *arguments, **options)

    @classmethod
    @contextmanager
    def checked(cls) -> Iterator[None]:
        """Within it nothing is checked: a second look at what has been read took two thirds of the time to write it."""
        before, Parser._writes = Parser._writes, True
        try:
            yield
        finally:
            Parser._writes = before

    def validate(self, *arguments: Any, **options: Any) -> None:
        """Checks a configuration, unless it is being written."""
        if not Parser._writes:
            super().validate(*arguments, **options)

    def save(self, cfg: Any, path: Any, *arguments: Any, **options: Any) -> None:
        """Writes a configuration in one file, in UTF-8 as it is read."""
        with self.checked():
            text = self.dump(cfg, skip_none=False)
        Path(path).write_text(text, "utf-8")

    def parse_args(self, args: Any = None, namespace: Any = None, *arguments: Any, **options: Any) -> Any:
        """Also refuses options of 0.1 and numbers that no option can take, and completes options without a class."""
        if self._reads_a_model:
            words = [word.removeprefix("--").partition("=") for word in args]
            refuse_moved({name: value for name, _, value in words}, self._names, MOVED)
            nested = re.compile(r"\.(?!class_path$)")
            partial = {
                name.partition(".")[0]
                for name, _, value in words
                if nested.search(name) or (value[:1] == "{" and "class_path" not in value)
            }
            namespace = self._begun(partial, namespace)
        parsed = super().parse_args(args, namespace, *arguments, **options)
        if command := parsed.get("subcommand"):  # not while the options of one class are looked at
            refuse_odd_numbers(parsed[command])
        return parsed

    def parse_object(self, obj: Any, namespace: Any = None, *arguments: Any, **options: Any) -> Any:
        """Reads the options in a file; options without a class are those of the class that is the default there."""
        given = dict(obj.items(branches=True, nested=False)) if isinstance(obj, Namespace) else dict(obj)
        given = {name: self._listed(name, value) for name, value in given.items()}
        if not self._reads_a_model:
            return super().parse_object(given, namespace, *arguments, **options)
        refuse_moved(given, self._names, MOVED)
        partial = {
            name: given.pop(name)
            for name, value in list(given.items())
            if name in (_BACKBONE, *_BOTH) and isinstance(value, (dict, Namespace)) and "class_path" not in value
        }
        parsed = super().parse_object(given, namespace, *arguments, **options)
        if not partial:
            return parsed
        return super().parse_object(partial, self._begun(partial, parsed), *arguments, **options)

    def _listed(self, name: str, value: Any) -> Any:
        """A list that is spelled without brackets, ``1,16,16``; the index has done it for the classes that it knows."""
        action = next((action for action in self._actions if action.dest == name), None)
        if action is None or not isinstance(value, str) or "," not in value or value[0] in "[{":
            return value
        from lit_gans.cli.describing import option
        from lit_gans.cli.entries import Option
        from lit_gans.cli.values import Wrong, spelled

        try:
            return yaml.safe_load(spelled(Option(name, tuple(option(name, action)["kinds"].split())), [value])[0])
        except Wrong:
            return value

    @property
    def _reads_a_model(self) -> bool:
        return isinstance(self.of, type) and issubclass(self.of, GenerativeModel)

    @property
    def _names(self) -> set[str]:
        return {action.dest.partition(".")[0] for action in self._actions}

    def _begun(self, partial: Iterable[str], known: Any) -> Any:
        """Adds the default class to options that come without one: the model's own backbone, its optimizer."""
        known = Namespace() if known is None else known.clone()
        for name in partial:
            if known.get(name) is None and (standing := self._standing(name, known)) is not None:
                known[name] = standing
        return known

    def _standing(self, name: str, known: Namespace) -> Namespace | None:
        """The default class of an option, with its options; None if there is none."""
        if name == _BACKBONE:
            return own_backbone(self.of)
        if name in _BOTH and (both := known.get(_BOTH[name]) or self.get_defaults().get(_BOTH[name])) is not None:
            return both.clone() if isinstance(both, Namespace) else Namespace(both)
        return None

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Prints one sentence and ends the process with 2; a bug in a user's own module is raised as it is."""
        if bug := next((cause for cause in causes(ex) if is_own(cause)), None):
            raise bug
        if said := next((cause for cause in causes(ex) if isinstance(cause, UsageError)), None):
            fail(str(said), 2)
        text = " ".join(str(message).split())
        names = [action.dest for action in self._actions]
        own = not_accepted(text, getattr(self.of, "__name__", "the command"), names, self._flag)
        if missing := re.search(r"the following arguments are required: (.+)", text):
            fail(self._needs(missing[1].split(", ")), 2)
        fail(own or sentence(text, self._flag), 2)

    def _needs(self, missing: list[str]) -> str:
        """The sentence about options that a class must be given."""
        owner = getattr(self.of, "__name__", "the command")
        flag = next((flag for flag, value in self.typed.items() if value.rpartition(".")[2] == owner), None)
        names = [f"--{flag}.{name}" if flag else name for name in missing]
        return f"{owner} needs {' and '.join(', '.join(names).rsplit(', ', 1))}"

    @classmethod
    def _flag(cls, option: str) -> str:
        """The flag that was typed for an option; the option alone if it comes from a file."""
        return next((f"--{flag}" for flag in cls.typed if flag.rpartition(".")[2] == option), option)
