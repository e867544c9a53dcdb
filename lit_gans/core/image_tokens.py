"""Models that turn images into grids of codes and back: the tokenizers that a transformer draws by."""

from abc import abstractmethod

import torch
import torch.distributed as dist
from torch import Tensor

from lit_gans.core.generative import GenerativeModel
from lit_gans.errors import UsageError


class ImageTokenizer(GenerativeModel):
    """An image as a grid of whole numbers below ``codes``, and an image of such a grid.

    Give it beside the base of the training, as ``class DiscreteVAE(ImageTokenizer, JointModel)``. A variant sets
    ``codes``, writes `grid`, `codes_of` and `image_of`, and calls `count_codes` in its validation step. How many of the
    codes are in use is then logged after every validation and test: ``val/codes_used``, the share of the codes that
    were chosen at least once, and ``val/code_perplexity``, the exponential of the entropy of the codes, which is
    ``codes`` if all are equally frequent.
    """

    #: how many codes there are
    codes: int
    _counts: Tensor | None = None

    @property
    @abstractmethod
    def grid(self) -> tuple[int, int]:
        """The rows and columns of codes of an image."""

    @abstractmethod
    def codes_of(self, images: Tensor) -> Tensor:
        """Codes (n, h, w) int64 of a few images, on the model's device and of its number type, by the averages."""

    @abstractmethod
    def image_of(self, codes: Tensor) -> Tensor:
        """Images (n, C, H, W) in [-1, 1] of a few codes (n, h, w), by the averages."""

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Codes (N, h, w) int64, from 0 to ``codes`` - 1, of images (N, C, H, W) in [-1, 1], by the averaged networks.

        Raises:
            UsageError: if they are no images, or of another shape than the model's.
        """
        name, shape = type(self).__name__, tuple(self.shape)
        images = self.usable_images(images, f"a {name} encodes")
        if tuple(images.shape[1:]) != shape:
            raise UsageError(f"this {name} encodes images of shape {shape}, got {tuple(images.shape[1:])}; resize them")
        like = self._like()
        return torch.cat([self.codes_of(part.to(like)) for part in images.split(_AT_ONCE)])

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Images (N, C, H, W) float32 in [-1, 1] of codes (N, h, w), by the averaged networks.

        Raises:
            UsageError: if they are no whole numbers, of another grid, or there is no such code.
        """
        codes = torch.as_tensor(codes)
        if codes.is_floating_point() or tuple(codes.shape[1:]) != self.grid:
            raise UsageError(
                f"this {type(self).__name__} decodes whole numbers (N, {self.grid[0]}, {self.grid[1]}), got "
                f"{tuple(codes.shape)} of {str(codes.dtype).removeprefix('torch.')}"
            )
        if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < self.codes:
            raise UsageError(
                f"codes of this {type(self).__name__} are from 0 to {self.codes - 1}, got {int(codes.min())} to "
                f"{int(codes.max())}"
            )
        parts = codes.to(self.device).split(_AT_ONCE)
        return torch.cat([self.image_of(part).float() for part in parts])

    def reconstruct(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1], encoded and decoded again."""
        return self.decode(self.encode(images))

    # ---------------------------------------------------------------- use of the codes

    def count_codes(self, codes: Tensor) -> None:
        """Notes the codes of a validation batch, unless another device has noted them."""
        if not self.repeats:
            found = torch.bincount(codes.flatten(), minlength=self.codes)
            self._counts = found if self._counts is None else self._counts + found

    def on_validation_epoch_end(self) -> None:
        """Logs how many of the codes were chosen, and how evenly."""
        counts, self._counts = self._counts, None
        if counts is None:
            counts = torch.zeros(self.codes, dtype=torch.long, device=self.device)
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(counts)
        if counts.sum():
            self.log_dict({f"{self.stage_name}/{name}": value for name, value in code_use(counts).items()})

    def on_test_epoch_end(self) -> None:
        """The same in a test."""
        self.on_validation_epoch_end()


_AT_ONCE = 500  # images or grids that the networks get at once


def code_use(counts: Tensor) -> dict[str, Tensor]:
    """How much of a codebook is in use.

    Args:
        counts: (codes,) how often each code was chosen.

    Returns:
        ``codes_used``: the share of the codes that were chosen at all; ``code_perplexity``: the exponential of their
        entropy.

    Examples:
        >>> code_use(torch.tensor([5, 5, 0, 0]))
        {'codes_used': tensor(0.5000), 'code_perplexity': tensor(2.)}
    """
    share = counts.double() / counts.sum().clamp(min=1)
    entropy = -torch.special.xlogy(share, share).sum()
    return {"codes_used": (counts > 0).float().mean(), "code_perplexity": entropy.exp().float()}
