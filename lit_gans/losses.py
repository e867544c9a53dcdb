"""Objectives as pure functions of logits.

Every function takes raw discriminator outputs of any shape ((N,) logits, (N, 1, h, w) patches), computes in float32
and returns named, 0-dim terms that the player minimises the sum of. Nothing here applies a sigmoid to a logit and then
a logarithm: ``softplus`` is the stable form of both.
"""

import torch.nn.functional as F
from torch import Tensor

from lit_gans.precision import full

Terms = dict[str, Tensor]


def minimax_discriminator(real: Tensor, fake: Tensor) -> Terms:
    """-E log D(x) - E log(1 - D(G(z))), Goodfellow et al. 2014, arXiv:1406.2661, eq. 1.

    The discriminator's half of both the minimax and the non-saturating game.

    Args:
        real: logits of real samples.
        fake: logits of generated samples.
    """
    return {"real": F.softplus(-full(real)).mean(), "fake": F.softplus(full(fake)).mean()}


def minimax_generator(fake: Tensor) -> Terms:
    """E log(1 - D(G(z))), the saturating generator loss of Goodfellow et al. 2014, eq. 1.

    Its gradient with respect to the logit is -D(G(z)): it vanishes where the discriminator wins.
    """
    return {"fake": -F.softplus(full(fake)).mean()}


def non_saturating_generator(fake: Tensor) -> Terms:
    """-E log D(G(z)), the heuristic of Goodfellow et al. 2014, section 3: the gradient is strong where D wins."""
    return {"fake": F.softplus(-full(fake)).mean()}


def least_squares_discriminator(real: Tensor, fake: Tensor, a: float = 0.0, b: float = 1.0) -> Terms:
    """1/2 E (D(x) - b)^2 + 1/2 E (D(G(z)) - a)^2, Mao et al. 2016, arXiv:1611.04076, eq. 2.

    Args:
        real: outputs for real samples.
        fake: outputs for generated samples.
        a: target for fakes.
        b: target for reals.
    """
    return {"real": 0.5 * (full(real) - b).square().mean(), "fake": 0.5 * (full(fake) - a).square().mean()}


def least_squares_generator(fake: Tensor, c: float = 1.0) -> Terms:
    """1/2 E (D(G(z)) - c)^2, Mao et al. 2016, eq. 2; ``c`` is what the generator wants the discriminator to say."""
    return {"fake": 0.5 * (full(fake) - c).square().mean()}


def hinge_discriminator(real: Tensor, fake: Tensor) -> Terms:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))), Lim & Ye 2017, arXiv:1705.02894, eq. 12."""
    return {"real": F.relu(1 - full(real)).mean(), "fake": F.relu(1 + full(fake)).mean()}


def hinge_generator(fake: Tensor) -> Terms:
    """-E D(G(z)), the generator's half of the hinge game, Lim & Ye 2017, eq. 13."""
    return {"fake": -full(fake).mean()}


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Terms:
    """-E D(x) + E D(G(z)), the negated dual estimate of Arjovsky et al. 2017, arXiv:1701.07875, eq. 2."""
    return {"real": -full(real).mean(), "fake": full(fake).mean()}


def wasserstein_generator(fake: Tensor) -> Terms:
    """-E D(G(z)), Arjovsky et al. 2017, algorithm 1, line 10."""
    return {"fake": -full(fake).mean()}


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Terms:
    """E softplus(D(G(z)) - D(x)), pairs matched by position, Jolicoeur-Martineau 2018, arXiv:1807.00734, eq. 6.

    Raises:
        ValueError: if the two batches differ in shape, since every real is paired with one fake.
    """
    return {"pair": F.softplus(_paired(fake, real)).mean()}


def relativistic_generator(real: Tensor, fake: Tensor) -> Terms:
    """E softplus(D(x) - D(G(z))), the mirror image, Jolicoeur-Martineau 2018, eq. 7.

    Raises:
        ValueError: if the two batches differ in shape.
    """
    return {"pair": F.softplus(_paired(real, fake)).mean()}


def relativistic_average_discriminator(real: Tensor, fake: Tensor) -> Terms:
    """E softplus(mean D(G(z)) - D(x)) + E softplus(D(G(z)) - mean D(x)), RaSGAN, Jolicoeur-Martineau 2018, eq. 8.

    Each sample is compared with the mean of the other kind, so the two batches may differ in size.

    Args:
        real: logits of real samples.
        fake: logits of generated samples.
    """
    real, fake = full(real), full(fake)
    return {"real": F.softplus(fake.mean() - real).mean(), "fake": F.softplus(fake - real.mean()).mean()}


def relativistic_average_generator(real: Tensor, fake: Tensor) -> Terms:
    """E softplus(D(x) - mean D(G(z))) + E softplus(mean D(x) - D(G(z))), the mirror image, eq. 9."""
    real, fake = full(real), full(fake)
    return {"real": F.softplus(real - fake.mean()).mean(), "fake": F.softplus(real.mean() - fake).mean()}


def labelled_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """-E log softmax(l)_y over the samples that have a label; 0 if none has.

    Args:
        logits: (N, K).
        label: (N,) classes, -1 for unlabelled.

    Returns:
        A 0-dim float32 tensor.
    """
    total = F.cross_entropy(full(logits), label, ignore_index=-1, reduction="sum")
    return total / (label >= 0).sum().clamp(min=1)


def _paired(left: Tensor, right: Tensor) -> Tensor:
    if left.shape != right.shape:
        raise ValueError(
            f"a relativistic loss pairs every real with one fake, but their outputs have shapes {tuple(left.shape)} "
            f"and {tuple(right.shape)}; generate as many fakes as the batch has reals"
        )
    return full(left) - full(right)
