"""Arguments of 0.1 that are options of a backbone now."""

from collections.abc import Collection
from typing import Any

from lit_gans.errors import UsageError

_PAGE = "docs/from-0.1.md"


def refuse_moved(given: dict[str, Any], names: Collection[str], moved: Collection[str]) -> None:
    """Refuses arguments of 0.1 that are a backbone's now.

    Args:
        given: the options of a model and their values.
        names: the options that the model has.
        moved: those that are a backbone's.

    Raises:
        UsageError: with what to write in their place.
    """
    found = [name for name in given if name in moved and name not in names]
    if not found:
        return
    now = [_now(name, given[name]) for name in found if given[name] not in (None, "null")]
    flags = " and ".join(", ".join(f"--model.{name}" for name in found).rsplit(", ", 1))
    what = "is an option" if len(found) == 1 else "are options"
    raise UsageError(f"{flags} {what} of the backbone since 0.2: {' '.join(now) or 'leave out what is null'} ({_PAGE})")


def _now(name: str, value: Any) -> str:
    """An option of 0.1 as it is written now."""
    if name == "residual":
        return f"--model.backbone {'ResNet' if str(value).lower() == 'true' else 'DCGAN'}"
    shown = str(list(value) if isinstance(value, tuple) else value).replace(" ", "")
    return f"--model.backbone.{name} {shown}"
