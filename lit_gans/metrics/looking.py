"""Features of whatever a measure is given: images, or features already."""

from typing import Any

import torch
from torch import Tensor, nn

from lit_gans.errors import UsageError
from lit_gans.images.ranges import refuse_other_range
from lit_gans.metrics.base import Features, features_of
from lit_gans.metrics.features import feature_network
from lit_gans.metrics.suited import refuse_none, suited


class Look:
    """Turns images into features by a network that is found when the first images come; features stay as they are.

    Args:
        features: the network, see `feature_network`, or ``auto``: the one that suits the first images, see `suited`.
    """

    def __init__(self, features: str | Features | nn.Module) -> None:
        self.given = features
        self.network: Features | None = None

    @torch.no_grad()
    def __call__(self, metric: Any, samples: Tensor, real: bool) -> Tensor:
        """The features (N, d) of images (N, C, H, W), as floats in [-1, 1] or as uint8, or of features (N, d).

        Raises:
            UsageError: if the samples are neither, have another range, no network suits them, or the network does not
                take them.
        """
        refuse_two_kinds(metric, real)
        if samples.ndim == 2:
            return samples
        name = type(metric).__name__
        if samples.ndim != 4:
            raise UsageError(
                f"{name} expects images (N, C, H, W) or features of shape (N, d), got {tuple(samples.shape)}: flatten "
                "features"
            )
        refuse_other_range(samples, f"the {'real' if real else 'fake'} images for {name}")
        if self.network is None:
            chosen = suited(self.given, samples.shape[1:])
            if chosen is None:
                refuse_none(self.given, name)
            self.network = feature_network(chosen)
        return features_of(self.network.to(samples.device), samples)


def refuse_two_kinds(metric: Any, real: Any) -> None:
    """Refuses samples where a measure is told whether they are real.

    Raises:
        UsageError: if ``real`` is a tensor.
    """
    if isinstance(real, Tensor):
        name = type(metric).__name__
        raise UsageError(
            f"{name}.update takes one kind of samples and says which: update(samples, real=True), then "
            "update(samples, real=False)"
        )
