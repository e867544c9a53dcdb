"""The directions of a latent space in which one sample changes most."""

from collections.abc import Callable

import torch
from torch import Tensor

from lit_gans.errors import at_least

_MOST = 64  # directions that are tried; of a larger space so many random ones
_STEP = 0.1  # in units of the noise


def directions(draw: Callable[[Tensor], Tensor], point: Tensor, count: int = 6, seed: int = 0) -> Tensor:
    """The directions in which the image of a latent point changes most: singular vectors of the generator's Jacobian.

    The Jacobian is measured by small steps. Of a space of more than 64 dimensions only 64 random orthogonal directions
    are looked at, so that a large generator is asked for few images.

    Args:
        draw: maps noise (N, latent_dim) to images (N, C, H, W).
        point: (latent_dim,) or (1, latent_dim).
        count: how many directions; fewer where the space has fewer.
        seed: of the random directions.

    Returns:
        (count, latent_dim) of length 1, orthogonal, that of most change first; the largest entry of each is positive.

    Raises:
        UsageError: if ``count`` is below 1.

    Examples:
        >>> stretched = lambda noise: (noise * torch.tensor([1.0, 5.0, 2.0])).view(-1, 1, 1, 3)
        >>> directions(stretched, torch.zeros(3), count=2).round(decimals=3).tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    at_least(1, count=count)
    point = point.view(1, -1).float().cpu()
    size = point.shape[1]
    tried = torch.eye(size)
    if size > _MOST:
        rng = torch.Generator().manual_seed(seed)
        tried = torch.linalg.qr(torch.randn(size, _MOST, generator=rng))[0].T  # (_MOST, size)
    images = draw(torch.cat([point, point + _STEP * tried])).flatten(1).float().cpu()
    change = (images[1:] - images[:1]) / _STEP  # (tried, pixels)
    _, vectors = torch.linalg.eigh(change @ change.T)  # of rising eigenvalues
    found = vectors.flip(1)[:, :count].T @ tried  # (count, size)
    largest = found.gather(1, found.abs().argmax(1, keepdim=True))
    return found * largest.sign()
