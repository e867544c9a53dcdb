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
