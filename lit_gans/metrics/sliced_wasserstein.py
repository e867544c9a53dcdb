"""The sliced Wasserstein distance: a measure of samples that needs no network."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lit_gans.errors import UsageError
from lit_gans.images.shape import as_float
from lit_gans.metrics.looking import refuse_two_kinds


class SlicedWasserstein(Metric):
    """Mean Wasserstein-1 distance between projections of real and fake samples on random directions.

    `E W1(u . real, u . fake)` over unit vectors u (Rabin et al. 2011, doi:10.1007/978-3-642-24785-9_37). In one
    dimension W1 is the mean distance between sorted samples, so nothing has to be learnt or downloaded. Works on pixels
    (or points, or features) as they are given; values depend on the number of samples, so compare only runs with
    equally many.

    Args:
        directions: how many random projections to average over.
        seed: of the directions, the same at every call.
        reset_real: whether `reset` also forgets the real samples.
        kwargs: arguments of `Metric`.

    Examples:
        >>> metric = SlicedWasserstein(directions=64)
        >>> metric.update(torch.zeros(10, 1, 2, 2), real=True)
        >>> metric.update(torch.ones(10, 1, 2, 2), real=False)
        >>> 0.5 < float(metric.compute()) < 1.0
        True
    """

    higher_is_better = False
    is_differentiable = False
    full_state_update = False
    real: list[Tensor]
    fake: list[Tensor]

    def __init__(self, directions: int = 256, seed: int = 0, reset_real: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.directions, self.seed, self.reset_real = directions, seed, reset_real
        self.add_state("real", default=[], dist_reduce_fx="cat")
        self.add_state("fake", default=[], dist_reduce_fx="cat")

    def reset(self) -> None:
        """Forgets the samples: all, or with ``reset_real=False`` only the generator's."""
        real = [] if self.reset_real else [*self.real]
        super().reset()
        self.real = real

    def update(self, samples: Tensor, real: bool) -> None:
        """Adds (N, ...) real or fake samples; only their projections are kept. Images in uint8 become [-1, 1].

        Raises:
            UsageError: if both kinds are given at once.
        """
        refuse_two_kinds(self, real)
        samples = as_float(samples.detach()).float()
        directions = self._draw(samples.shape[1:].numel()).to(samples.device)
        with torch.autocast(samples.device.type, enabled=False):
            (self.real if real else self.fake).append(samples.flatten(1) @ directions)

    def compute(self) -> Tensor:
        """The distance, 0-dim; 0 for equal sets.

        Raises:
            UsageError: if there are no real or no fake samples.
        """
        real, fake = (torch.cat([*x]) if isinstance(x, list) and x else x for x in (self.real, self.fake))
        if not len(real) or not len(fake):
            none = "real" if not len(real) else "fake"
            raise UsageError(
                f"SlicedWasserstein has no {none} samples: call update(samples, real={none == 'real'}) first"
            )
        assert isinstance(real, Tensor) and isinstance(fake, Tensor)
        n, m = len(real), len(fake)
        # the two quantile functions are constant between the merged levels i/n and j/m, here in units of 1/(n m)
        edges = torch.cat([torch.arange(n + 1) * m, torch.arange(m + 1) * n]).unique().to(real.device)
        left, width = edges[:-1], edges.diff() / (n * m)
        gaps = real.sort(dim=0).values[left // m] - fake.sort(dim=0).values[left // n]
        return (gaps.abs().mean(1) * width).sum()

    def _draw(self, size: int) -> Tensor:
        rng = torch.Generator().manual_seed(self.seed)
        return torch.nn.functional.normalize(torch.randn(size, self.directions, generator=rng), dim=0)
