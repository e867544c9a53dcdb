"""Several devices tell each other what they have."""

from typing import Any, TypeVar

import torch.distributed as dist

T = TypeVar("T")


def gathered(value: T) -> list[T]:
    """Every device's value, in order; all devices must call this, and tensors in it should be on the CPU."""
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values
