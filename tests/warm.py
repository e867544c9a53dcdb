"""The command line in processes of their own whose imports are made already.

A small run spends three quarters of its time in ``import torch`` and ``import lightning``, and half of the rest in the
parser's first look at the classes. One process of a test session does both, in `ready`, and every command begins as a
fork of it: with its own folder, environment, output and signals.
"""

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import time
import traceback
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, get_context
from pathlib import Path
from types import SimpleNamespace

from lightning.pytorch.strategies.launchers import subprocess_script

_FORKS = get_context("forkserver")
# the name of the package is what forks are found by in a list of processes
_FORKS.set_forkserver_preload(["lit_gans.cli.train", "ready"])
_ENVIRONMENT = {**os.environ}  # of the session, whatever the test that makes the first fork has put into its own


class Command:
    """``python -m lit_gans`` with these words, in a process group of its own; as a `subprocess.Popen`.

    Args:
        words: what follows ``lit-gans``.
        folder: the working folder.
        output: the files of standard output and of standard error, which may be the same.
        environment: the whole environment.
    """

    def __init__(self, words, folder, output, environment):
        self.args = [str(word) for word in words]
        files = [str(path) for path in output]
        _begin()
        self.process = _FORKS.Process(target=_become, args=(self.args, str(folder), files, environment))
        self.process.start()
        self.pid = self.process.pid

    def poll(self):
        """The exit code; None while it runs."""
        return self.process.exitcode

    def wait(self, timeout):
        """The exit code, once it ends.

        Raises:
            subprocess.TimeoutExpired: if it does not end within ``timeout`` seconds, after which it is killed.
        """
        self.process.join(timeout)
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.poll()

    def send_signal(self, number):
        """Sends it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        """Ends it, if it runs."""
        self.send_signal(signal.SIGKILL)


def _begin():
    """Starts the process that the others are forks of, unless it runs; it finds `ready` beside this file."""
    before, path = {**os.environ}, [str(Path(__file__).parent), _ENVIRONMENT.get("PYTHONPATH")]
    _set({**_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, path))})
    try:
        forkserver.ensure_running()
    finally:
        _set(before)


def _set(environment):
    """Makes this the environment."""
    os.environ.clear()
    os.environ.update(environment)


def _become(words, folder, output, environment):
    """Makes of a fresh fork what ``python -m lit_gans`` begins as, and runs the command."""
    os.setsid()
    os.chdir(folder)
    for number, path in zip((1, 2), output, strict=True):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    _set(environment)
    checked = Path(__file__).parent / "checked"
    if str(checked) in environment.get("PYTHONPATH", ""):
        runpy.run_path(str(checked / "sitecustomize.py"))
    sys.path.insert(0, folder)
    with _Second.at_hand():
        _run(words)


def _run(words):
    """A script if the first word is one; else a command of ``lit-gans``."""
    try:
        if words[0].endswith(".py"):
            sys.argv[:] = words
            runpy.run_path(words[0], run_name="__main__")
        else:
            sys.argv[1:] = words
            runpy.run_module("lit_gans", run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()


class _Second:
    """The second process of a run, which Lightning starts; a `subprocess.Popen` in its eyes.

    It is a fork of the first from before that one did anything, which waits until it is wanted.
    """

    def __init__(self):
        self.returncode, (begin, self.end) = None, os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self.end)
            os._exit(_code_of(lambda: self.follow(begin)))
        os.close(begin)

    @staticmethod
    @contextmanager
    def at_hand():
        """Gives Lightning's launcher the process that waits here, and ends it if nobody has wanted it."""
        second, process = _Second(), subprocess_script.subprocess
        subprocess_script.subprocess = SimpleNamespace(Popen=second.start)
        try:
            yield
        finally:
            subprocess_script.subprocess = process
            with suppress(OSError):
                os.close(second.end)

    def start(self, command, env, cwd=None):
        """What Lightning calls."""
        words = command[3:] if command[1] == "-m" else command[1:]
        os.write(self.end, json.dumps([words, env]).encode())
        os.close(self.end)
        return self

    def follow(self, begin):
        """Waits for a command, in the fork, and runs it."""
        with os.fdopen(begin) as file:
            content = file.read()
        if content:
            words, environment = json.loads(content)
            _set(environment)
            _run(words)

    def poll(self):
        if self.returncode is None and (status := os.waitpid(self.pid, os.WNOHANG))[0]:
            self.returncode = os.waitstatus_to_exitcode(status[1])
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout=None):
        while self.poll() is None:
            time.sleep(0.05)
        return self.returncode


def _code_of(run):
    """The exit code that Python would end with."""
    try:
        run()
        return 0
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stderr.flush()
