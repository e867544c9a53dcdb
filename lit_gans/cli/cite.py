"""``lit-gans cite``: the papers behind a run, as BibTeX."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lit_gans.cli.options import Trust
from lit_gans.cli.words import NOBODY, known
from lit_gans.errors import UsageError, nearest
from lit_gans.runs import KINDS, Run, find_checkpoint, is_shipped, named_folder, shipped

# papers of torchmetrics' measures, whose docstrings name none that could be read
_KID, _INCEPTION_SCORE = ["arXiv:1801.01401"], ["arXiv:1606.03498"]


def cite(run: str, trust: Trust = NOBODY) -> None:
    """Prints the BibTeX of the papers that a run or a model stands on.

    They are those of the model with its networks and options, for a run also those of its data and its scores, and the
    entry of lit_gans.

    Args:
        run: a run's folder or its name, one of its checkpoints, or a model's name, say DCGAN or my_project.MyGAN.
    """
    if "." not in run and not Path(run).exists():
        run = _known(run)  # before PyTorch is imported
    checkpoint = _checkpoint(Path(run))
    from lit_gans.models.references import OWN, bibtex, papers

    if checkpoint is None:
        found = papers(run)
    else:
        found = [*papers(_model(checkpoint, trust)), *_of_data(checkpoint, trust), *_of_scores(Run.of(checkpoint))]
    print(bibtex([*found, OWN]), end="")


def _known(name: str) -> str:
    """The model or the run that a name without a dot stands for.

    Raises:
        UsageError: if there is neither.
    """
    models = {model.lower(): model for model in known("lit_gans.models")}
    if name.lower() in models:
        return models[name.lower()]
    if name in KINDS:
        return str(find_checkpoint(name))
    if is_shipped(name):
        return name
    if (folder := named_folder(name)).is_dir():
        return str(folder)
    if Path(name).name != name:
        return name
    raise UsageError(f"unknown model {name!r}{nearest(name, [*models.values(), *shipped()])}, or name a run")


def _checkpoint(place: Path) -> Path | None:
    """The checkpoint that a path stands for; None if this is no path, but a name.

    Raises:
        UsageError: if a folder has none.
    """
    if is_shipped(place):
        return place
    if not place.is_dir():
        return place if place.exists() or place.suffix == ".ckpt" or len(place.parts) > 1 else None
    try:
        return find_checkpoint(place, prefer=["last"])
    except UsageError as error:
        raise UsageError(f"{error}, or the model, say DCGAN") from None


def _model(checkpoint: Path, trust: Sequence[str]) -> Any:
    """The model of a checkpoint; its class if it has networks that no file can hold."""
    from lit_gans.checkpoints import KEY, load, read
    from lit_gans.checkpoints.loading import named_class

    content = read(checkpoint)
    if content[KEY].get("given_networks"):
        return named_class(content, str(checkpoint), None, trust)
    return load(checkpoint, trust=trust)


def _of_data(checkpoint: Path, trust: Sequence[str]) -> list[str]:
    """The papers of the data that a run was trained on, which its configuration names."""
    from lit_gans.cli.run_data import data_class
    from lit_gans.models.references import named

    if not is_shipped(checkpoint) and not Run.of(checkpoint.resolve()).config.is_file():
        print(
            "note: the run has no config.yaml that names its data, so their paper is not among these", file=sys.stderr
        )
        return []
    classes = data_class(str(checkpoint), trust).__mro__
    return next((found for cls in classes if (found := named(cls))), [])


def _of_scores(run: Run) -> Iterator[str]:
    """The papers of a run's scores, those of its training and those of ``lit-gans evaluate``."""
    from lit_gans.metrics import DINOv2, ImageNet, Inception
    from lit_gans.models.references import named

    measures = papers_of_scores()
    for record in _records(run):
        protocol = record.get("protocol") or {}
        for name in record.get("values") or {}:
            yield from measures.get(name.removesuffix("_real"), [])
        for network in (Inception, DINOv2, ImageNet):
            if protocol.get("features") == network.name:
                yield from named(network)


def papers_of_scores() -> dict[str, list[str]]:
    """The papers of every score that has one, by the name of the score in logs and files."""
    from lit_gans import metrics
    from lit_gans.metrics.scoring import OF_PHOTOGRAPHS
    from lit_gans.metrics.smoothness import path_length
    from lit_gans.models.references import named

    modes, by_class = named(metrics.ModeCoverage), named(metrics.ConditionalAccuracy)
    return {
        "fid": named(metrics.FrechetDistance),
        "fid_normalised": named(metrics.FrechetDistance),
        **dict.fromkeys(OF_PHOTOGRAPHS, named(metrics.FrechetDistance)),
        "kid": _KID,
        "is": _INCEPTION_SCORE,
        **dict.fromkeys(("precision", "recall"), named(metrics.PrecisionRecall)),
        **dict.fromkeys(("density", "coverage"), named(metrics.DensityCoverage)),
        **dict.fromkeys(("memorisation", "memorisation_ratio"), named(metrics.Memorisation)),
        "swd": named(metrics.SlicedWasserstein),
        "sharpness": named(metrics.Sharpness),
        "checkerboard": named(metrics.Checkerboard),
        **dict.fromkeys(("accuracy", "accuracy_worst"), by_class),
        "cas": named(metrics.ClassifierAccuracyScore),
        "ppl": named(path_length),
        **dict.fromkeys(("modes", "kl", "high_quality"), modes),
    }


def _records(run: Run) -> Iterator[dict[str, Any]]:
    """Yields all scores of a run; a file that holds something else is skipped."""
    texts = [*run.scores.read_text("utf-8").splitlines()] if run.scores.is_file() else []
    texts += [path.read_text("utf-8") for path in sorted(run.checkpoints.glob("*.json"))]
    for text in texts:
        try:
            record = json.loads(text)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record
