"""The option that somebody meant who typed one that there is not."""

import difflib

from lit_gans.cli.guesses import FOREIGN, REAL
from lit_gans.cli.index import index
from lit_gans.cli.scope import Scope, Unknown
from lit_gans.cli.words import TRAINING

_SHORT = [(name, "") for name in REAL]
_MOST = 3  # other classes to name


def suggestion(error: Unknown, scope: Scope) -> str:
    """The end of a sentence about an unknown option: the nearest one and the class that has it."""
    last = error.part.rpartition(".")[2].lower()
    plain = last.replace("_", "")
    everywhere = [(name, owner) for name, owner, _ in scope.every()]
    own = [(f"{error.prefix}{name}", error.owner) for name in error.options if "." not in name]
    own = own if error.prefix else everywhere
    if found := _same(plain, own):
        return _meant(found, error.owner)
    if last in REAL and not (error.prefix and _same(plain, everywhere)):
        short = REAL[last]
        flag = short.flag.replace(" and ", " and --")
        return (
            f"; did you mean --{short.name}, which is --{flag}?" if short.name != flag else f"; did you mean --{flag}?"
        )
    if found := _same(plain, everywhere):
        return _meant(found, error.owner)
    if last in FOREIGN:
        return f"; did you mean {FOREIGN[last]}?"
    top = [each for each in own if "." not in each[0]]
    if (
        found := _near(plain, [*top, *_SHORT] if not error.prefix else top)
        or _near(plain, own)
        or (_near(plain, everywhere) if len(plain) > 3 else None)
    ):
        return _meant(found, error.owner)
    for kind in ("model", "data", "backbone") if not error.prefix else ():
        if having := [entry.short for entry in index().classes[kind].values() if last in entry.options]:
            place = "model.backbone" if kind == "backbone" else kind
            return f"; did you mean --{place}.{last}, an option of {_few(having)}?"
    kind = error.prefix.partition(".")[0]
    others = [entry.short for entry in index().classes.get(kind, {}).values() if last in entry.options]
    if others:
        return f"; {_few(others)} {'has' if len(others) == 1 else 'have'} it"
    return _where_listed(error, scope)


def _meant(found: tuple[str, str], known: str) -> str:
    """The question; with the class that has the option, unless the sentence has named it."""
    name, owner = found
    name = REAL[name].flag if name in REAL and not owner else name
    if " and " in name:
        return f"; did you mean --{found[0]}, which is --{name.replace(' and ', ' and --')}?"
    short = next((s.name for s in REAL.values() if s.flag == name), "")
    said = f"--{short}, which is --{name}" if short and short != name else f"--{name}"
    whose = (
        ""
        if not owner or "." not in name or owner in (*TRAINING, known) or owner[:2] == "--"
        else f", an option of {owner}"
    )
    return f"; did you mean {said}{whose}?"


def _same(plain: str, options: list[tuple[str, str]]) -> tuple[str, str] | None:
    """An option with this name, whatever stands before it and whether it has underscores."""
    return next((each for each in options if _last(each[0]) == plain), None)


def _near(plain: str, options: list[tuple[str, str]]) -> tuple[str, str] | None:
    by_last: dict[str, tuple[str, str]] = {}
    for each in options:
        by_last.setdefault(_last(each[0]), each)
    close = difflib.get_close_matches(plain, by_last, n=1, cutoff=0.7)
    return by_last[close[0]] if close else None


def _last(name: str) -> str:
    return name.rpartition(".")[2].replace("_", "").lower()


def _few(names: list[str]) -> str:
    shown = names[:_MOST]
    more = len(names) - len(shown)
    return f"{', '.join(shown)} and {more} more" if more else " and ".join(", ".join(shown).rsplit(", ", 1))


def _where_listed(error: Unknown, scope: Scope) -> str:
    kind = error.prefix.partition(".")[0]
    if kind in ("model", "data") and scope.named.get(kind):
        return f"; 'lit-gans {scope.command} --{kind} {scope.named[kind]} --help' lists its options"
    return f"; 'lit-gans {scope.command} --help' lists the options"
