"""Learning rates that are multiplied in the middle of a schedule."""

from functools import partial

import pytest
import torch
from torch.optim import SGD
from torch.optim import lr_scheduler as schedules

from lit_gans.core.pace import multiply_rates
from lit_gans.optim import LinearDecay, WarmUp


def sequential(optimizer):
    parts = [schedules.LinearLR(optimizer, total_iters=4), schedules.CosineAnnealingLR(optimizer, 10, eta_min=0.01)]
    return schedules.SequentialLR(optimizer, parts, [6])


def chained(optimizer):
    return schedules.ChainedScheduler(
        [schedules.ExponentialLR(optimizer, 0.9), schedules.LinearLR(optimizer, total_iters=8)]
    )


@pytest.mark.parametrize(
    "make",
    [
        partial(schedules.OneCycleLR, max_lr=0.3, total_steps=13),
        sequential,
        chained,
        partial(schedules.CyclicLR, base_lr=0.01, max_lr=0.1, step_size_up=3, cycle_momentum=False),
        partial(schedules.CosineAnnealingLR, T_max=8, eta_min=0.02),
        partial(schedules.CosineAnnealingWarmRestarts, T_0=3, eta_min=0.02),
        partial(schedules.LambdaLR, lr_lambda=lambda step: 1 / (1 + step)),
        partial(schedules.MultiplicativeLR, lr_lambda=lambda step: 0.9),
        partial(schedules.StepLR, step_size=4),
        partial(schedules.MultiStepLR, milestones=[4, 7]),
        partial(schedules.PolynomialLR, total_iters=9),
        partial(schedules.ConstantLR, total_iters=7),
        partial(LinearDecay, steps=9),
        partial(WarmUp, steps=7),
    ],
    ids=lambda make: getattr(getattr(make, "func", make), "__name__", ""),
)
@pytest.mark.parametrize("resumed", [False, True])
def test_from_there_on_a_schedule_gives_so_many_times_its_rates(make, resumed):
    def rates(factor):
        optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
        schedule, found = make(optimizer), []
        for step in range(12):
            if step == 5:
                multiply_rates(optimizer, [schedule], factor)
                if resumed:
                    saved = optimizer.state_dict(), schedule.state_dict()
                    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
                    schedule = make(optimizer)
                    optimizer.load_state_dict(saved[0])
                    schedule.load_state_dict(saved[1])
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        return found

    alone, found = rates(1.0), rates(0.1)
    assert found == pytest.approx([rate * (0.1 if step >= 5 else 1) for step, rate in enumerate(alone)])


def test_a_plateau_ends_at_its_smallest_rate_times_the_factor():
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
    schedule = schedules.ReduceLROnPlateau(optimizer, patience=0, min_lr=0.05)
    multiply_rates(optimizer, [schedule], 0.1)
    for _ in range(9):
        schedule.step(1.0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.005)


def test_schedules_of_other_optimizers_are_left_alone():
    one, other = (SGD([torch.zeros(1, requires_grad=True)], lr=0.2) for _ in range(2))
    schedule = schedules.CosineAnnealingLR(other, 8)
    multiply_rates(one, [schedule], 0.1)
    assert schedule.base_lrs == [0.2] and one.param_groups[0]["lr"] == pytest.approx(0.02)
