"""A training command as it was typed, made ready for the parser; all that can be wrong in it is said before that."""

from collections.abc import Sequence

from lit_gans.cli import settings, switches
from lit_gans.cli.arguments import files, split
from lit_gans.cli.checking import checked, takes
from lit_gans.cli.resuming import with_its_run
from lit_gans.cli.understanding import understood
from lit_gans.cli.words import HELP_FLAG, TRAINING, fail
from lit_gans.errors import UsageError


def ready(arguments: Sequence[str]) -> list[str]:
    """The words of LightningCLI for a command that was typed in any of the spellings that `guesses` knows.

    Raises:
        SystemExit: with 2 and one sentence, if something in it is no option, no class or no value.
        UsageError: if a file that it names cannot be used.
    """
    command, *words = command_first(arguments)
    if command not in TRAINING or any(map(HELP_FLAG.fullmatch, words)):
        return list(arguments)
    try:
        units = understood(switches.spelled_out(words), command, lambda name: takes(command, name))
    except UsageError as error:
        fail(str(error), 2)
    units = with_its_run(units, command)
    for file in files(units):
        settings.read(file)
    try:
        units = checked(units, command)
    except UsageError as error:
        fail(str(error), 2)
    return [command, *(word for unit in units for word in unit.words)]


def command_first(arguments: Sequence[str]) -> list[str]:
    """``--config x.yaml fit`` as ``fit --config x.yaml``, unless the file has a section for each command."""
    at = next((at for at, word in enumerate(arguments) if word in TRAINING), 0)
    sections = (settings.read(file).keys() for file in files(split(arguments[:at])))
    if not at or any(name in TRAINING for names in sections for name in names):
        return list(arguments)
    return [arguments[at], *arguments[:at], *arguments[at + 1 :]]
