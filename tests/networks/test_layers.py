"""Where the norms are and what they do, and the kinds of upsampling."""

import copy
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from conftest import refused
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from lit_gans.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    ResNetDiscriminator,
    ResNetGenerator,
)
from lit_gans.networks.layers import SubPixel, norm_layers, normal, reparametrise, strided_each, upsample, widths
from lit_gans.optim import ExponentialAverage
from lit_gans.penalties import zero_centered

SHAPE = (3, 12, 20)
NORMS = ["batch", "layer", "weight", "spectral", "none"]
WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
LAYERS = {
    "batch": (nn.BatchNorm1d, nn.BatchNorm2d),
    "layer": (nn.GroupNorm, nn.LayerNorm),
    "weight": (),
    "spectral": (),
    "none": (),
}
PLAYERS = {
    "dcgan": (
        lambda norm: DCGANGenerator(SHAPE, 5, 8, norm=norm),
        lambda norm: DCGANDiscriminator((1, 16, 16), 8, norm=norm),
    ),
    "mlp": (
        lambda norm: MLPGenerator(SHAPE, 5, (16, 8), norm=norm),
        lambda norm: MLPDiscriminator((1, 16, 16), (16, 8), norm=norm),
    ),
    "resnet": (
        lambda norm: ResNetGenerator(SHAPE, 5, 2, norm=norm, attention=8),
        lambda norm: ResNetDiscriminator((1, 16, 16), 4, norm=norm, attention=8),
    ),
}
every_player = pytest.mark.parametrize("player", PLAYERS)
every_norm = pytest.mark.parametrize("norm", NORMS)


def weighted(network):
    return [module for module in network.modules() if isinstance(module, WEIGHTED)]


@every_player
@every_norm
def test_placement(player, norm):
    for number, make in enumerate(PLAYERS[player]):
        network = make(norm)
        kinds = [type(m) for m in network.modules()]
        expected = LAYERS["batch" if (player, number, norm) == ("resnet", 0, "spectral") else norm]  # SAGAN has both
        assert any(issubclass(kind, expected) for kind in kinds) == bool(expected)
        others = tuple(kind for layers in LAYERS.values() for kind in layers if kind not in expected)
        assert not any(issubclass(kind, others) for kind in kinds)
        # a norm of the weights is on all of them, the first and the last included
        assert all(
            parametrize.is_parametrized(m, "weight") == (norm in ("weight", "spectral")) for m in weighted(network)
        )


