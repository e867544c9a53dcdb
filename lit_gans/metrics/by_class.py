"""Measures of a model that draws by class, outside `Scoring` because they ask for classes by name."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lit_gans.data.base import BaseData
from lit_gans.errors import UsageError, class_name
from lit_gans.images.shape import to_uint8
from lit_gans.metrics.base import Features, features_of
from lit_gans.metrics.classification import ClassifierAccuracyScore
from lit_gans.metrics.features import Classifier
from lit_gans.metrics.manifold import DensityCoverage
from lit_gans.metrics.material import drawn, rows_of, samples_of, shuffled

CONDITIONAL = ("accuracy", "class_coverage", "cas")
_KNOWN = 0.5  # share of real images that the network must know; one for other classes, digits say, knows fewer
_NEIGHBOURS = 5  # the k of coverage
_OF_A_CLASS = 1_000  # samples of each kind that coverage looks at in a class
_LEARNT_FROM = 60_000  # most samples that a classifier learns from


def tells_classes(network: Features | None, model: Any) -> bool:
    """Whether a feature network is a classifier with as many classes as the model draws."""
    return model.draws_classes and isinstance(network, Classifier) and network.num_classes == model.num_classes


def classes_in_turn(model: Any, n: int) -> Tensor | None:
    """The classes (n,) of n samples that are drawn without a label; None if the model draws no classes."""
    if not model.draws_classes:
        return None
    classes = model.known_classes
    return classes[torch.arange(n, device=classes.device) % len(classes)]


def drop_unreliable_accuracy(values: dict[str, Any]) -> dict[str, Any]:
    """Leaves ``accuracy`` out if the network does not see the class of half of the real images either."""
    if values.get("accuracy_real", 1) >= _KNOWN:
        return values
    return {name: value for name, value in values.items() if not name.startswith("accuracy")}


def refuse_unlabelled(metrics: Sequence[str], model: Any, network: Features | None) -> None:
    """Refuses measures that need classes which the model or the feature network does not have.

    Raises:
        UsageError: if one of `CONDITIONAL` is asked for and the model draws no classes, or ``accuracy`` and the network
            does not tell them apart.
    """
    asked = next((name for name in metrics if name in CONDITIONAL), None)
    if asked is None:
        return
    name = class_name(model)
    if model.known_classes is None:
        raise UsageError(
            f"{asked} measures how a model follows labels, but {name} draws without any; leave it out, or use a model "
            "that is told a class, say ACGAN"
        )
    if not model.draws_classes:
        raise UsageError(f"{asked} needs one class an image, but this {name} draws attributes; leave it out")
    if "accuracy" in metrics and not tells_classes(network, model):
        classes = model.num_classes
        does = f"tell {network.num_classes} apart" if isinstance(network, Classifier) else "classify nothing"
        raise UsageError(
            f"accuracy needs features that tell the model's {classes} classes apart, but those of "
            f"{'no network' if network is None else network.name!r} {does}; train a network with 'lit-gans features'"
        )


def class_coverage(
    model: Any, data: BaseData, split: str, network: Features, seed: int = 0, count: int = _OF_A_CLASS
) -> dict[str, float]:
    """Coverage (`DensityCoverage`, k = 5) of the real images of each class by the samples of that class.

    Each class has as many samples as real images: ``count``, or as many as there are of the rarest class.

    Args:
        model: draws by class.
        data: has the real images.
        split: the split that they are from.
        network: the feature network that images are compared by.
        seed: of the drawing.
        count: the most samples of a class.

    Returns:
        ``class_coverage``, the mean over the classes, and ``class_coverage_worst``.

    Raises:
        UsageError: if the data has no classes or too few images of one.
    """
    label = _labels(data, split)
    classes = model.known_classes.tolist()
    available = {k: int((label == k).sum()) for k in classes}
    rarest = min(available, key=lambda k: available[k])
    count = min(count, available[rarest])
    if count <= _NEIGHBOURS:
        raise UsageError(
            f"class_coverage needs more than {_NEIGHBOURS} real images of every class, but the {split} split has "
            f"{count} of class {rarest}"
        )
    network = network.to(model.device).to(memory_format=torch.channels_last)
    values = []
    for number in classes:
        metric = DensityCoverage(_NEIGHBOURS).to(model.device)
        rows = (label == number).nonzero()[:, 0]
        for batch in rows_of(data, split, rows[shuffled(len(rows))][:count]):
            metric.update(features_of(network, batch["image"].to(model.device)), real=True)
        for images in drawn(model, count, 1_000 * seed + number, label=torch.full((count,), number)):
            metric.update(features_of(network, images), real=False)
        values.append(float(metric.compute()["coverage"]))
    return {"class_coverage": sum(values) / len(values), "class_coverage_worst": min(values)}


def classifier_accuracy_score(model: Any, data: BaseData, seed: int = 0, epochs: int = 4) -> float:
    """The accuracy on the real test split of a classifier that has learnt from a model's samples alone.

    Ravuri & Vinyals 2019, arXiv:1905.10887: every training image, of at most 60,000, is replaced by a sample of its
    class. If some labels are hidden, classes are as frequent as among the labels that are shown.

    Args:
        model: draws by class.
        data: says how many samples of which class, and has the test split.
        seed: of the drawing and the classifier.
        epochs: passes of the classifier over the samples.

    Raises:
        UsageError: if the data has no classes, or classes that the model does not draw.
    """
    shown = _labels(data, "train")
    count = min(len(shown), _LEARNT_FROM)
    shown = shown[shuffled(len(shown))]
    shown = shown[shown >= 0]
    label = shown[torch.arange(count) % len(shown)]
    # as bytes: a quarter of the memory, and what a file of them would hold
    images = torch.cat([to_uint8(part) for part in drawn(model, count, 1_000 * seed, label=label)])
    score = ClassifierAccuracyScore(model.num_classes, epochs, seed)
    score.update(images, label.to(images.device), real=False)
    for batch in rows_of(data, "test", (_labels(data, "test") >= 0).nonzero()[:, 0]):
        score.update(batch["image"].to(images.device), batch["label"].to(images.device), real=True)
    return float(score.compute())


def _labels(data: BaseData, split: str) -> Tensor:
    """The classes (N,) of a split, -1 where an image has none.

    Raises:
        UsageError: if it has none, or attributes instead.
    """
    label = samples_of(data, split).values("label")
    if label is None or label.ndim != 1 or not bool((label >= 0).any()):
        raise UsageError(
            f"{type(data).__name__} has no labels that say of which class an image is; name data that has, or leave "
            "out class_coverage and cas"
        )
    return label
