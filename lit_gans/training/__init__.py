"""Runs from Python with what runs from the command line have."""

from lit_gans.training.score import score
from lit_gans.training.trainer import Trainer, fit

__all__ = ["Trainer", "fit", "score"]
