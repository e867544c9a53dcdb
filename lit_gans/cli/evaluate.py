"""``lit-gans evaluate``, ``compare`` and ``features``: scores, their protocol, and networks to score by."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lit_gans.cli.words import NOBODY
from lit_gans.runs import Run

if TYPE_CHECKING:
    from lit_gans.metrics.protocol import Scores
    from lit_gans.metrics.scoring import Scoring

_METRICS = ["fid", "kid", "is", "precision_recall", "density_coverage"]
_OF_TRANSLATIONS = ["fid", "kid", "swd", "sharpness"]


def evaluate(
    checkpoint: str,
    data: str | None = None,
    root: str | None = None,
    metrics: list[str] = _METRICS,
    features: str = "digits",
    reference: str = "train",
    count: int = 10_000,
    real_count: int = 60_000,
    seed: int = 0,
    direction: Literal["AtoB", "BtoA"] = "AtoB",
    output: str | None = None,
    device: str = "cpu",
    force: bool = False,
    trust: list[str] = NOBODY,
) -> None:
    """Scores a checkpoint's samples against a data set, and says by what protocol.

    What a model makes of images is scored by its translations of a split, beside that split's images of the target
    domain.

    Args:
        checkpoint: a checkpoint file.
        data: a data set's name, or a .yaml file with a data section; by default what the run was trained on.
        root: the folder that holds the data.
        metrics: some of fid, kid, is, precision_recall, density_coverage, swd, sharpness, checkerboard, ppl, modes if
            those of the data are known, and for models that draw by class accuracy, class_coverage and cas (a
            classifier learns from samples; minutes). By default what suits the model and the data.
        features: digits (shipped), inception, dinov2, or a file that 'lit-gans features' wrote.
        reference: the split that the real images are of: train, val or test.
        count: how many images to draw; for modes always 2,500 points or 26,000 stacked digits.
        real_count: most real images to compare with.
        seed: of the drawing.
        direction: BtoA scores the other way of a model that translates both ways.
        output: a .json file for the scores with their protocol; by default beside the checkpoint. Earlier scores of
            this checkpoint by the same protocol are added to; if the file holds others, a new one gets the next number.
        device: where to compute, for example cpu or cuda.
        force: replace what the file holds.
        trust: packages of yours that the checkpoint names classes of; they are imported, which runs their code.
    """
    from lit_gans.checkpoints import load, read
    from lit_gans.cli.models import usable
    from lit_gans.cli.results import keep_scores
    from lit_gans.cli.run_data import open_data
    from lit_gans.cli.translate import way
    from lit_gans.errors import UsageError
    from lit_gans.families import TranslationGAN
    from lit_gans.files import refuse_taken
    from lit_gans.metrics import conditional
    from lit_gans.metrics.coverage import measure_coverage
    from lit_gans.metrics.features import feature_network
    from lit_gans.metrics.protocol import Protocol, Scores, describe_data
    from lit_gans.metrics.scoring import OF_PIXELS, SCORES, Scoring
    from lit_gans.metrics.smoothness import path_length

    if not metrics:
        raise UsageError(f"metrics names no score; the default is {', '.join(_METRICS)}")
    if count < 2 or real_count < 2:
        raise UsageError(f"evaluate compares at least 2 images, got count={count} and real_count={real_count}")
    if reference not in ("train", "val", "test"):
        raise UsageError(f"reference must be train, val or test, got {reference!r}")
    if output is not None and Path(output).suffix != ".json":
        raise UsageError(f"output must end in .json, got {output}")
    model = load(checkpoint, usable(device), trust=trust)
    target = Path(checkpoint).with_suffix(".json") if output is None else Path(output)
    refuse_taken(target, force=True)  # what is there is not lost
    way(model, direction)  # refuses one that the model does not go
    module = open_data(checkpoint, data, root, model.image_shape, trust)
    translates = isinstance(model, TranslationGAN)
    by_default = metrics == _METRICS
    metrics = _OF_TRANSLATIONS if by_default and translates else _suited(metrics, module)
    if translates and (alone := [name for name in metrics if name not in SCORES or name == "accuracy"]):
        raise UsageError(f"{alone[0]} measures what is drawn from noise, but {type(model).__name__} translates images")
    network = None if set(metrics) <= {*OF_PIXELS, "modes", "cas"} else feature_network(features)
    conditional.refuse_unlabelled(metrics, model, network)
    if by_default and conditional.tells_classes(network, model):
        metrics = [*metrics, "accuracy"]
    scoring = Scoring([name for name in metrics if name in SCORES], network).to(model.device)
    if translates:
        _add_translations(scoring, model, module, reference, min(count, real_count), seed, direction)
        if by_default and network is not None and min(scoring.counts.values()) <= network.num_features:
            del scoring.metrics["fid"]
            print(f"fid is left out: it takes more than {network.num_features} images of each kind", file=sys.stderr)
    else:
        _add_samples(scoring, model, module, reference, count, real_count, seed)
    card = Protocol(
        data=describe_data(module) + (f" {direction}" if direction != "AtoB" else ""),
        split=reference,
        real=scoring.counts[True],
        fake=scoring.counts[False],
        features="none" if network is None else network.name,
        averaged=model.generator_ema is not None,
        seed=seed,
    )
    values = {name: float(value) for name, value in scoring.compute().items()}
    values = conditional.without_guesses(values) if by_default else values
    if "class_coverage" in metrics and network is not None:
        values |= conditional.class_coverage(model, module, reference, network, seed)
    if "cas" in metrics:
        values["cas"] = conditional.classifier_accuracy_score(model, module, seed)
    if "ppl" in metrics and network is not None:
        values["ppl"] = path_length(model, network, min(count, 2_000), seed)
    if "modes" in metrics:
        values |= {name: float(value) for name, value in measure_coverage(model, module, seed).items()}
    step = int(read(checkpoint).get("global_step", 0))
    scores = Scores(values, card, type(model).__name__, str(checkpoint), step)
    place = keep_scores(scores, target, force)
    _print([scores])
    print(f"scores and protocol in {place}")


def _add_samples(scoring: "Scoring", model: Any, data: Any, split: str, count: int, real_count: int, seed: int) -> None:
    """Gathers real images of a split and what a model draws from noise."""
    from lit_gans.metrics import conditional
    from lit_gans.metrics.scoring import drawn, real_batches

    for batch in real_batches(data, split, real_count):
        scoring.add(batch["image"].to(model.device), real=True, label=batch.get("label"))
    by_class = conditional.draws_classes(model)
    for images in drawn(model, count, seed):
        scoring.add(images, real=False, label=conditional.turns(model, len(images)) if by_class else None)


def _add_translations(
    scoring: "Scoring", model: Any, data: Any, split: str, count: int, seed: int, direction: str
) -> None:
    """Gathers translations of a split's images, and those of the target domain."""
    from lit_gans.metrics.scoring import translated

    for fakes, real in translated(model, data, split, count, seed, direction):
        for images, is_real in ((real, True), (fakes, False)):
            if len(images):
                scoring.add(images.to(model.device), is_real)


