"""Sharpness: how much fine detail images have."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lit_gans.errors import UsageError
from lit_gans.metrics.checks import checked_images

_LUMA = (0.299, 0.587, 0.114)


class Sharpness(Metric):
    """Variance of the Laplacian of the luma, averaged over images.

    A measure of focus (Pech-Pacheco et al. 2000, doi:10.1109/ICPR.2000.903548). The Laplacian is the sum of the four
    neighbours less four times the pixel, at all pixels that have four neighbours; the luma is that of ITU-R BT.601.
    Images are in [-1, 1], so white noise of variance v has 20 v. Blurred samples have less than real data, noisy ones
    and those with a checkerboard more: compare with real images of the same size.

    Args:
        kwargs: arguments of `Metric`.

    Examples:
        >>> metric = Sharpness()
        >>> edge = torch.ones(1, 1, 8, 8).index_fill(3, torch.arange(4), -1)
        >>> metric.update(edge)
        >>> metric.compute()
        tensor(1.3333)
    """

    is_differentiable = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", default=torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, images: Tensor) -> None:
        """Adds (N, C, H, W) images in [-1, 1]: grey with C = 1, coloured with C = 3, of 3 x 3 pixels or more.

        Raises:
            UsageError: if they are of another type or shape or not finite.
        """
        images = checked_images(images, "Sharpness", smallest=3)
        if images.shape[1] not in (1, 3):
            raise UsageError(f"Sharpness expects images of 1 or 3 channels, got {images.shape[1]}")
        if images.shape[1] == 3:
            images = (images * images.new_tensor(_LUMA).view(3, 1, 1)).sum(1, keepdim=True)
        rows, columns = images[..., 1:-1, :], images[..., 1:-1]
        neighbours = rows[..., :-2] + rows[..., 2:] + columns[..., :-2, :] + columns[..., 2:, :]
        laplacian = (neighbours - 4 * rows[..., 1:-1]).flatten(1)
        # not var(), which warns if there are no images
        self.total = self.total + (laplacian - laplacian.mean(1, keepdim=True)).square().mean(1).sum()
        self.count = self.count + len(images)

    def compute(self) -> Tensor:
        """The mean, 0-dim, from 0.

        Raises:
            UsageError: if there are no images.
        """
        if not self.count:
            raise UsageError("Sharpness needs images, got none: call update before compute")
        return self.total / self.count
