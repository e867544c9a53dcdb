"""Explains an error of a command in one sentence, if the user can do something about it.

An error in a user's own code keeps its traceback, which is needed to mend it.
"""

import re
import sys
import traceback
from collections.abc import Iterator
from types import FrameType

from lit_gans.errors import NonFiniteLoss, UsageError, own_line

TRACEBACK = "LIT_GANS_TRACEBACK=1 before the command shows where"
_PARSER = ("jsonargparse",)  # wraps what a constructor raises
_FRAMEWORK = ("lightning", "lightning_fabric", "torch.optim")  # errors that they raise themselves are about options
_IN_WORKER = re.compile(r"Caught \w+ in DataLoader worker process")
_OURS = (  # what Lightning says in words that do not help here
    (
        re.compile("No supported gpu backend found|CUDAAccelerator.*can not run|MPSAccelerator.*can not run"),
        "PyTorch finds no GPU of that kind on this machine; leave --gpus and --device out to use what there is",
    ),
)
_OBJECT = re.compile(r"<(?:\w+\.)*(\w+) object at 0x[0-9a-f]+>")
_KILLED = re.compile(r"DataLoader worker \(pid.*(?:exited unexpectedly|killed by signal)")
_FULL = re.compile(r"out of memory|can't allocate memory|not enough memory|Storage size calculation overflowed")


def reason(error: BaseException) -> str | None:
    """One sentence about an error that a user has caused; None for a defect, in this library or in a user's own code.

    Only ``raise ... from`` leads from an error to its cause; one that was merely raised while another was handled does
    not. A cause that is not a `UsageError` counts only if the parser has wrapped it.
    """
    error = unwrapped(error)
    for cause in causes(error):
        if isinstance(cause, (UsageError, NonFiniteLoss)):
            return _said(cause)
    if lost := _lost(error):
        return lost
    own = own_line(error)
    if isinstance(error, OSError):
        return _said(error) if own is None else f"{_said(error)} ({own}; {TRACEBACK})"
    if _misconfigured(error):
        return _said(error)
    if own is None and _raised_by(error, ("wandb",)):
        why = _said(error).rstrip(".")
        return f"Weights & Biases: {why}; WANDB_MODE=offline before the command logs without an account"
    if own is None and _raised_by(error, _FRAMEWORK):
        return f"{_said(error)}; {TRACEBACK}"
    return None


def is_own(error: BaseException) -> bool:
    """Whether an error is in a user's own code: raised there, or a syntax error of it."""
    return own_line(error) is not None or isinstance(error, SyntaxError)


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _raised_by(error: BaseException, packages: tuple[str, ...]) -> bool:
    """Whether an error was raised in a package itself, and not in something that it called."""
    modules = [_module(frame) for frame, _ in traceback.walk_tb(error.__traceback__)]
    while isinstance(error, AttributeError) and modules and modules[-1] == "torch.nn.modules.module":
        modules.pop()  # a network raises it for the code that asks for its attribute
    return bool(modules) and f"{modules[-1]}.".startswith(tuple(f"{package}." for package in packages))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error, the error that it was raised from, and so on, each once."""
    seen: list[BaseException] = []
    while error is not None and all(error is not other for other in seen):
        yield error
        seen.append(error)
        error = error.__cause__


def unwrapped(error: BaseException) -> BaseException:
    """The error that a constructor has raised, taken out of the parser's own error about it."""
    for cause in causes(error):
        if cause.__cause__ is None or not by_parser(cause):
            return cause
    return error


def by_parser(error: BaseException) -> bool:
    """Whether the parser itself has raised an error."""
    return _raised_by(error, _PARSER)


def _misconfigured(error: BaseException) -> bool:
    if "lightning" not in sys.modules:
        return False
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    return isinstance(error, MisconfigurationException)


def _lost(error: BaseException) -> str | None:
    """One sentence if memory ran out or a process that loads samples was ended; else None."""
    text = str(error)
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _FULL.search(text)):
        return (
            f"there is not enough memory ({_said(error)}); take less at a time: a smaller batch, fewer or smaller "
            f"images, smaller networks; {TRACEBACK}"
        )
    modules = {_module(frame) for frame, _ in traceback.walk_tb(error.__traceback__)}
    loading = any(name.startswith(("torch.utils.data", "torch.multiprocessing", "multiprocessing")) for name in modules)
    hung_up = isinstance(error, (ConnectionError, EOFError)) and loading
    if not hung_up and not (isinstance(error, RuntimeError) and _KILLED.search(text)):
        return None
    if "lit_gans.data.cache" in modules:
        return (
            "a process that decodes pictures was ended from outside, perhaps because memory ran out; give the same "
            "command again: what is decoded is kept"
        )
    return (
        "a process that loads samples was ended from outside, perhaps because memory ran out; use fewer with "
        "--data.num_workers, or 0 to load in the run's own process"
    )


def _said(error: BaseException) -> str:
    """An error's text in one line, without addresses of objects and without a worker's traceback."""
    text = str(error)
    if _IN_WORKER.match(text):
        text = text.strip().splitlines()[-1].partition(": ")[2]
    for theirs, ours in _OURS:
        if theirs.search(text):
            return ours
    return " ".join(_OBJECT.sub(r"\1", text).split()) or type(error).__name__