def _suited(metrics: list[str], module: Any) -> list[str]:
    """The scores that were asked for, or by default those that the data allows."""
    from lit_gans.errors import UsageError
    from lit_gans.metrics.coverage import mode_coverage
    from lit_gans.metrics.scoring import SCORES, is_points

    points, countable = is_points(module.image_shape), mode_coverage(module) is not None
    if metrics == _METRICS:
        return [*(["swd"] if points else metrics), *(["modes"] if countable else [])]
    choices = (*SCORES, "class_coverage", "cas", "ppl", "modes")
    if unknown := [name for name in metrics if name not in choices]:
        raise UsageError(f"there is no score {unknown[0]!r}; choose from {', '.join(choices)}")
    if points and (needing := [name for name in metrics if name not in ("swd", "modes")]):
        raise UsageError(f"{needing[0]} needs images of at least 8 pixels a side; for points there are swd and modes")
    if "modes" in metrics and not countable:
        raise UsageError(f"the modes of {type(module).__name__} are not known; leave modes out of metrics")
    return metrics


def compare(scores: list[str]) -> None:
    """Prints scores of several checkpoints side by side, if they were measured alike.

    Args:
        scores: files that 'lit-gans evaluate' wrote.
    """
    from lit_gans.errors import UsageError
    from lit_gans.metrics.protocol import Scores, comparable

    if not scores:
        raise UsageError("name at least one .json file that 'lit-gans evaluate' wrote")
    loaded = [Scores.load(Path(file)) for file in scores]
    comparable(loaded)
    _print(loaded)


