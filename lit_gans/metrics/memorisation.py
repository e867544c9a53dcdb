"""Memorisation: whether samples lie nearer to the training set than unseen data does."""

from typing import Any, Literal

import torch
from torch import Tensor

from lit_gans.errors import UsageError, at_least
from lit_gans.metrics.distances import kth_distance
from lit_gans.metrics.feature_sets import FeatureSets

_AT_ONCE = 2**22  # numbers of training features that are in float64 at a time


class Memorisation(FeatureSets):
    """Distances of fakes to their nearest training samples, beside those of test samples, or of training samples.

    The comparison of Meehan et al. 2020 (arXiv:2004.05675: a generator copies data if its samples are systematically
    closer to the training set than test samples are), summed up by the medians and the lower tail instead of by their
    rank test. A ratio near 1 means no memorising, near 0 copies, above 1 samples that are unlike the data: so read it
    beside a measure of quality. It depends on the number of training samples, but not on those of fakes and test
    samples: compare only values for equally many training samples.

    A training sample is as far from the others as an unseen one is, unless the set holds copies. So where there are no
    test samples, ``held_out=False`` takes some training samples in their place, each against all others.

    Args:
        held_out: whether test samples are given. Without, ``count`` training samples take their place, a fixed random
            choice.
        count: see there.
        tail: quantile of the test samples' distances below which a fake counts as close.
        reset_real: whether `reset` forgets the training and test features too.
        kwargs: ``features``, the network that images go through (see `feature_network`), and arguments of `Metric`.

    Examples:
        >>> import torch
        >>> metric = Memorisation()
        >>> metric.update(torch.tensor([[0.0], [10.0]]), real=True)
        >>> metric.update(torch.tensor([[1.0], [12.0], [7.0]]), real=True, split="test")
        >>> metric.update(torch.tensor([[0.0], [10.5], [10.5], [13.0]]), real=False)
        >>> metric.compute()
        {'ratio': tensor(0.2500), 'share_closer': tensor(0.7500)}
    """

    higher_is_better = None

    def __init__(
        self, tail: float = 0.01, reset_real: bool = True, held_out: bool = True, count: int = 2_000, **kwargs: Any
    ) -> None:
        super().__init__(("train", "test", "fake"), ("train", "test"), reset_real, **kwargs)
        if not 0 <= tail <= 1:
            raise UsageError(f"tail, a quantile of the test samples' distances, must be in [0, 1], got {tail}")
        at_least(2, count=count)
        self.tail, self.held_out, self.count = tail, held_out, count
        self._unseen: tuple[int, Tensor] | None = None  # number of training samples, and distances among them

    def update(self, samples: Tensor, real: bool, split: Literal["train", "test"] = "train") -> None:
        """Adds images (N, C, H, W), as floats in [-1, 1] or as uint8, or features (N, d) of some.

        Args:
            samples: of one kind.
            real: whether they are real.
            split: of the data, if they are.

        Raises:
            UsageError: if there is no such split, or the samples are neither images nor features, images of another
                range, or features not as wide as those before or not finite.
        """
        if split not in ("train", "test"):
            raise UsageError(f"split must be 'train' or 'test', got {split!r}")
        if real:
            self._unseen = None
        self.add(split if real else "fake", samples, real)

    def compute(self) -> dict[str, Tensor]:
        """``ratio`` of the median distances, from 0, and ``share_closer``, in [0, 1], both 0-dim.

        ``share_closer`` is the share of fakes that are nearer to a training sample than the ``tail`` quantile of the
        test samples; about ``tail`` without memorising. Where half of the test samples are copies of training
        samples, the ratio is infinite or NaN.

        Raises:
            UsageError: if one of the sets is empty; without test samples, if there is one training sample alone.
        """
        train = self.stored("train", 1 if self.held_out else 2)
        test, fake = self._distances(train), _nearest(self.get("fake", 1), train)
        values = {
            "ratio": fake.quantile(0.5) / test.quantile(0.5),
            "share_closer": (fake < test.quantile(self.tail)).double().mean(),
        }
        return {name: value.to(self.width.device, self.dtype) for name, value in values.items()}

    def _distances(self, train: Tensor) -> Tensor:
        """Distances of the samples that no generator has drawn; those among training samples are kept."""
        if self.held_out:
            return _nearest(self.get("test", 1), train)
        if self._unseen is None or self._unseen[0] != len(train):
            self._unseen = len(train), self._without(train)
        return self._unseen[1].to(train.device)

    def _without(self, train: Tensor) -> Tensor:
        """Distances of some training samples to the nearest other one."""
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0)).to(train.device)
        own, others = train[order[: self.count]].double(), train[order[self.count :]]
        return torch.minimum(kth_distance(own, None, 1), _nearest(own, others))


def _nearest(points: Tensor, train: Tensor) -> Tensor:
    """Distances (N,) in float64 of points (N, d) to their nearest training samples (M, d), some of these at a time."""
    found = torch.full((len(points),), torch.inf, dtype=torch.float64, device=points.device)
    for part in train.split(max(1, _AT_ONCE // train.shape[1])) if len(train) else ():
        found = torch.minimum(found, kth_distance(points, part.double(), 1))
    return found
