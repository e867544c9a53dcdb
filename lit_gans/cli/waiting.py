"""How long threads that wait for each other keep their cores, decided before PyTorch is loaded."""

import os

# how often a thread asks before it sleeps (GNU's OpenMP, Linux); milliseconds that it asks for (LLVM's and Intel's)
_SETTINGS = {"GOMP_SPINCOUNT": "20000", "KMP_BLOCKTIME": "1"}
_USERS = ("OMP_WAIT_POLICY", *_SETTINGS)


def wait_politely() -> None:
    """Lets a thread that waits sleep soon, so that another process gets its core; a user's own setting stays.

    By default it asks for the next work again and again, 300,000 times or for 200 milliseconds. Beside one other busy
    process a run then has a sixth of its speed, see `examples/benchmarks/busy.py`.
    """
    if not any(name in os.environ for name in _USERS):
        os.environ.update(_SETTINGS)
