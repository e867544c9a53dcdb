"""Multi-layer perceptrons, for any image shape and for points in the plane."""

from collections.abc import Sequence
from math import pi, prod
from typing import cast

import torch
from torch import Tensor, nn

from lit_gans.errors import at_least
from lit_gans.networks.base import Discriminator, Generator
from lit_gans.networks.blocks import Norm, dense_layers, reparametrise


def perceptron(inputs: int, hidden: Sequence[int], outputs: int, norm: Norm, dropout: float = 0.0) -> list[nn.Module]:
    """Fully connected layers with leaky ReLU, a norm and dropout in between; the last layer is plain.

    Raises:
        UsageError: if ``norm`` is unknown.
    """
    layers: list[nn.Module] = []
    for units in hidden:
        layers += dense_layers(inputs, units, norm, nn.LeakyReLU(0.2))
        if dropout:
            layers.append(nn.Dropout(dropout))
        inputs = units
    return [*layers, nn.Linear(inputs, outputs)]


class MLPGenerator(Generator):
    """Noise through fully connected layers to an image squashed by tanh.

    Args:
        image_shape: (channels, height, width) of the images to draw.
        latent_dim: size of the noise.
        hidden: widths of the hidden layers, from the noise outwards.
        norm: ``batch`` or ``layer`` norm on the hidden layers, ``weight`` or ``spectral`` norm on all weights, or
            ``none``; deep stacks (four layers) do not train without batch norm.

    Raises:
        UsageError: if ``norm`` is unknown.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 100,
        hidden: Sequence[int] = (128,),
        norm: Norm = "none",
    ) -> None:
        super().__init__()
        at_least(1, latent_dim=latent_dim, hidden=hidden)
        self.image_shape, self.latent_dim = tuple(image_shape), latent_dim
        self.layers = nn.Sequential(*perceptron(latent_dim, hidden, prod(self.image_shape), norm), nn.Tanh())
        reparametrise(self, norm)

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to (N, C, H, W) in [-1, 1]."""
        return self.layers(noise).view(-1, *self.image_shape)


class FourierFeatures(nn.Module):
    """Appends sin(2^k pi x) and cos(2^k pi x) of every value, k = 0, 1, ..., to a sample (N, D).

    An MLP learns what varies slowly first; with these it sees small differences of points at once (Tancik et al. 2020,
    *Fourier Features Let Networks Learn High Frequency Functions*, arXiv:2006.10739).

    Args:
        octaves: how many frequencies.
    """

    frequencies: Tensor

    def __init__(self, octaves: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", pi * 2.0 ** torch.arange(octaves), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """(N, D) to (N, D * (1 + 2 * octaves))."""
        angles = (values.unsqueeze(-1) * self.frequencies).flatten(1)
        return torch.cat([values, angles.sin(), angles.cos()], 1)


class MLPDiscriminator(Discriminator):
    """A flattened image through fully connected layers to one logit.

    Args:
        image_shape: (channels, height, width) of the images to judge.
        hidden: widths of the hidden layers, from the image inwards.
        dropout: share of hidden units dropped while training.
        norm: ``batch`` or ``layer`` norm on the hidden layers, ``weight`` or ``spectral`` norm on all weights, or
            ``none``.
        octaves: of Fourier features of every value, for points in the plane; none by default.

    Raises:
        UsageError: if ``norm`` is unknown.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden: Sequence[int] = (128,),
        dropout: float = 0.0,
        norm: Norm = "none",
        octaves: int = 0,
    ) -> None:
        super().__init__()
        at_least(1, hidden=hidden)
        at_least(0, octaves=octaves)
        features = [nn.Flatten(), *([FourierFeatures(octaves)] if octaves else [])]
        width = prod(image_shape) * (1 + 2 * octaves)
        self.layers = nn.Sequential(*features, *perceptron(width, hidden, 1, norm, dropout))
        reparametrise(self, norm)

    @property
    def judge(self) -> nn.Linear:
        """The last layer."""
        return cast(nn.Linear, self.layers[-1])

    def features(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to what the last layer judges by, (N, features)."""
        return self.layers[:-1](image)

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to logits (N,)."""
        return self.layers(image).squeeze(1)
