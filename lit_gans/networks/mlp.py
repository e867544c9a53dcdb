"""Multi-layer perceptrons, for any image shape and for points in the plane."""

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn

from lit_gans.networks.base import Discriminator, Generator
from lit_gans.networks.blocks import Norm, needs_bias, norm_layers, reparametrise


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
        self.image_shape, self.latent_dim = tuple(image_shape), latent_dim
        layers: list[nn.Module] = []
        width = latent_dim
        for units in hidden:
            linear = nn.Linear(width, units, bias=needs_bias(norm))
            layers += [linear, *norm_layers(units, norm, maps=False), nn.LeakyReLU(0.2)]
            width = units
        self.layers = nn.Sequential(*layers, nn.Linear(width, prod(self.image_shape)), nn.Tanh())
        reparametrise(self, norm)

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to (N, C, H, W) in [-1, 1]."""
        return self.layers(noise).view(-1, *self.image_shape)


class MLPDiscriminator(Discriminator):
    """A flattened image through fully connected layers to one logit.

    Args:
        image_shape: (channels, height, width) of the images to judge.
        hidden: widths of the hidden layers, from the image inwards.
        dropout: share of hidden units dropped while training.
        norm: ``batch`` or ``layer`` norm on the hidden layers, ``weight`` or ``spectral`` norm on all weights, or
            ``none``.

    Raises:
        UsageError: if ``norm`` is unknown.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden: Sequence[int] = (128,),
        dropout: float = 0.0,
        norm: Norm = "none",
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        width = prod(image_shape)
        for units in hidden:
            linear = nn.Linear(width, units, bias=needs_bias(norm))
            layers += [linear, *norm_layers(units, norm, maps=False), nn.LeakyReLU(0.2)]
            if dropout:
                layers.append(nn.Dropout(dropout))
            width = units
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))
        reparametrise(self, norm)

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to logits (N,)."""
        return self.layers(image).squeeze(1)
