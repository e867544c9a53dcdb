"""Mean distance between samples: the first number to fall when a generator collapses."""

from typing import Any

from torch import Tensor

from lit_gans.metrics.distances import mean_distance
from lit_gans.metrics.feature_sets import FeatureSets


class PairwiseDistance(FeatureSets):
    """Mean Euclidean distance over all pairs of fakes, all pairs of reals, and the ratio of the two.

    The variety measure of Zhu et al. 2017 (arXiv:1711.11586), with any features instead of LPIPS and all
    pairs instead of random ones. Its expectation does not depend on the number of samples. A ratio near 1 is healthy,
    near 0 a collapse to one sample; a ratio of 1 does not exclude missing modes.

    Args:
        reset_real: whether `reset` forgets the real features too.
        kwargs: ``features``, the network that images go through (see `feature_network`), and arguments of `Metric`.

    Examples:
        >>> import torch
        >>> metric = PairwiseDistance()
        >>> metric.update(torch.tensor([[0.0], [1.0], [5.0]]), real=True)
        >>> metric.update(torch.tensor([[3.0], [3.0], [4.5]]), real=False)
        >>> metric.compute()
        {'real': tensor(3.3333), 'fake': tensor(1.), 'ratio': tensor(0.3000)}
    """

    higher_is_better = None

    def __init__(self, reset_real: bool = True, **kwargs: Any) -> None:
        super().__init__(("real", "fake"), ("real",), reset_real, **kwargs)

    def update(self, samples: Tensor, real: bool) -> None:
        """Adds real or fake images (N, C, H, W), as floats in [-1, 1] or as uint8, or features (N, d) of some.

        Raises:
            UsageError: if they are neither, images of another range, or features not as wide as those before or not
                finite.
        """
        self.add("real" if real else "fake", samples, real)

    def compute(self) -> dict[str, Tensor]:
        """``real``, ``fake`` and ``ratio`` (fake by real), 0-dim; infinite or NaN if all reals are the same.

        Raises:
            UsageError: if there are fewer than 2 real or fake samples.
        """
        real, fake = (mean_distance(self.get(name, 2)) for name in ("real", "fake"))
        values = {"real": real, "fake": fake, "ratio": fake / real}
        return {name: value.to(self.width.device, self.dtype) for name, value in values.items()}
