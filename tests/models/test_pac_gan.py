"""Packs: what is joined with what, and what that shows a discriminator."""

from copy import deepcopy
from math import log

import pytest
import torch
from conftest import SHAPE, assert_equal, fit, refused, small, training_state
from torch import nn

import lit_gans
from lit_gans import DCGAN, LSGAN, PacGAN
from lit_gans.losses import minimax_discriminator
from lit_gans.networks import DCGANBackbone, DCGANDiscriminator, DCGANGenerator, PackedDiscriminator


class Pass(nn.Module):
    """Says of a pack what it is."""

    def forward(self, pack):
        return pack


def test_neighbours_are_joined_along_channels():
    image = torch.arange(4 * 2 * 1 * 3.0).view(4, 2, 1, 3)
    packs = PackedDiscriminator(Pass(), 2)(image)
    a, b, c, d = image
    by_hand = torch.stack([torch.stack([a[0], a[1], b[0], b[1]]), torch.stack([c[0], c[1], d[0], d[1]])])
    assert torch.equal(packs, by_hand)
    order = image.contiguous(memory_format=torch.channels_last)
    assert torch.equal(PackedDiscriminator(Pass(), 2)(order), by_hand)


@pytest.mark.parametrize(
    ("n", "packing", "rows"), [(5, 2, [0, 1, 2, 3, 4, 0]), (4, 3, [0, 1, 2, 3, 0, 1]), (1, 4, [0, 0, 0, 0])]
)
def test_the_last_pack_is_filled_up_with_the_first_rows(n, packing, rows):
    image = torch.randn(n, 1, 2, 2)
    packs = PackedDiscriminator(Pass(), packing)(image)
    assert packs.shape == (len(rows) // packing, packing, 2, 2)
    assert torch.equal(packs.view(-1, 1, 2, 2), image[rows])


@pytest.mark.parametrize("n", [6, 7])
def test_every_image_gets_a_gradient(n):
    image = torch.randn(n, *SHAPE, requires_grad=True)
    network = PackedDiscriminator(DCGANDiscriminator((3, 16, 16), 4, "none"), 3)
    assert network(image).shape == (-(-n // 3),)
    network(image).sum().backward()
    assert (image.grad.flatten(1).abs().sum(1) > 0).all()


def loss_after_training(packing):
    """Where a discriminator's loss ends; reals are -0.5 or 0.5 each, fakes too, but one like the next."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(packing, 16), nn.Tanh(), nn.Linear(16, 1), nn.Flatten(0))
    discriminator = PackedDiscriminator(network, packing)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(300):
        real = torch.randint(2, (64, 1, 1, 1)) - 0.5
        fake = torch.tensor([-0.5, 0.5]).repeat_interleave(32).view(64, 1, 1, 1)
        loss = sum(minimax_discriminator(discriminator(real), discriminator(fake)).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses[-100:]) / 100


def test_a_pack_shows_that_a_generator_repeats_itself():
    """Alone, every fake is as likely as a real. The best discriminator says p / (p + q) of what has these densities.

    Of m equal ones, real packs have p = 2^-m and fake ones q = 1/2; all other packs are real and cost nothing.
    """
    for packing in (1, 2, 4):
        p, q = 2.0**-packing, 0.5
        best = -2 * p * log(p / (p + q)) - 2 * q * log(q / (p + q))
        assert loss_after_training(packing) == pytest.approx(best, abs=0.08)  # 1.39, 0.95 and 0.39


def test_one_image_a_pack_is_the_plain_game(tmp_path):
    networks = {"generator": DCGANGenerator(SHAPE, 8, 4), "discriminator": DCGANDiscriminator(SHAPE, 4)}

    def play(cls, folder, **arguments):
        model = cls(**deepcopy(networks), image_shape=SHAPE, **arguments)
        torch.manual_seed(1)
        return fit(tmp_path / folder, model)

    packed, plain = play(PacGAN, "packed", packing=1), play(DCGAN, "plain")
    weights = packed["state_dict"]
    packed["state_dict"] = type(weights)((k.replace("inator.discriminator", "inator"), w) for k, w in weights.items())
    assert_equal(training_state(packed), training_state(plain))


def test_defaults():
    model = PacGAN(image_shape=(3, 16, 16), packing=3, backbone=DCGANBackbone(width=4), latent_dim=8)
    assert model.discriminator.discriminator.layers[0].in_channels == 9
    assert any(isinstance(m, nn.BatchNorm2d) for m in model.discriminator.modules())
    assert model.sample(2).shape == (2, 3, 16, 16)
    points = PacGAN(image_shape=(2, 1, 1), packing=4, latent_dim=2)
    assert points.discriminator(torch.zeros(8, 2, 1, 1)).shape == (2,)
    assert points.discriminator.discriminator.layers[1].in_features == 8
    plain = PacGAN(image_shape=SHAPE, backbone=DCGANBackbone(width=4, discriminator_norm="none"))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in plain.discriminator.modules())
    own = PacGAN(generator=DCGANGenerator(SHAPE, 8, 4), image_shape=SHAPE, backbone=DCGANBackbone(width=8))
    assert own.discriminator.discriminator.layers[0].out_channels == 8


def test_a_users_networks_and_other_games(tmp_path):
    networks = {"generator": DCGANGenerator(SHAPE, 8, 4), "discriminator": DCGANDiscriminator((2, 16, 16), 4)}
    model = PacGAN(**networks)
    assert model.discriminator.discriminator is networks["discriminator"] and model.latent_dim == 8
    fit(tmp_path / "own", model)
    with pytest.raises(lit_gans.errors.UsageError):  # a live object is in no file
        lit_gans.load(tmp_path / "own" / "checkpoints" / "last.ckpt")
    generator, discriminator = DCGANGenerator(SHAPE, 8, 4), DCGANDiscriminator((2, 16, 16), 4)
    game = LSGAN(generator=generator, discriminator=PackedDiscriminator(discriminator, 2))
    before = discriminator.judge.weight.detach().clone()
    fit(tmp_path / "other", game)
    assert not torch.equal(before, discriminator.judge.weight)


def test_a_packed_game_can_be_helped(tmp_path):
    """Augmentation sees single images; R1 goes through the packs."""
    model = small(PacGAN, augment=("translation",), r1=1.0, r1_every=1, discriminator_norm="none")
    shapes = []
    model.discriminator.discriminator.register_forward_pre_hook(lambda _, inputs: shapes.append(inputs[0].shape[1:]))
    fit(tmp_path, model)
    assert set(shapes) == {(2, 16, 16)}


def test_what_it_refuses():
    refused(lambda: PacGAN(image_shape=SHAPE, packing=0), "packing", "at least 1", 0)
    refused(lambda: PacGAN(packing=2), "image_shape")
    networks = {"generator": DCGANGenerator(SHAPE, 8, 4), "discriminator": DCGANDiscriminator((2, 16, 16), 4)}
    refused(lambda: PacGAN(**networks, backbone=DCGANBackbone()), "backbone", "PacGAN")
