"""Expressions over named concepts, say ``Smiling&~Male - Male``: parses them, and tests whether images show them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_gans.errors import UsageError, nearest


@dataclass(frozen=True)
class Term:
    """One concept of an expression, added or subtracted.

    ``literals`` maps the number of a name to True if an image must show it, and to False if it must not.
    """

    sign: int
    words: str
    literals: dict[int, bool]

    def share(self, probabilities: Tensor) -> Tensor:
        """The probability (N,) that each image shows the concept, from the probabilities (N, K) of all names."""
        parts = [probabilities[:, k] if there else 1 - probabilities[:, k] for k, there in self.literals.items()]
        return torch.stack(parts).prod(0)


def parse(expression: str, names: Sequence[str]) -> list[Term]:
    """Parses ``A - B + C``, where each is a name, ``~name`` (without it) or several of these joined by ``&``.

    Raises:
        UsageError: if a name is unknown, or the text is not such an expression.

    Examples:
        >>> [(term.sign, term.words, term.literals) for term in parse("Smiling&~Male - Male", ["Male", "Smiling"])]
        [(1, 'Smiling&~Male', {1: True, 0: False}), (-1, 'Male', {0: True})]
    """
    tokens = _tokens(expression, names)
    terms: list[Term] = []
    place = 0
    while place < len(tokens) or not terms:
        sign = 1
        if tokens[place : place + 1] and tokens[place] in "+-":
            sign, place = (1 if tokens[place] == "+" else -1), place + 1
        elif terms:
            raise _malformed(expression)
        literals: dict[int, bool] = {}
        while True:
            there = tokens[place : place + 1] != ["~"]
            place += not there
            if place >= len(tokens) or tokens[place] not in names:
                raise _malformed(expression)
            literals[names.index(tokens[place])] = there
            place += 1
            if tokens[place : place + 1] != ["&"]:
                break
            place += 1
        terms.append(Term(sign, "&".join(("" if there else "~") + names[k] for k, there in literals.items()), literals))
    if all(term.sign < 0 for term in terms):
        raise UsageError(f"the expression {expression!r} only subtracts; add at least one concept")
    return terms


def _tokens(expression: str, names: Sequence[str]) -> list[str]:
    """Splits an expression into names and operators; the longest name that fits wins."""
    choices = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    pattern = re.compile(rf"\s*((?:{choices})(?!\w)|[+\-&~])")
    tokens, place = [], 0
    while expression[place:].strip():
        found = pattern.match(expression, place)
        if found is None:
            word = re.split(r"[\s+&~-]", expression[place:].strip())[0]
            raise UsageError(f"unknown concept {word!r} in {expression!r}{nearest(word, list(names))}")
        tokens.append(found[1])
        place = found.end()
    return tokens


def _malformed(expression: str) -> UsageError:
    return UsageError(
        f"{expression!r} is no expression of concepts; write names joined by + and -, with & for 'and' and ~ for "
        "'without', for example 'Smiling&~Male - ~Smiling&~Male + ~Smiling&Male'"
    )


def weights(terms: Sequence[Term]) -> dict[int, int]:
    """The sum of the signs of each name, where ``~`` turns a sign round; names whose sum is 0 are left out."""
    total: dict[int, int] = {}
    for term in terms:
        for k, there in term.literals.items():
            total[k] = total.get(k, 0) + (term.sign if there else -term.sign)
    return {k: weight for k, weight in total.items() if weight}


class Wanted:
    """The names that the result of an expression should show, as a test of images.

    For attributes, these are all that remain when signs are added up: ``Smiling&~Male - ~Smiling&~Male +
    ~Smiling&Male`` wants Smiling and Male. Of classes an image shows exactly one: any that remains with a plus will do.

    Args:
        terms: from `parse`.
        names: of the attributes or classes.
        exclusive: whether an image shows exactly one of the names.

    Raises:
        UsageError: if nothing remains.
    """

    def __init__(self, terms: Sequence[Term], names: Sequence[str], exclusive: bool) -> None:
        self.exclusive = exclusive
        self.signs = {k: weight > 0 for k, weight in weights(terms).items()}
        if not self.signs:
            raise UsageError("everything in the expression cancels; subtract something else than what is added")
        if exclusive and any(self.signs.values()):
            self.signs = {k: True for k, there in self.signs.items() if there}
        joint = " or " if exclusive and all(self.signs.values()) else " & "
        self.words = joint.join(("" if there else "~") + names[k] for k, there in self.signs.items())

    def __call__(self, probabilities: Tensor) -> Tensor:
        """Whether each image shows what is wanted, (N,) bool, from the probabilities (N, K) of all names."""
        shown = probabilities > 0.5
        if self.exclusive:
            shown = F.one_hot(probabilities.argmax(1), probabilities.shape[1]).bool()
        hits = torch.stack([shown[:, k] == there for k, there in self.signs.items()])
        return hits.any(0) if self.exclusive and all(self.signs.values()) else hits.all(0)
