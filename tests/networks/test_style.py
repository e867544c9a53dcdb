"""StyleGAN2's players against the formulas of the paper (arXiv:1912.04958)."""

from math import sqrt

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lit_gans.errors import UsageError
from lit_gans.networks import StyleDiscriminator, StyleGenerator
from lit_gans.networks.modulation import (
    GAIN,
    Blur,
    EqualConv2d,
    EqualLinear,
    MinibatchDeviation,
    ModulatedConv2d,
    activate,
)
from lit_gans.optim import ExponentialAverage
from lit_gans.penalties import zero_centered

SHAPES = [(1, 8, 8), (3, 9, 8), (1, 28, 28), (3, 17, 31), (4, 40, 12), (3, 64, 64)]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)
FILTER = torch.tensor([1.0, 3.0, 3.0, 1.0])


def generator(shape=(3, 16, 16), **arguments):
    torch.manual_seed(0)
    net = StyleGenerator(shape, **{"latent_dim": 6, "width": 4, "style_dim": 8, **arguments})
    for layer in strengths(net):
        nn.init.constant_(layer, 0.5)  # noise begins at strength 0, which would hide it
    return net


def strengths(net):
    return [parameter for name, parameter in net.named_parameters() if name.endswith("strength")]


# -------------------------------------------------------------------- layers


