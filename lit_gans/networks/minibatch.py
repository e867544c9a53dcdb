"""Features of an image that compare it with the others of its batch."""

import torch
from torch import Tensor, nn

from lit_gans.precision import full


class MinibatchDiscrimination(nn.Module):
    """Appends to each sample's features how near the other samples are, so that a batch of copies can be recognised.

    Salimans et al. 2016, section 3.2: for each kernel b the features of sample i are mapped to a few dimensions, M_ib,
    and ``o_ib = sum_{j != i} exp(-|M_ib - M_jb|_1)`` is appended. Reals and fakes must come in separate batches.

    Args:
        features: number of features of a sample.
        kernels: number of similarities that are appended.
        dims: dimensions of the space that a kernel compares in.

    Examples:
        >>> layer = MinibatchDiscrimination(features=3, kernels=2)
        >>> copies = torch.ones(4, 3)
        >>> layer(copies)[:, 3:].tolist() == [[3.0, 3.0]] * 4
        True
    """

    def __init__(self, features: int, kernels: int, dims: int = 5) -> None:
        super().__init__()
        self.kernels, self.dims = kernels, dims
        self.project = nn.Linear(features, kernels * dims, bias=False)
        nn.init.normal_(self.project.weight, std=features**-0.5)

    def forward(self, features: Tensor) -> Tensor:
        """(N, features) to (N, features + kernels)."""
        points = full(self.project(features)).view(-1, self.kernels, self.dims).transpose(0, 1)  # (kernels, N, dims)
        distances = torch.cdist(points, points, p=1.0)  # (kernels, N, N)
        nearness = torch.exp(-distances).sum(2) - 1  # (kernels, N), without the sample itself
        return torch.cat([features, nearness.T.to(features.dtype)], 1)
