"""Adam, the schedule and the average against literal transcriptions."""

import copy

import pytest
import torch
from torch import nn

from lit_gans.errors import UsageError
from lit_gans.optim import Adam, ExponentialAverage, LinearDecay


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))


def plain(seed=0):
    torch.manual_seed(seed)  # no norm: a bias before one has no gradient but rounding, which Adam would blow up
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def train(net, optimizer, steps):
    rng = torch.Generator().manual_seed(1)
    for _ in range(steps):
        optimizer.zero_grad()
        net(torch.randn(8, 3, generator=rng)).square().mean().backward()
        optimizer.step()


# -------------------------------------------------------------------- Adam


def test_adam_defaults():
    group = Adam(network().parameters()).param_groups[0]
    assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (2e-4, (0.5, 0.999), 1e-8, 0.0)
    assert group["fused"] is True  # on the CPU


@pytest.mark.parametrize(
    "arguments", [{}, {"lr": 0.1}, {"lr": 0.01, "betas": (0.0, 0.9), "eps": 1e-4, "weight_decay": 0.1}], ids=str
)
def test_adam_equals_torch(arguments):
    ours, theirs = plain(), plain()
    expected = {"lr": 2e-4, "betas": (0.5, 0.999), **arguments}
    train(ours, Adam(ours.parameters(), **arguments), 5)
    train(theirs, torch.optim.Adam(theirs.parameters(), **expected, fused=False, foreach=False), 5)
    for a, b, start in zip(ours.parameters(), theirs.parameters(), plain().parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)
        assert not torch.equal(a, start)


def test_adam_with_groups():
    net = plain()
    groups = [{"params": list(net[0].parameters()), "lr": 0.5}, {"params": list(net[2].parameters())}]
    kept = [(g["lr"], len(g["params"]), g["fused"]) for g in Adam(groups).param_groups]
    assert kept == [(0.5, 2, True), (2e-4, 2, True)]


def test_adam_goes_on_with_weights_in_another_order():
    """The fused kernel reads moments as weights lie in memory; other versions had another order."""
    torch.manual_seed(0)
    start, gradients = torch.randn(4, 3, 2, 2), torch.randn(3, 4, 3, 2, 2)
    ends = []
    for order in (torch.channels_last, torch.contiguous_format):
        weight = nn.Parameter(start.contiguous(memory_format=order))
        optimizer = Adam([weight], lr=0.1)
        for step, gradient in enumerate(gradients):
            if step == 2:
                state, weight = optimizer.state_dict(), nn.Parameter(weight.detach().contiguous())
                optimizer, order = Adam([weight], lr=0.1), torch.contiguous_format
                optimizer.load_state_dict(state)
            weight.grad = gradient.contiguous(memory_format=order)
            optimizer.step()
        ends.append(weight.detach())
    torch.testing.assert_close(*ends)


def test_adam_resumes():
    whole, parts = plain(), plain()
    first, second = Adam(whole.parameters(), lr=0.1), Adam(parts.parameters(), lr=0.1)
    train(whole, first, 3), train(parts, second, 3)
    resumed = Adam(parts.parameters())
    resumed.load_state_dict(copy.deepcopy(second.state_dict()))
    train(whole, first, 2), train(parts, resumed, 2)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters(), strict=True))


# -------------------------------------------------------------------- LinearDecay


def rates(schedule, steps):
    values = []
    for _ in range(steps):
        values.append([group["lr"] for group in schedule.optimizer.param_groups])
        schedule.optimizer.step()
        schedule.step()
    return values


def optimizer(*lrs):
    return Adam([{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in lrs])


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"steps": 4}, [1, 0.75, 0.5, 0.25, 0, 0, 0]),
        ({"steps": 4, "start": 2}, [1, 1, 1, 0.5, 0, 0]),
        ({"steps": 5, "start": 1, "end": 0.2}, [1, 1, 0.8, 0.6, 0.4, 0.2, 0.2]),
        ({"steps": 2, "end": 3.0}, [1, 2, 3, 3]),  # a warm-up is a decay upwards
        ({"steps": 1}, [1, 0, 0]),
    ],
    ids=str,
)
def test_linear_decay(arguments, expected):
    values = rates(LinearDecay(optimizer(1.0, 0.1), **arguments), len(expected))
    assert [v[0] for v in values] == pytest.approx(expected)
    assert [v[1] for v in values] == pytest.approx([0.1 * x for x in expected])


