"""Unrolling: against a computation written out, and against what it does to a game that never settles."""

from copy import deepcopy
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from conftest import SHAPE, assert_equal, fit, refused, small, trainer, training_state
from torch import nn
from torch.utils.data import DataLoader

from lit_gans import DCGAN, UnrolledGAN
from lit_gans.losses import minimax_discriminator, non_saturating_generator
from lit_gans.models.unrolled_gan import unroll
from lit_gans.networks import DCGANDiscriminator, MLPDiscriminator
from lit_gans.optim import Adam


def objective(real, fake):
    return lambda network: sum(minimax_discriminator(network(real), network(fake)).values())


def stepping_copy(network, optimizer):
    """A network and its optimizer again, to be moved for real."""
    network = deepcopy(network)
    copy = type(optimizer)([p for p in network.parameters() if p.requires_grad], lr=1.0)
    copy.load_state_dict(deepcopy(optimizer.state_dict()))
    return network, copy


def moved_copy(network, optimizer, real, fake, steps):
    network, optimizer = stepping_copy(network, optimizer)
    for _ in range(steps):
        optimizer.zero_grad()
        objective(real, fake)(network).backward()
        optimizer.step()
    return network


def player(optimizer, trained):
    torch.manual_seed(0)
    network = MLPDiscriminator((2, 1, 1), (6,))
    optimizer = optimizer(network.parameters())
    for _ in range(trained):  # moments of its own
        optimizer.zero_grad()
        objective(torch.randn(8, 2, 1, 1), torch.randn(8, 2, 1, 1))(network).backward()
        optimizer.step()
    return network, optimizer, torch.randn(8, 2, 1, 1), torch.randn(8, 2, 1, 1)


OPTIMIZERS = {
    "Adam": partial(Adam, lr=0.05),
    "decayed": partial(torch.optim.Adam, lr=0.05, betas=(0.5, 0.9), weight_decay=0.1),
    "SGD": partial(torch.optim.SGD, lr=0.3),
}


@pytest.mark.parametrize("trained", [0, 2])
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_the_steps_are_the_optimizers_own(optimizer, trained):
    network, optimizer, real, fake = player(optimizer, trained)
    expected = moved_copy(network, optimizer, real, fake, 4)
    point = torch.randn(16, 2, 1, 1)
    for second_order in (True, False):
        later = unroll(network, optimizer, objective(real, fake), 4, second_order)
        torch.testing.assert_close(later(point), expected(point), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(network(point), expected(point), atol=1e-2)


class Line(nn.Module):
    """D(x) = w x, one weight."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float64))

    def forward(self, image):
        return (self.weight * image).flatten()


def test_one_step_by_hand():
    """D(x) = w x, loss of D (w x)^2 / 2 at the fake: w_1 = w - r w f^2, D_1(f) = w f - r w f^3, slope w - 3 r w f^2."""
    weight, fake, rate = 0.7, torch.tensor([0.4], dtype=torch.float64, requires_grad=True), 0.5
    line = Line(weight)
    optimizer = torch.optim.SGD(line.parameters(), lr=rate)
    (slope,) = torch.autograd.grad(unroll(line, optimizer, lambda d: d(fake).square().sum() / 2, 1)(fake).sum(), fake)
    torch.testing.assert_close(slope, torch.tensor([weight - 3 * rate * weight * 0.4**2], dtype=torch.float64))
    inner = fake.detach()
    first = unroll(line, optimizer, lambda d: d(inner).square().sum() / 2, 1, second_order=False)(fake).sum()
    (slope,) = torch.autograd.grad(first, fake)  # w_1 alone
    torch.testing.assert_close(slope, torch.tensor([weight - rate * weight * 0.4**2], dtype=torch.float64))


class Smooth(nn.Module):
    """A discriminator without kinks, so that differences are exact."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1), nn.Flatten(0))
        self.double()

    def forward(self, image):
        return self.layers(image)

    def loss(self, real, fake):
        return F.softplus(-self(real)).mean() + F.softplus(self(fake)).mean()


@pytest.mark.parametrize("optimizer", [partial(Adam, lr=0.05, eps=1e-3), OPTIMIZERS["SGD"]], ids=["Adam", "SGD"])
def test_gradient_is_that_of_the_whole_objective(optimizer):
    """Against central differences of steps that were taken for real, in float64."""
    torch.manual_seed(0)
    network, (real, fake) = Smooth(), torch.randn(2, 8, 2, 1, 1, dtype=torch.float64)
    moving = optimizer(network.parameters())
    network.loss(real, fake + 1).backward()
    moving.step()

    def objective(points, second_order):
        inner = points if second_order else points.detach()
        later = unroll(
            network, moving, lambda d: F.softplus(-d(real)).mean() + F.softplus(d(inner)).mean(), 3, second_order
        )
        return F.softplus(-later(points)).mean()

    def value(points):
        copy, steps = stepping_copy(network, moving)
        for _ in range(3):
            steps.zero_grad()
            copy.loss(real, points).backward()
            steps.step()
        return F.softplus(-copy(points)).mean().item()

    shifts = 1e-5 * torch.eye(fake.numel(), dtype=torch.float64).view(-1, *fake.shape)
    differences = torch.tensor([value(fake + s) - value(fake - s) for s in shifts], dtype=torch.float64) / 2e-5
    points = fake.clone().requires_grad_()
    whole, first_order = (torch.autograd.grad(objective(points, order), points)[0].flatten() for order in (True, False))
    torch.testing.assert_close(whole, differences, rtol=1e-5, atol=1e-9)
    assert (first_order - differences).abs().max() > 0.1 * differences.abs().max()


def test_a_weight_without_gradient_is_no_nan():
    """Adam's root of a second moment of 0 has an infinite slope."""
    network = MLPDiscriminator((2, 1, 1), (6,))
    nn.init.zeros_(network.judge.weight)  # so nothing reaches the layers before
    network.spare = nn.Parameter(torch.ones(3))
    fake = torch.randn(8, 2, 1, 1, requires_grad=True)
    later = unroll(network, Adam(network.parameters()), objective(torch.randn(8, 2, 1, 1), fake), 2)
    (gradient,) = torch.autograd.grad(non_saturating_generator(later(fake))["fake"], fake)
    assert torch.isfinite(gradient).all()


def test_no_steps_are_the_plain_game(tmp_path):
    unrolled = small(UnrolledGAN, unrolled_steps=0, discriminator_norm="batch")
    assert_equal(
        training_state(fit(tmp_path / "unrolled", unrolled)), training_state(fit(tmp_path / "plain", small(DCGAN)))
    )


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "weight", "spectral"])
def test_looking_ahead_leaves_the_discriminator_alone(tmp_path, norm):
    """Its weights, buffers (batch statistics, power iterations), gradients and optimizer, bit for bit."""
    model, turns = small(UnrolledGAN, unrolled_steps=2, discriminator_norm=norm), []
    plain = model.generator_loss

    def state():
        gradients = [p.grad for p in model.discriminator.parameters()]
        optimizer = model.optimizers()[1].optimizer
        return deepcopy([dict(model.discriminator.state_dict()), gradients, optimizer.state_dict()])

    def watched(batch, fake):
        before = state()
        loss = plain(batch, fake)
        slope = torch.autograd.grad(loss["fake"], fake, retain_graph=True)[0]
        assert_equal(before, state())
        turns.append(slope)
        return loss

    model.generator_loss = watched
    fit(tmp_path, model, max_steps=3, limit_val_batches=0)
    assert len(turns) == 3 and all(torch.isfinite(t).all() and t.abs().sum() > 0 for t in turns)


