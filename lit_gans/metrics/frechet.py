"""The Frechet distance between two sets of features, fast and in float64."""

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from lit_gans.errors import UsageError
from lit_gans.metrics.base import Features
from lit_gans.metrics.looking import Look
from lit_gans.metrics.suited import AUTO


class PassThrough(nn.Module):
    """Takes the place of a feature network where features are given already, so that one pass serves all scores.

    Args:
        num_features: how many there are.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        """The same (N, num_features)."""
        return features


class FrechetDistance(FrechetInceptionDistance):
    """torchmetrics' FID by any features, with a faster square root and a normalised value besides.

    Heusel et al. 2017, arXiv:1706.08500: ``|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))``. The normalised distance is
    100 times that, divided by ``tr(S1)`` of the real features: a network that is trained anew gives about the same.

    Args:
        num_features: d of the (N, d) features; by default that of the first that are given.
        strict: refuse fewer samples than features, whose covariance is singular and whose distance is far too large.
        features: the network that images go through, see `feature_network`: ``digits`` is small and shipped,
            ``inception`` that of the original FID. By default the one that suits the images, see `suited`.
        kwargs: arguments of `FrechetInceptionDistance`, e.g. ``reset_real_features=False``.

    Raises:
        UsageError: by ``compute``, if there are no more samples than features, or features that are not finite.

    Examples:
        >>> metric = FrechetDistance()
        >>> metric.update(torch.randn(1000, 2), real=True)
        >>> metric.update(torch.randn(1000, 2) + 3, real=False)
        >>> 17 < metric.compute() < 19.5
        tensor(True)
    """

    def __init__(
        self,
        num_features: int | None = None,
        strict: bool = True,
        features: str | Features | nn.Module = AUTO,
        **kwargs: Any,
    ) -> None:
        super().__init__(feature=PassThrough(num_features or 1), **kwargs)
        self.strict, self.num_features, self.look = strict, num_features, Look(features)

    def update(self, samples: Tensor, real: bool) -> None:
        """Adds real or fake images (N, C, H, W), as floats in [-1, 1] or as uint8, or features (N, d) of some.

        Raises:
            UsageError: if they are neither, images of another range, or features not as wide as those before.
        """
        if samples.ndim == 4 and not len(samples):
            return
        features = self.look(self, samples, real)
        if self.num_features is None:
            self._widen(features.shape[1])
        elif features.shape[1] != self.num_features:
            raise UsageError(
                f"FrechetDistance expects features as wide as those before, {self.num_features}, got "
                f"{features.shape[1]}: use one feature network for all samples"
            )
        super().update(features, real)

    def _widen(self, width: int) -> None:
        """Gives the sums the size of the features."""
        self.num_features = width
        sizes = {"sum": (width,), "cov_sum": (width, width)}
        for kind in ("real", "fake"):
            for what, size in sizes.items():
                name = f"{kind}_features_{what}"
                self.add_state(name, torch.zeros(size, dtype=torch.float64), dist_reduce_fx="sum")
                setattr(self, name, getattr(self, name).to(self.device))

    def compute(self) -> Tensor:
        """The distance, 0-dim."""
        (mean_real, cov_real), (mean_fake, cov_fake) = self.moments()
        return frechet_distance(mean_real, cov_real, mean_fake, cov_fake).float()

    def compute_normalised(self) -> Tensor:
        """100 times the distance, divided by the trace of the real features' covariance, 0-dim."""
        distance = self.compute()
        with self.sync_context(should_sync=self.sync_on_compute):  # of all devices' features, as `compute` is
            return 100 * distance / self.moments()[0][1].trace().float()

    def moments(self) -> list[tuple[Tensor, Tensor]]:
        """Mean and covariance of the real and of the fake features, in float64."""
        result = []
        for kind in ("real", "fake"):
            total, outer, number = (
                getattr(self, f"{kind}_features_{what}") for what in ("sum", "cov_sum", "num_samples")
            )
            if self.strict or number <= 1:
                refuse_few(len(total), kind, int(number))
            if not bool(torch.isfinite(total).all()):
                raise UsageError(f"the {kind} features are not all finite: are there NaNs in the images?")
            mean = total / number
            result.append((mean, (outer - number * torch.outer(mean, mean)) / (number - 1)))
        return result


