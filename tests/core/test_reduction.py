"""Means over devices: of gradients, in buckets that leave while backward runs, and of batch statistics."""

import pytest
import torch
from conftest import refused, small
from torch import nn

from lit_gans import DCGAN, R3GAN, SNGAN, StyleGAN2
from lit_gans.core import reduction
from lit_gans.core.reduction import MeanGradients, all_reduce_mean, moving_statistics


@pytest.fixture
def reductions(monkeypatch):
    """A second device, whose tensors are three times as large; gives what each reduction was of."""
    seen = []

    class Work:
        def __init__(self, flat):
            self.flat = flat

        def wait(self):
            self.flat += 3 * self.flat

    def all_reduce(flat, async_op=False):
        seen.append((flat.dtype, len(flat)))
        if async_op:
            return Work(flat)
        return Work(flat).wait()

    monkeypatch.setattr(reduction.dist, "all_reduce", all_reduce)
    monkeypatch.setattr(reduction.dist, "get_world_size", lambda: 2)
    return seen


def layers(count=3):
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(count)))


def test_the_mean_over_devices_is_one_reduction_a_number_type(reductions):
    tensors = [torch.ones(2, 3), torch.full((4,), 2.0, dtype=torch.float64), torch.tensor(5.0)]
    all_reduce_mean(tensors)
    for tensor, value in zip(tensors, (2, 4, 10), strict=True):  # (x + 3 x) / 2
        torch.testing.assert_close(tensor, torch.full_like(tensor, value))
    assert reductions == [(torch.float32, 7), (torch.float64, 4)]


def test_a_parameter_that_is_unused_here_takes_part(reductions):
    used, unused, beside = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3)), torch.tensor(1.5)
    with MeanGradients([used, unused], beside):
        (used * torch.tensor([1.0, -2.0])).sum().backward()
    assert used.grad.tolist() == [2, -4]
    assert unused.grad.tolist() == [0, 0, 0]
    assert float(beside) == 3
    assert reductions == [(torch.float32, 6)]  # the others wait for as many numbers


def test_last_layers_leave_while_backward_goes_on(reductions):
    network, left = layers(), []
    for layer in network:
        layer.weight.register_hook(lambda _: left.append(len(reductions)))  # before the gradient is there
    with MeanGradients(network.parameters(), limit=64):
        network(torch.ones(1, 4)).sum().backward()
    assert left == [0, 1, 2]  # the last layer's bucket is on its way when the one before it gets its gradient
    assert len(reductions) == 3


def test_buckets_leave_in_one_order_whatever_backward_does(reductions):
    """Another device may reach the parameters in another order, or not at all, and must not wait for another bucket."""
    small_one, large = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(5))
    with MeanGradients([small_one, large], limit=20):
        small_one.sum().backward()
        assert reductions == []
    assert reductions == [(torch.float32, 5), (torch.float32, 2)]


def test_one_backward_of_several_is_sent(reductions):
    network, alone = layers(), layers()
    x, y = torch.randn(2, 4), torch.randn(2, 4)
    (alone(x).sum() + alone(y).sum()).backward()
    network(x).sum().backward()
    with MeanGradients(network.parameters(), limit=64):
        network(y).sum().backward()
    network(x).sum().backward()  # no hook is left
    assert len(reductions) == 3
    again = layers()
    again(x).sum().backward()
    for own, whole, more in zip(network.parameters(), alone.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(own.grad, 2 * whole.grad + more.grad)


def test_number_types_and_memory_orders(reductions):
    conv = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    odd = nn.Parameter(torch.randn(3, 5).T)  # its rows are not next to each other
    double = nn.Parameter(torch.randn(3, dtype=torch.float64))
    parameters, x = [*conv.parameters(), odd, double], torch.randn(2, 3, 5, 5)
    loss = conv(x).square().mean() + (odd**3).sum() + double.sum().float()
    own = torch.autograd.grad(loss, parameters, retain_graph=True)
    with MeanGradients(parameters):
        loss.backward()
    for parameter, gradient in zip(parameters, own, strict=True):
        torch.testing.assert_close(parameter.grad, 2 * gradient)
        assert parameter.grad.stride() == parameter.stride()
    assert {dtype for dtype, _ in reductions} == {torch.float32, torch.float64} and len(reductions) == 2


def test_a_backward_that_fails_sends_nothing_more(reductions):
    network = layers()
    with pytest.raises(ZeroDivisionError), MeanGradients(network.parameters(), limit=64):
        network(torch.ones(1, 4)).sum().backward(inputs=[network[2].weight])
        raise ZeroDivisionError
    assert len(reductions) == 1
    network(torch.ones(1, 4)).sum().backward()
    assert len(reductions) == 1


def test_a_gradient_that_comes_twice_is_refused(reductions):
    network = layers()
    loss = network(torch.ones(1, 4)).sum()

    def twice():
        with MeanGradients(network.parameters(), limit=64):
            loss.backward(retain_graph=True)
            loss.backward()

    refused(twice, "backward came twice", "use_reentrant=False")


def test_how_many_buckets(reductions):
    def sizes(*counts):
        return [b.size for b in MeanGradients([nn.Parameter(torch.empty(n, device="meta")) for n in counts])._buckets]

    megabyte = 2**18  # numbers
    assert sizes(*[1000] * 9) == [36000]  # small networks send once
    assert sizes(*[megabyte] * 8) == [2 * 2**20] * 4
    assert sizes(*[5 * megabyte] * 60) == [25 * 2**20] * 12
    assert sizes(megabyte, 40 * megabyte, 1) == [4, 40 * 2**20, 2**20]  # one that is larger goes alone


class Own(nn.Module):
    """What a user may write."""

    constant_buffers = ("drawn",)

    def __init__(self):
        super().__init__()
        for name in ("moving", "drawn"):
            self.register_buffer(name, torch.zeros(2))
        self.register_buffer("table", torch.zeros(2), persistent=False)
        self.register_buffer("count", torch.zeros(2, dtype=torch.long))
        self.register_buffer("nothing", None)


class Pool(nn.Module):
    each_device_its_own = True

    def __init__(self):
        super().__init__()
        self.register_buffer("fakes", torch.zeros(2))


def test_what_devices_average_of_a_network():
    own, norm = Own(), nn.BatchNorm1d(2)
    network = nn.Sequential(own, Pool(), norm, nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2)))
    assert moving_statistics([network]) == [(own, "moving"), (norm, "running_mean"), (norm, "running_var")]


@pytest.mark.parametrize(
    ("cls", "names"),
    [
        (DCGAN, {"running_mean", "running_var"}),
        (SNGAN, {"running_mean", "running_var"}),
        (StyleGAN2, {"mean_style"}),
        (R3GAN, set()),
    ],
)
def test_constants_of_our_networks_stay_where_they_are(cls, names):
    players = [getattr(small(cls), player) for player in cls.players]
    floating = [name for network in players for name, buffer in network.named_buffers() if buffer.is_floating_point()]
    found = moving_statistics(players)
    assert {name for _, name in found} == names
    assert len(found) < len(floating) or cls is DCGAN  # the others have constants
