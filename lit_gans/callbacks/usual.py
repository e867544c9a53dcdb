"""The callbacks that every run from the command line has, for a Trainer in Python."""

from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.callbacks import ProgressBar as AnyProgressBar

from lit_gans.callbacks.best import DEFAULTS, Best
from lit_gans.callbacks.collapse import CollapseMonitor
from lit_gans.callbacks.neighbours import Neighbours
from lit_gans.callbacks.progress import ProgressBar
from lit_gans.callbacks.quality import Quality
from lit_gans.callbacks.rates import RateCheck
from lit_gans.callbacks.report import RunReport
from lit_gans.callbacks.sample_grid import SampleGrid
from lit_gans.callbacks.sample_text import SampleText
from lit_gans.callbacks.save_last import SaveLast
from lit_gans.callbacks.stopping import StoppingCheck


def default(
    *,
    scores: bool = True,
    pictures: bool = True,
    checkpoints: bool = True,
    monitor: bool = True,
    report: bool = True,
    bar: bool = True,
    own: Sequence[Callback] = (),
) -> list[Callback]:
    """The callbacks of a run from the command line: ``Trainer(callbacks=lit_gans.callbacks.default())``.

    They are `Quality`, `SampleGrid`, `SampleText`, `SaveLast`, `Best`, `CollapseMonitor`, `RateCheck`, `RunReport`,
    `ProgressBar`, `Neighbours`, and a check of the score by which an ``EarlyStopping`` stops. `lit_gans.Trainer` has
    them by itself, and a run folder besides.

    Args:
        scores: measure scores after validations, and keep the checkpoint with the best.
        pictures: draw grids of samples, and write those of a model of texts.
        checkpoints: keep the last checkpoint and, with scores, the best. Without, Ctrl-C still finishes the batch.
        monitor: watch for a collapse and for learning rates that are far too high.
        report: print what the run finds and does before it begins, and what there is at its end.
        bar: show a progress bar with the losses.
        own: callbacks of yours. One that is a `Quality`, a `SampleGrid` and so on takes the place of the default.

    Returns:
        The callbacks: yours first.

    Examples:
        >>> [type(each).__name__ for each in default(scores=False, pictures=False, report=False, bar=False)]
        ['SaveLast', 'CollapseMonitor', 'RateCheck', 'StoppingCheck', 'Neighbours']
        >>> default(own=[Quality(count=100)])[0].count
        100
    """
    scored = scores or _has(own, Quality)
    usual: list[tuple[bool, type, type, dict[str, Any]]] = [
        (scores, Quality, Quality, {}),
        (pictures, SampleGrid, SampleGrid, {}),
        (pictures, SampleText, SampleText, {}),
        (True, SaveLast, SaveLast, {}),
        (checkpoints and scored, Best, Best, DEFAULTS),
        (monitor, CollapseMonitor, CollapseMonitor, {}),
        (monitor, RateCheck, RateCheck, {}),
        (report, RunReport, RunReport, {}),
        (bar, ProgressBar, AnyProgressBar, {}),
        (True, StoppingCheck, StoppingCheck, {}),
        (True, Neighbours, Neighbours, {}),
    ]
    made = [cls(**options) for wanted, cls, kind, options in usual if wanted and not _has(own, kind)]
    for callback in made:
        if isinstance(callback, SaveLast):
            callback.saves = checkpoints
    return [*(each for each in own if checkpoints or not isinstance(each, ModelCheckpoint)), *made]


def _has(callbacks: Sequence[Callback], kind: type) -> bool:
    return any(isinstance(callback, kind) for callback in callbacks)
