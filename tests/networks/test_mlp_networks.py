"""Multi-layer perceptrons: any shape, Fourier features and dropout."""

import pytest
import torch
from players import SHAPES, check_discriminator, check_generator

from lit_gans.networks import MLPDiscriminator, MLPGenerator


@pytest.mark.parametrize("shape", [*SHAPES[:4], (2, 1, 1), (1, 4, 4)], ids=str)
@pytest.mark.parametrize("hidden", [(), (16,), (16, 8)], ids=str)
@pytest.mark.parametrize("extra", [False, True])
def test_mlp(shape, hidden, extra):
    check_generator(MLPGenerator(shape, latent_dim=5, hidden=hidden, norm="batch" if extra else "none"), shape)
    check_discriminator(MLPDiscriminator(shape, hidden=hidden, dropout=0.25 * extra), shape)


def test_fourier_features():
    """An MLP over them starts with the value, then sines and cosines of each octave."""
    net = MLPDiscriminator((2, 1, 1), hidden=(8,), octaves=3)
    features, x = net.layers[1], torch.tensor([[0.25, -0.5]])
    waves = [2.0**k * torch.pi * value for value in (0.25, -0.5) for k in range(3)]
    expected = torch.tensor([[0.25, -0.5, *torch.tensor(waves).sin(), *torch.tensor(waves).cos()]])
    torch.testing.assert_close(features(x), expected)
    assert net.layers[2].in_features == 14 and net(torch.zeros(4, 2, 1, 1)).shape == (4,)
    assert not any("frequencies" in name for name in net.state_dict())


def test_dropout_only_while_training():
    net, image = MLPDiscriminator((1, 8, 8), hidden=(64,), dropout=0.5), torch.rand(2, 1, 8, 8)
    assert not torch.equal(net(image), net(image))
    assert torch.equal(net.eval()(image), net(image))