def modulated_by_groups(conv, x, style):
    """Equations 1 and 3: the weights of every sample modulated, demodulated, and convolved in a group of its own."""
    n, inputs, height, width = x.shape
    weight = conv.weight * (inputs * conv.weight.shape[2] ** 2) ** -0.5
    weight = weight[None] * conv.affine(style)[:, None, :, None, None]
    if conv.demodulate:
        weight = weight / (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    outputs = weight.shape[1]
    x = x.reshape(1, n * inputs, height, width)
    if conv.blur is None:
        kernels = weight.flatten(0, 1)
        return F.conv2d(x, kernels, padding=weight.shape[-1] // 2, groups=n).view(n, outputs, height, width)
    kernels = weight.transpose(1, 2).flatten(0, 1)
    x = F.conv_transpose2d(x, kernels, stride=2, groups=n)
    low_pass = torch.outer(FILTER, FILTER).to(x) / 64 * 4
    padding = 1 if weight.shape[-1] == 3 else 2
    x = F.conv2d(x, low_pass.expand(n * outputs, 1, 4, 4), padding=padding, groups=n * outputs)
    return x.view(n, outputs, 2 * height, 2 * width)


@pytest.mark.parametrize(
    "kernel, demodulate, up", [(3, True, False), (3, True, True), (3, False, True), (1, False, False), (1, True, True)]
)
def test_modulated_convolution_is_the_grouped_one(kernel, demodulate, up):
    torch.manual_seed(0)
    conv = ModulatedConv2d(5, 7, kernel, 6, up, demodulate).double()
    x, style = torch.randn(3, 5, 6, 9).double().requires_grad_(), torch.randn(3, 6).double().requires_grad_()
    ours, reference = conv(x, style), modulated_by_groups(conv, x, style)
    assert ours.shape == reference.shape == (3, 7, *((12, 18) if up else (6, 9)))
    torch.testing.assert_close(ours, reference, rtol=1e-6, atol=1e-6)
    inputs, direction = (x, style, conv.weight), torch.randn_like(ours)
    gradients = (torch.autograd.grad((y * direction).sum(), inputs) for y in (ours, reference))
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-5)


def test_demodulated_outputs_have_unit_variance():
    """Whatever the style; without demodulation a style ten times as large gives a variance a hundred times as large."""
    torch.manual_seed(0)
    x, style = torch.randn(64, 16, 12, 12), 5 * torch.randn(64, 8)
    conv = ModulatedConv2d(16, 16, 3, 8)
    inside = conv(x, style)[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(inside.var((0, 2, 3)), torch.ones(16), rtol=0.1, atol=0)
    plain = ModulatedConv2d(16, 16, 3, 8, demodulate=False)
    plain.load_state_dict(conv.state_dict())
    assert plain(x, style)[:, :, 1:-1, 1:-1].var() > 5
    # smooth maps keep their variance when they are doubled: the gain of 4 makes up for the zeros in between
    flat, up = torch.randn(256, 16, 1, 1).expand(-1, -1, 8, 8), ModulatedConv2d(16, 16, 3, 8, up=True)
    doubled = up(flat, torch.randn(256, 8))[:, :, 4:-4, 4:-4]
    assert 0.05 < doubled.var() < 4 and torch.allclose(doubled.std((2, 3)), torch.zeros(()), atol=1e-4)


def test_equalised_learning_rate():
    """Weights of N(0, 1) times 1 / sqrt(fan in): unit variance in gives unit variance out, for any size."""
    torch.manual_seed(0)
    for inputs in (8, 512):
        linear, conv = EqualLinear(inputs, 256), EqualConv2d(inputs, 64, 3)
        for layer in (linear, conv):
            assert float(layer.weight.detach().std()) == pytest.approx(1, rel=0.05) and not layer.bias.any()
        assert linear(torch.randn(256, inputs)).var().item() == pytest.approx(1, rel=0.15)
        assert conv(torch.randn(8, inputs, 8, 8))[:, :, 1:-1, 1:-1].var().item() == pytest.approx(1, rel=0.15)
    x, image = torch.randn(2, 8), torch.randn(2, 8, 5, 5)
    linear, conv = EqualLinear(8, 3, bias=1.0), EqualConv2d(8, 3, 3)
    torch.testing.assert_close(linear(x), x @ linear.weight.T / sqrt(8) + 1)
    torch.testing.assert_close(conv(image), F.conv2d(image, conv.weight / sqrt(72), padding=1))


def test_lr_multiplier_slows_a_layer_and_leaves_its_output():
    torch.manual_seed(0)
    x = torch.randn(512, 64)
    fast, slow = EqualLinear(64, 64, bias=1.0), EqualLinear(64, 64, bias=1.0, lr_multiplier=0.01)
    assert float(slow.weight.detach().std()) == pytest.approx(100, rel=0.05)
    assert slow(x).var().item() == pytest.approx(1, rel=0.1) and slow(x).mean().item() == pytest.approx(1, abs=0.1)
    moves = []
    for layer in (fast, slow):
        before, optimizer = layer(x).detach(), torch.optim.Adam(layer.parameters(), lr=1e-3)
        layer(x).square().mean().backward()
        optimizer.step()
        moves.append((layer(x) - before).abs().mean().item())
    assert moves[1] == pytest.approx(moves[0] / 100, rel=0.05)


def test_activation_keeps_the_second_moment():
    """E lrelu(x)^2 = (1 + 0.04) / 2 for x from N(0, 1); the gain of sqrt(2) is the layer's before it."""
    x = torch.randn(100_000)
    assert float(activate(GAIN * x).square().mean()) == pytest.approx(1.04, rel=0.03)
    torch.testing.assert_close(activate(GAIN * x), GAIN * F.leaky_relu(x, 0.2))


def test_blur():
    impulse = torch.zeros(1, 1, 7, 7)
    impulse[0, 0, 3, 3] = 1
    torch.testing.assert_close(Blur(padding=2)(impulse)[0, 0, 2:6, 2:6], torch.outer(FILTER, FILTER) / 64)
    assert float(Blur(padding=2, gain=4.0)(impulse).sum()) == pytest.approx(4)
    checkerboard = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4).expand(2, 3, 8, 8)
    assert Blur(padding=0)(checkerboard).abs().max() < 1e-6  # what halving would alias


def test_minibatch_deviation():
    torch.manual_seed(0)
    layer, x = MinibatchDeviation(), torch.randn(8, 3, 5, 6)
    out = layer(x)
    assert out.shape == (8, 4, 5, 6) and torch.equal(out[:, :3], x)
    groups = [x[[0, 2, 4, 6]], x[[1, 3, 5, 7]]]
    expected = torch.stack([group.std(0, unbiased=False).mean() for group in groups]).repeat(4)
    torch.testing.assert_close(out[:, 3], expected[:, None, None].expand(8, 5, 6))
    collapsed = layer(x[:1].expand(8, -1, -1, -1))[:, 3]
    assert collapsed.max() < 1e-3 < 0.5 < out[:, 3].min()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 9])
def test_minibatch_deviation_of_any_batch(n):
    torch.manual_seed(0)
    x = torch.randn(n, 3, 5, 6).requires_grad_()
    spread = MinibatchDeviation()(x)[:, 3]
    assert spread.shape == (n, 5, 6)
    assert spread.max() < 1e-3 if n == 1 else spread.min() > 0.4
    spread.sum().backward()
    assert x.grad.isfinite().all() and MinibatchDeviation()(torch.ones(n, 3, 5, 6))[:, 3].max() < 1e-3


