"""Judging several images at once."""

from math import ceil

import torch
from torch import Tensor, nn

from lit_gans.errors import UsageError
from lit_gans.networks.base import Discriminator


class PackedDiscriminator(Discriminator):
    """Joins images along their channels and has another network judge each pack (Lin et al. 2018, arXiv:1712.04086).

    Neighbours in the batch make a pack, so the rows must be independent: a shuffled batch, noise of its own for every
    fake. Where the batch is no multiple of ``packing``, the last pack is filled up with the first rows, so that every
    image is judged.

    Any game that judges images one by one can be packed: ``LSGAN(generator, PackedDiscriminator(network, 2))``.

    Args:
        discriminator: judges images of ``packing`` times as many channels.
        packing: how many images it sees at once.

    Raises:
        UsageError: if ``packing`` is below 1.

    Examples:
        >>> from lit_gans.networks import DCGANDiscriminator
        >>> discriminator = PackedDiscriminator(DCGANDiscriminator((2 * 3, 32, 32), width=8), packing=2)
        >>> discriminator(torch.zeros(64, 3, 32, 32)).shape
        torch.Size([32])
    """

    def __init__(self, discriminator: nn.Module, packing: int = 2) -> None:
        super().__init__()
        if packing < 1:
            raise UsageError(f"packing counts the images of a pack and must be at least 1, got {packing}")
        self.packing = packing
        self.discriminator = discriminator

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to what the network says of packs (ceil(N / packing), packing * C, H, W)."""
        n, channels, height, width = image.shape
        packs = ceil(n / self.packing)
        if n % self.packing:
            image = image[torch.arange(packs * self.packing, device=image.device) % n]
        return self.discriminator(image.reshape(packs, self.packing * channels, height, width))