@every_norm
def test_first_and_last_maps_are_not_normalised(norm):
    if not LAYERS[norm]:
        return
    players = DCGANGenerator((3, 32, 32), width=4, norm=norm), DCGANDiscriminator((3, 32, 32), 4, norm)
    for network, skipped in zip(players, (-1, 0), strict=True):
        leaves = [m for m in network.modules() if not list(m.children())]
        convolutions = [i for i, m in enumerate(leaves) if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
        bare = convolutions.pop(skipped)
        assert not any(isinstance(m, LAYERS[norm]) for m in leaves[bare + 1 : bare + 2])
        assert leaves[bare].bias is not None
        assert convolutions and all(isinstance(leaves[i + 1], LAYERS[norm]) for i in convolutions)
        assert all(leaves[i].bias is None for i in convolutions)


@every_player
@every_norm
def test_trains_copies_and_saves(player, norm):
    """Every parameter gets a gradient, also through a penalty's double backward and in bfloat16."""
    torch.manual_seed(0)
    for make in PLAYERS[player]:
        network = make(norm)
        is_generator = hasattr(network, "latent_dim")
        inputs = torch.randn(4, 5) if is_generator else torch.rand(4, 1, 16, 16)
        with torch.autocast("cpu", torch.bfloat16):
            low = network(inputs)
        assert low.isfinite().all()
        # real, then fake: the second forward's power iteration must not spoil the first one's graph
        loss = network(inputs).square().mean() + network(-inputs).square().mean()
        if not is_generator:
            loss = loss + zero_centered(network, inputs)
        loss.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
        average, other = ExponentialAverage(network, 0.9), make(norm)
        average.update_parameters(network)
        other.load_state_dict(network.state_dict())
        network.eval()
        expected = network(inputs)
        for same in (copy.deepcopy(network), average.module, other):
            torch.testing.assert_close(same.eval()(inputs), expected)


@pytest.mark.parametrize("player", ["dcgan", "resnet"])
def test_channels_last(player):
    for make in PLAYERS[player]:
        for norm in ("batch", "spectral"):
            for layer in weighted(make(norm)):
                if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                    assert layer.weight.is_contiguous(memory_format=torch.channels_last)


@every_player
def test_layer_norm_is_of_single_samples(player):
    generator, discriminator = (make("layer") for make in PLAYERS[player])
    noise, image = torch.randn(4, 5), torch.rand(4, 1, 16, 16)
    for network, inputs in ((generator, noise), (discriminator, image)):
        torch.testing.assert_close(network(inputs), torch.cat([network(row[None]) for row in inputs]))


def test_layer_norm_standardises_a_sample():
    maps = 3 * torch.randn(2, 6, 5, 4) + 7
    (layer,) = norm_layers(6, "layer")
    flat = maps.flatten(1)
    expected = (flat - flat.mean(1, keepdim=True)) / (flat.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(layer(maps).flatten(1), expected)
    assert layer.weight.shape == layer.bias.shape == (6,)  # an affine a channel


def matrix(layer):
    """Outputs x rest, as Miyato et al. flatten a kernel."""
    weight = layer.weight.detach()
    return (weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight).flatten(1)


@every_player
def test_spectral_norm_is_one(player):
    torch.manual_seed(0)
    for make in PLAYERS[player]:
        network = make("spectral")
        for layer in weighted(network):
            layer.parametrizations.weight.original.data.mul_(30)  # as if trained far off
        inputs = torch.randn(4, 5) if hasattr(network, "latent_dim") else torch.rand(4, 1, 16, 16)
        for _ in range(60):
            network(inputs)
        norms = torch.stack([torch.linalg.matrix_norm(matrix(layer), 2) for layer in weighted(network)])
        torch.testing.assert_close(norms, torch.ones_like(norms), rtol=0.02, atol=0)


def test_spectral_norm_of_shapes_alone_takes_no_iterations(monkeypatch):
    """Where there are no numbers yet; given numbers, it is spectral norm."""
    network, images = DCGANDiscriminator((3, 16, 16), 4, "spectral"), torch.randn(2, 3, 16, 16)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    with monkeypatch.context() as patched, torch.device("meta"):
        patched.setattr(parametrizations._SpectralNorm, "_power_method", None)
        shapes = DCGANDiscriminator((3, 16, 16), 4, "spectral")
    assert {name: value.shape for name, value in shapes.state_dict().items()} == {n: v.shape for n, v in state.items()}
    filled = shapes.to_empty(device="cpu")
    filled.load_state_dict(state)
    assert torch.equal(filled.train()(images), network.train()(images))
    assert not torch.equal(
        filled.state_dict()["layers.0.parametrizations.weight.0._u"], state["layers.0.parametrizations.weight.0._u"]
    )


def test_spectral_discriminator_is_lipschitz():
    """Five layers of norm 1 (a 4x4 stride-2 kernel may stretch by at most 2) and slopes of at most 1."""
    torch.manual_seed(0)
    shape = (3, 32, 32)
    network, plain = (DCGANDiscriminator(shape, 8, norm).train() for norm in ("spectral", "none"))
    for layer in weighted(plain):
        layer.weight.data.mul_(20)
    left, right = torch.rand(2, 32, *shape)
    slopes = [((n(left) - n(right)).abs() / (left - right).flatten(1).norm(dim=1)).max() for n in (network, plain)]
    assert slopes[0] <= 2**3 < slopes[1]


def test_weight_norm_parts_length_and_direction():
    torch.manual_seed(0)
    for layer, dim in ((nn.Conv2d(4, 6, 3), 0), (nn.ConvTranspose2d(4, 6, 4), 1), (nn.Linear(4, 6), 0)):
        before = layer.weight.detach().clone()
        reparametrise(layer, "weight")
        torch.testing.assert_close(layer.weight, before)
        length, direction = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
        assert length.numel() == 6 == length.shape[dim]  # one an output
        others = [d for d in range(before.ndim) if d != dim]
        torch.testing.assert_close(length, before.pow(2).sum(others, keepdim=True).sqrt())
        direction.data.mul_(5)
        torch.testing.assert_close(layer.weight, before)
        length.data.mul_(2)
        torch.testing.assert_close(layer.weight, 2 * before)


def test_no_signal_is_lost_where_nothing_normalises():
    """Without a norm, N(0, 0.02) would shrink every map; PyTorch's own draw is kept."""
    torch.manual_seed(0)
    image = torch.randn(16, 3, 32, 32)
    network = DCGANDiscriminator((3, 32, 32), 32, "none")
    kept = network.layers(image).std()
    network.apply(normal)
    assert kept > 3 * network.layers(image).std()


@pytest.mark.parametrize("norm", ["weight", "spectral"])
def test_reparametrised_after_the_initialisation(norm):
    torch.manual_seed(0)
    plain = DCGANDiscriminator((3, 32, 32), 32, "none")
    torch.manual_seed(0)
    network = DCGANDiscriminator((3, 32, 32), 32, norm)
    name = "original1" if norm == "weight" else "original"
    for before, layer in zip(weighted(plain), weighted(network), strict=True):
        assert torch.equal(getattr(layer.parametrizations.weight, name), before.weight)
    count = len(list(network.parameters()))
    reparametrise(network, norm)  # a second time changes nothing
    assert len(list(network.parameters())) == count


def test_unknown_norm():
    for make in (make for players in PLAYERS.values() for make in players):
        refused(
            lambda make=make: make("group"),
            "batch, instance, instance_affine, layer, weight, spectral, none",
            "'group'",
        )
    refused(lambda: MLPGenerator(SHAPE, hidden=(), norm="group"), "'group'")
    refused(lambda: MLPGenerator(SHAPE, norm="instance"), "for maps")


def test_instance_norm():
    """Every channel of every image by itself; no image changes another."""
    (layer,) = norm_layers(3, "instance")
    maps = torch.randn(4, 3, 5, 6) * 7 + 2
    made = layer(maps)
    torch.testing.assert_close(made.mean((2, 3)), torch.zeros(4, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(made.var((2, 3), correction=0), torch.ones(4, 3), atol=1e-4, rtol=0)
    torch.testing.assert_close(layer(maps[:1]), made[:1])
    torch.testing.assert_close(made, nn.InstanceNorm2d(3)(maps))


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_instance_norm_of_one_image_has_the_gradient_of_two(order):
    """PyTorch's has another one on a CPU, where the gradient is in channels-last order."""
    (layer,) = norm_layers(3, "instance")
    maps, slopes = (torch.randn(2, 3, 5, 6).contiguous(memory_format=order) for _ in range(2))
    maps.requires_grad_()
    (both,) = torch.autograd.grad(layer(maps), maps, slopes)
    one, slope = maps[:1].detach().requires_grad_(), slopes[:1]
    (alone,) = torch.autograd.grad(layer(one), one, slope.contiguous(memory_format=order))
    torch.testing.assert_close(alone, both[:1])


@pytest.mark.parametrize("most", [1, 8, 16])
def test_widths_double_until_they_are_wide_enough(most):
    plan = widths(3, 7, most)
    assert len(plan) == 7 and plan[0] == 3 and max(plan) == 3 * most
    assert all(wide == min(2 * narrow, 3 * most) for narrow, wide in pairwise(plan))


# -------------------------------------------------------------------- upsampling


@pytest.mark.parametrize("norm", ["batch", "weight", "spectral"])
def test_subpixel_begins_as_nearest(norm):
    torch.manual_seed(0)
    layer = SubPixel(5, 3, bias=True)
    layer.apply(normal)
    assert float(layer[0].weight.detach().std()) == pytest.approx(0.02, rel=0.2)
    maps = torch.randn(2, 5, 6, 7)
    kernel = layer[0].weight[::4]
    expected = F.interpolate(F.conv2d(maps, kernel, padding=1), scale_factor=2)
    torch.testing.assert_close(layer(maps), expected)
    reparametrise(layer, norm)
    drawn = layer(maps)
    torch.testing.assert_close(drawn, F.interpolate(drawn[..., ::2, ::2], scale_factor=2))
    network, seen = DCGANGenerator((3, 32, 32), 5, 8, "subpixel", norm), []
    for module in network.modules():
        if isinstance(module, SubPixel):
            module.register_forward_hook(lambda module, inputs, output: seen.append(output))
    network(torch.randn(2, 5))
    assert len(seen) == 3
    assert all(torch.equal(m, F.interpolate(m[..., ::2, ::2], scale_factor=2)) and m.std() > 0 for m in seen)


def test_subpixel_learns_all_four_pixels_apart():
    layer = SubPixel(4, 2)
    layer(torch.randn(2, 4, 5, 5)).square()[..., ::2, ::2].sum().backward()
    moved = layer[0].weight.grad.unflatten(0, (2, 4)).abs().sum((0, 2, 3, 4))
    assert moved[0] > 0 and not moved[1:].any()


def test_bilinear_then_convolution():
    layer = upsample(4, 3, "bilinear", bias=True)
    maps = torch.randn(2, 4, 5, 6)
    resized = F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(layer(maps), layer[1](resized))
    assert not torch.equal(resized, F.interpolate(maps, scale_factor=2))


@pytest.mark.parametrize("kind", ["transposed", "resize", "bilinear", "subpixel"])
def test_upsampling_doubles_any_shape(kind):
    for shape in [(1, 28, 28), (3, 9, 15), (4, 40, 12)]:
        network = DCGANGenerator(shape, 5, 4, kind, "none")
        assert network(torch.randn(2, 5)).shape == (2, *shape)
    assert upsample(4, 3, kind)(torch.randn(2, 4, 5, 6)).shape == (2, 3, 10, 12)
    for bias in (False, True):
        assert any("bias" in name for name, _ in upsample(4, 3, kind, bias).named_parameters()) == bias


@pytest.mark.parametrize("norm", NORMS)
def test_mlp_has_one_shift_a_layer(norm):
    hidden, last = (m for m in MLPGenerator(SHAPE, 5, (16,), norm=norm).modules() if isinstance(m, nn.Linear))
    assert (hidden.bias is None) == bool(LAYERS[norm]) and last.bias is not None


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shift", [None, torch.arange(4.0)])
def test_channels_convolved_by_themselves_keep_their_number_type(kind, shift):
    maps, kernels = torch.rand(2, 4, 9, 9).to(kind), torch.rand(4, 1, 3, 3).to(kind)
    bias = None if shift is None else shift.to(kind)
    expected = F.conv2d(maps.double(), kernels.double(), None if shift is None else shift.double(), 2, groups=4)
    with torch.autocast("cpu", torch.bfloat16):
        found = strided_each(maps, kernels, 2, bias)
    assert found.dtype == kind  # and autocast rounds nothing that comes in more digits
    torch.testing.assert_close(found.double(), expected, rtol=4e-3 if kind == torch.bfloat16 else 1e-6, atol=0)
