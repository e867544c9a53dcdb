"""Strict weight normalisation and the translated PReLU, by their formulas."""

import pytest
import torch
import torch.nn.functional as F
from conftest import refused
from torch import nn

from lit_gans.networks import WeightNormDiscriminator, WeightNormGenerator
from lit_gans.networks.weight_norm import TPReLU, normalised

LAYERS = {
    "linear": (lambda bias: nn.Linear(6, 5, bias=bias), (7, 6), F.linear, 0, {}),
    "conv": (lambda bias: nn.Conv2d(3, 5, 4, 2, 1, bias=bias), (2, 3, 8, 8), F.conv2d, 0, {"stride": 2, "padding": 1}),
    "transposed": (
        lambda bias: nn.ConvTranspose2d(3, 5, 4, 2, 1, bias=bias),
        (2, 3, 8, 8),
        F.conv_transpose2d,
        1,
        {"stride": 2, "padding": 1},
    ),
}


def raw(layer):
    """The learned weight, before it is normalised."""
    return layer.parametrizations.weight.original


@pytest.fixture(params=LAYERS)
def case(request):
    torch.manual_seed(0)
    return LAYERS[request.param]


def test_the_output_is_the_formula(case):
    """y = w x / |w|, for a transposed convolution of stride 2 over sqrt(sum w^2 / 2^2); nothing else is learned."""
    make, shape, plain, outputs, options = case
    layer, inputs = normalised(make(False)), torch.randn(shape)
    assert [name for name, _ in layer.named_parameters()] == ["parametrizations.weight.original"]
    share = 4 if outputs == 1 else 1
    units = raw(layer).detach().unbind(outputs)
    length = torch.stack([(w.double().square().sum() / share).sqrt() for w in units]).float()
    expected = plain(inputs, raw(layer), **options)
    expected = expected / length.view(-1, *[1] * (expected.ndim - 2))
    torch.testing.assert_close(layer(inputs), expected)


def test_an_affine_layer_has_gain_and_bias(case):
    make, shape, _, _, _ = case
    strict = normalised(make(False))
    affine = normalised(make(True), affine=True)
    raw(affine).data.copy_(raw(strict).data)
    inputs = torch.randn(shape)
    torch.testing.assert_close(affine(inputs), strict(inputs))  # it begins as a strict one
    gain, bias = torch.tensor([1.0, 2.0, -1.0, 0.5, 3.0]), torch.arange(5.0)
    affine.parametrizations.weight[0].gain.data.copy_(gain)
    affine.bias.data.copy_(bias)
    expected = strict(inputs).transpose(1, -1) * gain + bias
    torch.testing.assert_close(affine(inputs).transpose(1, -1), expected)


def test_scaling_the_weight_changes_nothing(case):
    make, shape, _, outputs, _ = case
    layer, inputs = normalised(make(False)), torch.randn(shape)
    before = layer(inputs)
    factors = torch.tensor([1e-3, 0.5, 1.0, 2.0, 1e3])
    raw(layer).data.mul_(factors.view([-1 if dim == outputs else 1 for dim in range(raw(layer).ndim)]))
    torch.testing.assert_close(layer(inputs), before)


def test_the_gradient_is_orthogonal_to_the_weight(case):
    make, shape, _, outputs, _ = case
    layer = normalised(make(False))
    (layer(torch.randn(shape)) ** 3).sum().backward()
    weight, grad = (t.transpose(0, outputs).flatten(1) for t in (raw(layer).detach(), raw(layer).grad))
    assert grad.norm(dim=1).min() > 0.1
    assert ((weight * grad).sum(1).abs() < 1e-5 * weight.norm(dim=1) * grad.norm(dim=1)).all()


def test_a_shorter_weight_turns_faster(case):
    """What the initial scale is for: the same step turns a hundredth of the weight a hundred times further."""
    make, shape, _, _, _ = case
    torch.manual_seed(1)
    long = normalised(make(False))
    torch.manual_seed(1)
    make(False)
    short = normalised(make(False))
    raw(short).data.copy_(0.01 * raw(long).data)
    inputs = torch.randn(shape)
    grads = [torch.autograd.grad((layer(inputs) ** 3).sum(), raw(layer))[0] for layer in (long, short)]
    torch.testing.assert_close(grads[1], 100 * grads[0], rtol=1e-3, atol=1e-3)
    torch.manual_seed(2)
    full = raw(normalised(nn.Linear(50, 40, bias=False)))
    torch.manual_seed(2)
    scaled = raw(normalised(nn.Linear(50, 40, bias=False), init=0.01))
    torch.testing.assert_close(scaled, 0.01 * full)


@pytest.mark.parametrize("name", LAYERS)
def test_unit_variance_goes_through(name):
    """Uncorrelated inputs of variance 1 give outputs of variance 1, whatever the kernel, stride and initial weight."""
    torch.manual_seed(0)
    layer = {
        "linear": nn.Linear(64, 32, bias=False),
        "conv": nn.Conv2d(16, 32, 4, 2, 1, bias=False),
        "transposed": nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False),
    }[name]
    normalised(layer, init=7.0)
    inputs = torch.randn(4000, 64) if name == "linear" else torch.randn(64, layer.in_channels, 12, 12)
    outputs = layer(inputs)
    if name != "linear":
        outputs = outputs[:, :, 1:-1, 1:-1]  # the padding shows the border fewer inputs
    assert float(outputs.var().detach()) == pytest.approx(1.0, abs=0.03)
    if (
        name != "transposed"
    ):  # there a unit's four phases see different quarters of its kernel, so it is true on average
        assert (outputs.transpose(1, -1).flatten(0, -2).var(0) - 1).abs().max() < 0.15


