"""Objectives as pure functions of scores.

Every function takes raw discriminator outputs of any shape, (N,) or patches (N, 1, h, w), or a sequence of them from
discriminators of several scales, over which it takes the mean. It computes in float32, because bfloat16 rounds a mean
over many values coarsely, and returns named, 0-dim terms, whose sum the player minimises. Nothing here applies a
sigmoid to a logit and then a logarithm: ``softplus`` is the stable form of both.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.precision import full

Terms = dict[str, Tensor]
Scores = Tensor | Sequence[Tensor]


def minimax_discriminator(real: Scores, fake: Scores) -> Terms:
    """-E log D(x) - E log(1 - D(G(z))), Goodfellow et al. 2014, arXiv:1406.2661, eq. 1.

    The discriminator's half of both the minimax and the non-saturating game.

    Args:
        real: logits of real samples.
        fake: logits of generated samples.
    """
    return {"real": _mean(lambda d: F.softplus(-d), real), "fake": _mean(F.softplus, fake)}


def minimax_generator(fake: Scores) -> Terms:
    """E log(1 - D(G(z))), the saturating generator loss of Goodfellow et al. 2014, eq. 1.

    Its gradient with respect to the logit is -D(G(z)): it vanishes where the discriminator wins.
    """
    return {"fake": -_mean(F.softplus, fake)}


def non_saturating_generator(fake: Scores) -> Terms:
    """-E log D(G(z)), the heuristic of Goodfellow et al. 2014, section 3: the gradient is strong where D wins."""
    return {"fake": _mean(lambda d: F.softplus(-d), fake)}


def least_squares_discriminator(real: Scores, fake: Scores, a: float = 0.0, b: float = 1.0) -> Terms:
    """1/2 E (D(x) - b)^2 + 1/2 E (D(G(z)) - a)^2, Mao et al. 2016, arXiv:1611.04076, eq. 2.

    Args:
        real: outputs for real samples.
        fake: outputs for generated samples.
        a: target for fakes.
        b: target for reals.
    """
    return {
        "real": 0.5 * _mean(lambda d: (d - b).square(), real),
        "fake": 0.5 * _mean(lambda d: (d - a).square(), fake),
    }


def least_squares_generator(fake: Scores, c: float = 1.0) -> Terms:
    """1/2 E (D(G(z)) - c)^2, Mao et al. 2016, eq. 2; ``c`` is the target of the generator for its fakes."""
    return {"fake": 0.5 * _mean(lambda d: (d - c).square(), fake)}


def hinge_discriminator(real: Scores, fake: Scores) -> Terms:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))), Lim & Ye 2017, arXiv:1705.02894, eq. 12."""
    return {"real": _mean(lambda d: F.relu(1 - d), real), "fake": _mean(lambda d: F.relu(1 + d), fake)}


def hinge_generator(fake: Scores) -> Terms:
    """-E D(G(z)), the generator's half of the hinge game, Lim & Ye 2017, eq. 13."""
    return {"fake": -_mean(lambda d: d, fake)}


def wasserstein_discriminator(real: Scores, fake: Scores) -> Terms:
    """-E D(x) + E D(G(z)), the negated dual estimate of Arjovsky et al. 2017, arXiv:1701.07875, eq. 2."""
    return {"real": -_mean(lambda d: d, real), "fake": _mean(lambda d: d, fake)}


def wasserstein_generator(fake: Scores) -> Terms:
    """-E D(G(z)), Arjovsky et al. 2017, algorithm 1, line 10."""
    return {"fake": -_mean(lambda d: d, fake)}


def relativistic_discriminator(real: Scores, fake: Scores) -> Terms:
    """E softplus(D(G(z)) - D(x)), pairs matched by position, Jolicoeur-Martineau 2018, arXiv:1807.00734, eq. 6.

    Raises:
        ValueError: if the two batches differ in shape, since every real is paired with one fake.
    """
    return {"pair": _mean(lambda d, e: F.softplus(_paired(d, e)), fake, real)}


def relativistic_generator(real: Scores, fake: Scores) -> Terms:
    """E softplus(D(x) - D(G(z))), the mirror image, Jolicoeur-Martineau 2018, eq. 7.

    Raises:
        ValueError: if the two batches differ in shape.
    """
    return {"pair": _mean(lambda d, e: F.softplus(_paired(d, e)), real, fake)}


def relativistic_average_discriminator(real: Scores, fake: Scores) -> Terms:
    """E softplus(mean D(G(z)) - D(x)) + E softplus(D(G(z)) - mean D(x)), RaSGAN, Jolicoeur-Martineau 2018, eq. 8.

    Each sample is compared with the mean of the other kind, so the two batches may differ in size.

    Args:
        real: logits of real samples.
        fake: logits of generated samples.
    """
    return {
        "real": _mean(lambda d, e: F.softplus(e.mean() - d), real, fake),
        "fake": _mean(lambda d, e: F.softplus(e - d.mean()), real, fake),
    }


def relativistic_average_generator(real: Scores, fake: Scores) -> Terms:
    """E softplus(D(x) - mean D(G(z))) + E softplus(mean D(x) - D(G(z))), the mirror image, eq. 9."""
    return {
        "real": _mean(lambda d, e: F.softplus(d - e.mean()), real, fake),
        "fake": _mean(lambda d, e: F.softplus(d.mean() - e), real, fake),
    }


def labelled_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """-E log softmax(l)_y over the samples that have a label; 0 if none has one.

    Args:
        logits: (N, K).
        label: (N,) classes, -1 for unlabelled.

    Returns:
        A 0-dim float32 tensor.
    """
    total = F.cross_entropy(full(logits), label, ignore_index=-1, reduction="sum")
    return total / (label >= 0).sum().clamp(min=1)


def _mean(term: Callable[..., Tensor], *scores: Scores) -> Tensor:
    """The mean of ``term(*scores)``; for discriminators of several scales the mean of their means."""
    if all(isinstance(given, Tensor) for given in scores):
        # in bfloat16 a mean over many scores would be rounded coarsely
        return term(*(full(given) for given in scores)).mean()  # type: ignore[arg-type]
    if not all(isinstance(given, Sequence) and given for given in scores):
        raise UsageError(
            "a loss takes tensors of scores, or sequences of tensors for several scales, got "
            f"{', '.join(type(given).__name__ for given in scores)}"
        )
    return torch.stack([_mean(term, *scale) for scale in zip(*scores, strict=True)]).mean()


def _paired(left: Tensor, right: Tensor) -> Tensor:
    if left.shape != right.shape:
        raise ValueError(
            f"a relativistic loss pairs every real with one fake, but their outputs have shapes {tuple(left.shape)} "
            f"and {tuple(right.shape)}; generate as many fakes as the batch has reals"
        )
    return left - right
