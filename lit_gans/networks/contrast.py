"""Heads for the features that a contrastive game compares."""

from collections.abc import Sequence

from torch import Tensor, nn

from lit_gans.networks.layers import normal


class PatchProjector(nn.Module):
    """A multi-layer perceptron of two layers for each map of features.

    Park et al. 2020, arXiv:2007.15651, section 3.2.

    Args:
        channels: number of channels of each map.
        features: number of hidden units, and of outputs.

    Examples:
        >>> import torch
        >>> heads = PatchProjector((3, 8), features=4)
        >>> [out.shape for out in heads([torch.zeros(1, 10, 3), torch.zeros(1, 10, 8)])]
        [torch.Size([1, 10, 4]), torch.Size([1, 10, 4])]
    """

    def __init__(self, channels: Sequence[int], features: int = 256) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(i, features), nn.ReLU(), nn.Linear(features, features)) for i in channels
        )
        self.apply(normal)

    def forward(self, picked: Sequence[Tensor]) -> list[Tensor]:
        """(N, P, channels) of every map to (N, P, features)."""
        return [head(values) for head, values in zip(self.heads, picked, strict=True)]
