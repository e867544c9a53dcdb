"""Which class stands where in a command, and so which options there are: by the index, without importing any class."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lit_gans.cli.index import Entry, Option, Standing, index

USUAL = {"model": "DCGAN", "data": "Glyphs"}
_OWN = ""  # the name of a class that the index does not know
_PLAYERS = ("generator_", "discriminator_")


class Unknown(Exception):
    """There is no such option.

    Args:
        part: the word that is unknown.
        prefix: what stands before it, with a dot at its end.
        owner: the class that does not have it; the command's name at the top.
        options: those that it has.
    """

    def __init__(self, part: str, prefix: str, owner: str, options: Mapping[str, Option]) -> None:
        super().__init__(part)
        self.part, self.prefix, self.owner, self.options = part, prefix, owner, options


class NoClass(Exception):
    """An option of a class is given where no class is named, and none stands by itself.

    Args:
        path: the flag that names the class.
    """


@dataclass
class Scope:
    """The classes that a command has named so far.

    Args:
        command: fit, validate, test or predict.
        named: the short name of the class by the flag that names it; empty for one that the index does not know.
        given: the flags that have a value.
        several: the flags that name more than one class.
    """

    command: str
    named: dict[str, str] = field(default_factory=lambda: dict(USUAL))
    given: set[str] = field(default_factory=set)
    several: set[str] = field(default_factory=set)

    @property
    def options(self) -> dict[str, Option]:
        """The options of the command itself."""
        return index().commands[self.command]

    def name(self, path: str, short: str) -> None:
        """A class is named where another one may have stood, whose options go with it."""
        if self.named.get(path) != short:
            self.named = {at: name for at, name in self.named.items() if not at.startswith(f"{path}.")}
            self.given = {at for at in self.given if not at.startswith(f"{path}.")}
        self.named[path] = short

    def find(self, path: str) -> tuple[str, Option | None]:
        """The full name of an option, and the option; None if its class is not known here.

        Raises:
            Unknown: if there is no such option.
            NoClass: if the class that has it is not named.
        """
        if path not in self.options and f"trainer.{path}" in self.options:
            path = f"trainer.{path}"  # --max_epochs, as Lightning's own scripts had it
        parts = path.split(".")
        for length in range(len(parts), 0, -1):
            head = ".".join(parts[:length])
            option = self.options.get(head)
            if option is not None:
                break
        else:
            if self.has_parts(path):  # a group that is no option itself, ``off``
                return path, None
            return self._in("", path, self.command, self.options)
        for part in parts[length:]:
            if option is None or part in ("class_path", "init_args"):
                continue
            if option.of:
                known = self.options_at(head, option)
                if known is None or (known[2] and part not in known[1]):
                    return path, None
                head, option = self._in(f"{head}.", part, known[0], known[1])
            elif self.has_parts(head):
                head, option = self._in(f"{head}.", part, f"--{head}", self.parts(head))
            elif {"dict", "other"} & {*option.kinds}:
                return path, None
            else:
                raise Unknown(part, f"{head}.", f"--{head}", {})
        return head, option

    def options_at(self, path: str, option: Option) -> tuple[str, Mapping[str, Option], bool] | None:
        """The class that stands at an option, its options and whether it may have more; None if it is not known."""
        short = self._class_at(path, option)
        if short is None:
            raise NoClass(path)
        if short == _OWN:
            return None
        standing = self.standing(path) if path.endswith(".backbone") else None
        if standing is not None and path not in self.named:
            return standing.name, standing.options, False
        entry = index().find(option.of, short)
        return None if entry is None else (entry.name, entry.options, entry.open)

    def entry(self, part: str) -> Entry | None:
        """The model or the data, if the index knows it."""
        return index().find(part, self.named[part]) if self.named.get(part) else None

    def standing(self, path: str) -> Standing | None:
        """The model's own backbone."""
        model = self.entry("model") if path.startswith("model.") else None
        return model.backbone if model is not None else None

    def _class_at(self, path: str, option: Option) -> str | None:
        if path in self.named:
            return self.named[path]
        if isinstance(option.default, str) and option.default:
            return option.default
        head, _, last = path.rpartition(".")
        if player := next((word for word in _PLAYERS if last.startswith(word)), None):
            both = f"{head}.{last.removeprefix(player)}"
            name, other = self.find(both) if head else (both, None)
            return None if other is None else self._class_at(name, other)
        own = self.standing(path) if last == "backbone" else None
        return own.name if own is not None else None

    def has_parts(self, path: str) -> bool:
        """Whether an option is a group of others, as ``quality`` is."""
        return any(name.startswith(f"{path}.") for name in self.options)

    def parts(self, path: str) -> dict[str, Option]:
        """The options of a group."""
        start = f"{path}."
        return {name.removeprefix(start): o for name, o in self.options.items() if name.startswith(start)}

    def _in(self, prefix: str, part: str, owner: str, options: Mapping[str, Option]) -> tuple[str, Option]:
        """An option by its name, or by the beginning of it that no other has."""
        if part in options:
            return f"{prefix}{part}", options[part]
        longer = [name for name in options if name.startswith(part) and name.count(".") == part.count(".")]
        if len(longer) == 1 and len(part) > 1:
            return f"{prefix}{longer[0]}", options[longer[0]]
        head, _, part = part.rpartition(".")
        if head and (inner := self.parts(head)):
            raise Unknown(part, f"{head}.", f"--{head}", inner)
        raise Unknown(part, f"{prefix}{head}." if head else prefix, owner, options)

    def every(self) -> Iterator[tuple[str, str, Option]]:
        """All options that the command has as it stands: the full name, the class and the option."""
        for name, option in self.options.items():
            yield name, self.command, option
        for path in ("model", "data", "model.backbone", "model.optimizer"):
            try:
                _, at = self.find(path)
            except (Unknown, NoClass):
                continue
            if at is not None and (known := self.options_at(path, at)):
                for name, inner in known[1].items():
                    yield f"{path}.{name}", known[0], inner
