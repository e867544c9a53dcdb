"""Gradient penalties and feature penalties as pure functions.

All of them run with autocast switched off, in the type of the network's weights, which is float32 as a rule: a penalty
differentiates a gradient, which in bfloat16 is wrong by about a twentieth; the gradients of weights that it leads to
have the run's precision. They need double backward, so a compiled network runs as it was before that. Plain
convolutions in it, whoever wrote it, get their derivatives from `CheapSecondDerivative`. The two zero-centred penalties
can be taken by differences in place of gradients, for networks that have no second derivative.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lit_gans.convolutions import CheapSecondDerivative
from lit_gans.devices import RandomNumbers
from lit_gans.errors import UsageError
from lit_gans.precision import full, without_autocast

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
    real, fake = _prepared(discriminator, real), _prepared(discriminator, fake)
    if mix is None:
        mix = torch.rand(len(real), device=real.device, dtype=real.dtype)
    points = torch.lerp(fake, real, mix.view(-1, *[1] * (real.ndim - 1)))  # mix as (N, 1, ..., 1)
    return (_gradient(discriminator, points)[1].flatten(1).norm(dim=1) - center).square().mean()


def dragan_penalty(discriminator: Network, real: Tensor, spread: float = 0.5) -> Tensor:
    """E (|grad D(x_mix)|_2 - 1)^2 between reals and their noisy copies, unweighted.

    Kodali et al. 2017, arXiv:1705.07215, section 2.3 (weight 10): the noise is uniform on [0, ``spread`` * std], where
    std is the deviation of all values of the batch, as in the authors' code.

    Args:
        discriminator: maps (N, ...) images to outputs of any shape with N rows.
        real: (N, ...) real images.
        spread: largest noise, in standard deviations.

    Returns:
        A 0-dim float32 tensor.
    """
    real = _prepared(discriminator, real)
    return gradient_penalty(discriminator, real, real + spread * real.std() * torch.rand_like(real))


def zero_centered(discriminator: Network, images: Tensor, noise: float = 0.0) -> Tensor:
    """E |grad D(x)|_2^2 at the images themselves, unweighted.

    On reals this is R1, on fakes R2 (Mescheder et al. 2018, arXiv:1801.04406, eq. 9); the papers weigh it by gamma/2.

    Args:
        discriminator: maps (N, ...) images to outputs of any shape with N rows.
        images: (N, ...) images.
        noise: as in `scores_and_slopes`.

    Returns:
        A 0-dim float32 tensor.
    """
    return scores_and_slopes(discriminator, images, noise)[1].mean()


def scores_and_slopes(discriminator: Network, images: Tensor, noise: float = 0.0) -> tuple[Tensor, Tensor]:
    """Scores (N,) and squared gradient norms (N,), from one float32 pass.

    With ``noise`` the norm is measured by differences, ((D(x + noise n) - D(x)) / noise)^2 with n from N(0, I), in a
    second pass in place of a second derivative, as in Lin et al. 2025 (arXiv:2501.08316, approximated R1). Its mean
    over n is the squared norm where D is straight as far as the noise reaches; elsewhere it is more, so that the weight
    wants to be its own. Both passes draw the same augmentation and dropout.

    Args:
        discriminator: maps (N, ...) images to outputs of any shape with N rows; no image may influence another's row,
            as it would through batch norm.
        images: (N, ...) images.
        noise: standard deviation of each value's noise, 0.01 for images in [-1, 1]; 0 is the gradient itself.

    Returns:
        The outputs as they come, and |grad D(x)|_2^2 (N,), both float32 and with their graph.
    """
    images = _prepared(discriminator, images)
    if noise:
        return _differences(discriminator, images, noise)
    outputs, gradient = _gradient(discriminator, images)
    return outputs, gradient.square().flatten(1).sum(1)  # (N, values) to (N,)


def _differences(discriminator: Network, images: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    """The outputs, and the squared difference quotients (N,) of their sums, along a random direction for each image."""
    moved = images + noise * torch.randn_like(images)
    numbers = RandomNumbers(images.device)
    with torch.autocast(images.device.type, enabled=False), torch.enable_grad():
        outputs = scores_of(discriminator(images))
        with numbers.again():
            others = scores_of(discriminator(moved))
    return outputs, ((others - outputs).flatten(1).sum(1) if outputs.ndim > 1 else others - outputs).div(noise).square()


def matching_aware(judge: Callable[[Tensor, Tensor], Tensor], image: Tensor, text: Tensor) -> Tensor:
    """E (|grad_x D(x, s)|^2 + |grad_s D(x, s)|^2)^3 at real images with their own sentences, unweighted.

    DF-GAN's matching-aware penalty (Tao et al. 2022, arXiv:2008.05865, eq. 1): one norm over both gradients, to the
    sixth power, weight 2 in the paper. In float16 a sixth power overflows; this is float32.

    Args:
        judge: maps images (N, ...) and vectors (N, size) to scores (N,).
        image: (N, ...) real images.
        text: (N, size) the vectors of their sentences, which the penalty does not train.

    Returns:
        A 0-dim float32 tensor.
    """
    image, text = (_prepared(judge, values) for values in (image, text))
    text.requires_grad_()
    with torch.autocast(image.device.type, enabled=False), torch.enable_grad():
        outputs, of_image = _gradient(lambda points: judge(points, text), image)
        (of_text,) = torch.autograd.grad(outputs.sum(), text, create_graph=True)
    squares = (full(gradient).square().flatten(1).sum(1) for gradient in (of_image, of_text))
    return sum(squares, start=torch.zeros((), device=image.device)).pow(3).mean()


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
        unit = torch.nn.functional.normalize(full(features).flatten(1), dim=1)  # (N, D)
        return ((unit @ unit.T).square().sum() - n) / (n * (n - 1))


def _prepared(network: Callable[..., Tensor], images: Tensor) -> Tensor:
    """Images without their graph, in the type of the network's weights where autocast is off."""
    weights = network.parameters() if isinstance(network, nn.Module) else ()
    weight = next((w for w in weights if w.is_floating_point()), None)
    return without_autocast(images.detach()) if weight is None else images.detach().to(weight.dtype)


def scores_of(outputs: Any) -> Tensor:
    """Scores in float32; those of several scales side by side, (N, scores of all scales)."""
    if isinstance(outputs, list):
        return torch.cat(
            [scores_of(scale).flatten(1) if scale.ndim > 1 else scores_of(scale)[:, None] for scale in outputs], 1
        )
    if not isinstance(outputs, Tensor):
        raise UsageError(
            f"a penalty needs a tensor of scores, got a {type(outputs).__name__}; where the discriminator "
            "gives more than scores, override critic(batch) to give a function from images to scores alone"
        )
    return full(outputs)


@torch.compiler.disable  # type: ignore[untyped-decorator]  # what is compiled has no second derivative
def _gradient(discriminator: Network, points: Tensor) -> tuple[Tensor, Tensor]:
    """The outputs, and the gradient of their sum with respect to ``points`` with a graph through it."""
    with torch.autocast(points.device.type, enabled=False), torch.enable_grad():
        points = points.requires_grad_()
        with CheapSecondDerivative():
            outputs = scores_of(discriminator(points))
        (gradient,) = torch.autograd.grad(outputs.sum(), points, create_graph=True)
    return outputs, gradient
