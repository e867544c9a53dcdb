"""The processes of one run end together: an error in one of them is printed once, and none waits for the others.

The first process, which the user has started, starts the others and prints all messages. If another one fails, it
writes the reason to a file and waits to be ended: Lightning's own observer would end the first one without a message.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from lightning.pytorch.strategies.launchers import subprocess_script

_FOLDER = "LIT_GANS_PROCESSES"  # the variable with the folder where processes leave their reasons for the first one
_LOOK = 0.2  # seconds between two looks at the others
_PATIENCE = 15  # seconds for a process to end by itself, and for the cause of an error to appear
# errors of a process whose partner is gone
_LOST = re.compile(r"gloo|nccl|tcpstore|connection (closed|reset|refused)|broken pipe|socket", re.IGNORECASE)

Explain = Callable[[BaseException], tuple[str, int]]


@contextmanager
def ending_together(explain: Explain) -> Iterator[None]:
    """A context around a run, in each of its processes.

    Args:
        explain: gives the text to print for an exception, and the exit code.
    """
    folder, rank = os.environ.get(_FOLDER), os.environ.get("LOCAL_RANK")
    if folder is not None and rank not in (None, "0"):
        with _follower(Path(folder) / str(rank), explain):
            yield
    elif rank is None:
        with _first(explain):
            yield
    else:  # started by torchrun, say, which ends them all by itself
        yield


@contextmanager
def _first(explain: Explain) -> Iterator[None]:
    folder = Path(mkdtemp(prefix="lit-gans-"))
    os.environ[_FOLDER] = str(folder)
    watch, theirs = _Watch(folder), subprocess_script._launch_process_observer
    subprocess_script._launch_process_observer = watch.over  # type: ignore[assignment]
    try:
        yield
    except Exception as error:
        watch.close(_lost(error))
        raise
    finally:
        watch.close()
        subprocess_script._launch_process_observer = theirs
        del os.environ[_FOLDER]
        shutil.rmtree(folder, ignore_errors=True)


class _Watch(threading.Thread):
    """Watches the processes that this one has started; if one of them fails, ends all of them and this one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True, name="process-watch")
        self.folder = folder
        self.processes: list[subprocess.Popen[Any]] = []
        self.speaking = threading.Lock()  # of two threads only one prints the last message
        self.ended = threading.Event()

    def over(self, processes: list[subprocess.Popen[Any]]) -> None:
        """Starts, in the place of Lightning's observer."""
        self.processes = processes
        self.start()

    def run(self) -> None:
        """Watches until the run is over."""
        first_seen: float | None = None
        while not self.ended.wait(_LOOK):
            failure = self.failure()
            if failure is None:
                continue
            first_seen = time.monotonic() if first_seen is None else first_seen
            # the cause may still appear, and if it is a signal, all processes end by themselves
            if failure[2] or time.monotonic() - first_seen > _PATIENCE:
                with self.speaking:
                    if not self.ended.is_set():
                        self.end_all(*failure[:2])

    def failure(self) -> tuple[str, int, bool] | None:
        """The message about a failed process, the exit code, and whether it is the cause; None if all go on."""
        found = []
        for path in sorted(self.folder.glob("[0-9]*")):
            report = json.loads(path.read_text())
            found.append((report["text"], int(report["code"]), bool(report["cause"])))
        for number, process in enumerate(self.processes, 1):
            if (code := process.poll()) is not None and code < 0:
                name = signal.Signals(-code).name
                text = (
                    f"lit-gans: error: process {number} of the run was ended by {name}, and the others cannot go on "
                    "without it; start again with --ckpt_path and the run's last.ckpt"
                )
                found.append((text, 128 - code, True))
            elif code and code < 128 and not (self.folder / str(number)).exists():  # it has left without a reason
                text = (
                    f"lit-gans: error: process {number} of the run ended itself with exit code {code}, and the others "
                    "cannot go on without it"
                )
                found.append((text, code, True))
            elif code:  # its reason is in the folder, or it has ended by a signal that all get
                found.append(("", code, False))
        return next((one for one in found if one[2]), found[0] if found else None)

    def close(self, consequence: bool = False) -> None:
        """Ends the watch and the others; first prints their error, if the one here is only its ``consequence``."""
        until = time.monotonic() + _PATIENCE
        while consequence and self.processes and time.monotonic() < until:
            if (failure := self.failure()) is not None and failure[2]:
                with self.speaking:
                    self.end_all(*failure[:2])
            time.sleep(_LOOK)
        with self.speaking:
            running = any(process.poll() is None for process in self.processes)
            self.ended.set()
        if running and sys.exc_info()[0] not in (None, SystemExit):
            self.kill()

    def kill(self) -> None:
        """Kills the others, which may be in an exchange that nothing else ends."""
        for process in self.processes:
            process.kill()

    def end_all(self, text: str, code: int) -> None:
        """Prints the last message of the run and ends all processes."""
        from lit_gans.callbacks.run_folder import remove_unused

        self.kill()
        remove_unused()
        shutil.rmtree(self.folder, ignore_errors=True)
        sys.stdout.flush()
        print(text, file=sys.stderr, end="\n" if text else "", flush=True)
        os._exit(code)  # the main thread may be in an exchange that never ends


@contextmanager
def _follower(report: Path, explain: Explain) -> Iterator[None]:
    threading.Thread(target=_with_parent, args=(report.parent, os.getppid()), daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        os._exit(130)
    except Exception as error:
        text, code = explain(error)
        try:
            temporary = report.with_name(f".{report.name}")
            temporary.write_text(json.dumps({"text": text, "code": code, "cause": not _lost(error)}))
            temporary.rename(report)
            time.sleep(2 * _PATIENCE)  # the first process speaks, and ends this one
        except OSError:  # it has ended and has said why
            pass
        os._exit(code)


def _with_parent(folder: Path, parent: int) -> None:
    """Ends this process when the first one is gone."""
    while os.getppid() == parent:
        time.sleep(_LOOK)
    if folder.exists():  # it had no time to tidy up
        shutil.rmtree(folder, ignore_errors=True)
        print("lit-gans: error: the first process of the run was killed", file=sys.stderr, flush=True)
    else:
        time.sleep(_PATIENCE)
    os._exit(1)


def _lost(error: BaseException) -> bool:
    """Whether an exception only says that another process is gone."""
    return isinstance(error, (RuntimeError, ConnectionError)) and bool(_LOST.search(str(error)))
