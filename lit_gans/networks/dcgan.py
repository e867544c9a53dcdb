"""The convolutional networks of Radford et al. 2015, for sides of 8 pixels or more."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, prod

import torch
from torch import Tensor, nn

from lit_gans.errors import at_least
from lit_gans.networks.attention import SelfAttention, nearest_side
from lit_gans.networks.base import Backbone, Discriminator, DiscriminatorEncoder, Generator
from lit_gans.networks.layers import (
    Norm,
    Upsampling,
    crop,
    dense_layers,
    doublings,
    halvings,
    initialise,
    needs_bias,
    norm_layers,
    reparametrise,
    upsample,
    widths,
)


class DCGANGenerator(Generator):
    """Noise, projected to a coarse map, doubled with norm and ReLU until it covers the image, then tanh.

    A side that is not a multiple of the last doubling is drawn a few pixels too large and cropped around the centre.

    Args:
        image_shape: (channels, height, width) of the images to draw; both sides at least 8.
        latent_dim: size of the noise.
        width: channels of the finest hidden map; each coarser one has twice as many, up to eight times.
        upsampling: ``transposed`` convolutions as in the paper, nearest (``resize``) or ``bilinear`` resizing before a
            convolution, or ``subpixel`` convolutions, which begin as nearest resizing.
        norm: ``batch`` norm as in the paper or ``layer`` norm on all hidden maps, or ``weight`` or ``spectral`` norm on
            all weights, or ``none``.
        dense: units of a fully connected layer between noise and coarse map, with norm and ReLU; 0 leaves it out, as
            the paper does.
        attention: puts `SelfAttention` on the map whose short side is nearest to this many pixels.

    Raises:
        UsageError: if a side is below 8 pixels, ``attention`` below 1, or ``upsampling`` or ``norm`` unknown.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 100,
        width: int = 64,
        upsampling: Upsampling = "transposed",
        norm: Norm = "batch",
        dense: int = 0,
        attention: int | None = None,
    ) -> None:
        super().__init__()
        at_least(1, latent_dim=latent_dim, width=width, attention=attention)
        at_least(0, dense=dense)
        n = doublings(image_shape)
        self.latent_dim = latent_dim
        channels, self.height, self.width = image_shape
        plan = widths(width, n)[::-1]
        self.coarse = (plan[0], ceil(self.height / 2**n), ceil(self.width / 2**n))
        self.dense = nn.Sequential(*dense_layers(latent_dim, dense, norm, nn.ReLU()))
        self.project = nn.Linear(dense or latent_dim, prod(self.coarse), bias=needs_bias(norm))
        layers = [*norm_layers(plan[0], norm), nn.ReLU()]
        attend = _attending([min(self.coarse[1:]) << level for level in range(n)], attention)
        layers += attend(0, plan[0])
        for level, (wide, narrow) in enumerate(pairwise(plan), 1):
            layers += [upsample(wide, narrow, upsampling, needs_bias(norm)), *norm_layers(narrow, norm), nn.ReLU()]
            layers += attend(level, narrow)
        self.layers = nn.Sequential(*layers, upsample(plan[-1], channels, upsampling, bias=True))
        initialise(self, norm)
        reparametrise(self, norm)
        self.to(memory_format=torch.channels_last)  # a tenth faster in float32, a quarter in bfloat16

    def logits(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to unbounded (N, C, H, W)."""
        coarse = self.project(self.dense(noise)).view(-1, *self.coarse)  # (N, most channels, 4 to 7, ...)
        return crop(self.layers(coarse.contiguous(memory_format=torch.channels_last)), self.height, self.width)


class DCGANDiscriminator(Discriminator):
    """Strided convolutions with leaky ReLU, a norm on all but the first, then one linear layer.

    Args:
        image_shape: (channels, height, width) of the images to judge; both sides at least 8.
        width: channels after the first convolution; each further one has twice as many, up to eight times.
        norm: ``batch`` norm as in the paper or ``layer`` norm on all but the first map, or ``weight`` or ``spectral``
            norm on all weights, or ``none``. Not ``batch`` under a gradient penalty, which is about single images.
        dense: units of a fully connected layer before the last, with norm and leaky ReLU; 0 leaves it out, as the paper
            does.
        outputs: number of scores of an image.
        normalise_first: whether the first map is normalised too, as in an encoder.
        attention: puts `SelfAttention` on the map whose short side is nearest to this many pixels.

    Raises:
        UsageError: if a side is below 8 pixels, ``attention`` below 1, or ``norm`` unknown.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        width: int = 64,
        norm: Norm = "batch",
        dense: int = 0,
        outputs: int = 1,
        normalise_first: bool = False,
        attention: int | None = None,
    ) -> None:
        super().__init__()
        at_least(1, width=width, outputs=outputs, attention=attention)
        at_least(0, dense=dense)
        # with a fully connected layer, which sees the whole image, the last halving is not needed
        n = doublings(image_shape) if dense else halvings(image_shape)
        channels, height, image_width = image_shape
        layers: list[nn.Module] = []
        attend = _attending([min(image_shape[1:]) >> level for level in range(1, n + 1)], attention)
        for level, features in enumerate(widths(width, n)):
            after = norm_layers(features, norm) if layers or normalise_first else []
            layers += [nn.Conv2d(channels, features, 4, 2, 1, bias=not after), *after, nn.LeakyReLU(0.2)]
            layers += attend(level, features)
            channels = features
        flat = channels * (height >> n) * (image_width >> n)
        self.layers = nn.Sequential(*layers, nn.Flatten(), *dense_layers(flat, dense, norm, nn.LeakyReLU(0.2)))
        self.size, self.norm = dense or flat, norm
        self.places = 1 if dense else flat // channels
        self.judge = nn.Linear(self.size, outputs)
        initialise(self, norm)
        reparametrise(self, norm)
        self.to(memory_format=torch.channels_last)

    def features(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to the features (N, size) that the last layer judges by."""
        return self.layers(image.contiguous(memory_format=torch.channels_last))


@dataclass(frozen=True)
class DCGANBackbone(Backbone):
    """The networks of DCGAN: strided and transposed convolutions. See `DCGANGenerator` and `DCGANDiscriminator`.

    Radford, Metz & Chintala 2015, arXiv:1511.06434.

    Args:
        width: channels of the finest maps; each coarser one has twice as many, up to eight times.
        latent_dim: size of the noise.
        generator_width: width of the generator, where it is not ``width``.
        upsampling: how the generator doubles a map.
        generator_norm: norm of the generator.
        discriminator_norm: norm of discriminator and encoder; by default the one that the game needs, else ``batch``.
        dense: units of fully connected layers at noise and scores, as multiples of the width; 0 leaves both out.
        attention: short side of the maps that get `SelfAttention`.

    Examples:
        >>> DCGANBackbone(width=8).generator((3, 32, 40), inputs=10)(torch.randn(2, 10)).shape
        torch.Size([2, 3, 32, 40])
    """

    width: int = 64
    latent_dim: int = 100
    generator_width: int | None = None
    upsampling: Upsampling = "transposed"
    generator_norm: Norm = "batch"
    discriminator_norm: Norm | None = None
    dense: int = 0
    attention: int | None = None

    def generator(self, image_shape: Sequence[int], inputs: int) -> DCGANGenerator:
        """A network that draws from vectors (N, inputs)."""
        width = self.generator_width or self.width
        dense = self.dense * width
        return DCGANGenerator(image_shape, inputs, width, self.upsampling, self.generator_norm, dense, self.attention)

    def discriminator(
        self, image_shape: Sequence[int], outputs: int = 1, norm: Norm | None = None
    ) -> DCGANDiscriminator:
        """A network that gives ``outputs`` scores; its norm is this backbone's, else ``norm``, else ``batch``."""
        kind: Norm = self.discriminator_norm or norm or "batch"
        dense = self.dense * self.width
        return DCGANDiscriminator(image_shape, self.width, kind, dense, outputs, attention=self.attention)

    def encoder(self, image_shape: Sequence[int], outputs: int) -> DiscriminatorEncoder:
        """A network that gives images codes (N, outputs): a discriminator whose first map is normalised too."""
        norm, dense = self.discriminator_norm or "batch", self.dense * self.width
        return DiscriminatorEncoder(
            DCGANDiscriminator(image_shape, self.width, norm, dense, outputs, True, self.attention)
        )


def _attending(sides: Sequence[int], wanted: int | None) -> Callable[[int, int], list[nn.Module]]:
    """A function of a level and its channels: attention for the level whose side is nearest, nothing for others."""
    place = None if wanted is None else nearest_side(sides, wanted)
    return lambda level, channels: [SelfAttention(channels)] if level == place else []
