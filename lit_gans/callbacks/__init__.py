"""Callbacks that watch a run and leave the game alone."""

from lit_gans.callbacks.best import Best
from lit_gans.callbacks.collapse import CollapseMonitor
from lit_gans.callbacks.learning_rates import LearningRateMonitor
from lit_gans.callbacks.neighbours import Neighbours
from lit_gans.callbacks.progress import ProgressBar
from lit_gans.callbacks.quality import Quality
from lit_gans.callbacks.rates import RateCheck
from lit_gans.callbacks.reconstruction import Reconstruction
from lit_gans.callbacks.report import RunReport
from lit_gans.callbacks.sample_grid import SampleGrid
from lit_gans.callbacks.sample_text import SampleText
from lit_gans.callbacks.save_last import SaveLast
from lit_gans.callbacks.usual import default

__all__ = [
    "Best",
    "CollapseMonitor",
    "LearningRateMonitor",
    "Neighbours",
    "ProgressBar",
    "Quality",
    "RateCheck",
    "Reconstruction",
    "RunReport",
    "SampleGrid",
    "SampleText",
    "SaveLast",
    "default",
]