def test_second_order_is_another_game(tmp_path):
    kinds = [fit(tmp_path / str(kind), small(UnrolledGAN, second_order=kind))["state_dict"] for kind in (True, False)]
    plain = fit(tmp_path / "plain", small(UnrolledGAN, unrolled_steps=0))["state_dict"]
    whole, first, none = (weights["generator.project.weight"] for weights in (*kinds, plain))
    assert not torch.equal(whole, first) and not torch.equal(first, none)


class Point(nn.Module):
    """A generator of one point, whatever the noise."""

    latent_dim = 1

    def __init__(self):
        super().__init__()
        self.point = nn.Parameter(torch.tensor(0.5))

    def forward(self, noise):
        return self.point.expand(len(noise)).view(-1, 1, 1, 1)


class Slope(Line):
    def __init__(self):
        super().__init__(0.0)
        self.float()


@pytest.mark.filterwarnings("ignore:no value of the first")
@pytest.mark.parametrize(
    ("steps", "second_order", "low", "high"),
    [(0, True, 0.3, 0.5), (5, False, 0.005, 0.05), (5, True, 0.0, 0.001)],
    ids=["plain", "first order", "whole"],
)
def test_a_game_that_circles_settles(tmp_path, steps, second_order, low, high):
    """All data are one point, 0, and D(x) = w x: the plain game goes round and round the equilibrium at (0, 0)."""
    sgd = partial(torch.optim.SGD, lr=0.2)
    players = {"generator_optimizer": sgd, "discriminator_optimizer": sgd, "ema_decay": 0}
    model = UnrolledGAN(
        generator=Point(), discriminator=Slope(), unrolled_steps=steps, second_order=second_order, **players
    )
    trainer(tmp_path, max_steps=150).fit(model, DataLoader(torch.zeros(8, 1, 1, 1), batch_size=4))
    assert low <= torch.stack([model.generator.point, model.discriminator.weight]).norm().item() < high


def test_it_goes_with_augmentation_and_bf16(tmp_path):
    model = small(UnrolledGAN, augment=("translation",), augment_target=0.6)
    fit(tmp_path, model, precision="bf16-mixed")


def test_frozen_weights_stay():
    network = DCGANDiscriminator(SHAPE, 4, "none")
    network.layers[0].weight.requires_grad_(False)
    optimizer = Adam([p for p in network.parameters() if p.requires_grad])
    real, fake = torch.randn(4, *SHAPE), torch.randn(4, *SHAPE)
    expected = moved_copy(network, optimizer, real, fake, 3)
    assert torch.equal(expected.layers[0].weight, network.layers[0].weight)
    later = unroll(network, optimizer, objective(real, fake), 3)
    torch.testing.assert_close(later(real), expected(real), rtol=1e-4, atol=1e-5)


REFUSED = {
    "momentum": partial(torch.optim.SGD, lr=0.1, momentum=0.9),
    "amsgrad": partial(torch.optim.Adam, amsgrad=True),
    "decoupled": torch.optim.AdamW,
    "other": torch.optim.RMSprop,
}


@pytest.mark.parametrize("optimizer", REFUSED.values(), ids=REFUSED)
def test_what_it_refuses(optimizer):
    model = small(UnrolledGAN, discriminator_optimizer=optimizer)
    refused(model.configure_optimizers, "Adam", "SGD", "unrolled_steps=0")
    assert len(small(UnrolledGAN, discriminator_optimizer=optimizer, unrolled_steps=0).configure_optimizers()[0]) == 2
    refused(lambda: small(UnrolledGAN, unrolled_steps=-1), "unrolled_steps", -1)
