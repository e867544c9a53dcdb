"""``lit-gans demo``: models and runs in the browser.

Slow imports are delayed until they are needed, so that help answers at once.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lit_gans import runs
from lit_gans.cli.options import Device, Option, Trust, checkpoint_file
from lit_gans.cli.words import NOBODY
from lit_gans.errors import UsageError
from lit_gans.runs import KINDS, Run, named_folder

if TYPE_CHECKING:
    from lit_gans.display.page import Shown

_NONE: list[str] = []
_FRESH = 120.0  # seconds since the last value of a run that trains


def demo(
    checkpoints: Annotated[
        list[str],
        Option(
            "checkpoints as other commands take them, or folders of runs, also of one that still trains",
            by_place=True,
            separate=False,
        ),
    ] = _NONE,
    host: str = "127.0.0.1",
    port: int | None = None,
    device: Device = "auto",
    trust: Trust = NOBODY,
) -> None:
    """Shows models and runs on a page in the browser, until Ctrl-C.

    A model that draws has a grid of samples to click into: the way between two of them, sums, sliders, classes or a
    sentence, and the sample nearest to a picture of yours. Others translate or colour pictures that are uploaded, or
    translate and write texts. Of a run's folder its curves, grids and scores are shown, too, and are read again while
    it trains.

    The page is for this machine alone, unless --host says otherwise. It asks no other server for anything and sends
    nothing to one; uploads are removed at the end.

    Args:
        host: the address to listen at; 0.0.0.0 lets other machines of the network use the page.
        port: by default 7860, or the first after it that is free.
    """
    from lit_gans.display.serving import free_port, quiet

    checkpoints = checkpoints or [*runs.shipped()]
    free_port(host, port)  # refused before models are loaded
    quiet()

    from lit_gans.display.page import build, gradio
    from lit_gans.display.serving import served

    gr = gradio()
    shown = [each for place in checkpoints for each in _shown(place, device, trust)]
    with served(gr, lambda: build(shown), host, port) as address:
        print(f"the page is at {address} (Ctrl-C ends it)", flush=True)
        _for_ever()


def _for_ever() -> None:
    """Waits until a signal ends it."""
    while True:
        time.sleep(3600)


def _shown(place: str, device: str, trust: list[str]) -> "list[Shown]":
    """The tabs of a checkpoint, or of a run's folder: its model, if it has saved one, and its record.

    Raises:
        UsageError: if there is neither, or the page cannot show such a model.
    """
    from lit_gans.checkpoints import load
    from lit_gans.cli.models import usable
    from lit_gans.display.page import Shown, refuse_unshown

    folder = named_folder(place)
    run = next((run for run in [Run(folder)] if run.metrics.is_file() or run.scores.is_file()), None)
    watched = [] if run is None else [Shown(f"run {_name(folder)}", run=run)]
    try:
        file = checkpoint_file(place)
    except UsageError:
        if run is None:
            raise
        return watched  # nothing is saved yet
    model = load(file, usable(device), trust=trust).eval()
    name = _name(Path(place) if run is not None or str(place) in KINDS else Path(file))
    refuse_unshown(place, model)
    tab = Shown(name, model=model)
    return [*watched, tab] if run is not None and _trains(run) else [tab, *watched]


def _trains(run: Run) -> bool:
    """Whether a run has written something a moment ago."""
    return run.metrics.is_file() and time.time() - run.metrics.stat().st_mtime < _FRESH


def _name(path: Path) -> str:
    """The short name of a run or a file."""
    inner = path.resolve().parent.parent if path.parent.name == "checkpoints" else path.resolve()
    if inner.name.startswith("version_"):
        return "/".join(inner.parts[-2:])
    return inner.stem if path.suffix in (".ckpt", ".safetensors") else inner.name
