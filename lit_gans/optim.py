"""Optimizers and schedules with the defaults that GANs use."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel

from lit_gans.errors import UsageError


def _other_names(cls: type) -> list[type]:
    """The subclasses of a class; one that has the name of a PyTorch optimizer is replaced by its own subclasses."""
    found: list[type] = []
    below: list[type] = type.__subclasses__(cls)
    for subclass in below:
        found += _other_names(subclass) if hasattr(torch.optim, subclass.__name__) else [subclass]
    return found


class _UnlistedAdam(torch.optim.Adam):
    """Keeps `Adam` out of lists of subclasses: other command lines would find two classes of that name."""

    __subclasses__: Any = classmethod(_other_names)

    def _accelerator_graph_capture_health_check(self) -> None:
        """PyTorch's, where weights are on a card; on the CPU it would ask the machine for its cards at every step."""
        if any(p.device.type != "cpu" for group in self.param_groups for p in group["params"][:1]):
            super()._accelerator_graph_capture_health_check()


class Adam(_UnlistedAdam):
    """Adam with the learning rate and betas of Radford et al. 2015 (arXiv:1511.06434, section 4).

    A class rather than a ``partial``, so that configurations and checkpoints can name it. On the CPU it uses the fused
    kernel, which is several times faster for the many small tensors of a GAN.

    Args:
        params: parameters or parameter groups.
        lr: learning rate.
        betas: decay of the first and second moment.
        eps: added to the denominator.
        weight_decay: L2 penalty.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, (betas[0], betas[1]), eps, weight_decay)
        tensors = [t for group in self.param_groups for t in group["params"]]
        if all(t.device.type == "cpu" and t.is_floating_point() for t in tensors):
            for group in self.param_groups:
                group["fused"] = True

    def load_state_dict(self, state_dict: Any) -> None:
        """PyTorch's; the moments get the memory order of their weights, which the fused kernel takes for granted.

        A checkpoint may have another one, as networks had another order in other versions.
        """
        super().load_state_dict(state_dict)
        for parameter, state in self.state.items():
            for name, value in state.items():
                if isinstance(value, Tensor) and value.ndim and value.shape == parameter.shape:
                    state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


class AdamWithoutMomentum(Adam):
    """`Adam` with beta1 = 0, for discriminators that a gradient penalty or spectral norm regularises.

    Gulrajani et al. 2017 (arXiv:1704.00028), Miyato et al. 2018 (arXiv:1802.05957) and their successors: momentum makes
    such a player overshoot.

    Args:
        params: parameters or parameter groups.
        lr: learning rate.
        betas: decay of the first and second moment.
        eps: added to the denominator.
        weight_decay: L2 penalty.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.0, 0.9),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


class StyleAdam(Adam):
    """`Adam` with StyleGAN2's betas (0, 0.99) and a learning rate for weights that are near 1.

    Weights with an equalised learning rate want ten times the usual one: 0.002 in Karras et al. 2020
    (arXiv:1912.04958), 0.0025 below 1024 pixels in their next paper (arXiv:2006.06676), which is the default.

    Args:
        params: parameters or parameter groups.
        lr: learning rate.
        betas: decay of the first and second moment.
        eps: added to the denominator.
        weight_decay: L2 penalty.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2.5e-3,
        betas: tuple[float, float] = (0.0, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


class TextAdam(Adam):
    """`Adam` with the betas (0.9, 0.98) of Transformers, and a learning rate for networks that read and write texts.

    Vaswani et al. 2017, *Attention Is All You Need*, arXiv:1706.03762, section 5.3. It goes with `WarmUp`.

    Args:
        params: parameters or parameter groups.
        lr: learning rate.
        betas: decay of the first and second moment.
        eps: added to the denominator.
        weight_decay: L2 penalty.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-9,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


class _UnlistedRMSprop(torch.optim.RMSprop):
    """Keeps `RMSprop` out of lists of subclasses, as `_UnlistedAdam` does with `Adam`."""

    __subclasses__: Any = classmethod(_other_names)


class RMSprop(_UnlistedRMSprop):
    """RMSprop with the learning rate of Arjovsky et al. 2017 (arXiv:1701.07875, algorithm 1).

    Args:
        params: parameters or parameter groups.
        lr: learning rate.
        alpha: decay of the mean square.
        eps: added to the denominator.
    """

    def __init__(self, params: Iterable[Any], lr: float = 5e-5, alpha: float = 0.99, eps: float = 1e-8) -> None:
        super().__init__(params, lr, alpha, eps)


class LinearDecay(LRScheduler):
    """Keeps the learning rate until batch ``start``, then moves it on a straight line to ``end`` times the first.

    Args:
        optimizer: the optimizer whose learning rate is scheduled.
        steps: the batch at which the line ends; the rate stays there afterwards.
        start: the batch at which the line begins.
        end: the last learning rate as a share of the first.

    Raises:
        UsageError: if ``steps`` is not after ``start``.

    Examples:
        >>> optimizer = Adam([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = LinearDecay(optimizer, steps=4, start=2)
        >>> [(optimizer.step(), schedule.step(), round(optimizer.param_groups[0]["lr"], 2))[-1] for _ in range(5)]
        [1.0, 1.0, 0.5, 0.0, 0.0]
    """

    def __init__(self, optimizer: Optimizer, steps: int, start: int = 0, end: float = 0.0) -> None:
        if steps <= start:
            raise UsageError(f"LinearDecay must end after it starts: got steps={steps} and start={start} (in batches)")
        self.steps, self.start, self.end = steps, start, end
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """The rate of every parameter group at ``last_epoch`` batches."""
        done = min(max(self.last_epoch - self.start, 0) / (self.steps - self.start), 1.0)
        return [base * (1 + (self.end - 1) * done) for base in self.base_lrs]


