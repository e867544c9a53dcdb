"""The path length of generators for which it is known."""

import pytest
import torch
from conftest import refused, small
from torch import nn

from lit_gans import DCGAN, InfoGAN
from lit_gans.metrics import Features
from lit_gans.metrics.smoothness import path_length


class Pixels(Features):
    name, num_features = "pixels", 64

    def forward(self, images):
        return images.flatten(1)


@pytest.mark.parametrize("slope", [0.01, 0.02])
def test_a_linear_generator(slope):
    """Images are slope times the noise, so a step of an angle e along the arc changes them by slope |z| angle e."""

    class Linear(nn.Module):
        latent_dim = 64

        def forward(self, noise):
            return slope * noise.view(-1, 1, 8, 8)

    model = small(DCGAN, generator=Linear(), image_shape=(1, 8, 8), ema_decay=0)
    length = path_length(model, Pixels(), count=500)
    # two points of N(0, I) in 64 dimensions are a right angle apart, at a distance of 8 from the origin
    assert length == pytest.approx(slope**2 * 64 * (torch.pi / 2) ** 2, rel=0.1)
    assert path_length(model, Pixels(), count=500) == length


def test_other_models_are_refused():
    refused(lambda: path_length(small(InfoGAN), Pixels()), "needs latent points", "InfoGAN")
