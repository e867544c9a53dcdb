"""Log-likelihoods and a closed-form divergence that autoencoders train with: one number an image, in nats."""

from math import log, pi

import torch.nn.functional as F
from torch import Tensor

from lit_gans.precision import full


def gaussian(images: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
    """The log-density of N(mean, sigma^2 I), summed over all values of an image.

    Args:
        images: (N, ...).
        mean: (N, ...), or a shape that broadcasts to it.
        log_sigma: 0-dim.

    Returns:
        (N,) float32.
    """
    log_sigma = full(log_sigma)
    scaled = (full(images) - full(mean)) * (-log_sigma).exp()
    return -(0.5 * scaled.square() + log_sigma + 0.5 * log(2 * pi)).flatten(1).sum(1)


def bernoulli(images: Tensor, logits: Tensor) -> Tensor:
    """The log-probability that every value is 1 or -1 as in ``images``, summed over all values of an image.

    A value v in between counts as 1 with probability (1 + v) / 2: the result is then a mean over binary images, not
    a log-density of grey ones.

    Args:
        images: (N, ...) in [-1, 1].
        logits: (N, ...), of the value 1.

    Returns:
        (N,) float32.
    """
    targets = (full(images) + 1) / 2
    return -F.binary_cross_entropy_with_logits(full(logits), targets, reduction="none").flatten(1).sum(1)


def logit_laplace(images: Tensor, mean: Tensor, log_spread: Tensor, edge: float) -> Tensor:
    """The log-density of values whose logit has a Laplace distribution, summed over all values of an image.

    Ramesh et al. 2021, arXiv:2102.12092, appendix A.3: values x in [0, 1] are moved to `y = (1 - 2 edge) x + edge`, and
    `log p(y) = -log(2 b y (1 - y)) - |logit y - mean| / b`.

    Args:
        images: (N, ...) in [-1, 1].
        mean: (N, ...), of the logits.
        log_spread: (N, ...), log b.
        edge: the least of the moved values.

    Returns:
        (N,).
    """
    moved = (1 - 2 * edge) * (images + 1) / 2 + edge
    logit = moved.log() - (1 - moved).log()
    scale = log(2) + log_spread + moved.log() + (1 - moved).log()
    return -(scale + (logit - mean).abs() * (-log_spread).exp()).flatten(1).sum(1)


def kl_to_standard(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, diag exp log_variance) || N(0, I)), summed over dimensions (Kingma & Welling 2013, appendix B).

    Args:
        mean: (N, D).
        log_variance: (N, D).

    Returns:
        (N,).

    Examples:
        >>> import torch
        >>> kl_to_standard(torch.tensor([[0.0, 2.0]]), torch.zeros(1, 2))
        tensor([2.])
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
