"""What is done to gradients: the look at their norm, and the clipping."""

import math

import pytest
import torch
from torch import nn

from lit_gans.core.gradients import Watched
from lit_gans.errors import NonFiniteLoss


def optimizer(*values):
    """SGD over parameters whose gradients have these values; None for a parameter without one."""
    parameters = [nn.Parameter(torch.zeros(1)) for _ in values]
    for parameter, value in zip(parameters, values, strict=True):
        parameter.grad = None if value is None else torch.tensor([float(value)])
    return torch.optim.SGD(parameters, 0.1)


@pytest.mark.parametrize("value", [1e18, 3.0, 0.0])
def test_the_norm_of_a_gradient_is_kept_by_player(value):
    watched = Watched()
    watched.player = "discriminator"
    watched.look(optimizer(value, None, 0), 7)
    assert watched.norms.keys() == {"discriminator"}
    assert float(watched.norms["discriminator"]) == pytest.approx(value)
    watched.refuse_broken()


@pytest.mark.parametrize(
    ("value", "words"), [(2e18, "has the norm 2e+18"), (math.nan, "is not finite"), (math.inf, "inf")]
)
def test_a_gradient_that_would_ruin_adam_is_refused(value, words):
    watched = Watched()
    watched.player = "generator"
    with pytest.raises(NonFiniteLoss, match=r"the generator's gradient .* at batch 7; training stopped") as error:
        watched.look(optimizer(value, 1), 7)
    assert words in str(error.value)
    watched.look(optimizer(value, 1), 7, scaler=object())  # a scaler leaves the step out by itself


def test_clipping_scales_down_and_never_up():
    watched, moved = Watched(), optimizer(3, None, 4)
    watched.clip(moved, 1)  # nothing was looked at, as where no parameter has a gradient
    assert [p.grad.item() for p in moved.param_groups[0]["params"] if p.grad is not None] == [3, 4]
    watched.look(moved, 0)
    watched.clip(moved, 10)
    assert [p.grad.item() for p in moved.param_groups[0]["params"] if p.grad is not None] == [3, 4]
    watched.clip(moved, 1)
    found = [p.grad.item() for p in moved.param_groups[0]["params"] if p.grad is not None]
    assert found == pytest.approx([0.6, 0.8], rel=1e-5)


def test_what_broke_on_an_accelerator_is_told_later():
    watched = Watched()
    watched.bad = {"generator": torch.tensor(torch.inf), "discriminator": torch.tensor(12.0)}
    assert watched.broken() == "the discriminator's gradient is not finite, or too large at batch 12"
    with pytest.raises(NonFiniteLoss, match=r"the discriminator's gradient .* at batch 12; training stopped"):
        watched.refuse_broken()
    watched.bad = {"generator": torch.tensor(torch.inf)}
    assert watched.broken() is None
