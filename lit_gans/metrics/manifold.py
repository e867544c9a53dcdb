"""Precision and recall, density and coverage: quality and variety as two numbers, by balls around samples."""

from typing import Any

import torch
from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.metrics.boxes import ordered
from lit_gans.metrics.distances import inside, inside_each_other, kth_distance
from lit_gans.metrics.feature_sets import FeatureSets


class _Manifold(FeatureSets):
    """Base: real and fake features, and k; a ball reaches to the k-th nearest neighbour of its centre."""

    higher_is_better = True

    def __init__(self, k: int, reset_real: bool = True, **kwargs: Any) -> None:
        super().__init__(("real", "fake"), ("real",), reset_real, **kwargs)
        if k < 1:
            raise UsageError(f"k, the number of the neighbour at a ball's radius, must be 1 or more, got {k}")
        self.k = k

    def update(self, samples: Tensor, real: bool) -> None:
        """Adds real or fake images (N, C, H, W), as floats in [-1, 1] or as uint8, or features (N, d) of some.

        Raises:
            UsageError: if they are neither, images of another range, or features not as wide as those before or not
                finite.
        """
        self.add("real" if real else "fake", samples, real)

    def _sets(self) -> tuple[Tensor, Tensor]:
        """The real and the fake features in float64, near ones beside each other."""
        return ordered(self.get("real", self.k + 1)), ordered(self.get("fake", self.k + 1))

    def _share(self, hits: Tensor) -> Tensor:
        return hits.double().mean().to(self.width.device, self.dtype)


class PrecisionRecall(_Manifold):
    """Improved precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991, equations 1 and 2).

    A set's manifold is the union of closed balls around its samples, each with the distance to the k-th nearest other
    sample of the set as its radius. Precision is the share of fakes in the reals' manifold, recall the share of reals
    in the fakes'. Both grow with the number of samples, so compare only equally many. One outlier makes a large ball,
    and both saturate: see `DensityCoverage`.

    Args:
        k: which neighbour gives the radius; 3 in the paper.
        reset_real: whether `reset` forgets the real features too.
        kwargs: ``features``, the network that images go through (see `feature_network`), and arguments of `Metric`.

    Examples:
        >>> metric = PrecisionRecall(k=1)
        >>> metric.update(torch.tensor([[0.0], [1.0], [5.0], [6.0]]), real=True)
        >>> metric.update(torch.tensor([[0.2], [0.5], [0.9]]), real=False)
        >>> metric.compute()
        {'precision': tensor(1.), 'recall': tensor(0.5000)}
    """

    def __init__(self, k: int = 3, reset_real: bool = True, **kwargs: Any) -> None:
        super().__init__(k, reset_real, **kwargs)

    def compute(self) -> dict[str, Tensor]:
        """``precision`` and ``recall``, 0-dim, in [0, 1].

        Raises:
            UsageError: if there are fewer than k + 1 real or fake samples.
        """
        real, fake = self._sets()
        good, found = (torch.zeros(len(each), dtype=torch.bool, device=each.device) for each in (fake, real))
        reach = (kth_distance(fake, None, self.k), kth_distance(real, None, self.k))
        for (fakes, _), (_, reals) in inside_each_other(fake, real, *reach):
            good[fakes], found[reals] = True, True
        return {"precision": self._share(good), "recall": self._share(found)}


class DensityCoverage(_Manifold):
    """Density and coverage (Naeem et al. 2020, arXiv:2002.09797).

    Only the reals have balls. Density is the mean number of them that a fake lies in, over k: an outlier's ball adds
    little, and it exceeds 1 where fakes gather where reals are dense. Coverage is the share of balls with a fake.
    Fakes that are as good as reals have density 1 and, for equally many, coverage near 1 - 2^-k (ibid.).

    The balls are closed, as in `PrecisionRecall`: if a real sample is there k + 1 times, its ball has radius 0, and a
    fake that is its copy counts.

    Args:
        k: which neighbour gives the radius; 5 in the paper.
        reset_real: whether `reset` forgets the real features too.
        kwargs: ``features``, the network that images go through (see `feature_network`), and arguments of `Metric`.

    Examples:
        >>> metric = DensityCoverage(k=1)
        >>> metric.update(torch.tensor([[0.0], [1.0], [5.0], [6.0]]), real=True)
        >>> metric.update(torch.tensor([[0.2], [0.5], [0.9], [9.0]]), real=False)
        >>> metric.compute()
        {'density': tensor(1.5000), 'coverage': tensor(0.5000)}
    """

    def __init__(self, k: int = 5, reset_real: bool = True, **kwargs: Any) -> None:
        super().__init__(k, reset_real, **kwargs)

    def compute(self) -> dict[str, Tensor]:
        """``density``, from 0, and ``coverage``, in [0, 1], both 0-dim.

        Raises:
            UsageError: if there are fewer than k + 1 real or fake samples.
        """
        real, fake = self._sets()
        covered = torch.zeros(len(real), dtype=torch.bool, device=real.device)
        balls = torch.zeros(len(fake), dtype=torch.int64, device=fake.device)  # whole, so that no order changes the sum
        for point, ball in inside(fake, real, kth_distance(real, None, self.k)):
            balls += point.bincount(minlength=len(fake))
            covered[ball] = True
        return {"density": self._share(balls.sum().double() / (self.k * len(fake))), "coverage": self._share(covered)}
