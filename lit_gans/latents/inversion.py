"""Latent inversion: finds the latent point whose image is nearest to a given one."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_gans.errors import UsageError
from lit_gans.networks.base import evaluating

_AT_ONCE = 512  # latent points that are moved together

#: the arguments of `invert_images` and `ReconstructionError` by which Xiang & Li 2017 measure while they train
XIANG_LI: dict[str, Any] = {
    "steps": 50,
    "restarts": 1,
    "learning_rate": 0.01,
    "origin": True,
    "optimizer": partial(torch.optim.RMSprop, alpha=0.9, eps=1e-6),
}


class Inversion(NamedTuple):
    """The result of `invert_images`: for each image the nearest one that the generator was found to draw."""

    #: (N, C, H, W) float32 in [-1, 1]
    reconstructions: Tensor
    #: (N, latent_dim) float32
    noise: Tensor
    #: (N,) squared errors, each the mean over pixels and channels, of images in [-1, 1]
    errors: Tensor


def invert_images(
    generator: nn.Module,
    images: Tensor,
    latent_dim: int,
    steps: int = 200,
    restarts: int = 8,
    learning_rate: float = 0.1,
    seed: int = 0,
    label: Tensor | None = None,
    clip: float | None = None,
    origin: bool = False,
    optimizer: Callable[..., Optimizer] | None = None,
    at_once: int = _AT_ONCE,
) -> Inversion:
    """Projects images onto what a generator can draw: min over z of the mean of (G(z) - x)^2.

    Gradient descent on the latent point (Creswell & Bharath 2016, arXiv:1611.05644; Lipton & Tripathi 2017,
    arXiv:1702.04782; Xiang & Li 2017, arXiv:1704.03971), by Adam with a learning rate that falls to 0 as a cosine. Many
    images and several starts of each move at once; the best point that any of them passed is kept. The generator is in
    evaluation mode meanwhile; its weights, its mode, its gradients and the global random state are left as they were.

    Args:
        generator: maps noise (N, latent_dim), or noise and label (N,), to images.
        images: (N, C, H, W) float in [-1, 1].
        latent_dim: size of the noise.
        steps: gradient steps of each point.
        restarts: starts of each image, from N(0, I).
        learning_rate: of the first step, in units of the noise.
        seed: of the starts.
        label: (N,) int64, for a conditional generator.
        clip: redraw coordinates beyond +-clip uniformly within it (stochastic clipping, Lipton & Tripathi 2017), so
            that z stays where training draws it; by default z may go anywhere.
        origin: start each image at z = 0, the middle of N(0, I), and only once, as Xiang & Li do.
        optimizer: makes the optimizer from ``[z]`` and ``lr``; its learning rate then stays constant. By default Adam,
            with a learning rate that falls.
        at_once: latent points that are moved together; fewer take less memory.

    Raises:
        UsageError: if a number is out of range, or the generator draws another shape than that of ``images``.

    Examples:
        >>> identity = nn.Unflatten(1, (1, 2, 2))
        >>> invert_images(identity, torch.full((1, 1, 2, 2), 0.5), latent_dim=4).errors.max() < 1e-4
        tensor(True)
    """
    if min(steps, restarts, latent_dim) < 1 or learning_rate <= 0 or (clip is not None and clip <= 0):
        raise UsageError(
            "an inversion makes at least one step from at least one start, with a positive learning rate and clip; got "
            f"steps={steps}, restarts={restarts}, latent_dim={latent_dim}, learning_rate={learning_rate}, clip={clip}"
        )
    if origin and restarts > 1:
        raise UsageError(f"from the origin every start is the same: set restarts=1, got {restarts}, or origin=False")
    rng = torch.Generator().manual_seed(seed)
    starts = torch.randn(len(images), restarts, latent_dim, generator=rng)
    if origin:
        starts.zero_()
    parts = []
    # validation may run in inference mode, whose tensors have no gradients
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(images.device.type, enabled=False),
        evaluating(generator),
    ):
        for part in torch.arange(len(images)).split(max(1, at_once // restarts)):
            labels = None if label is None else label[part.to(label.device)].clone()
            found = images[part.to(images.device)].detach().clone().float()
            descent = (steps, learning_rate, optimizer)
            parts.append(_invert_batch(generator, found, starts[part], descent, labels, clip, rng))
    return Inversion(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def _invert_batch(
    generator: nn.Module,
    images: Tensor,
    starts: Tensor,
    descent: tuple[int, float, Callable[..., Optimizer] | None],
    label: Tensor | None,
    clip: float | None,
    rng: torch.Generator,
) -> Inversion:
    """Inverts one batch: (N, C, H, W) images from (N, restarts, latent_dim) starts."""
    steps, learning_rate, make = descent
    n, restarts, latent_dim = starts.shape
    z = starts.flatten(0, 1).to(images.device).requires_grad_()  # (N restarts, latent_dim)
    target = images.repeat_interleave(restarts, 0)  # (N restarts, C, H, W)
    given = () if label is None else (label.repeat_interleave(restarts, 0),)
    optimizer = (make or torch.optim.Adam)([z], lr=learning_rate)
    schedule = None if make else torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    best, best_error = z.detach().clone(), torch.full((len(z),), torch.inf, device=z.device)
    for step in range(steps + 1):
        drawn = generator(z, *given).float()
        if drawn.shape != target.shape:
            raise UsageError(
                f"the generator draws images of shape {tuple(drawn.shape[1:])} (channels, height, width), but those to "
                f"invert are {tuple(images.shape[1:])}; resize them"
            )
        error = (drawn - target).square().flatten(1).mean(1)  # (N restarts,)
        better = error.detach() < best_error
        best = torch.where(better[:, None], z.detach(), best)
        best_error = torch.where(better, error.detach(), best_error)
        if step == steps:
            break
        (z.grad,) = torch.autograd.grad(error.sum(), z)  # of z alone: the weights get no gradients
        optimizer.step()
        if schedule is not None:
            schedule.step()
        if clip is not None:
            _clip(z, clip, rng)
    errors, winner = best_error.view(n, restarts).min(1)  # (N,) each
    noise = best.view(n, restarts, latent_dim)[torch.arange(n, device=z.device), winner]  # (N, latent_dim)
    with torch.no_grad():
        return Inversion(generator(noise, *(() if label is None else (label,))).float(), noise, errors)


@torch.no_grad()
def _clip(z: Tensor, limit: float, rng: torch.Generator) -> None:
    """Redraws the coordinates outside [-limit, limit], uniformly within it."""
    outside = z.abs() > limit
    if outside.any():
        anew = torch.empty(int(outside.sum())).uniform_(-limit, limit, generator=rng)
        z[outside] = anew.to(z.device)
