"""The players of FastGAN and the discriminators of ProjectedGAN: any shape, leaps, maps that can be drawn from."""

import pytest
import torch
from conftest import refused
from players import SHAPES, check_discriminator, check_generator

from lit_gans.networks import (
    FastGANBackbone,
    FastGANDiscriminator,
    FastGANGenerator,
    ImageNetFeatures,
    ProjectedDiscriminator,
    RandomFeatures,
    Reconstructing,
)
from lit_gans.networks.fastgan import SkipExcitation, pyramid_distance
from lit_gans.networks.projected import Mixing


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_players(shape):
    torch.manual_seed(0)
    check_generator(FastGANGenerator(shape, 5, 4), shape)
    check_discriminator(FastGANDiscriminator(shape, 4), shape)
    scores, distance = Reconstructing(FastGANDiscriminator(shape, 4), shape[0])(torch.rand(3, *shape), reconstruct=True)
    assert scores.shape == (3,) and distance.isfinite()


@pytest.mark.parametrize(("side", "leaps"), [(32, 1), (64, 1), (128, 2), (256, 3)])
def test_excitations_leap_over_four_doublings(side, leaps):
    """From 4 to 64 pixels, from 8 to 128, from 16 to 256, section 3.1."""
    generator = FastGANBackbone(width=1).generator((3, side, side), 4)
    assert len(generator.excitations) == leaps and generator.leap == min(4, len(generator.stages))


def test_an_excitation_scales_channels_by_a_factor_below_one():
    coarse, fine = torch.randn(2, 3, 5, 5), torch.randn(2, 4, 20, 20)
    scaled = SkipExcitation(3, 4)(coarse, fine) / fine
    factor = scaled.mean((2, 3), keepdim=True)
    torch.testing.assert_close(scaled, factor.expand_as(scaled))
    assert factor.gt(0).all() and factor.lt(1).all() and factor.std() > 0


def test_a_discriminator_learns_to_draw_what_it_sees():
    torch.manual_seed(0)
    network, images = Reconstructing(FastGANDiscriminator((1, 16, 16), 8), 1), torch.zeros(4, 1, 16, 16)
    images[:, :, :, 8:] = 0.8
    optimizer, distances = torch.optim.Adam(network.parameters(), 5e-3), []
    for _ in range(30):
        optimizer.zero_grad()
        distances.append(network(images, reconstruct=True)[1])
        distances[-1].backward()
        optimizer.step()
    assert distances[-1] < 0.5 * distances[0]


def test_the_distance_is_over_three_resolutions():
    drawn, image = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 16, 16)
    small = torch.nn.functional.avg_pool2d(image, 2)
    halves = [torch.nn.functional.avg_pool2d(drawn - small, n).abs().mean() for n in (1, 2, 4)]
    torch.testing.assert_close(pyramid_distance(drawn, image), sum(halves) / 3)
    assert pyramid_distance(small, image) == 0


def test_mixing_carries_coarse_maps_down_to_the_finest():
    """Of the paper's channels the discriminators get 64, 64, 128 and 256, at twice the sides of the maps."""
    mixing = Mixing((24, 40, 112, 320), 64)
    assert mixing.channels == [64, 64, 128, 256] and not list(mixing.parameters())
    mixing = Mixing((2, 3), 4)
    fine, coarse = torch.randn(1, 2, 8, 8), torch.randn(1, 3, 4, 4)
    mixed, other = mixing([fine, coarse]), mixing([fine, coarse + 1])
    assert [maps.shape[2:] for maps in mixed] == [(16, 16), (8, 8)]
    assert not torch.equal(mixed[0], other[0]) and not torch.equal(mixed[1], other[1])
    assert torch.equal(mixing([fine + 1, coarse])[1], mixed[1])


def test_projected_discriminators_train_and_what_is_frozen_does_not():
    torch.manual_seed(0)
    network = ProjectedDiscriminator((1, 28, 28), RandomFeatures(4, 32), width=4)
    image = torch.rand(2, 1, 28, 28, requires_grad=True)
    scores = network(image)
    scores.square().mean().backward()
    assert scores.shape == (2, 50) and all(p.grad.isfinite().all() for p in network.parameters())
    assert image.grad.flatten(1).abs().sum(1).gt(0).all()
    assert {name.partition(".")[0] for name, _ in network.named_parameters()} == {"judges"}
    assert {name.partition(".")[0] for name, _ in network.named_buffers()} == {"frozen", "judges", "mixing"}
    refused(lambda: ProjectedDiscriminator((4, 32, 32), RandomFeatures()), "(4, 32, 32)", "FastGAN")


def test_imagenet_gives_four_maps_whose_discriminators_score_25_places_each():
    network = ProjectedDiscriminator((3, 32, 32), ImageNetFeatures(), width=1)
    sides = [64, 32, 16, 8]
    scores = [
        judge(torch.randn(2, channels, side, side))
        for judge, channels, side in zip(network.judges, network.mixing.channels, sides, strict=True)
    ]
    assert [score.shape for score in scores] == [(2, 1, 5, 5)] * 4
