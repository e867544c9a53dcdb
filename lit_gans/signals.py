"""SIGTERM and Ctrl-C while no model trains, so that nothing is to be saved: one sentence and the right exit code.

While a model trains, the callback `SaveLast` handles both signals.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ECHO = 2.0  # seconds in which a second SIGTERM is the first one again, which was sent to several processes of a run
_SENTENCES = {
    signal.SIGTERM: b"lit-gans: error: ended by SIGTERM outside of training; what had been saved is kept\n",
    signal.SIGINT: b"lit-gans: error: interrupted\n",
}


class Terminated(SystemExit):
    """SIGTERM arrived; the exit code is 143."""


@contextmanager
def noticed(to_the_end: bool) -> Iterator[None]:
    """While it lasts, SIGTERM raises `Terminated` in the main thread; a second one ends the process at once.

    Args:
        to_the_end: whether the process ends after this; signals that come later then end it at once. Otherwise the
            handler that was there before is put back.
    """
    owner, first = os.getpid(), 0.0

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if os.getpid() != owner:  # a worker that was forked from here ends as it would have without a handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        now = time.monotonic()
        if first and now - first < _ECHO:
            return
        if first:
            os._exit(128 + number)
        first = now
        tell(number)
        if not is_first():
            os.kill(os.getppid(), signal.SIGTERM)  # the process that started the others must not wait for this one
        raise Terminated(128 + number)

    def leave(number: int, frame: FrameType | None) -> None:
        if os.getpid() == owner:
            tell(number)
        os._exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    previous = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if to_the_end:
            signal.signal(signal.SIGTERM, leave)
            signal.signal(signal.SIGINT, leave)
        else:
            signal.signal(signal.SIGTERM, previous)


def tell(number: int) -> None:
    """Writes the sentence for a signal, once for all processes of a run."""
    if is_first():
        os.write(2, _SENTENCES[signal.Signals(number)])


def ended_by(error: BaseException | None) -> int:
    """The signal that caused an error, however the error was wrapped; 0 if none did."""
    seen: list[BaseException] = []  # a chain of errors can lead back to itself
    while error is not None and all(error is not other for other in seen):
        if isinstance(error, (KeyboardInterrupt, Terminated)):
            return signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM
        seen.append(error)
        error = error.__cause__ or error.__context__
    return 0


def is_first() -> bool:
    """Whether this is the process that the user started, and not one of those that it has started for other devices."""
    return os.environ.get("LOCAL_RANK", "0") == "0"
