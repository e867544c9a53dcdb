"""Maps that are computed twice so that they need not be kept: less memory for large images, more time."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from lit_gans.errors import UsageError
from lit_gans.networks.layers import NORMS, Norm

#: layers that are recomputed together with the one before them
_SMALL = (*NORMS, nn.InstanceNorm2d, nn.ReLU, nn.LeakyReLU, nn.Tanh)


def recomputed(part: nn.Module, *inputs: Any) -> Any:
    """What a part of a network gives for these inputs.

    Its inner maps are let go and computed again in the backward pass, from its inputs and with the same random numbers
    (Chen et al. 2016, arXiv:1604.06174), so that gradients are the same to any order.

    Raises:
        UsageError: in a backward pass, if the part has other weights by then.
    """
    if not torch.is_grad_enabled():
        return part(*inputs)
    weights = [*part.parameters()]

    def run(*inputs: Any) -> Any:
        if any(now is not then for now, then in zip(part.parameters(), weights, strict=True)):
            raise UsageError(
                "recompute=True runs layers again in the backward pass, when those of an unrolled discriminator have "
                "other weights; leave recompute out"
            )
        return part(*inputs)

    return checkpoint(run, *inputs, use_reentrant=False)


def refuse_recomputing(norm: Norm) -> None:
    """Refuses a norm that changes with every pass, which would count the passes of recomputed layers twice.

    Raises:
        UsageError: if it is batch or spectral norm.
    """
    if norm in ("batch", "spectral"):
        raise UsageError(
            f"recompute=True runs layers twice, and {norm} norm changes with every run; use norm='instance', 'layer', "
            "'weight' or 'none', or leave recompute out"
        )


class Stages(nn.Sequential):
    """Layers one after the other; with ``recompute`` each is `recomputed` with the norm and activation after it."""

    recompute = False

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) to what the last layer gives."""
        if not self.recompute:
            return super().forward(maps)
        for stage in _stages(list(self)):
            maps = recomputed(stage, maps)
        return maps


def _stages(layers: Sequence[nn.Module]) -> list[nn.Sequential]:
    """Layers, grouped so that norms and activations are with the layer before them."""
    groups: list[list[nn.Module]] = []
    for layer in layers:
        if groups and isinstance(layer, _SMALL):
            groups[-1].append(layer)
        else:
            groups.append([layer])
    return [nn.Sequential(*group) for group in groups]
