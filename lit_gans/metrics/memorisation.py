"""Memorisation: whether samples lie nearer to the training set than unseen data does."""

from typing import Any, Literal

from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.metrics.distances import kth_distance
from lit_gans.metrics.feature_sets import FeatureSets


class Memorisation(FeatureSets):
    """Distances of fakes to their nearest training samples, beside those of test samples.

    The comparison of Meehan et al. 2020 (arXiv:2004.05675: a generator copies data if its samples are systematically
    closer to the training set than test samples are), summed up by the medians and the lower tail instead of by their
    rank test. A ratio near 1 means no memorising, near 0 copies, above 1 samples that are unlike the data: so read it
    beside a measure of quality. It depends on the number of training samples, but not on those of fakes and test
    samples: compare only values for equally many training samples.

    Args:
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

    def __init__(self, tail: float = 0.01, reset_real: bool = True, **kwargs: Any) -> None:
        super().__init__(("train", "test", "fake"), ("train", "test"), reset_real, **kwargs)
        if not 0 <= tail <= 1:
            raise UsageError(f"tail, a quantile of the test samples' distances, must be in [0, 1], got {tail}")
        self.tail = tail

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
        self.add(split if real else "fake", samples, real)

    def compute(self) -> dict[str, Tensor]:
        """``ratio`` of the median distances, from 0, and ``share_closer``, in [0, 1], both 0-dim.

        ``share_closer`` is the share of fakes that are nearer to a training sample than the ``tail`` quantile of the
        test samples; about ``tail`` without memorising. Where half of the test samples are copies of training
        samples, the ratio is infinite or NaN.

        Raises:
            UsageError: if one of the three sets is empty.
        """
        train = self.get("train", 1)
        test, fake = (kth_distance(self.get(name, 1), train, 1) for name in ("test", "fake"))
        values = {
            "ratio": fake.quantile(0.5) / test.quantile(0.5),
            "share_closer": (fake < test.quantile(self.tail)).double().mean(),
        }
        return {name: value.to(self.width.device, self.dtype) for name, value in values.items()}
