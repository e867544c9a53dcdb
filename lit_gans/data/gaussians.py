"""Mixtures of Gaussians in the plane: mode coverage that can be seen."""

from math import pi
from typing import Literal

import torch
from torch import Tensor

from lit_gans.data.image_data import ImageData
from lit_gans.data.samples import Samples
from lit_gans.errors import UsageError

_POINTS = {"train": 100_000, "val": 2_500, "test": 2_500}


class Gaussians(ImageData):
    """Eight Gaussians on a ring, or 25 on a 5x5 grid, as 2-channel images of one pixel.

    The protocol of VEEGAN and PacGAN (Srivastava et al. 2017, arXiv:1705.07761; Lin et al. 2018, arXiv:1712.04086):
    100,000 training points; ring of radius 1 with sigma 0.01, grid at {-4, -2, 0, 2, 4} squared with sigma 0.05. Points
    are divided by ``scale`` so that all of them lie in [-1, 1]; ``label`` is the mode.

    Args:
        kind: ``ring`` or ``grid``.
        batch_size: points a device and batch.
        num_workers: worker processes.
        seed: of the points and their order.

    Examples:
        >>> data = Gaussians("grid")
        >>> data.setup("fit")
        >>> data.splits["train"].values("image").shape, data.num_classes
        (torch.Size([100000, 2, 1, 1]), 25)
    """

    image_shape = (2, 1, 1)

    def __init__(
        self, kind: Literal["ring", "grid"] = "ring", batch_size: int = 256, num_workers: int = 0, seed: int = 0
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if kind == "ring":
            angles = torch.arange(8) * (2 * pi / 8)
            self.means, self.sigma, self.scale = torch.stack([angles.cos(), angles.sin()], 1), 0.01, 1.25
        elif kind == "grid":
            axis = torch.arange(-4.0, 5.0, 2.0)
            self.means, self.sigma, self.scale = torch.cartesian_prod(axis, axis), 0.05, 5.0
        else:
            raise UsageError(f"kind must be 'ring' or 'grid', got {kind!r}")
        self.kind, self.num_classes = kind, len(self.means)

    def load(self, split: str) -> Samples:
        """The points of a split, which depend on the seed and the split alone."""
        count, offset = _POINTS[split], list(_POINTS).index(split)
        rng = torch.Generator().manual_seed(3 * self.seed + offset)
        label = torch.randint(len(self.means), (count,), generator=rng)
        points = self.means[label] + self.sigma * torch.randn(count, 2, generator=rng)
        return Samples({"image": (points / self.scale).view(count, 2, 1, 1), "label": label})

    def to_plane(self, image: Tensor) -> Tensor:
        """(N, 2, 1, 1) images, real or generated, to (N, 2) points in the units of the protocol."""
        return image.flatten(1) * self.scale
