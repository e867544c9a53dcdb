"""Gradient penalties and feature penalties as pure functions.

All of them run in float32 with autocast switched off: a penalty differentiates a gradient, and bfloat16 loses a
twentieth of it. They need double backward, so the network they are given must not be compiled.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Network = Callable[[Tensor], Tensor]


def gradient_penalty(
    discriminator: Network, real: Tensor, fake: Tensor, center: float = 1.0, mix: Tensor | None = None
) -> Tensor:
    """E (|grad D(x_mix)|_2 - center)^2 on straight lines between reals and fakes, unweighted.

    ``center=1`` is WGAN-GP (Gulrajani et al. 2017, arXiv:1704.00028, eq. 3, weight 10 in the paper).

    Args:
        discriminator: maps (N, ...) images to outputs of any shape with N rows.
        real: (N, ...) real images.
        fake: (N, ...) generated images, same shape.
        center: the gradient norm that costs nothing.
        mix: (N,) share of ``real`` in each mixture; drawn uniformly from [0, 1] by default.

    Returns:
        A 0-dim float32 tensor.
    """
    real, fake = real.detach().float(), fake.detach().float()
    if mix is None:
        mix = torch.rand(len(real), device=real.device)
    points = torch.lerp(fake, real, mix.view(-1, *[1] * (real.ndim - 1)))
    return (_gradient(discriminator, points).flatten(1).norm(dim=1) - center).square().mean()


def zero_centered(discriminator: Network, images: Tensor) -> Tensor:
    """E |grad D(x)|_2^2 at the images themselves, unweighted.

    On reals this is R1, on fakes R2 (Mescheder et al. 2018, arXiv:1801.04406, eq. 9); the papers weigh it by gamma/2.

    Args:
        discriminator: maps (N, ...) images to outputs of any shape with N rows.
        images: (N, ...) images.

    Returns:
        A 0-dim float32 tensor.
    """
    return _gradient(discriminator, images.detach().float()).square().flatten(1).sum(1).mean()


def pull_away(features: Tensor) -> Tensor:
    """Mean squared cosine between the features of different samples, EBGAN's PT (Zhao et al. 2016, arXiv:1609.03126).

    Args:
        features: (N, ...) one row of features for each sample of a batch, N at least 2.

    Returns:
        A 0-dim float32 tensor in [0, 1].

    Raises:
        ValueError: if there are fewer than two samples, since there is no pair to pull apart.
    """
    n = len(features)
    if n < 2:
        raise ValueError(f"pull_away compares pairs of samples and needs a batch of at least 2, got {n}")
    with torch.autocast(features.device.type, enabled=False):
        unit = torch.nn.functional.normalize(features.float().flatten(1), dim=1)
        return ((unit @ unit.T).square().sum() - n) / (n * (n - 1))


def _gradient(discriminator: Network, points: Tensor) -> Tensor:
    """The gradient of the summed outputs with respect to ``points``, with a graph through it."""
    with torch.autocast(points.device.type, enabled=False), torch.enable_grad():
        points = points.requires_grad_()
        (gradient,) = torch.autograd.grad(discriminator(points).float().sum(), points, create_graph=True)
    return gradient
