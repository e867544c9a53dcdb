"""Finds folders by the names that people give to splits, in upper or lower case."""

from collections.abc import Iterable
from pathlib import Path

from lit_gans.errors import UsageError

SPELLINGS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


def any_case(name: str) -> str:
    """A pattern for `Path.glob` that finds a name in upper or lower case.

    Examples:
        >>> any_case("A/val")
        '[aA]/[vV][aA][lL]'
    """
    return "".join(f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter for letter in name)


def named(folder: Path, names: Iterable[str]) -> Path | None:
    """Finds the entry of a folder that has one of the names, in upper or lower case; None if there is none.

    Args:
        folder: where to look.
        names: all for the same thing, say ``train`` and ``training``; may have slashes.

    Raises:
        UsageError: if there are several.
    """
    return only(sorted({path for name in names for path in folder.glob(any_case(name))}), folder)


def only(found: list[Path], folder: Path) -> Path | None:
    """The one thing that was found, or None.

    Raises:
        UsageError: if there are several.
    """
    if len(found) > 1:
        names = " and ".join(str(path.relative_to(folder)) for path in found)
        raise UsageError(f"{folder} has {names}, which mean the same; put them together or rename all but one")
    return found[0] if found else None
