"""Multiplies the learning rates of an optimizer, and of the schedules that move them, while a run goes on."""

from typing import Any

from torch.optim import Optimizer

#: where PyTorch's schedules keep learning rates: in the optimizer's groups, and themselves
_OF_GROUPS = ("lr", "initial_lr", "max_lr", "min_lr", "swa_lr")
_OF_SCHEDULES = ("base_lrs", "max_lrs", "min_lrs", "default_min_lr", "eta_min")


def multiply_rates(optimizer: Optimizer, schedules: list[Any], factor: float) -> None:
    """Multiplies every learning rate, so that from here on a schedule gives ``factor`` times what it would have given.

    Args:
        optimizer: whose rates are multiplied.
        schedules: PyTorch's, or with ``base_lrs`` as these have; those of other optimizers are left alone.
        factor: on the rates.
    """
    for group in optimizer.param_groups:
        _multiply(group, _OF_GROUPS, factor)
    for schedule in schedules:
        if getattr(schedule, "optimizer", None) is optimizer:
            _multiply_schedule(schedule, factor)


def _multiply_schedule(schedule: Any, factor: float) -> None:
    """The same for a schedule and those that it is made of, as `SequentialLR` and `ChainedScheduler` are."""
    _multiply(vars(schedule), _OF_SCHEDULES, factor)
    for part in vars(schedule).get("_schedulers", ()):
        _multiply_schedule(part, factor)


def _multiply(values: dict[str, Any], names: tuple[str, ...], factor: float) -> None:
    for name in names:
        if (value := values.get(name)) is not None:
            many = isinstance(value, (list, tuple))
            values[name] = [factor * rate for rate in value] if many else factor * value
