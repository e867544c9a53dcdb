"""Penalties against linear and quadratic critics with known gradients and against per-sample loops."""

from contextlib import nullcontext

import pytest
import torch
from conftest import fit, refused, small
from torch import nn

from lit_gans import DCGAN, R3GAN
from lit_gans.penalties import dragan_penalty, gradient_penalty, pull_away, scores_and_slopes, zero_centered

SHAPES = [(5, 3), (4, 2, 3, 3)]


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def mlp(inputs, outputs=1, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, outputs))


def gradient_of(critic, sample):
    """The gradient at one sample, alone, in float64."""
    point = sample.double().unsqueeze(0).requires_grad_()
    critic(point).sum().backward()
    return point.grad.flatten()


def double(critic):
    copy = mlp(critic[1].in_features, critic[3].out_features).double()
    copy.load_state_dict(critic.state_dict())
    return copy


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("center", [0.0, 1.0, 2.5])
def test_gradient_penalty_of_linear_critic(shape, center):
    weight = draw(*shape[1:], seed=3)
    value = gradient_penalty(lambda x: (weight * x).flatten(1).sum(1) + 7, draw(*shape), draw(*shape, seed=1), center)
    assert value.item() == pytest.approx((float(weight.norm()) - center) ** 2, rel=1e-5)