def test_a_discriminator_sees_a_collapse():
    torch.manual_seed(0)
    net, images = StyleDiscriminator((1, 16, 16), width=4), torch.rand(8, 1, 16, 16) * 2 - 1
    same = images[:1].expand(8, -1, -1, -1)
    assert (net(images)[0] - net(same)[0]).abs() > 1e-3
    torch.testing.assert_close(net(same)[0], net(images[:1])[0], rtol=1e-4, atol=1e-4)


# -------------------------------------------------------------------- players


@shapes
def test_shapes(shape):
    net = generator(shape)
    image = net(2 * torch.randn(3, 6))
    assert image.shape == (3, *shape) and image.is_contiguous() and image.dtype == torch.float32
    assert image.abs().max() <= 1 and image.std() > 0.05
    image.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    net, image = StyleDiscriminator(shape, width=4), torch.rand(3, *shape, requires_grad=True)
    logits = net(image)
    assert logits.shape == (3,)
    logits.sum().backward()
    assert image.grad.ne(0).any(1).all(), "some pixel is never looked at"
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 7, 64)], ids=str)
def test_too_small(shape):
    for net in (StyleGenerator, StyleDiscriminator):
        with pytest.raises(UsageError, match="at least 8x8") as error:
            net(shape)
        assert str(shape) in str(error.value)


def test_bad_arguments():
    with pytest.raises(UsageError, match="at least 1, got 0"):
        generator(mapping_layers=0)
    with pytest.raises(UsageError, match=r"in \[0, 1\], got 1.5"):
        generator(mixing=1.5)
    with pytest.raises(UsageError, match="at least 2 samples, got group=1"):
        StyleDiscriminator((1, 16, 16), group=1)


def test_crop_is_central():
    net, whole = generator((1, 9, 15)).eval(), []
    net.blocks[-1].register_forward_hook(lambda module, inputs, output: whole.append(output[1]))
    image = net(torch.randn(2, 6))
    top, left = ((side - wanted) // 2 for side, wanted in zip(whole[0].shape[2:], (9, 15), strict=True))
    assert whole[0].shape[2:] == (10, 16) and torch.equal(image, whole[0].tanh()[:, :, top : top + 9, left : left + 15])


def test_noise_is_fresh_in_training_and_fixed_in_evaluation():
    net, z = generator(), torch.randn(1, 6).expand(2, -1)
    first, second = net(z)
    assert not torch.allclose(first, second, atol=1e-2) and not torch.equal(net(z)[0], first)
    torch.manual_seed(1)
    drawn = net(z)
    torch.manual_seed(1)
    assert torch.equal(net(z), drawn)  # from the global random state
    net.eval()
    state = torch.get_rng_state()
    first, second = net(z)
    torch.testing.assert_close(first, second)
    assert torch.equal(net(z)[0], first) and torch.equal(torch.get_rng_state(), state)
    copy = StyleGenerator((3, 16, 16), 6, 4, 8)
    copy.load_state_dict(net.state_dict())
    assert torch.equal(copy.eval()(z)[0], first)  # the fixed maps are part of the weights' file
    with torch.no_grad():
        for strength in strengths(net):
            strength.zero_()
    assert not torch.allclose(net(z)[0], first, atol=1e-3)  # the fixed map is added too


def test_eval_draws_samples_one_by_one():
    net, z = generator().eval(), torch.randn(4, 6)
    torch.testing.assert_close(net(z), torch.cat([net(row[None]) for row in z]))


def test_only_the_direction_of_the_noise_counts():
    net, z = generator().eval(), torch.randn(4, 6)
    torch.testing.assert_close(net(z), net(3 * z), rtol=1e-4, atol=1e-5)


def test_double_backward():
    """R1's gradient against a difference quotient."""
    torch.manual_seed(0)
    net, images = StyleDiscriminator((2, 9, 11), width=2).double(), torch.rand(5, 2, 9, 11).double()

    def penalty():  # in double, but for the deviation: what zero_centered computes in single
        x = images.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
        return gradient.square().sum() / len(x)

    value = penalty()
    value.backward()
    for parameter in (net.from_rgb.weight, net.blocks[0].down[1].weight, net.final.weight):
        direction, start, sides = torch.randn_like(parameter), parameter.detach().clone(), []
        for step in (1e-3, -1e-3):
            parameter.data = start + step * direction
            sides.append(float(penalty().detach()))
        parameter.data = start
        expected = float((parameter.grad * direction).sum())
        assert (sides[0] - sides[1]) / 2e-3 == pytest.approx(expected, rel=1e-2, abs=1e-5)
    torch.testing.assert_close(zero_centered(net.float(), images.float()).double(), value, rtol=1e-4, atol=0)


def test_bfloat16():
    net, critic = generator(), StyleDiscriminator((3, 16, 16), width=4)
    z = torch.randn(4, 6)
    exact = net.eval()(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        image = net(z)
        logits = critic(image)
    assert image.dtype == torch.float32
    torch.testing.assert_close(image, exact, rtol=0, atol=0.1)
    logits.float().sum().backward()
    for player in (net, critic):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in player.parameters())


def test_demodulation_is_float32_under_autocast():
    """In bfloat16 a sum of squares stops growing at 256 equal summands; the coefficient must not know of autocast."""
    conv = ModulatedConv2d(64, 4, 3, 8)
    weight, scales = conv.weight * conv.scale, torch.rand(3, 64) + 1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = conv._demodulation(weight, scales)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, conv._demodulation(weight, scales), rtol=0, atol=0)


