"""The number types that losses, penalties and networks run in."""

import torch
from torch import Tensor

_HALVES = (torch.bfloat16, torch.float16)


def full(values: Tensor) -> Tensor:
    """Half-precision ``values`` as float32, all others unchanged: the number type that losses are computed in."""
    return values.float() if values.dtype in _HALVES else values


def without_autocast(values: Tensor) -> Tensor:
    """``values`` in the number type that a network's weights have where autocast is switched off."""
    return values.float() if torch.is_autocast_enabled(values.device.type) else values
