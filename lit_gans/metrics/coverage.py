"""Mode coverage of the data sets whose modes are known, measured as in their papers."""

from typing import Any

import torch
from torch import Tensor

from lit_gans.data.gaussians import Gaussians
from lit_gans.data.stacked_mnist import StackedMNIST
from lit_gans.metrics.base import AT_ONCE
from lit_gans.metrics.features import Classifier, load_classifier
from lit_gans.metrics.material import drawn
from lit_gans.metrics.modes import ModeCoverage, nearest_mode, stacked_mode
from lit_gans.networks.base import in_parts


class PointCoverage(ModeCoverage):
    """`ModeCoverage` of images of `Gaussians`: the modes are the Gaussians, within three standard deviations.

    Args:
        data: which Gaussians.
        kwargs: arguments of `Metric`.

    Examples:
        >>> data = Gaussians("ring")
        >>> metric = PointCoverage(data)
        >>> metric.update((data.means / data.scale).view(8, 2, 1, 1))
        >>> metric.compute()["modes"]
        tensor(8.)
    """

    #: number of samples in the protocol
    count = 2_500

    def __init__(self, data: Gaussians, **kwargs: Any) -> None:
        super().__init__(len(data.means), **kwargs)
        self.data = data

    def update(self, images: Tensor) -> None:
        """Adds (N, 2, 1, 1) images."""
        super().update(nearest_mode(self.data.to_plane(images), self.data.means, self.data.sigma))


class StackCoverage(ModeCoverage):
    """`ModeCoverage` of images of `StackedMNIST`: a classifier reads the digit in each channel.

    Whatever a channel shows counts as the digit that it looks most like. So every image has a mode, and instead of
    ``high_quality`` there is ``confidence``, the mean probability that the classifier gives to these digits.

    Args:
        classifier: of digits; by default the one that this package ships.
        kwargs: arguments of `Metric`.
    """

    #: number of samples in the protocol
    count = 26_000
    confidence: Tensor

    def __init__(self, classifier: Classifier | None = None, **kwargs: Any) -> None:
        super().__init__(1000, **kwargs)
        classifier = load_classifier() if classifier is None else classifier
        self.classifier = classifier.to(memory_format=torch.channels_last)
        self.add_state("confidence", default=torch.zeros(()), dist_reduce_fx="sum")

    @torch.no_grad()
    def update(self, images: Tensor) -> None:
        """Adds (N, 3, H, W) images in [-1, 1]."""
        channels = images.float().flatten(0, 1).unsqueeze(1)  # (3 N, 1, H, W)
        logits = in_parts(self.classifier.logits, channels, like=channels, size=AT_ONCE)
        certainty, digit = logits.softmax(1).max(1)  # (3 N,) each
        super().update(stacked_mode(digit.view(-1, 3)))
        self.confidence = self.confidence + certainty.sum() / 3

    def compute(self) -> dict[str, Tensor]:
        """``modes`` and ``kl`` of `ModeCoverage`, and ``confidence``, from 0.1 to 1."""
        values = super().compute()
        del values["high_quality"]
        return {**values, "confidence": self.confidence / self.counts.sum()}


def mode_coverage(data: Any) -> PointCoverage | StackCoverage | None:
    """The measure that counts the modes of a data module; None if its modes are not known."""
    if isinstance(data, Gaussians):
        return PointCoverage(data)
    return StackCoverage() if isinstance(data, StackedMNIST) else None


def measure_coverage(
    model: Any, data: Any, seed: int, limit: int | None = None, rank: int = 0, world: int = 1
) -> dict[str, Tensor]:
    """The mode coverage of a model's samples.

    Args:
        model: draws by `sample`.
        data: the data module that it was trained on.
        seed: of the drawing.
        limit: the most samples to draw; by default, and at most, the number in the protocol.
        rank: this device's number.
        world: number of devices.

    Returns:
        The values by name, 0-dim; none if the modes of the data are not known.
    """
    metric = mode_coverage(data)
    if metric is None:
        return {}
    metric.to(model.device)
    for images in drawn(model, metric.count if limit is None else min(limit, metric.count), seed, rank, world):
        metric.update(images)
    return metric.compute()
