"""Self-attention between the places of a feature map."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def nearest_side(sides: Sequence[int], wanted: int) -> int:
    """The place of the side that is nearest to the wanted one; of two equally near, the smaller side's.

    Examples:
        >>> nearest_side([8, 16, 32], 20)
        1
    """
    return min(range(len(sides)), key=lambda i: (abs(sides[i] - wanted), sides[i]))


class SelfAttention(nn.Module):
    """Adds to every place of a map a weighted mean of all others, times a learned gain that begins at 0.

    Zhang et al. 2018, *Self-Attention Generative Adversarial Networks*, arXiv:1805.08318. Queries and keys have an
    eighth of the channels and values half; keys and values are max-pooled 2x2, so n places attend to n/4. There is no
    ``1 / sqrt(d)``: the scores are plain scalar products.

    Args:
        channels: channels of the map.

    Examples:
        >>> layer, maps = SelfAttention(16), torch.randn(2, 16, 8, 8)
        >>> torch.equal(layer(maps), maps)
        True
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, max(1, channels // 8), 1, bias=False)
        self.key = nn.Conv2d(channels, max(1, channels // 8), 1, bias=False)
        self.value = nn.Conv2d(channels, max(1, channels // 2), 1, bias=False)
        self.out = nn.Conv2d(max(1, channels // 2), channels, 1, bias=False)
        self.gain = nn.Parameter(torch.zeros(1))
        for layer in (self.query, self.key, self.value, self.out):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        query, key, value = self.query(maps), self.key(maps), self.value(maps)
        key, value = (F.max_pool2d(t, 2, ceil_mode=True).flatten(2) for t in (key, value))  # (N, C / 8 or 2, HW / 4)
        # written out: the fused kernels of scaled_dot_product_attention cannot be differentiated twice
        attention = (query.flatten(2).transpose(1, 2) @ key).softmax(-1)  # (N, HW, HW / 4)
        gathered = (value @ attention.transpose(1, 2)).unflatten(2, maps.shape[2:])  # (N, C / 2, H, W)
        return maps + self.gain * self.out(gathered.contiguous(memory_format=torch.channels_last))