def refuse_few(features: int, kind: str, number: int) -> None:
    """Refuses fewer samples than a covariance of the features needs, ``real`` or ``fake`` ones.

    Raises:
        UsageError: if there are too few.
    """
    if number <= features:
        raise UsageError(
            f"the Frechet distance of {features} features needs more than {features} {kind} samples, got {number}; "
            "take more samples, a smaller network, or KID (--metrics kid)"
        )


class FrechetDistances:
    """The Frechet distances by all features that one pass of a network gives.

    The distance called ``fid`` has its normalised value beside it. A further distance of which there are too few
    samples is left out, and ``missing`` says so.

    Args:
        sizes: the name of each distance, and how many features it is of; None: not known yet. Features (N, d) hold
            them in this order.
        strict: refuse fewer samples than features, as `FrechetDistance` does.
        kwargs: arguments of `FrechetDistance`.
    """

    def __init__(self, sizes: dict[str, int | None], strict: bool = True, **kwargs: Any) -> None:
        self.sizes = sizes
        self.metrics = {name: FrechetDistance(size, strict, **kwargs) for name, size in sizes.items()}
        #: the reasons for the distances that could not be computed, by name
        self.missing: dict[str, str] = {}

    @property
    def device(self) -> torch.device:
        """Where the sums are."""
        return next(iter(self.metrics.values())).device

    def to(self, device: torch.device) -> "FrechetDistances":
        """Moves the sums."""
        for metric in self.metrics.values():
            metric.to(device)
        return self

    def reset(self) -> None:
        """Forgets the fake features; without ``reset_real_features=False`` the real ones, too."""
        for metric in self.metrics.values():
            metric.reset()

    def update(self, features: Tensor, real: bool) -> None:
        """Adds (N, sum of the sizes) real or fake features."""
        sizes = [size or features.shape[1] for size in self.sizes.values()]
        for metric, part in zip(self.metrics.values(), features.split(sizes, 1), strict=True):
            metric.update(part, real)

    def compute(self) -> dict[str, Tensor]:
        """All distances by name, 0-dim.

        Raises:
            UsageError: if there are too few samples for the first.
        """
        values: dict[str, Tensor] = {}
        self.missing = {}
        for number, (name, metric) in enumerate(self.metrics.items()):
            try:
                values[name] = metric.compute()
            except UsageError as error:
                if not number:
                    raise
                self.missing[name] = str(error)
        if "fid" in values:
            values["fid_normalised"] = self.metrics["fid"].compute_normalised()
        return values


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> Tensor:
    """``|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))`` in float64.

    The trace of the square root is the sum of the square roots of the eigenvalues of ``S1 S2``, which are those of the
    symmetric ``L' S2 L`` with ``S1 = L L'``: a Cholesky factor and symmetric eigenvalues are many times faster than a
    matrix square root. A singular ``S1`` does not have a Cholesky factor; then its eigenvectors give ``L``.

    Args:
        mean1: (d,).
        cov1: (d, d), symmetric.
        mean2: (d,).
        cov2: (d, d), symmetric.

    Returns:
        The distance, 0-dim float64.
    """
    mean1, cov1, mean2, cov2 = (part.double() for part in (mean1, cov1, mean2, cov2))
    factor, failed = torch.linalg.cholesky_ex(cov1)
    if failed:
        values, vectors = torch.linalg.eigh(cov1)
        factor = vectors * values.clamp(min=0).sqrt()
    roots = torch.linalg.eigvalsh(factor.T @ cov2 @ factor).clamp(min=0).sqrt()
    return (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * roots.sum()
