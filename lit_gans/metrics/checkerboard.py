"""Checkerboard artefacts: power at the frequencies that up-sampling by strides leaves behind."""

from typing import Any

import torch
from torch import Tensor

from lit_gans.metrics.checks import checked_images
from lit_gans.metrics.pictured import OfPixels

# the multiples of 1/4 cycle per pixel, vertically and horizontally, without (0, 0) and without the mirror images that
# the spectrum of real numbers has
_FREQUENCIES = [(0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1), (2, 2)]
# added to all powers, in units of their mean: far below the rounding of 8 bits and far above that of float32, so that
# frequencies with nothing but errors of rounding have ratio 1
_FLOOR = 1e-9


class Checkerboard(OfPixels):
    """Power at multiples of 1/4 and 1/2 cycles per pixel, relative to the frequencies beside them.

    A transposed convolution of stride 2 treats even and odd pixels differently, most of all if the stride does not
    divide its kernel (Odena et al. 2016, doi:10.23915/distill.00003), so that its output repeats with period 2, and
    with period 4 if another one follows. The measure is ours. The power spectra of the images, each less its mean, are
    added up. The power at each frequency that such patterns can have is divided by the geometric mean of its neighbours
    above, below, left and right; on an axis only those along it count, because images have more power on axes than
    beside them. The result is the mean of these 9 ratios.

    Natural images have smooth spectra and score about 1. Up-sampling to nearest neighbours followed by a convolution
    has zeros at these frequencies and scores below 1, or about 1 once trained. Patterns score several to hundreds. One
    image is too noisy, since white noise alone may score 5: use a hundred or more, and not of a collapsed generator.

    Args:
        reset_real: whether `reset` forgets the real images too.
        kwargs: arguments of `Metric`.

    Examples:
        >>> noise = torch.randn(100, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> metric = Checkerboard()
        >>> metric.update(noise)
        >>> 0.8 < float(metric.compute()) < 1.2
        True
        >>> metric.reset()
        >>> metric.update(noise + torch.tensor([0.0, 1.0]).repeat(8))
        >>> float(metric.compute()) > 1.5
        True
    """

    higher_is_better = False
    powers: Tensor

    def __init__(self, reset_real: bool = True, **kwargs: Any) -> None:
        super().__init__(reset_real, **kwargs)
        # of each kind a row for each frequency: its own power and those of four neighbours
        self.add_state("powers", default=torch.zeros(2, len(_FREQUENCIES), 5), dist_reduce_fx="sum")
        self.add_state("count", default=torch.zeros(2, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, images: Tensor, real: bool = False) -> None:
        """Adds (N, C, H, W) images in [-1, 1] or uint8 of any number of channels, of 8 x 8 pixels or more.

        Sizes that 4 does not divide are cropped at the bottom and the right.

        Args:
            images: generated ones, or real ones to compare with.
            real: which of them.

        Raises:
            UsageError: if they are of another type or shape or not finite.
        """
        images = checked_images(images, "Checkerboard", smallest=8)
        if not len(images):  # the transform of newer MKLs refuses an empty batch
            return
        height, width = (size // 4 * 4 for size in images.shape[2:])
        images = images[..., :height, :width]
        spectrum = torch.fft.fft2(images - images.mean((2, 3), keepdim=True), norm="ortho")
        power = (spectrum.real.square() + spectrum.imag.square()).mean(1).sum(0)
        power = power + _FLOOR * power.mean()
        vertical, horizontal = _bins(height, width)
        self.powers = self.plus(self.powers, power[vertical, horizontal].to(self.powers), real)
        self.count = self.plus(self.count, len(images), real)

    def compute(self) -> Tensor:
        """The ratio of the generated images, 0-dim, from 0.

        Raises:
            UsageError: if there are none.
        """
        self.refuse_none()
        return self._ratio(self.powers[0])

    def compute_real(self) -> Tensor:
        """The same of the real images, to compare with."""
        self.refuse_none(real=True)
        return self._ratio(self.powers[1])

    def _ratio(self, powers: Tensor) -> Tensor:
        # images of one colour have no power at all and no pattern either
        levels = (powers + torch.finfo(powers.dtype).tiny).log()
        return (levels[:, 0] - levels[:, 1:].mean(1)).exp().mean()


def _bins(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Row and column numbers (9, 5) in the spectrum of the frequencies and their neighbours."""
    table = []
    for vertical, horizontal in _FREQUENCIES:
        up, left = ([(-1, 0), (1, 0)], [(0, -1), (0, 1)])
        beside = (up + left) if vertical and horizontal else 2 * (up if vertical else left)
        table.append([(vertical * height // 4 + i, horizontal * width // 4 + j) for i, j in [(0, 0), *beside]])
    bins = torch.tensor(table)
    return bins[..., 0] % height, bins[..., 1] % width