@pytest.mark.parametrize("mix", [0.0, 0.25, 1.0])
def test_mix_is_share_of_real(mix):
    # the gradient of |x|^2 / 2 is x itself
    real, fake = draw(6, 2, 3), draw(6, 2, 3, seed=1)
    value = gradient_penalty(lambda x: x.square().sum((1, 2)) / 2, real, fake, mix=torch.full((6,), mix))
    points = (mix * real + (1 - mix) * fake).flatten(1)
    assert value.item() == pytest.approx(float((points.norm(dim=1) - 1).square().mean()), rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("center", [0.0, 1.0])
@pytest.mark.parametrize("outputs", [1, 4])
def test_gradient_penalty_loop(shape, center, outputs):
    critic = mlp(draw(*shape)[0].numel(), outputs)
    real, fake, mix = draw(*shape), draw(*shape, seed=1), torch.rand(shape[0])
    exact, total = double(critic), 0.0
    for r, f, m in zip(real.double(), fake.double(), mix.double(), strict=True):
        total += (float(gradient_of(exact, m * r + (1 - m) * f).norm()) - center) ** 2
    value = gradient_penalty(critic, real, fake, center, mix)
    assert value.item() == pytest.approx(total / shape[0], rel=1e-5)


def test_default_mix_is_random_on_each_line():
    seen = []
    real, fake = draw(64, 3, 2), draw(64, 3, 2, seed=1)
    gradient_penalty(lambda x: (seen.append(x.detach().clone()), x.sum((1, 2)))[1], real, fake)
    share = ((seen[0] - fake) / (real - fake)).flatten(1).median(1).values
    torch.testing.assert_close(torch.lerp(fake, real, share.view(-1, 1, 1)), seen[0], rtol=1e-4, atol=1e-4)
    assert share.min() >= 0 and share.max() <= 1 and share.std() > 0.15


def test_zero_centered_of_quadratic():
    # D(x) = x'Ax / 2 + b'x has the gradient (A + A')x / 2 + b
    a, b, x = draw(4, 4), draw(4, seed=1), draw(9, 4, seed=2)
    value = zero_centered(lambda x: (x @ a * x).sum(1) / 2 + x @ b, x)
    assert value.item() == pytest.approx(float((x @ (a + a.T) / 2 + b).square().sum(1).mean()), rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("outputs", [1, 4])
def test_zero_centered_loop(shape, outputs):
    critic, images = mlp(draw(*shape)[0].numel(), outputs), draw(*shape)
    exact = double(critic)
    total = sum(float(gradient_of(exact, image).square().sum()) for image in images)
    assert zero_centered(critic, images).item() == pytest.approx(total / shape[0], rel=1e-5)


def test_judged_gives_outputs_and_slopes_of_one_pass():
    critic, images, calls = mlp(6), draw(5, 6), []
    critic.register_forward_hook(lambda *_: calls.append(1))
    outputs, slopes = scores_and_slopes(critic, images)
    assert len(calls) == 1
    torch.testing.assert_close(outputs, critic(images))
    exact = double(critic)
    expected = torch.stack([gradient_of(exact, image).square().sum() for image in images])
    torch.testing.assert_close(slopes.double(), expected)
    (outputs.mean() + slopes.mean()).backward()  # both keep their graph
    assert all(p.grad is not None for p in critic[1:].parameters())


@pytest.mark.parametrize("given", [{}, {"spread": 0.5}], ids=str)
def test_dragan_looks_around_the_reals(given):
    """Points are the reals and up to `spread` deviations above them, never elsewhere; the slope is compared with 1."""
    real, points = draw(64, 3), []

    def critic(x):
        points.append(x.detach())
        return 3 * x.sum(1)

    assert dragan_penalty(critic, real, **given).item() == pytest.approx((3 * 3**0.5 - 1) ** 2, rel=1e-5)
    shift = (points[0] - real) / real.std()
    assert shift.min() >= -1e-6 and 0.3 < shift.max() <= 0.5 and 0.08 < shift.mean() < 0.17


@pytest.mark.parametrize("shape", [(2, 3), (6, 5), (4, 2, 3)], ids=str)
def test_pull_away_loop(shape):
    features = draw(*shape)
    rows, total = features.double().flatten(1), 0.0
    for i, left in enumerate(rows):
        for j, right in enumerate(rows):
            if i != j:
                total += float(left @ right / (left.norm() * right.norm())) ** 2
    assert float(pull_away(features)) == pytest.approx(total / (shape[0] * (shape[0] - 1)), rel=1e-5)


@pytest.mark.parametrize("features, expected", [(torch.eye(4), 0), (torch.ones(5, 3), 1), (-2 * torch.ones(2, 1), 1)])
def test_pull_away_extremes(features, expected):
    assert float(pull_away(features)) == pytest.approx(expected, abs=1e-6)


def test_pull_away_needs_a_pair():
    with pytest.raises(ValueError, match="at least 2, got 1"):
        pull_away(torch.ones(1, 4))


PENALTIES = {
    "gradient_penalty": lambda net, x, y: gradient_penalty(net, x, y, mix=torch.linspace(0, 1, len(x))),
    "zero_centered": lambda net, x, y: zero_centered(net, x),
    "dragan_penalty": lambda net, x, y: dragan_penalty(net, x, spread=0.0),
    "pull_away": lambda net, x, y: pull_away(net[:3](x)),
}


@pytest.mark.parametrize("name", PENALTIES)
def test_float32_scalar(name):
    value = PENALTIES[name](mlp(4), draw(5, 4), draw(5, 4, seed=1))
    assert value.dtype == torch.float32 and value.shape == ()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_inputs(dtype):
    critic, x, y = mlp(4), draw(5, 4).to(dtype), draw(5, 4, seed=1).to(dtype)
    for penalty in (PENALTIES["gradient_penalty"], PENALTIES["zero_centered"], lambda net, x, y: pull_away(x)):
        assert torch.equal(penalty(critic, x, y), penalty(critic, x.float(), y.float()))


@pytest.mark.parametrize("name", ["gradient_penalty", "zero_centered", "dragan_penalty"])
@pytest.mark.parametrize("context", [nullcontext, torch.no_grad], ids=["grad", "no_grad"])
def test_autocast_is_switched_off(name, context):
    critic, x, y = mlp(4), draw(5, 4), draw(5, 4, seed=1)
    expected = PENALTIES[name](critic, x, y)
    with context(), torch.autocast("cpu", torch.bfloat16):
        critic(x)  # fills autocast's cache of bfloat16 weights
        value = PENALTIES[name](critic, x, y)
    assert value.dtype == torch.float32 and value.item() == expected.item()


@pytest.mark.parametrize("name", PENALTIES)
def test_differentiable_in_parameters(name):
    critic = mlp(4)
    PENALTIES[name](critic, draw(5, 4), draw(5, 4, seed=1)).backward()
    moved = [critic[1].weight, critic[1].bias] + ([critic[3].weight] if name != "pull_away" else [])
    assert all(p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in moved)


@pytest.mark.parametrize("name", ["gradient_penalty", "zero_centered"])
def test_gradient_in_parameters_is_exact(name):
    # (|w| - 1)^2 and |w|^2 for a linear critic
    critic = nn.Linear(4, 1)
    PENALTIES[name](critic, draw(5, 4), draw(5, 4, seed=1)).backward()
    weight = critic.weight.detach()
    expected = 2 * weight if name == "zero_centered" else 2 * (weight.norm() - 1) * weight / weight.norm()
    torch.testing.assert_close(critic.weight.grad, expected)


def test_inputs_are_left_alone():
    x, y = draw(5, 4), draw(5, 4, seed=1).requires_grad_()
    (gradient_penalty(mlp(4), x, y) + zero_centered(mlp(4), x) + zero_centered(mlp(4), y)).backward()
    assert not x.requires_grad and y.grad is None


@pytest.mark.parametrize("center", [0.0, 1.0])
def test_flat_critic_has_finite_gradient(center):
    # the norm is not differentiable at 0, where a freshly clipped or dead critic lies
    critic = nn.Linear(4, 1)
    nn.init.zeros_(critic.weight)
    value = gradient_penalty(critic, draw(5, 4), draw(5, 4, seed=1), center)
    value.backward()
    assert value.item() == center**2 and critic.weight.grad.isfinite().all()


def test_pull_away_ignores_autocast():
    features = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        inside = pull_away(features)
    assert inside.dtype == torch.float32 and torch.equal(inside, pull_away(features))


def test_differences_stand_for_the_gradient_where_the_discriminator_is_straight():
    weight = torch.randn(12, generator=torch.Generator().manual_seed(0))
    images = torch.randn(20_000, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(2)
    scores, slopes = scores_and_slopes(lambda x: x.flatten(1) @ weight, images, noise=0.01)
    assert torch.equal(scores, images.flatten(1) @ weight)
    assert slopes.shape == (20_000,) and slopes.std() > slopes.mean()  # one direction each
    torch.testing.assert_close(slopes.mean(), weight.square().sum(), rtol=0.05, atol=0)
    maps = zero_centered(lambda x: (x.flatten(1) @ weight)[:, None].expand(-1, 3), images, noise=0.01)
    torch.testing.assert_close(maps, 9 * weight.square().sum(), rtol=0.05, atol=0)  # that of the sum, as of gradients


def test_differences_need_no_second_derivative_and_see_one_augmentation():
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, gradient):
            return 2 * gradient

    layer = nn.Linear(4, 1)

    def judge(x):  # the noise of an augmentation would be a hundred times that of the penalty
        return layer(Once.apply(nn.functional.dropout(x + torch.randn_like(x), 0.5)))[:, 0]

    images = torch.randn(64, 4)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        zero_centered(judge, images).backward()
    before = torch.get_rng_state()
    penalty = zero_centered(judge, images, noise=0.01)
    penalty.backward()
    assert layer.weight.grad.abs().sum() > 0
    assert penalty < 64 * layer.weight.square().sum()  # 10,000 with two augmentations
    assert not torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("cls", "options"), [(R3GAN, {"penalty_noise": 0.01}), (DCGAN, {"r1": 1.0, "r1_noise": 0.01})])
def test_games_take_differences(cls, options, tmp_path):
    terms = small(cls, **options)
    fit(tmp_path, terms, max_steps=2, precision="bf16-mixed")
    assert 0 < terms._shown["discriminator/r1"] < 1e3
    refused(lambda: small(cls, **{name: -value for name, value in options.items()}), "at least 0")