# -------------------------------------------------------------------- styles


def test_truncation():
    net = generator()
    for _ in range(5):
        net(torch.randn(64, 6))
    net.eval()
    z = torch.randn(8, 6)
    still = net(z, truncation=0.0)
    torch.testing.assert_close(still, still[:1].expand_as(still))
    torch.testing.assert_close(still[:1], net.synthesis(net.mean_style[None]))
    spread = [net(z, truncation=psi).std(0).mean().item() for psi in (0.0, 0.5, 1.0)]
    assert spread[0] < 1e-6 < spread[1] < spread[2]
    assert torch.equal(net(z, truncation=1.0), net(z))


def test_mean_style_follows_training_only():
    net, expected = generator(), torch.zeros(8)
    for _ in range(4):
        z = torch.randn(16, 6)
        expected = 0.995 * expected + 0.005 * net.mapping(z).detach().mean(0)
        net(z)
    torch.testing.assert_close(net.mean_style, expected)
    assert not net.mean_style.requires_grad
    net.eval()(torch.randn(16, 6))
    torch.testing.assert_close(net.mean_style, expected)


def test_the_average_copies_buffers():
    net = generator()
    average = ExponentialAverage(net, 0.999)
    net(torch.randn(16, 6))
    average.update_parameters(net)
    assert net.mean_style.any() and torch.equal(average.module.mean_style, net.mean_style)
    names = [name for name, _ in net.named_buffers() if name.endswith("noise")]
    assert len(names) == net.n_layers == 5
    z = torch.randn(2, 6)
    average.module.load_state_dict(net.state_dict())
    torch.testing.assert_close(average.module.eval()(z), net.eval()(z))


def test_style_of_each_layer():
    """Coarse and fine layers answer to their own styles."""
    net = generator().eval()
    one, other = net.mapping(torch.randn(2, 6)).split(1)
    per_layer = one[:, None].repeat(1, net.n_layers, 1)
    torch.testing.assert_close(net.synthesis(per_layer), net.synthesis(one))
    for layer in range(net.n_layers):
        changed = per_layer.clone()
        changed[:, layer] = other
        assert (net.synthesis(changed) - net.synthesis(one)).abs().max() > 1e-4


def test_style_mixing():
    """With ``mixing=1`` every sample has a first and a second style, with 0.5 about half of them."""
    net = generator(mixing=0.5)
    style = net.mapping(torch.randn(400, 6))
    mixed = net._mix(style, torch.randn(400, 6))
    own = (mixed == style[:, None]).all(2)
    assert own[:, 0].all() and (own[:, :-1] | ~own[:, 1:]).all()  # once in the second style, never back
    assert 0.4 < float((~own[:, -1]).float().mean()) < 0.6
    assert set(own[~own[:, -1]].sum(1).tolist()) == {1, 2, 3, 4}
    assert (generator(mixing=1.0)._mix(style, torch.randn(400, 6))[:, -1] != style).any(1).all()
    z = torch.randn(2, 6)
    torch.testing.assert_close(net.eval()(z), net.synthesis(net.mapping(z)))  # never in evaluation
