"""The names of the classes that a model has learned: a checkpoint keeps them, and labels may be given by them."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from lit_gans.errors import UsageError, nearest

_MOST = 40  # classes in a sentence


def usable(given: Any, count: int | None) -> tuple[str, ...] | None:
    """Names, by whomever given or in whatever file, if they are a name for each of the classes; else None.

    Examples:
        >>> usable(["cat", "dog"], 2), usable(["cat"], 2), usable(None, 2)
        (('cat', 'dog'), None, None)
    """
    if not isinstance(given, (str, list, tuple)) or len(given) != count:
        return None
    fit = all(isinstance(name, str) and name.strip() and name.isprintable() for name in given)
    return tuple(given) if fit else None


def numbered(label: Any, names: Sequence[str] | None, count: int) -> Any:
    """A label with numbers in place of names; one that has no words in it stays as it is.

    Args:
        label: a class or a list of them; a word of digits is a number.
        names: of the classes, if they are known.
        count: how many classes there are.

    Raises:
        UsageError: if there is no class of a name.

    Examples:
        >>> numbered(["dog", "0", 1], ["cat", "dog"], 2), numbered("dog", ["cat", "dog"], 2), numbered(0, None, 2)
        ([1, 0, 1], 1, 0)
    """
    if isinstance(label, str):
        return _number(label, names, count)
    if isinstance(label, (list, tuple)) and any(isinstance(each, str) for each in label):
        return [_number(each, names, count) if isinstance(each, str) else each for each in label]
    return label


def _number(word: str, names: Sequence[str] | None, count: int) -> int:
    if re.fullmatch(r"\s*[+-]?\d+\s*", word):
        return int(word)
    if names is None:
        raise UsageError(
            f"label must be a number from 0 to {count - 1}, since the model does not know the names of its classes, "
            f"got {word!r}"
        )
    lower = [name.lower() for name in names]
    if word in names or word.lower() in lower:
        return [*names].index(word) if word in names else lower.index(word.lower())
    hint = nearest(word, names).partition(" choose from ")[0]
    raise UsageError(f"there is no class {word!r}{hint} there are {told(range(count), names)}")


def told(numbers: Iterable[int], names: Sequence[str] | None) -> str:
    """Classes in a sentence, with their names if they have some.

    Examples:
        >>> told([0, 1], ["cat", "dog"]), told([0, 2], None)
        ('0 cat, 1 dog', '0, 2')
    """
    said = [str(number) for number in numbers]
    if names is not None:
        said = [number if names[int(number)] == number else f"{number} {names[int(number)]}" for number in said]
    return ", ".join(said if len(said) <= _MOST else [*said[:_MOST], f"... {said[-1]}"])
