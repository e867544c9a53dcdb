"""The derivatives of our convolutions, against numbers and against PyTorch's own."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from lit_gans.convolutions import CheapSecondDerivative, convolve
from lit_gans.networks import (
    BEGANBackbone,
    DCGANBackbone,
    FusionBackbone,
    R3Backbone,
    ResNetBackbone,
    StyleBackbone,
    WeightNormBackbone,
)
from lit_gans.penalties import scores_and_slopes

BACKBONES = [
    DCGANBackbone(width=4, discriminator_norm="layer"),
    ResNetBackbone(width=4),
    R3Backbone(width=4, group_size=2),
    StyleBackbone(width=4),
    WeightNormBackbone(width=4),
    FusionBackbone(width=4),
    BEGANBackbone(width=4),
]


@pytest.mark.parametrize(
    ("groups", "bias", "stride", "dilation", "padding", "size"),
    [(1, True, 1, 1, 1, 3), (2, False, 2, 1, 1, 4), (1, True, 2, 2, 0, 3), (2, True, 3, 1, 2, 3)],
)
def test_both_derivatives(groups, bias, stride, dilation, padding, size):
    x, weight = torch.randn(2, 4, 6, 7), torch.randn(2, 4 // groups, size, size)
    given = [value.double().requires_grad_() for value in (x, weight, *([torch.randn(2)] if bias else []))]

    def function(x, weight, bias=None):
        return convolve(x, weight, bias, *((value,) * 2 for value in (stride, padding, dilation)), groups=groups)

    bias = given[2] if bias else None
    torch.testing.assert_close(
        function(*given), torch.conv2d(given[0], given[1], bias, stride, padding, dilation, groups)
    )
    assert gradcheck(function, given) and gradgradcheck(function, given)


@pytest.mark.parametrize("backbone", BACKBONES, ids=lambda backbone: type(backbone).__name__)
def test_a_penalty_has_the_gradients_of_pytorch(backbone):
    torch.manual_seed(0)
    network, images = backbone.discriminator((3, 16, 16)).eval(), torch.randn(4, 3, 16, 16)  # spectral norm moves
    scores, slopes = scores_and_slopes(network, images)
    (scores.mean() + slopes.mean()).backward()
    ours = {name: weight.grad for name, weight in network.named_parameters()}
    network.zero_grad(set_to_none=True)
    points = images.clone().requires_grad_()
    scores = network(points)
    (gradient,) = torch.autograd.grad(scores.sum(), points, create_graph=True)
    torch.testing.assert_close(gradient.square().flatten(1).sum(1), slopes, rtol=1e-4, atol=1e-5)
    (scores.mean() + gradient.square().flatten(1).sum(1).mean()).backward()
    for name, weight in network.named_parameters():
        torch.testing.assert_close(ours[name], weight.grad, rtol=1e-3, atol=1e-5, msg=name)


def test_it_is_used_in_networks_of_a_user_and_what_it_does_not_know_passes():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(
                [nn.Conv2d(3, 4, 3, padding="same"), nn.Conv2d(4, 4, 3), nn.ConvTranspose2d(4, 1, 2)]
            )

        def forward(self, image):
            for layer in self.layers:
                image = layer(image).square()
            return image.flatten(1).sum(1)

    images, nodes = torch.randn(2, 3, 8, 8, requires_grad=True), []
    with CheapSecondDerivative():
        scores = Own()(images)

    def walk(node):
        nodes.append(type(node).__name__)
        for before, _ in node.next_functions:
            if before is not None:
                walk(before)

    walk(scores.grad_fn)
    assert sum("Output" in name for name in nodes) == 1
    assert sum("Convolution" in name for name in nodes) == 2


def test_the_first_derivative_asks_for_no_gradients_of_weights():
    network = DCGANBackbone(width=4, discriminator_norm="none").discriminator((1, 16, 16))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        scores_and_slopes(network, torch.randn(2, 1, 16, 16))
    calls = {event.key: event.count for event in profile.key_averages()}
    assert calls["_Gradients"] == sum(isinstance(module, nn.Conv2d) for module in network.modules())


def test_under_autocast_the_backward_pass_has_its_precision_and_the_penalty_has_not():
    torch.manual_seed(0)
    network, images = R3Backbone(width=4).discriminator((1, 16, 16)), torch.randn(4, 1, 16, 16)
    found = []
    for enabled in (False, True):
        network.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            scores, slopes = scores_and_slopes(network, images)
            (scores.mean() + slopes.mean()).backward()
        found.append((slopes, torch.cat([weight.grad.flatten() for weight in network.parameters()])))
    assert torch.equal(found[0][0], found[1][0])
    assert not torch.equal(found[0][1], found[1][1])
    torch.testing.assert_close(found[0][1], found[1][1], rtol=0.05, atol=0.02 * float(found[0][1].abs().max()))


def test_weights_that_depend_on_the_image_count():
    class Dynamic(nn.Module):
        def __init__(self):
            super().__init__()
            self.make = nn.Linear(3 * 36, 2 * 3 * 9)

        def forward(self, image):
            kernels = self.make(image.flatten(1)).view(-1, 3, 3, 3)
            out = torch.conv2d(image.reshape(1, -1, 6, 6), kernels, padding=1, groups=len(image))
            return out.view(len(image), -1).square().sum(1)

    network, images = Dynamic(), torch.randn(4, 3, 6, 6)
    points = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(points).sum(), points)
    torch.testing.assert_close(scores_and_slopes(network, images)[1], gradient.square().flatten(1).sum(1))


@pytest.mark.parametrize("kind", ["complex", "vmap", "numpy's integers"])
def test_other_convolutions_pass(kind):
    x, weight = torch.randn(2, 3, 6, 6), torch.randn(4, 3, 3, 3)
    with CheapSecondDerivative():
        if kind == "complex":
            found, expected = torch.conv2d(x * 1j, weight * 1j), -torch.conv2d(x, weight).to(torch.complex64)
        elif kind == "vmap":
            found, expected = torch.vmap(lambda each: torch.conv2d(each[None], weight)[0])(x), torch.conv2d(x, weight)
        else:
            found, expected = torch.conv2d(x, weight, stride=np.int64(2)), torch.conv2d(x, weight, stride=2)
    torch.testing.assert_close(found, expected)
