"""Random strengths, one an image: 0 with probability 1 - p, which leaves the image as it is.

All draws come from torch's global generator on the images' device, in float32 whatever the default dtype is (a run in
bf16-true changes it, and 256 steps are too few for a coin or an angle).
"""

import torch
from torch import Tensor


def uniform(images: Tensor, p: Tensor, reach: float) -> Tensor:
    """Strengths (N,) from U(-reach, reach), or 0."""
    return _coin(images, p, (torch.rand(len(images), device=images.device, dtype=torch.float32) * 2 - 1) * reach)


def normal(images: Tensor, p: Tensor, deviation: float) -> Tensor:
    """Strengths (N,) from N(0, deviation^2), or 0."""
    return _coin(images, p, torch.randn(len(images), device=images.device, dtype=torch.float32) * deviation)


def integers(images: Tensor, p: Tensor, low: int, high: int) -> Tensor:
    """Whole numbers (N,), int64, uniform from ``low`` to ``high``, or 0."""
    return _coin(images, p, torch.randint(low, high + 1, (len(images),), device=images.device))


def happens(images: Tensor, p: Tensor) -> Tensor:
    """Decisions (N,), bool, each true with probability p."""
    return torch.rand(len(images), device=images.device, dtype=torch.float32) < p


def _coin(images: Tensor, p: Tensor, values: Tensor) -> Tensor:
    return torch.where(happens(images, p), values, 0)