class WarmUp(LRScheduler):
    """Raises the learning rate on a straight line, and then lowers it with the inverse square root of the batches done.

    Vaswani et al. 2017, arXiv:1706.03762, equation 3, scaled so that the highest rate is the optimizer's. It needs no
    word of how long the run will be.

    Args:
        optimizer: the optimizer whose learning rate is scheduled.
        steps: the batch from which on the rate falls.

    Raises:
        UsageError: if ``steps`` is below 1.

    Examples:
        >>> optimizer = Adam([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = WarmUp(optimizer, steps=2)
        >>> [round(optimizer.param_groups[0]["lr"], 2)] + [
        ...     (optimizer.step(), schedule.step(), round(optimizer.param_groups[0]["lr"], 2))[-1] for _ in range(7)
        ... ]
        [0.5, 1.0, 0.82, 0.71, 0.63, 0.58, 0.53, 0.5]
    """

    def __init__(self, optimizer: Optimizer, steps: int = 400) -> None:
        if steps < 1:
            raise UsageError(f"WarmUp needs at least 1 batch, got steps={steps}")
        self.steps = steps
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """The rate of every parameter group at ``last_epoch`` batches."""
        done = (self.last_epoch + 1) / self.steps
        return [base * min(done, done**-0.5) for base in self.base_lrs]


class ExponentialAverage(AveragedModel):
    """An exponential moving average of a network's parameters; buffers (batch statistics) are copied.

    The decay warms up as ``min(decay, (1 + t) / (10 + t))`` after ``t`` updates, so that the average is usable from the
    first batches on. Unlike the parent's, an update never reads a counter back from the device.

    Args:
        network: the network to follow; a copy of it is made.
        decay: share of the old average that one update keeps, at most.

    Raises:
        UsageError: if the network cannot be copied.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        try:
            super().__init__(network)
            self.requires_grad_(False)
        except (RuntimeError, ValueError, TypeError) as error:
            raise UsageError(
                f"{type(network).__name__} cannot be copied for its average ({str(error).splitlines()[0]}); run lazy "
                "layers on a batch first, use torch.nn.utils.parametrizations in place of torch.nn.utils.weight_norm "
                "and spectral_norm, or set ema_decay=0"
            ) from error
        self.decay = decay
        self.updates: int | None = 0

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        # read now: an exported program (torch.export, to_onnx) cannot read it
        self.updates = None if self.n_averaged.is_meta else int(self.n_averaged)

    @property
    def started(self) -> bool:
        """Whether there was an update; before the first one the average is the network as it was when it was copied."""
        if self.updates is None:  # read once a run, from the buffer that a checkpoint restores
            self.updates = int(self.n_averaged)
        return self.updates > 0

    def following(self, network: nn.Module) -> nn.Module:
        """The averaged network; before the first update a copy of ``network`` as it is now.

        Weights may have been loaded into ``network`` since the average was made.
        """
        if not self.started:
            self.restart(network)
        return self.module

    @torch.no_grad()
    def restart(self, network: nn.Module) -> None:
        """Restarts the average at the network's present parameters and buffers."""
        self._copy_all(self.module.parameters(), network.parameters())
        self._copy_all(self.module.buffers(), network.buffers())
        self.updates = 0
        self.n_averaged.zero_()

    @staticmethod
    def _copy_all(to: Iterable[Tensor], of: Iterable[Tensor]) -> None:
        if targets := list(to):
            torch._foreach_copy_(targets, list(of))

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Moves the average one step towards ``model``."""
        updates = int((self.started and self.updates) or 0)
        decay = min(self.decay, (1 + updates) / (10 + updates))
        torch._foreach_lerp_(list(self.module.parameters()), list(model.parameters()), 1 - decay)
        self._copy_all(self.module.buffers(), model.buffers())
        self.updates = updates + 1
        self.n_averaged.fill_(self.updates)


class HistoricalMean(nn.Module):
    """The mean of all values that some parameters have had, for historical averaging.

    Salimans et al. 2016, *Improved Techniques for Training GANs*, arXiv:1606.03498, section 3.3: a player that is held
    near its mean does not circle around the equilibrium.

    Args:
        parameters: the parameters to follow, in an order that stays.
    """

    count: Tensor

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        for number, parameter in enumerate(parameters):
            self.register_buffer(f"mean_{number}", parameter.detach().clone())

    @property
    def means(self) -> list[Tensor]:
        """The means, in the order of the parameters."""
        return [buffer for name, buffer in self.named_buffers() if name != "count"]

    @torch.no_grad()
    def update(self, parameters: Iterable[Tensor]) -> None:
        """Adds the parameters' present values to the means."""
        self.count += 1
        for mean, parameter in zip(self.means, parameters, strict=True):
            mean.lerp_(parameter, 1 / self.count)

    def distance(self, parameters: Iterable[Tensor]) -> Tensor:
        """The squared distance of the parameters from their means, a 0-dim tensor."""
        pairs = zip(parameters, self.means, strict=True)
        return torch.stack([(parameter.float() - mean).square().sum() for parameter, mean in pairs]).sum()
