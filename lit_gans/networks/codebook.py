"""Networks between images and a grid of codes, each of them one of a small number."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.precision import full, without_autocast

#: values are moved into [EDGE, 1 - EDGE] before their logit is taken, which has no value at 0 and 1
EDGE = 0.1


class ResidualBlock(nn.Module):
    """Two convolutions on a path that is added to its input, and that is nothing at the start of training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        return x + self.last(F.relu(self.first(F.relu(x))))


class CodeEncoder(nn.Module):
    """Images to the logits of a code at each place of a grid, whose sides are 2^downs times shorter.

    Args:
        channels: of the images.
        codes: how many there are.
        downs: how many times the sides are halved.
        width: channels at the grid; half of them before the last halving, and so on.
        blocks: residual blocks at the grid.
    """

    def __init__(self, channels: int, codes: int, downs: int = 2, width: int = 64, blocks: int = 1) -> None:
        super().__init__()
        widths = [channels, *(_width(width, downs - number) for number in range(1, downs + 1))]
        steps: list[nn.Module] = []
        for before, after in pairwise(widths):
            steps += [nn.Conv2d(before, after, 4, 2, 1), nn.ReLU()]
        self.down = nn.Sequential(*steps[:-1])
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.judge = nn.Conv2d(width, codes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] to float32 logits (N, codes, h, w)."""
        return full(self.judge(F.relu(self.blocks(self.down(image)))))


class CodeDecoder(nn.Module):
    """A grid of codes, or of weights of codes, to images.

    Args:
        channels: of the images.
        codes: how many there are.
        downs: how many times the sides are doubled.
        width: channels at the grid; half of them after the first doubling, and so on.
        blocks: residual blocks at the grid.
        spread: whether `logits` gives also the logarithm of a spread for each value, for the logit-Laplace likelihood.
    """

    def __init__(
        self, channels: int, codes: int, downs: int = 2, width: int = 64, blocks: int = 1, spread: bool = False
    ) -> None:
        super().__init__()
        self.codes, self.spread = codes, spread
        self.read = nn.Conv2d(codes, width, 1)
        # one input of many is 1 and the others are 0, so that the usual start, for many inputs, would be too small
        nn.init.normal_(self.read.weight)
        self.mix = nn.Conv2d(width, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        widths = [_width(width, number) for number in range(downs)]
        steps: list[nn.Module] = []
        for before, after in zip(widths, [*widths[1:], channels * (2 if spread else 1)], strict=True):
            steps += [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1)]
        self.up = nn.Sequential(*steps)

    def logits(self, weights: Tensor) -> Tensor:
        """(N, codes, h, w) to unbounded (N, C, H, W), or (N, 2 C, H, W) with the spreads."""
        return self.up(self.blocks(self.mix(self.read(weights))))

    def forward(self, weights: Tensor) -> Tensor:
        """(N, codes, h, w) to images (N, C, H, W) in [-1, 1]."""
        return self.image(self.logits(weights))

    def image(self, logits: Tensor) -> Tensor:
        """The images (N, C, H, W) in [-1, 1] that logits stand for."""
        if not self.spread:
            return logits.tanh()
        share = without_autocast(logits.chunk(2, 1)[0]).sigmoid()
        return 2 * ((share - EDGE) / (1 - 2 * EDGE)).clamp(0, 1) - 1

    def of_codes(self, codes: Tensor) -> Tensor:
        """Whole codes (N, h, w) to images (N, C, H, W) in [-1, 1]."""
        return self(one_hot(codes, self.codes).to(self.read.weight.dtype))


def one_hot(codes: Tensor, number: int) -> Tensor:
    """Codes (N, h, w) as float weights (N, number, h, w)."""
    return F.one_hot(codes, number).movedim(-1, 1).float()


def gumbel_softmax(logits: Tensor, temperature: float) -> Tensor:
    """A soft choice among the codes of logits (N, codes, h, w), at random with their probabilities.

    Jang et al. 2016, arXiv:1611.01144: the softmax of logits plus Gumbel noise, over a temperature; near 0 it is hard.
    """
    noise = -torch.empty_like(logits).exponential_().log()
    return ((logits + noise) / temperature).softmax(1)


def _width(width: int, halved: int) -> int:
    return max(8, width >> halved)
