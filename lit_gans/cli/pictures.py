"""The pictures that a command is given, and the files that it makes of them."""

import sys
from collections.abc import Sequence
from pathlib import Path

from lit_gans.errors import UsageError

_OTHERS = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw")


def places(given: Path, output: Path, slash: bool = False) -> list[tuple[Path, Path]]:
    """Every picture with the file that is made of it, of the same name and kind.

    Folders are walked as `ImageFolder` walks them: what begins with a dot is passed over, links are followed. What is
    in ``output`` already is no picture to work on.

    Args:
        given: a picture or a folder.
        output: a picture's file for one picture, else a folder.
        slash: whether ``output`` is a folder whatever its name.

    Raises:
        UsageError: if there is no picture, ``output`` is of the wrong kind, or a picture would be replaced.
    """
    from lit_gans.images.formats import SUFFIXES
    from lit_gans.images.photos import find_pictures

    named = output.suffix.lower() in SUFFIXES and not slash and not output.is_dir()
    if given.is_dir():
        if named or output.is_file():
            raise UsageError(f"{given} is a folder, so output must be one too, got {output}")
        pairs = [(file, output / file.relative_to(given)) for file in find_pictures(given)]
        if output.resolve() != given.resolve():  # what an earlier call has made is not worked on
            pairs = [pair for pair in pairs if output.resolve() not in pair[0].resolve().parents]
        if not pairs:
            raise UsageError(f"all pictures in {given} are in {output}, where the new ones go; name another output")
    else:
        pairs = [(file, output if named else output / file.name) for file in find_pictures(given)]
    if same := [str(file) for file, target in pairs if target.resolve() == file.resolve()]:
        raise UsageError(f"the new picture would replace {same[0]}; name another output")
    return pairs


def unreadable(given: Path) -> list[str]:
    """Why pictures in a folder are passed over whose kinds nothing here reads; a .txt file is no picture."""
    from lit_gans.images.formats import SUFFIXES, cure

    others = {*_OTHERS} - {*SUFFIXES}
    files = sorted(file for file in given.rglob("*") if file.suffix.lower() in others) if given.is_dir() else []
    seen = [file for file in files if not any(part.startswith((".", "__")) for part in file.relative_to(given).parts)]
    advice = {file: cure(file.suffix.lower()) or "make it a .jpg or a .png" for file in seen}
    return [f"{file}: {file.suffix} is not read; {advice[file]}" for file in seen]


def tell(done: int, skipped: Sequence[str], output: str, did: str, words: str = "") -> None:
    """Names what was skipped, and says how many pictures there are, followed by ``words``.

    Raises:
        UsageError: if there are none; ``did`` says what was to be done with them.
    """
    if not done and len(skipped) == 1:
        raise UsageError(f"no picture was {did}: {skipped[0]}")
    for reason in skipped:
        print(f"skipped {reason}", file=sys.stderr)
    if not done:
        raise UsageError(f"no picture was {did}, for the reasons above")
    print(f"{done} picture{'s' * (done != 1)}{words} in {output}")


def unwritable(file: Path, target: Path, error: Exception) -> str:
    """Why a picture cannot be written in its own format.

    Raises:
        Exception: ``error`` itself, if it is the disk's fault.
    """
    if getattr(error, "errno", None):
        raise error
    return f"{file}: it cannot be written as {target.suffix} ({error})"
