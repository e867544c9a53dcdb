"""The command line in processes of their own whose imports are made already.

A small run spends three quarters of its time in ``import torch`` and ``import lightning``. One process of a test
session imports them, and every command begins as a fork of it: with its own folder, environment, output and signals.
"""

import atexit
import os
import runpy
import signal
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(["lit_gans.cli.train", "torch.distributed", "torchvision"])


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


def _become(words, folder, output, environment):
    """Makes of a fresh fork what ``python -m lit_gans`` begins as, and runs the command."""
    os.setsid()
    os.chdir(folder)
    for number, path in zip((1, 2), output, strict=True):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    checked = Path(__file__).parent / "checked"
    if str(checked) in environment.get("PYTHONPATH", ""):
        runpy.run_path(str(checked / "sitecustomize.py"))
    sys.path.insert(0, folder)
    sys.argv[1:] = words
    try:
        runpy.run_module("lit_gans", run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
