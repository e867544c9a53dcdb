"""The base of the measures that compare whole sets of features: it keeps every feature until the end."""

from copy import copy
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from lit_gans.errors import UsageError
from lit_gans.metrics.base import Features
from lit_gans.metrics.looking import Look
from lit_gans.metrics.suited import AUTO


class FeatureSets(Metric):
    """Named sets of features, each (N, d), gathered over batches and devices.

    Features are kept in the metric's dtype, float32 unless `set_dtype` says otherwise, and handed to `compute` in
    float64.

    Args:
        names: of the sets.
        real: the names of the sets that do not come from a generator.
        reset_real: whether `reset` also forgets the sets in ``real``; False keeps them from one evaluation to the next.
        features: the network that images go through, see `feature_network`; by default the one that suits them, see
            `suited`.
        kwargs: arguments of `Metric`.
    """

    is_differentiable = False
    full_state_update = False
    width: Tensor

    def __init__(
        self,
        names: tuple[str, ...],
        real: tuple[str, ...],
        reset_real: bool = True,
        features: str | Features | nn.Module = AUTO,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.look = Look(features)
        self.kept = () if reset_real else (*map(_state, real), "width")
        for name in names:
            # flat, because a device without samples takes part in the exchange with an empty tensor of one dimension
            self.add_state(_state(name), default=[], dist_reduce_fx="cat")
        self.add_state("width", default=torch.tensor(0), dist_reduce_fx="max")

    def reset(self) -> None:
        """Forgets the samples: all, or with ``reset_real=False`` only the generator's."""
        # copies, because the base class empties the lists themselves
        kept = {name: copy(getattr(self, name)) for name in self.kept}
        super().reset()
        for name, value in kept.items():
            setattr(self, name, value)

    def add(self, name: str, samples: Tensor, real: bool) -> None:
        """Adds images (N, C, H, W), or features (N, d), to the set ``name``; N may be 0.

        Raises:
            UsageError: if they are neither, images of another range, or features not as wide as those before or not
                finite.
        """
        if samples.ndim in (2, 4) and not len(samples):
            return
        features = self.look(self, samples, real)
        features = features.detach().to(self.dtype)
        if int(self.width) not in (0, features.shape[1]):
            raise UsageError(
                f"{type(self).__name__} expects features as wide as those before, {int(self.width)}, "
                f"got {features.shape[1]}: use one feature network for all sets"
            )
        if not bool(features.isfinite().all()):
            raise UsageError(
                f"{type(self).__name__} expects finite features, got NaN or infinity: check the {name} samples"
            )
        self.width = torch.full_like(self.width, features.shape[1])
        getattr(self, _state(name)).append(features.flatten())

    def get(self, name: str, least: int) -> Tensor:
        """The (N, d) features of a set in float64.

        Raises:
            UsageError: if there are fewer than ``least``.
        """
        return self.stored(name, least).double()

    def stored(self, name: str, least: int) -> Tensor:
        """The same in the number type that they are kept in, for sets that would be too large in float64."""
        value = getattr(self, _state(name))
        flat = torch.cat([*value]) if isinstance(value, list) and value else value
        if isinstance(flat, Tensor) and flat.device.type == "mps":
            flat = flat.cpu()  # an mps device does not have float64
        count = len(flat) // max(1, int(self.width))
        if count < least:
            raise UsageError(
                f"{type(self).__name__} needs at least {least} {name} samples, got {count}: "
                "call update with more of them before compute"
            )
        assert isinstance(flat, Tensor)
        return flat.view(count, -1)


def _state(name: str) -> str:
    # `train` alone is a method of every module
    return f"{name}_features"
