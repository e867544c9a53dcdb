"""What a network lends: its answers in parts, its evaluation mode, and an encoder from any backbone's discriminator."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from lit_gans.networks import Backbone, Discriminator, DiscriminatorEncoder, Generator
from lit_gans.networks.base import evaluating, has_logits, in_parts


class Counting(nn.Module):
    """The sum of its inputs, times a number; keeps in mind what it was given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, one, other=None, times=1):
        self.seen.append(one)
        return times * (one if other is None else one + other)


def test_a_network_answers_in_parts():
    network, rows = Counting(), torch.arange(14.0, dtype=torch.float64, requires_grad=True).view(7, 2)
    like = torch.zeros((), dtype=torch.bfloat16)
    made = in_parts(network, rows, 2 * rows, like=like, size=3, times=2)
    assert [len(part) for part in network.seen] == [3, 3, 1]
    assert all(part.dtype == torch.bfloat16 for part in network.seen)
    assert made.dtype == torch.float32 and not made.requires_grad
    torch.testing.assert_close(made, 6 * rows.detach().float())


def test_evaluation_is_lent():
    network = nn.Sequential(nn.Dropout(), nn.Sequential(nn.BatchNorm1d(2)))
    network[1].eval()
    modes = [module.training for module in network.modules()]
    with pytest.raises(KeyError), evaluating(network):
        assert not any(module.training for module in network.modules())
        raise KeyError
    assert [module.training for module in network.modules()] == modes


@dataclass(frozen=True)
class Own(Backbone):
    """A user's: two methods."""

    latent_dim: int = 3
    scores: bool = True

    def generator(self, image_shape, inputs):
        return nn.Sequential(nn.Linear(inputs, image_shape[0]), nn.Tanh())

    def discriminator(self, image_shape, outputs=1, norm=None):
        if not self.scores:
            return nn.Linear(image_shape[0], outputs)
        network = Discriminator()
        network.features, network.judge, network.size = torch.relu, nn.Linear(image_shape[0], outputs), image_shape[0]
        return network


@pytest.mark.parametrize("outputs", [1, 4])
def test_a_discriminator_is_an_encoder(outputs):
    images = torch.randn(5, 6)
    encoder = Own().encoder((6,), outputs)
    assert isinstance(encoder, DiscriminatorEncoder) and encoder(images).shape == (5, outputs)
    assert torch.equal(encoder.discriminator(images), encoder(images).squeeze(1))
    assert Own(scores=False).encoder((6,), outputs)(images).shape == (5, outputs)


def test_who_has_logits():
    class Drawing(Generator):
        def logits(self, noise):
            return noise

    class Bounded(Generator):
        def forward(self, noise):
            return noise.tanh()

    assert has_logits(Drawing()) and not has_logits(Bounded()) and not has_logits(nn.Linear(1, 1))
    assert torch.equal(Drawing()(torch.ones(1)), torch.ones(1).tanh())
