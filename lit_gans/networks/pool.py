"""A memory of fakes."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """Gives a discriminator older fakes among the new ones, so that it does not forget what it has learnt.

    Shrivastava et al. 2016, arXiv:1612.07828: until the pool is full every fake is kept and given back; then, by the
    toss of a coin, a fake is given back or put in the place of a random kept one, which is given in its stead. The
    images are part of a checkpoint.

    Args:
        size: how many are kept; 0 gives back what it gets.
        image_shape: (channels, height, width) of them.
    """

    images: Tensor
    kept: Tensor
    #: every device keeps fakes of its own, and a checkpoint all of them
    each_device_its_own = True

    def __init__(self, size: int, image_shape: Sequence[int]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.zeros(size, *image_shape))
        self.register_buffer("kept", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def forward(self, fakes: Tensor) -> Tensor:
        """(N, C, H, W) to as many, of which some may be older."""
        if not self.size:
            return fakes
        given = []
        kept = int(self.kept)
        for fake in fakes.detach():
            if kept < self.size:
                self.images[kept] = fake
                kept += 1
                given.append(fake)
            elif torch.rand(()) < 0.5:
                place = int(torch.randint(self.size, ()))
                given.append(self.images[place].to(fake.dtype, copy=True))
                self.images[place] = fake
            else:
                given.append(fake)
        self.kept.fill_(kept)
        return torch.stack(given)