def features(
    data: str,
    root: str | None = None,
    epochs: int = 5,
    seed: int = 0,
    output: str = "features.safetensors",
    force: bool = False,
    trust: list[str] = NOBODY,
) -> None:
    """Trains a small classifier on a labelled data set, to score by its features.

    Args:
        data: a data set's name, or a .yaml file with a data section.
        root: the folder that holds the data.
        epochs: passes over the training images.
        seed: of the weights and the order.
        output: a .safetensors file for the network.
        force: replace a file that is there.
        trust: packages of yours that the .yaml file names classes of; they are imported, which runs their code.
    """
    from lit_gans.cli.run_data import open_data
    from lit_gans.errors import UsageError, at_least
    from lit_gans.files import refuse_taken
    from lit_gans.metrics.protocol import describe_data
    from lit_gans.metrics.training import accuracy, train_classifier

    target = Path(output)
    at_least(1, epochs=epochs)
    if target.suffix != ".safetensors":
        raise UsageError(f"output must end in .safetensors, got {output}")
    refuse_taken(target, force=force)
    module = open_data("", data, root, None, trust)
    module.setup()
    train, test = module.splits["train"], module.splits["test"]
    name = f"{describe_data(module)} epochs={epochs} seed={seed}"  # scores of other networks do not compare
    label = train.values("label")
    if label is None:
        raise UsageError(f"{type(module).__name__} has no labels to learn from; name a data set that has")
    if label.ndim != 1:
        raise UsageError(f"{type(module).__name__} has several attributes an image; name one, or data with classes")
    images, held = (split[:]["image"] for split in (train, test))
    network = train_classifier(images, label, module.num_classes, epochs, seed, name)
    network.save(target)
    right = accuracy(network, held, test.values("label"))
    print(f"{network.name}: {right:.2%} of {len(held):,} test images right; weights in {target}")


def _print(scores: "list[Scores]") -> None:
    """A table: scores in rows, checkpoints in columns, the protocol below."""
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    table = Table("score", *(_title(each) for each in scores))
    for name in dict.fromkeys(name for each in scores for name in each.values):
        cells: list[Any] = [f"{each.values[name]:.4g}" if name in each.values else "-" for each in scores]
        table.add_row(f"{name}{_better(name)}", *cells)
    console = Console(width=None if Console().is_terminal else 120, markup=False)  # names may have brackets
    console.print(table)
    for name, value in asdict(scores[0].protocol).items():
        console.print(f"{name}: {value}", highlight=False)


def _better(name: str) -> str:
    """What is wanted of a score."""
    from lit_gans.metrics.scoring import LOWER_IS_BETTER, OF_PIXELS

    if name.endswith("_real"):
        return ""
    if name in OF_PIXELS and name not in LOWER_IS_BETTER:
        return " (as of real images)"
    return f" ({'less' if name in LOWER_IS_BETTER else 'more'} is better)"


def _title(scores: "Scores") -> str:
    file = Path(scores.checkpoint)
    run = Run.of(file).folder
    place = "/".join(part for part in (run.parent.name, run.name, file.name) if part)
    return f"{scores.model} {scores.step:,} steps\n{place}"
