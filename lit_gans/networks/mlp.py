"""Multi-layer perceptrons, for data of any shape: images, points in the plane, vectors, series, volumes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, prod
from typing import ClassVar

import torch
from torch import Tensor, nn

from lit_gans.errors import at_least
from lit_gans.networks.base import Backbone, Discriminator, Generator
from lit_gans.networks.layers import Norm, dense_layers, reparametrise


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
        image_shape: shape of the samples to draw, (channels, height, width) or any other.
        latent_dim: size of the noise.
        hidden: widths of the hidden layers, from the noise outwards.
        norm: ``batch`` or ``layer`` norm on the hidden layers, ``weight`` or ``spectral`` norm on all weights, or
            ``none``; deep stacks (four layers) do not train without batch norm.

    Raises:
        UsageError: if ``norm`` is unknown.

    Examples:
        >>> MLPGenerator((12,), latent_dim=5)(torch.randn(2, 5)).shape
        torch.Size([2, 12])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 100,
        hidden: Sequence[int] = (128,),
        norm: Norm = "none",
    ) -> None:
        super().__init__()
        at_least(1, image_shape=image_shape, latent_dim=latent_dim, hidden=hidden)
        self.image_shape, self.latent_dim = tuple(image_shape), latent_dim
        self.layers = nn.Sequential(*perceptron(latent_dim, hidden, prod(self.image_shape), norm))
        reparametrise(self, norm)

    def logits(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to unbounded (N, *image_shape)."""
        return self.layers(noise).view(-1, *self.image_shape)


class FourierFeatures(nn.Module):
    """Appends sin(2^k pi x) and cos(2^k pi x) of every value, k = 0, 1, ..., to a sample (N, D).

    An MLP learns slow variations first; with these features it sees small differences at once (Tancik et al. 2020,
    *Fourier Features Let Networks Learn High Frequency Functions*, arXiv:2006.10739).

    Args:
        octaves: number of frequencies.
    """

    frequencies: Tensor

    def __init__(self, octaves: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", pi * 2.0 ** torch.arange(octaves), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """(N, D) to (N, D * (1 + 2 * octaves))."""
        angles = (values.unsqueeze(-1) * self.frequencies).flatten(1)  # (N, D * octaves)
        return torch.cat([values, angles.sin(), angles.cos()], 1)


class MLPDiscriminator(Discriminator):
    """A flattened image through fully connected layers.

    Args:
        image_shape: shape of the samples to judge, (channels, height, width) or any other.
        hidden: widths of the hidden layers, from the image inwards.
        dropout: share of hidden units dropped while training.
        norm: ``batch`` or ``layer`` norm on the hidden layers, ``weight`` or ``spectral`` norm on all weights, or
            ``none``.
        octaves: number of frequencies of `FourierFeatures`, for points in the plane; none by default.
        outputs: number of scores of an image.

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
        outputs: int = 1,
    ) -> None:
        super().__init__()
        at_least(1, image_shape=image_shape, hidden=hidden, outputs=outputs)
        at_least(0, octaves=octaves)
        values = prod(image_shape) * (1 + 2 * octaves)
        *hidden_layers, judge = perceptron(values, hidden, outputs, norm, dropout)
        fourier = [FourierFeatures(octaves)] if octaves else []
        self.layers, self.judge = nn.Sequential(nn.Flatten(), *fourier, *hidden_layers), judge
        self.size, self.norm = (hidden[-1] if hidden else values), norm
        reparametrise(self, norm)

    def features(self, image: Tensor) -> Tensor:
        """(N, *image_shape) to the features (N, size) that the last layer judges by."""
        return self.layers(image)


@dataclass(frozen=True)
class MLPBackbone(Backbone):
    """Multi-layer perceptrons, for data of any shape. See `MLPGenerator` and `MLPDiscriminator`.

    Args:
        generator_hidden: widths of the generator's hidden layers, from the noise outwards. The classic tutorials use
            128; 128, 256, 512, 1024 draws clearer digits.
        discriminator_hidden: widths of the discriminator's and the encoder's hidden layers, from the image inwards.
        latent_dim: size of the noise.
        generator_norm: norm of the generator; by default ``batch`` for more than two layers, which do not train
            without it, else ``none``.
        discriminator_norm: norm of discriminator and encoder; by default the one that the game needs, else ``none``.
        dropout: share of hidden units that discriminator and encoder drop while training.
        octaves: number of frequencies of the discriminator's `FourierFeatures`, for points in the plane.

    Examples:
        >>> MLPBackbone(latent_dim=5).discriminator((4, 6, 8, 8), outputs=3)(torch.zeros(2, 4, 6, 8, 8)).shape
        torch.Size([2, 3])
    """

    smallest: ClassVar[int] = 1

    generator_hidden: tuple[int, ...] = (128,)
    discriminator_hidden: tuple[int, ...] = (128,)
    latent_dim: int = 100
    generator_norm: Norm | None = None
    discriminator_norm: Norm | None = None
    dropout: float = 0.0
    octaves: int = 0

    def generator(self, image_shape: Sequence[int], inputs: int) -> MLPGenerator:
        """A network that draws from vectors (N, inputs)."""
        norm: Norm = self.generator_norm or ("batch" if len(self.generator_hidden) > 2 else "none")
        return MLPGenerator(image_shape, inputs, self.generator_hidden, norm)

    def discriminator(self, image_shape: Sequence[int], outputs: int = 1, norm: Norm | None = None) -> MLPDiscriminator:
        """A network that gives ``outputs`` scores; its norm is this backbone's, else ``norm``, else ``none``."""
        kind: Norm = self.discriminator_norm or norm or "none"
        return MLPDiscriminator(image_shape, self.discriminator_hidden, self.dropout, kind, self.octaves, outputs)
