"""Sharpness: how much fine detail images have."""

from typing import Any

import torch
from torch import Tensor

from lit_gans.images.shape import in_colour
from lit_gans.metrics.checks import checked_images
from lit_gans.metrics.pictured import OfPixels

_LUMA = (0.299, 0.587, 0.114)


class Sharpness(OfPixels):
    """Variance of the Laplacian of the luma, averaged over images.

    A measure of focus (Pech-Pacheco et al. 2000, doi:10.1109/ICPR.2000.903548). The Laplacian is the sum of the four
    neighbours less four times the pixel, at all pixels that have four neighbours; the luma is that of ITU-R BT.601.
    Images are in [-1, 1], so white noise of variance v has 20 v. Blurred samples have less than real data, noisy ones
    and those with a checkerboard more: compare with real images of the same size.

    Args:
        reset_real: whether `reset` forgets the real images too.
        kwargs: arguments of `Metric`.

    Examples:
        >>> metric = Sharpness()
        >>> edge = torch.ones(1, 1, 8, 8).index_fill(3, torch.arange(4), -1)
        >>> metric.update(edge)
        >>> metric.compute()
        tensor(1.3333)
    """

    total: Tensor

    def __init__(self, reset_real: bool = True, **kwargs: Any) -> None:
        super().__init__(reset_real, **kwargs)
        self.add_state("total", default=torch.zeros(2), dist_reduce_fx="sum")
        self.add_state("count", default=torch.zeros(2, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, images: Tensor, real: bool = False) -> None:
        """Adds (N, C, H, W) images in [-1, 1] or uint8: of any channels, see `in_colour`, of 3 x 3 pixels or more.

        Args:
            images: generated ones, or real ones to compare with.
            real: which of them.

        Raises:
            UsageError: if they are of another type or shape or not finite.
        """
        images = checked_images(images, "Sharpness", smallest=3)
        images = in_colour(images)
        if images.shape[1] == 3:
            images = (images * images.new_tensor(_LUMA).view(3, 1, 1)).sum(1, keepdim=True)
        rows, columns = images[..., 1:-1, :], images[..., 1:-1]
        neighbours = rows[..., :-2] + rows[..., 2:] + columns[..., :-2, :] + columns[..., 2:, :]
        laplacian = (neighbours - 4 * rows[..., 1:-1]).flatten(1)
        # not var(), which warns if there are no images
        variance = (laplacian - laplacian.mean(1, keepdim=True)).square().mean(1)
        self.total = self.plus(self.total, variance.sum().to(self.total), real)
        self.count = self.plus(self.count, len(images), real)

    def compute(self) -> Tensor:
        """The mean over the generated images, 0-dim, from 0.

        Raises:
            UsageError: if there are none.
        """
        self.refuse_none()
        return self.total[0] / self.count[0]

    def compute_real(self) -> Tensor:
        """The same of the real images, to compare with."""
        self.refuse_none(real=True)
        return self.total[1] / self.count[1]