# -------------------------------------------------------------------- the activation


def test_translated_prelu():
    """x above the threshold, a + b (x - a) below, with its derivatives by x, a and b."""
    layer = TPReLU(3)
    layer.threshold.data = torch.tensor([-1.0, 0.0, 2.0])
    layer.slope.data = torch.tensor([0.5, 0.0, 0.25])
    inputs = torch.tensor([[-3.0, -3.0, -2.0], [4.0, 4.0, 4.0]], requires_grad=True)
    outputs = layer(inputs)
    torch.testing.assert_close(outputs, torch.tensor([[-2.0, 0.0, 1.0], [4.0, 4.0, 4.0]]))
    outputs.sum().backward()
    torch.testing.assert_close(inputs.grad, torch.tensor([[0.5, 0.0, 0.25], [1.0, 1.0, 1.0]]))
    torch.testing.assert_close(layer.threshold.grad, torch.tensor([0.5, 1.0, 0.75]))  # 1 - b, below only
    torch.testing.assert_close(layer.slope.grad, torch.tensor([-2.0, -3.0, -4.0]))  # x - a, below only
    maps = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    a, b = (p.detach().view(1, 3, 1, 1) for p in layer.parameters())
    torch.testing.assert_close(layer(maps), torch.where(maps > a, maps, a + b * (maps - a)))
    assert layer(maps).is_contiguous(memory_format=torch.channels_last)


def test_threshold_zero_is_prelu():
    inputs = torch.randn(5, 4)
    torch.testing.assert_close(TPReLU(4)(inputs), nn.PReLU(4)(inputs))


@pytest.mark.parametrize("slope, used", [(-0.3, 0.0), (1.7, 1.0)])
def test_slopes_are_clamped_and_come_back(slope, used):
    """Outside [0, 1] the nearer end counts, and only a step that leads back is let through."""
    layer = TPReLU(1, slope=slope)
    inputs = torch.tensor([[-2.0]])
    assert layer(inputs).item() == pytest.approx(-2.0 * used)
    inwards = 1.0 if slope > 1 else -1.0  # the sign of a gradient that descent follows back
    for sign in (inwards, -inwards):
        layer.zero_grad()
        (sign * layer(inputs)).backward(torch.tensor([[-1.0]]))  # d output / d slope is -2
        assert float(layer.slope.grad) == (2.0 * sign if sign == inwards else 0.0)


def test_second_derivatives():
    """A gradient penalty differentiates twice."""
    torch.manual_seed(0)
    network = WeightNormDiscriminator((1, 8, 8), width=2).double()
    images = torch.randn(3, 1, 8, 8, dtype=torch.double, requires_grad=True)
    (grad,) = torch.autograd.grad(network(images).sum(), images, create_graph=True)
    grad.square().sum().backward()
    name, weight = next((n, p) for n, p in network.named_parameters() if p.ndim == 4)
    before, step = float(weight.grad[0, 0, 0, 0]), 1e-6

    def penalty(shift):
        weight.data[0, 0, 0, 0] += shift
        (grad,) = torch.autograd.grad(network(images).sum(), images)
        return float(grad.square().sum())

    numerical = (penalty(step) - penalty(-2 * step)) / (2 * step)
    assert before == pytest.approx(numerical, rel=1e-4), name
    # the threshold moves the bend itself, which has no second derivative almost everywhere; the slope has one
    slopes = [p.grad for n, p in network.named_parameters() if n.endswith("slope")]
    assert all(g is not None and g.abs().sum() > 0 for g in slopes)


# -------------------------------------------------------------------- the players


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (2, 17, 40)])
def test_any_shape(shape):
    torch.manual_seed(0)
    generator, discriminator = WeightNormGenerator(shape, 5, 4), WeightNormDiscriminator(shape, 4)
    images = generator(torch.randn(3, 5))
    assert images.shape == (3, *shape) and images.abs().max() <= 1
    assert discriminator(images).shape == (3,)


def test_too_small():
    refused(lambda: WeightNormGenerator((1, 7, 9)), "8x8", (1, 7, 9))


def test_only_the_last_layers_are_affine():
    for network in (WeightNormGenerator((1, 16, 16), 8, 4), WeightNormDiscriminator((1, 16, 16), 4)):
        names = [name for name, _ in network.named_parameters()]
        assert sum(name.endswith("gain") for name in names) == sum(name.endswith("bias") for name in names) == 1
        assert not any(isinstance(m, (nn.BatchNorm2d, nn.BatchNorm1d)) for m in network.modules())


def test_only_the_first_weight_of_the_generator_begins_short():
    """Every unit's weight is about 1 / sqrt(3) long, since U(-1, 1) has variance 1/3; the first a hundredth of that."""
    generator = WeightNormGenerator((1, 32, 32), 64, 8)
    first, *others = [p.detach() for name, p in generator.named_parameters() if name.endswith("original")]
    assert first.norm(dim=1).mean() == pytest.approx(0.01 / 3**0.5, rel=0.05)
    for weight in others:
        assert weight.transpose(0, 1).flatten(1).norm(dim=1).mean() == pytest.approx(1 / 3**0.5, rel=0.1)


def test_bfloat16():
    generator, discriminator = WeightNormGenerator((1, 16, 16), 8, 8), WeightNormDiscriminator((1, 16, 16), 8)
    with torch.autocast("cpu", torch.bfloat16):
        images = generator(torch.randn(16, 8))
        logits = discriminator(images)
    assert logits.dtype == torch.bfloat16 and torch.isfinite(logits).all()
    logits.float().sum().backward()
    assert all(torch.isfinite(p.grad).all() for n in (generator, discriminator) for p in n.parameters())
