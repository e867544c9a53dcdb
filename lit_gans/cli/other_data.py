"""Data that are named beside a checkpoint, checked before anything slow is imported."""

from collections.abc import Mapping
from pathlib import Path

from lit_gans.cli.arguments import YAML, Unit
from lit_gans.cli.checking import checked
from lit_gans.cli.index import index
from lit_gans.cli.understanding import data_folder
from lit_gans.errors import UsageError


def refuse_data(data: str | None, root: str | None, options: Mapping[str, str]) -> None:
    """Refuses a data set that there is not, and options that it does not have.

    What the run's own configuration gives is not known here, so nothing is missing, and without ``data`` nothing wrong.

    Args:
        data: a name, a folder or a file, as it was typed.
        root: the folder that holds the data.
        options: those of the data by name.

    Raises:
        UsageError: with one sentence about the first that is wrong.
    """
    if data is None or data.lower() in ("", "null", "none") or Path(data).suffix in YAML:
        return
    units = data_folder(Unit("data", [data]))
    if root is not None and len(units) == 1:
        entry = index().find("data", data)
        if entry is not None and "root" not in entry.options:
            raise UsageError(f"--root is no option of {entry.name}; leave it out")
        units.append(Unit("data.root", [root]))
    checked([*units, *(Unit(f"data.{name}", [text]) for name, text in options.items())], "validate", whole=False)
