"""Reconstruction error: how near a generator comes to given images."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import Metric

from lit_gans.latents.inversion import invert_images


class ReconstructionError(Metric):
    """Mean over images of the smallest error with which a generator draws them: min over z of the mean of (G(z) - x)^2.

    Images that a generator cannot draw, of a dropped mode say, raise it; what it draws besides does not. Metz et al.
    2017 (unrolled GAN, arXiv:1611.02163) use it as "inference via optimization", Xiang & Li 2017 (arXiv:1704.03971) to
    compare normalisations. Values depend on the images, the steps and the restarts, so compare only equal settings.

    Args:
        latent_dim: size of the noise.
        steps: gradient steps of each latent point.
        restarts: starts of each image.
        learning_rate: of the first step.
        count: images to invert, the first that come; more are ignored, since each costs ``steps * restarts`` passes.
        seed: of the starts.
        clip: as in `invert_images`. In a large latent space an early generator is fitted by points that training
            never draws; with ``clip=1`` such fits do not count, and the error follows the training.
        origin: as in `invert_images`; ``**XIANG_LI`` from `lit_gans.latents.inversion` gives all the arguments of Xiang
            & Li.
        optimizer: as in `invert_images`.
        kwargs: arguments of `Metric`.

    Examples:
        >>> metric = ReconstructionError(latent_dim=4)
        >>> metric.update(torch.zeros(2, 1, 2, 2), nn.Unflatten(1, (1, 2, 2)))
        >>> metric.compute() < 1e-4
        tensor(True)
    """

    higher_is_better = False
    is_differentiable = False
    full_state_update = False
    total: Tensor
    seen: Tensor

    def __init__(
        self,
        latent_dim: int,
        steps: int = 200,
        restarts: int = 4,
        learning_rate: float = 0.1,
        count: int = 64,
        seed: int = 0,
        clip: float | None = None,
        origin: bool = False,
        optimizer: Callable[..., Optimizer] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.latent_dim, self.steps, self.restarts = latent_dim, steps, restarts
        self.learning_rate, self.count, self.seed, self.clip = learning_rate, count, seed, clip
        self.origin, self.optimizer = origin, optimizer
        self.add_state("total", default=torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("seen", default=torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, images: Tensor, generator: nn.Module, label: Tensor | None = None) -> None:
        """Inverts (N, C, H, W) images in [-1, 1], with (N,) labels if the generator is conditional."""
        left = self.count - int(self.seen)
        if left <= 0 or not len(images):
            return
        some = None if label is None else label[:left]
        errors = invert_images(
            generator,
            images[:left],
            self.latent_dim,
            self.steps,
            self.restarts,
            self.learning_rate,
            self.seed + int(self.seen),
            some,
            self.clip,
            self.origin,
            self.optimizer,
        ).errors
        self.total += errors.sum()
        self.seen += len(errors)

    def compute(self) -> Tensor:
        """The mean error, 0-dim.

        Raises:
            ValueError: if no image was inverted.
        """
        if not int(self.seen):
            raise ValueError("ReconstructionError has no images: call update with images and a generator first")
        return self.total / self.seen