@pytest.mark.parametrize("stop", [0, 1, 3, 6])
def test_linear_decay_resumes(stop):
    arguments = {"steps": 5, "start": 1, "end": 0.1}
    whole = rates(LinearDecay(optimizer(1.0), **arguments), 8)
    first = LinearDecay(optimizer(1.0), **arguments)
    rates(first, stop)
    second = LinearDecay(optimizer(1.0), **arguments)
    second.optimizer.load_state_dict(copy.deepcopy(first.optimizer.state_dict()))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert rates(second, 8 - stop) == whole[stop:]


@pytest.mark.parametrize("steps, start", [(0, 0), (3, 3), (2, 5)])
def test_linear_decay_must_end_after_start(steps, start):
    with pytest.raises(UsageError, match=f"steps={steps} and start={start}"):
        LinearDecay(optimizer(1.0), steps=steps, start=start)


# -------------------------------------------------------------------- ExponentialAverage


def walk(net, updates, average=None, seed=5):
    """Moves a network at random, its batch statistics as well, and lets the average follow."""
    rng = torch.Generator().manual_seed(seed)
    for _ in range(updates):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter += torch.randn(parameter.shape, generator=rng)
            net(torch.randn(8, 3, generator=rng))
        if average is not None:
            average.update_parameters(net)
        yield net


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.9999])
def test_average_equals_formula(decay):
    net = network()
    average = ExponentialAverage(net, decay)
    expected = [p.detach().double().clone() for p in net.parameters()]
    for t, moved in enumerate(walk(net, 20, average)):
        keep = min(decay, (1 + t) / (10 + t))
        expected = [
            keep * old + (1 - keep) * new.double() for old, new in zip(expected, moved.parameters(), strict=True)
        ]
        for ours, theirs in zip(average.module.parameters(), expected, strict=True):
            torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-5)
        assert int(average.n_averaged) == t + 1


def test_average_copies_batch_statistics():
    net = network()
    average = ExponentialAverage(net, 0.999)
    list(walk(net, 3, average))
    assert float(net[1].running_mean.abs().sum()) > 0 and int(net[1].num_batches_tracked) == 3
    for ours, theirs in zip(average.module.buffers(), net.buffers(), strict=True):
        assert torch.equal(ours, theirs) and ours.data_ptr() != theirs.data_ptr()
    assert not torch.equal(average.module[1].weight, net[1].weight)


def test_average_is_a_copy_without_gradient():
    net = network()
    average = ExponentialAverage(net, 0.9)
    before = [p.clone() for p in average.module.parameters()]
    list(walk(net, 1))  # moves the network only
    assert all(torch.equal(a, b) for a, b in zip(before, average.module.parameters(), strict=True))
    assert not any(p.requires_grad for p in average.parameters()) and all(p.requires_grad for p in net.parameters())
    x = torch.randn(5, 3)
    assert torch.equal(average.eval()(x), average.module(x)) and not average(x).requires_grad


@pytest.mark.parametrize("stop", [0, 1, 4])
def test_average_resumes(stop):
    net, total = network(), 9
    whole = ExponentialAverage(net, 0.9)
    states = []
    for _ in walk(net, total, whole):
        states.append(copy.deepcopy(net.state_dict()))
    first, net = ExponentialAverage(network(), 0.9), network()
    for state in states[:stop]:
        net.load_state_dict(state)
        first.update_parameters(net)
    second = ExponentialAverage(network(seed=8), 0.9)
    second.load_state_dict(first.state_dict())
    for state in states[stop:]:
        net.load_state_dict(state)
        second.update_parameters(net)
    assert int(second.n_averaged) == total
    assert all(
        torch.equal(a, b) for a, b in zip(second.state_dict().values(), whole.state_dict().values(), strict=True)
    )


def test_average_deep_copy_is_independent():
    net = network()
    average = ExponentialAverage(net, 0.9)
    list(walk(net, 2, average))
    twin, before = copy.deepcopy(average), copy.deepcopy(average.state_dict())
    list(walk(net, 2, twin))
    assert int(twin.n_averaged) == 4 and int(average.n_averaged) == 2
    assert all(torch.equal(a, b) for a, b in zip(before.values(), average.state_dict().values(), strict=True))
    assert not torch.equal(twin.module[0].weight, average.module[0].weight)


def test_adam_takes_groups_of_any_form():
    networks = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizer = Adam([{"params": networks[0].parameters()}, {"params": list(networks[1].parameters()), "lr": 1.0}])
    assert [len(group["params"]) for group in optimizer.param_groups] == [2, 2]
    assert all(group["fused"] for group in optimizer.param_groups)
