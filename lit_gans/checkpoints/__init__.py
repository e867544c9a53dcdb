"""Checkpoints that describe themselves, and that are read without trust in them."""

from lit_gans.checkpoints.description import (
    broken,
    describe,
    prove_loadable,
    random_state,
    save_hyperparameters,
    set_random_state,
)
from lit_gans.checkpoints.file import KEY, RANDOM, AtomicCheckpointIO, plain_key, read
from lit_gans.checkpoints.loading import build, load
from lit_gans.checkpoints.recording import plain
from lit_gans.checkpoints.saving import save
from lit_gans.checkpoints.taking import Taken, take
from lit_gans.checkpoints.trust import class_path, findable

__all__ = [
    "KEY",
    "RANDOM",
    "AtomicCheckpointIO",
    "Taken",
    "broken",
    "build",
    "class_path",
    "describe",
    "findable",
    "load",
    "plain",
    "plain_key",
    "prove_loadable",
    "random_state",
    "read",
    "save",
    "save_hyperparameters",
    "set_random_state",
    "take",
]
