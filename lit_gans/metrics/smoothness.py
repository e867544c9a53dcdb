"""Perceptual path length, torchmetrics' on our features: how smoothly images change with the latent point."""

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.functional.image import perceptual_path_length
from torchmetrics.functional.image.perceptual_path_length import GeneratorType

from lit_gans.errors import UsageError, class_name
from lit_gans.metrics.base import Features

_ROWS = 64  # of attributes that points are drawn with, if the model draws no classes


class _Generator(GeneratorType):
    """A generator as torchmetrics wants it: draws latent points, and images in [0, 255]."""

    def __init__(self, network: nn.Module, latent_dim: int, seed: int, conditions: Tensor | None) -> None:
        super().__init__()
        self.network, self.latent_dim = network, latent_dim
        self.rng = torch.Generator().manual_seed(seed)
        self.conditions = conditions

    @property
    def num_classes(self) -> int:
        """The number of conditions, from which torchmetrics draws one for each pair of points."""
        return 0 if self.conditions is None else len(self.conditions)

    def sample(self, num_samples: int) -> Tensor:
        return torch.randn(num_samples, self.latent_dim, generator=self.rng)

    def forward(self, noise: Tensor, row: Tensor | None = None) -> Tensor:
        given = () if row is None or self.conditions is None else (self.conditions[row],)
        return (self.network(noise, *given) + 1) * 127.5


class _Distance(nn.Module):
    """Squared distance of the features of two images."""

    def __init__(self, features: Features) -> None:
        super().__init__()
        self.features = features

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return (self.features(first) - self.features(second)).square().sum(1)


def path_length(model: Any, features: Features, count: int = 2_000, seed: int = 0) -> float:
    """The perceptual path length of Karras et al. 2019, arXiv:1812.04948.

    Mean squared change of the features for a step of 1e-4 along the arc between two latent points, over the square of
    the step. If the model is told a label, both points of a pair have the same one.

    Args:
        model: a game whose fakes are made from noise.
        features: the network that images are compared by.
        count: pairs of latent points.
        seed: of the points.

    Raises:
        UsageError: if the model makes fakes from something else.
    """
    if not model.draws_from_latents:
        raise UsageError(f"a path length needs latent points, from which alone {class_name(model)} does not draw")
    conditions = model.conditions(None, model.columns or _ROWS)
    with model.inference_generator() as network, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of the labels
        mean, _, _ = perceptual_path_length(
            _Generator(model.drawing(network), model.latent_dim, seed, conditions),
            count,
            conditional=conditions is not None,
            interpolation_method="slerp_any",
            sim_net=_Distance(features),
            device=model.device,
        )
    return float(mean)
