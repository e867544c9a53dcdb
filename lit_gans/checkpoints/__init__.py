"""Checkpoints that describe themselves, and how they are read without trust in them."""

from lit_gans.checkpoints.description import (
    broken,
    describe,
    outermost_call,
    plain_key,
    prove_loadable,
    random_state,
    save_hyperparameters,
    set_random_state,
)
from lit_gans.checkpoints.file import KEY, RANDOM, AtomicCheckpointIO, read
from lit_gans.checkpoints.loading import load
from lit_gans.checkpoints.trust import class_path, findable

__all__ = [
    "KEY",
    "RANDOM",
    "AtomicCheckpointIO",
    "broken",
    "class_path",
    "describe",
    "findable",
    "load",
    "outermost_call",
    "plain_key",
    "prove_loadable",
    "random_state",
    "read",
    "save_hyperparameters",
    "set_random_state",
]
