"""The variational autoencoder."""

from collections.abc import Iterator
from math import log
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.core.encoder_decoder import EncoderDecoder
from lit_gans.errors import UsageError, finite_from
from lit_gans.likelihoods import gaussian, kl_to_standard
from lit_gans.losses import Terms

_CHUNK = 500  # codes decoded at once
# least learned log sigma: e^-6 is a third of a grey level, 2 / 255; below, densities of 8-bit images mean nothing
_LEAST = -6.0


class VAE(EncoderDecoder):
    """A model with a prior over codes and a bound on the likelihood: stable to train, with blurred images.

    Kingma & Welling 2013, *Auto-Encoding Variational Bayes*, arXiv:1312.6114.

    Encoder q and decoder p minimise `E_q(z|x) [-log p(x|z)] + beta KL(q(z|x) || N(0, I))`, the first term by one
    reparametrised draw, the second in closed form; both are in nats, summed over pixels and dimensions. With beta = 1
    that is minus the evidence lower bound (ELBO). Other values are Higgins et al. 2017, *beta-VAE: Learning Basic
    Visual Concepts with a Constrained Variational Framework* (ICLR): above 1 codes are simpler, below 1 images sharper.

    `elbo` and `importance_bound` measure. A ``bernoulli`` likelihood is one of black-and-white images. Grey values
    count as probabilities; the bound is then not one on a log-likelihood, so compare models by ``binarise=True``.

    Good at: coverage, smooth latent spaces, comparing models by a number. Bad at: sharp images.

    Args:
        beta: weight of the divergence.
        sigma: standard deviation of the Gaussian likelihood, for values in [-1, 1]; None learns one for all pixels
            (Rybkin et al. 2021, arXiv:2006.13202).
        binarise: whether to train on images whose pixels are drawn black or white, with their grey as the probability,
            anew each time; ``bernoulli`` only.
        model: arguments of `EncoderDecoder`: backbone, latent_dim, likelihood, optimizer and so on. An encoder of your
            own maps images to means and log-variances (N, 2 latent_dim).

    Raises:
        UsageError: if ``beta`` or ``sigma`` is out of range, or an option does not go with the likelihood.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> model = VAE(image_shape=(1, 28, 28), backbone=DCGANBackbone(width=8), likelihood="bernoulli")
        >>> images = torch.ones(3, 1, 28, 28)
        >>> model.sample(2, seed=0).shape, model.elbo(images, seed=0).shape
        (torch.Size([2, 1, 28, 28]), torch.Size([3]))

    Card: docs/models/vae.md; configuration: examples/configs/vae_mnist.yaml.
    """

    outputs = 2

    def __init__(self, *, beta: float = 1.0, sigma: float | None = None, binarise: bool = False, **model: Any) -> None:
        super().__init__(**model)
        if not finite_from(0, beta, sigma) or sigma == 0:
            raise UsageError(f"beta must not be negative and sigma positive, got beta={beta} and sigma={sigma}")
        if sigma is not None and self.likelihood == "bernoulli":
            raise UsageError(
                "sigma belongs to likelihood='gaussian', but likelihood is 'bernoulli'; leave one of them out"
            )
        self.beta, self.sigma, self.binarise = beta, sigma, self._binarise(binarise)
        if self.likelihood == "gaussian" and sigma is None:
            self.free_sigma = nn.Parameter(torch.zeros(()))

    # ---------------------------------------------------------------- training

    def objective(self, images: Tensor) -> Terms:
        """Minus the bound, by one draw from the posterior of every image."""
        if self.binarise:
            images = _binary(images, None)
        mean, log_variance = self.encoded(self.encoder, images)
        codes = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        return {
            "reconstruction": -self.log_likelihood(self.generator, images, codes).mean(),
            "kl": self.beta * kl_to_standard(mean, log_variance).mean(),
        }

    def held_out(self, images: Tensor, seed: int) -> Terms:
        """The bound; for a Bernoulli likelihood also the bound for images drawn black and white."""
        bounds = {"elbo": self.elbo(images, seed=seed, binarise=False).mean()}
        if self.likelihood == "bernoulli":
            bounds["elbo_binarised"] = self.elbo(images, seed=seed, binarise=True).mean()
        return bounds

    def gaussian_log_likelihood(self, images: Tensor, mean: Tensor) -> Tensor:
        """The log-density (N,) of images in [-1, 1], with the given sigma or the learned one."""
        if self.sigma is not None:
            return gaussian(images, mean, mean.new_tensor(log(self.sigma)))
        return gaussian(images, mean, _LEAST + F.softplus(self.free_sigma - _LEAST))

    # ---------------------------------------------------------------- bounds

    @torch.no_grad()
    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances (N, latent_dim) of q(z|x), by the averaged encoder."""
        with self.inference_encoder() as encoder:
            parts = [self.encoded(encoder, part.to(self.device)) for part in images.split(_CHUNK)]
        mean, log_variance = (torch.cat(part) for part in zip(*parts, strict=True))
        return mean, log_variance

    @torch.no_grad()
    def elbo(
        self, images: Tensor, *, samples: int = 1, binarise: bool | None = None, seed: int | None = None
    ) -> Tensor:
        """The evidence lower bound of every image in nats, by the averaged networks; ``beta`` is not used.

        Args:
            images: (N, C, H, W) in [-1, 1].
            samples: number of codes to draw for an image; the bound is a mean over them.
            binarise: draw every pixel black or white, by its grey, first; by default as in training.
            seed: makes all draws repeatable; without it the global random state is used.

        Returns:
            (N,): a bound on the log-density for a Gaussian likelihood, and on the log-probability for a Bernoulli one,
            if the images are black and white.

        Raises:
            UsageError: if there are no samples, or a Gaussian likelihood should take binary images.
        """
        bounds = [
            likelihood.mean(0) - kl_to_standard(mean, log_variance)
            for likelihood, _, mean, log_variance in self._draws(images, samples, binarise, seed)
        ]
        return torch.cat(bounds)

    @torch.no_grad()
    def importance_bound(
        self, images: Tensor, *, samples: int = 100, binarise: bool | None = None, seed: int | None = None
    ) -> Tensor:
        """A tighter bound, `log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x)` with K = ``samples`` draws from the posterior.

        It grows with K to log p(x) (Burda et al. 2015, arXiv:1509.00519, theorem 1; they report K = 5000).

        Args:
            images: (N, C, H, W) in [-1, 1].
            samples: number of codes to draw for an image.
            binarise: draw every pixel black or white, by its grey, first; by default as in training.
            seed: makes all draws repeatable; without it the global random state is used.

        Returns:
            (N,) in nats, a bound on the same number as `elbo`.

        Raises:
            UsageError: if there are no samples, or a Gaussian likelihood should take binary images.
        """
        bounds = [
            (likelihood + ratio).logsumexp(0) - log(samples)
            for likelihood, ratio, _, _ in self._draws(images, samples, binarise, seed)
        ]
        return torch.cat(bounds)

    def _draws(
        self, images: Tensor, samples: int, binarise: bool | None, seed: int | None
    ) -> Iterator[tuple[Tensor, ...]]:
        """For parts of n images: log p(x|z) and log p(z) / q(z|x), both (samples, n), and the posterior."""
        if samples < 1:
            raise UsageError(f"a bound needs at least 1 sample, got samples={samples}")
        binary = self.binarise if binarise is None else self._binarise(binarise)
        rng = None if seed is None else torch.Generator().manual_seed(seed)
        with self.inference_encoder() as encoder, self.inference_generator() as generator:
            for part in images.split(_CHUNK):
                shown = (_binary(part, rng) if binary else part).to(self.device)
                mean, log_variance = self.encoded(encoder, shown)
                likelihood, ratio = [], []
                for count in _portions(samples, max(1, _CHUNK // len(part))):
                    noise = torch.randn(count, *mean.shape, generator=rng).to(mean)
                    codes = mean + (0.5 * log_variance).exp() * noise  # (count, n, latent_dim)
                    repeated = shown.repeat(count, *[1] * (shown.ndim - 1))  # (count * n, C, H, W)
                    given = self.log_likelihood(generator, repeated, codes.flatten(0, 1))  # (count * n,)
                    likelihood.append(given.view(count, -1))  # (count, n)
                    ratio.append(0.5 * (noise.square() + log_variance - codes.square()).sum(2))
                yield torch.cat(likelihood), torch.cat(ratio), mean, log_variance

    def _binarise(self, binarise: bool) -> bool:
        if binarise and self.likelihood != "bernoulli":
            raise UsageError(
                "binarise makes images black and white, which likelihood='bernoulli' is for; got "
                f"likelihood={self.likelihood!r}"
            )
        return binarise


def _binary(images: Tensor, rng: torch.Generator | None) -> Tensor:
    """Replaces every value by 1 or -1 at random, with the value as the mean; ``rng`` draws on the CPU."""
    if rng is None:
        return 2 * torch.bernoulli(((images + 1) / 2).clamp(0, 1)) - 1
    draws = torch.rand(images.shape, generator=rng).to(images.device)
    return 2 * (2 * draws - 1 < images).to(images.dtype) - 1


def _portions(total: int, most: int) -> list[int]:
    """Splits ``total`` into parts of at most ``most``."""
    return [min(most, total - start) for start in range(0, total, most)]
