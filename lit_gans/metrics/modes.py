"""Mode coverage: into which modes of a known mixture samples fall."""

from math import inf
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lit_gans.errors import UsageError


class ModeCoverage(Metric):
    """Counts which of K equally likely modes samples hit, what share of them hits one, and how evenly they spread.

    The protocol of VEEGAN and PacGAN (Srivastava et al. 2017, arXiv:1705.07761, section 4; Lin et al. 2018,
    arXiv:1712.04086, section 4): a mode counts from its first sample; samples of no mode count for nothing but
    ``high_quality``. They use 2,500 samples for Gaussians, see `nearest_mode`, and 26,000 for stacked digits, see
    `stacked_mode`; all values depend on the number.

    Args:
        modes: K.
        kwargs: arguments of `Metric`.

    Examples:
        >>> metric = ModeCoverage(modes=4)
        >>> metric.update(torch.tensor([0, 0, 3, 3, -1]))
        >>> metric.compute()
        {'modes': tensor(2.), 'high_quality': tensor(0.8000), 'kl': tensor(0.6931)}
    """

    is_differentiable = False
    full_state_update = False
    counts: Tensor

    def __init__(self, modes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if modes < 1:
            raise UsageError(f"modes must be 1 or more, got {modes}")
        self.modes = modes
        # the first counts the samples of no mode
        self.add_state("counts", default=torch.zeros(modes + 1, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, mode: Tensor) -> None:
        """Adds samples by the numbers of their modes.

        Args:
            mode: (N,) int64, from 0 to ``modes`` - 1, or -1 for a sample of no mode.

        Raises:
            UsageError: if it is of another type or shape or out of range.
        """
        if mode.ndim != 1 or mode.dtype != torch.int64:
            raise UsageError(f"ModeCoverage expects (N,) int64, got {tuple(mode.shape)} {mode.dtype}")
        if len(mode) and not -1 <= int(mode.min()) <= int(mode.max()) < self.modes:
            raise UsageError(
                f"ModeCoverage expects modes from -1 (none) to {self.modes - 1}, got {int(mode.min())} to "
                f"{int(mode.max())}: give `modes` the number of modes of the data"
            )
        self.counts = self.counts + torch.bincount(mode + 1, minlength=self.modes + 1).to(self.counts.device)

    def compute(self) -> dict[str, Tensor]:
        """The coverage, 0-dim values.

        Returns:
            ``modes``, the number hit; ``high_quality``, the share of samples that have a mode; ``kl``, in nats, the
            reverse Kullback-Leibler divergence KL(histogram of those samples || uniform): 0 if all modes are equally
            frequent, log K if only one is hit, infinite if no sample has a mode. n samples of a perfect model have
            about (K - 1) / 2n, the floor below which no difference means anything.

        Raises:
            UsageError: if there are no samples.
        """
        counts = self.counts.cpu().double()
        if not counts.sum():
            raise UsageError("ModeCoverage needs samples, got none: call update before compute")
        hits = counts[1:]
        shares = hits[hits > 0] / hits.sum()
        values = {
            "modes": len(shares),
            "high_quality": float(hits.sum() / counts.sum()),
            # rounding may leave -1e-16
            "kl": max(0.0, float((shares * (shares * self.modes).log()).sum())) if len(shares) else inf,
        }
        return {
            name: torch.tensor(value, dtype=self.dtype, device=self.counts.device) for name, value in values.items()
        }


def nearest_mode(points: Tensor, means: Tensor, sigma: float, radius: float = 3.0) -> Tensor:
    """The Gaussian that each point belongs to, by the Mahalanobis distance, which is here |point - mean| / sigma.

    For a perfect model in the plane, the share of points that belong to one is 1 - exp(-radius^2 / 2), 98.9 % for 3.

    Args:
        points: (N, D), in the units of ``means``: `Gaussians.to_plane` makes them from images.
        means: (K, D).
        sigma: standard deviation of every Gaussian in every direction.
        radius: in units of ``sigma``; a point this far from the nearest mean or farther belongs to none.

    Returns:
        (N,) int64, -1 for points of no mode; NaN has none.

    Raises:
        UsageError: if shapes do not go together, or ``sigma`` or ``radius`` is not positive.

    Examples:
        >>> nearest_mode(torch.tensor([[0.1, 0.2], [0.9, 0.1], [0.5, 0.5]]), means=torch.eye(2), sigma=0.1)
        tensor([-1,  0, -1])
    """
    if points.ndim != 2 or means.ndim != 2 or points.shape[1] != means.shape[1]:
        raise UsageError(
            f"nearest_mode expects (N, D) points and (K, D) means, got {tuple(points.shape)} and {tuple(means.shape)}"
        )
    if not (sigma > 0 and radius > 0):
        raise UsageError(f"sigma and radius must be positive, got {sigma} and {radius}")
    # differences themselves: |x|^2 + |y|^2 - 2 x.y errs by more than sigma^2 where means are far from 0
    means = means.to(points.device, points.dtype)
    distance, mode = torch.cdist(points, means, compute_mode="donot_use_mm_for_euclid_dist").min(1)
    return torch.where(distance < radius * sigma, mode, -1)


def stacked_mode(digits: Tensor) -> Tensor:
    """The mode of stacked digits, one digit in each of three channels.

    Args:
        digits: (N, 3) integers from 0 to 9, as a classifier finds them in the channels.

    Returns:
        (N,) int64 from 0 to 999, the number that the digits are written as.

    Raises:
        UsageError: if they are of another shape or no digits.

    Examples:
        >>> stacked_mode(torch.tensor([[0, 0, 7], [9, 8, 0]]))
        tensor([  7, 980])
    """
    if digits.ndim != 2 or digits.shape[1] != 3 or digits.is_floating_point():
        raise UsageError(f"stacked_mode expects (N, 3) integers, got {tuple(digits.shape)} {digits.dtype}")
    if bool(((digits < 0) | (digits > 9)).any()):
        raise UsageError(f"stacked_mode expects digits from 0 to 9, got {int(digits.min())} to {int(digits.max())}")
    return (digits.long() * torch.tensor([100, 10, 1], device=digits.device)).sum(1)
