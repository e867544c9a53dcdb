"""How a command uses a machine, decided before PyTorch is loaded: threads that wait, and memory that was freed."""

import ctypes
import os

# how often a thread asks before it sleeps (GNU's OpenMP, Linux); milliseconds that it asks for (LLVM's and Intel's)
_SETTINGS = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}
_USERS = ("OMP_WAIT_POLICY", *_SETTINGS)
_ALLOCATION = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")
_TRIM, _MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
_KEPT = 2**30  # bytes


def wait_politely() -> None:
    """Lets a thread that waits sleep soon, so that another process gets its core; a user's own setting stays.

    By default it asks for the next work again and again, 300,000 times or for 200 milliseconds. Beside one other busy
    process a run then has less than a third of its speed. With 1,000 times it has half of it, and alone 0.96 of what it
    had: see `examples/benchmarks/busy.py`, and its figures in docs/command-line.md.
    """
    if not any(name in os.environ for name in _USERS):
        os.environ.update(_SETTINGS)


def keep_memory() -> bool:
    """Lets the C library keep up to a GiB of freed memory for the next batch; a user's own setting stays.

    By default tensors above 32 MiB go back to the system as they are freed, and smaller ones at first. Every batch asks
    for them again, and the system clears each page: a tenth of a Pix2Pix step at batch 1, by `allocation.py` in
    examples/benchmarks. Tensors are the same.

    Returns:
        Whether it does; only GNU's library is asked.
    """
    if any(name in os.environ for name in _ALLOCATION):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another library, another system
        return False
    return bool(mallopt(_MMAP, _KEPT)) and bool(mallopt(_TRIM, _KEPT))
