"""Checks every gradient before it moves a weight."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_gans.errors import NonFiniteLoss

_LARGEST = 1e18  # the square of a larger norm overflows the second moment of Adam, which is float32
CURE = "training stopped, the last checkpoint was kept; try a lower learning rate, clip_norm=1 or precision 32-true"


class Watched:
    """Norms of the players' gradients, and which player's gradient broke first.

    One batch whose gradient is NaN, infinite or so large that Adam's moments overflow ruins a player for good, although
    its loss may be finite. So the norm is checked before each step. On the CPU that costs next to nothing. On an
    accelerator the check would wait for the device: there a bad gradient is replaced by zeros, and the number of its
    batch stays on the device until `broken` asks for it.
    """

    def __init__(self) -> None:
        self.player = "model"  #: whose turn it is
        self.norms: dict[str, Tensor] = {}  #: of each player's last gradient, before clipping
        self.bad: dict[str, Tensor] = {}  #: the number of the first batch with a bad gradient, infinity for none

    def look(self, optimizer: Optimizer, batch_number: int, scaler: Any = None) -> None:
        """Measures the gradient that ``optimizer`` is about to apply.

        Args:
            optimizer: whose parameters have gradients.
            batch_number: the number that an error names.
            scaler: a gradient scaler, which skips steps with infinite gradients by itself.

        Raises:
            NonFiniteLoss: on the CPU, if the norm is not finite or above 1e18.
        """
        gradients = [p.grad for p in _moved(optimizer)]
        if not gradients:
            return
        dense = [g.coalesce().values() if g.is_sparse else g for g in gradients if g is not None]
        # get_total_norm first sorts by device and number type, which takes as long again
        norm = self.norms[self.player] = torch.linalg.vector_norm(torch.stack(list(torch._foreach_norm(dense))))
        if scaler is not None:
            return
        if norm.device.type == "cpu":
            if not norm <= _LARGEST:
                raise NonFiniteLoss(f"{_complaint(self.player, float(norm), batch_number)}; {CURE}")
            return
        good = norm <= _LARGEST
        for gradient in dense:
            gradient.copy_(torch.where(good, gradient, 0))
        self.norms[self.player] = torch.where(good, norm, 0)
        first = self.bad.setdefault(self.player, torch.full((), torch.inf, device=norm.device))
        self.bad[self.player] = torch.where(good, first, first.clamp(max=batch_number))

    def clip(self, optimizer: Optimizer, most: float) -> None:
        """Scales the gradient that `look` has just measured down to the norm ``most``, if it is longer."""
        if self.player in self.norms:
            nn.utils.clip_grads_with_norm_(_moved(optimizer), most, self.norms[self.player])

    def broken(self) -> str | None:
        """Says in words whose gradient was bad, None if none was; on an accelerator this waits for the device."""
        for player, first in self.bad.items():
            if (number := float(first)) != torch.inf:
                return _complaint(player, torch.nan, int(number))
        return None

    def refuse_broken(self) -> None:
        """Raises a `NonFiniteLoss` if a gradient was bad."""
        if complaint := self.broken():
            raise NonFiniteLoss(f"{complaint}; {CURE}")


def parameters_of(optimizer: Any) -> list[nn.Parameter]:
    """The parameters that an optimizer has now."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _moved(optimizer: Optimizer) -> list[nn.Parameter]:
    """The parameters that a step will move."""
    return [p for p in parameters_of(optimizer) if p.grad is not None]


def _complaint(player: str, norm: float, batch_number: int) -> str:
    size = f"has the norm {norm:g}" if norm == norm else "is not finite, or too large"
    return f"the {player}'s gradient {size} at batch {batch_number}"
