"""How long threads that wait for each other keep their cores, decided before PyTorch is loaded."""

import os

# how often a thread asks before it sleeps (GNU's OpenMP, Linux); milliseconds that it asks for (LLVM's and Intel's)
_SETTINGS = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}
_USERS = ("OMP_WAIT_POLICY", *_SETTINGS)


def wait_politely() -> None:
    """Lets a thread that waits sleep soon, so that another process gets its core; a user's own setting stays.

    By default it asks for the next work again and again, 300,000 times or for 200 milliseconds. Beside one other busy
    process a run then has less than a third of its speed. With 1,000 times it has half of it, and alone 0.96 of what it
    had: see `examples/benchmarks/busy.py`, and its figures in docs/command-line.md.
    """
    if not any(name in os.environ for name in _USERS):
        os.environ.update(_SETTINGS)
