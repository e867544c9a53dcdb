"""The networks of Salimans et al. 2016 for few labels: classifiers that also say how real an image is."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, pi, prod
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lit_gans.errors import at_least
from lit_gans.networks.base import Backbone, Discriminator, Generator, refuse_norm
from lit_gans.networks.dcgan import DCGANGenerator
from lit_gans.networks.layers import Norm, Upsampling, doublings, norm_layers
from lit_gans.networks.minibatch import MinibatchDiscrimination

_EPS = 1e-12  # least length, far below that of any weight in use
_LAST = 0.1  # standard deviation of the logits before training
_SLOPE = 0.2
_CONVOLVED = 32  # short side in pixels from which the networks are convolutional
# variances of a layer's inputs: pixels uniform on [0, 1], and unit normals after a ReLU or a leaky ReLU
_PIXELS = 1 / 12
_RECTIFIED = 1 / 2 - 1 / (2 * pi)
_LEAKY = (1 + _SLOPE**2) / 2 - (1 - _SLOPE) ** 2 / (2 * pi)
_LEAKY_DROPPED = 1 + _SLOPE**2 - (1 - _SLOPE) ** 2 / (2 * pi)  # half of the values dropped, the others doubled

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)


class FixedNorm(nn.Module):
    """Gives the weights of all output units the same length: the parametrization scale * w / |w|.

    This is weight normalisation (Salimans & Kingma 2016, arXiv:1602.07868) with lengths that are not learned, so that
    units cannot grow until the noise between layers has no effect.

    Args:
        scale: the length. One over the standard deviation of the inputs makes outputs of standard deviation 1.
        learned: number of output units, if each learns a length of its own, which begins at ``scale``; else 0.
    """

    def __init__(self, scale: float, learned: int = 0) -> None:
        super().__init__()
        self.scale = scale
        self.gain = nn.Parameter(torch.full((learned,), scale)) if learned else None

    def forward(self, weight: Tensor) -> Tensor:
        """A weight of the same shape."""
        length = torch.linalg.vector_norm(weight.flatten(1), dim=1).clamp_min(_EPS)  # (outputs,)
        gain = self.scale if self.gain is None else self.gain
        return weight * (gain / length).view(-1, *[1] * (weight.ndim - 1))  # as (outputs, 1, ...)


class GaussianNoise(nn.Module):
    """Adds noise while training, from the global random state.

    Args:
        sigma: its standard deviation.
    """

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, values: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return values + self.sigma * torch.randn_like(values) if self.training else values


class SemiSupervisedDiscriminator(Discriminator):
    """Base of the two discriminators below: a last layer with noise and `MinibatchDiscrimination` before it.

    Args:
        size: number of features of an image.
        outputs: number of logits.
        minibatch: kernels of `MinibatchDiscrimination` before the last layer; 0 leaves it out.
        noise: standard deviation of the noise before the last layer, while training.
        variance: variance of the features before training.
    """

    def __init__(self, size: int, outputs: int, minibatch: int, noise: float, variance: float) -> None:
        super().__init__()
        at_least(0, minibatch=minibatch)
        at_least(1, outputs=outputs)
        before: list[nn.Module] = [MinibatchDiscrimination(size, minibatch)] if minibatch else []
        before += [GaussianNoise(noise)] if noise else []
        last = nn.Linear(size + minibatch, outputs)
        self.judge = nn.Sequential(*before, _normalised(last, _LAST * (variance + noise**2) ** -0.5, learned=outputs))
        self.size = size
        #: whether an image's logits do not depend on the other images of the batch
        self.independent = not minibatch


class SemiSupervisedMLPDiscriminator(SemiSupervisedDiscriminator):
    """Six fully connected layers with noise before each, as the paper classifies MNIST.

    Pixels are scaled to [0, 1] and get noise of standard deviation 0.3; hidden layers (1000, 500, 250, 250, 250 units)
    have a ReLU and get noise of 0.5. Weights have fixed lengths, see `FixedNorm`, such that units have standard
    deviation 1 at first: the paper measures them on the first images, here they are computed for pixels uniform on
    [0, 1]. The last layer learns its lengths.

    Args:
        image_shape: shape of the samples to judge, (channels, height, width) or any other.
        outputs: number of logits.
        width: 64 gives the paper's layers; their units are proportional to it.
        minibatch: kernels of `MinibatchDiscrimination` before the last layer; 0 leaves it out.

    Examples:
        >>> discriminator = SemiSupervisedMLPDiscriminator((1, 28, 28), outputs=10, width=8)
        >>> discriminator(torch.zeros(2, 1, 28, 28)).shape, discriminator.size
        (torch.Size([2, 10]), 31)
    """

    def __init__(self, image_shape: Sequence[int], outputs: int = 1, width: int = 64, minibatch: int = 0) -> None:
        at_least(1, image_shape=image_shape, width=width)
        hidden = [max(units * width // 64, 1) for units in (1000, 500, 250, 250, 250)]
        super().__init__(hidden[-1], outputs, minibatch, noise=0.5, variance=_RECTIFIED)
        layers: list[nn.Module] = [nn.Flatten()]
        inputs, variance, sigma = prod(image_shape), _PIXELS, 0.3
        for units in hidden:
            layers += [GaussianNoise(sigma), _normalised(nn.Linear(inputs, units), (variance + sigma**2) ** -0.5)]
            layers.append(nn.ReLU())
            inputs, variance, sigma = units, _RECTIFIED, 0.5
        self.layers = nn.Sequential(*layers)

    def features(self, image: Tensor) -> Tensor:
        """(N, *image_shape) to the units of the last hidden layer (N, size)."""
        return self.layers((image + 1) / 2)


class SemiSupervisedConvDiscriminator(SemiSupervisedDiscriminator):
    """Nine convolutions with dropout, pooled over the whole map, as the paper classifies SVHN and CIFAR-10.

    Three 3x3 convolutions, of which the last halves the map, twice; one more and two of 1x1; leaky ReLU. Dropout
    of a fifth of the pixels, and of half of the values after each halving. Weights have fixed lengths, see `FixedNorm`.

    Args:
        image_shape: (channels, height, width) of the images to judge; both sides at least 8.
        outputs: number of logits.
        width: channels of the first three maps; the others have twice as many. 64 for SVHN in the paper, 96 for
            CIFAR-10.
        minibatch: kernels of `MinibatchDiscrimination` before the last layer; 0 leaves it out.

    Raises:
        UsageError: if a side is below 8 pixels.

    Examples:
        >>> discriminator = SemiSupervisedConvDiscriminator((3, 32, 40), outputs=11, width=8)
        >>> discriminator(torch.zeros(2, 3, 32, 40)).shape, discriminator.size
        (torch.Size([2, 11]), 16)
    """

    def __init__(self, image_shape: Sequence[int], outputs: int = 1, width: int = 64, minibatch: int = 0) -> None:
        at_least(1, width=width)
        doublings(image_shape)  # refuses images that are too small
        super().__init__(2 * width, outputs, minibatch, noise=0.0, variance=_LEAKY)
        inner = 0 if ceil(min(image_shape[1:]) / 4) >= 3 else 1  # the paper's map shrinks here; a tiny one must not
        plan = [(width, 3, 1, 1), (width, 3, 1, 1), (width, 3, 2, 1)]
        plan += [(2 * width, 3, 1, 1), (2 * width, 3, 1, 1), (2 * width, 3, 2, 1)]
        plan += [(2 * width, 3, 1, inner), (2 * width, 1, 1, 0), (2 * width, 1, 1, 0)]
        layers: list[nn.Module] = [nn.Dropout(0.2)]
        inputs, variance = image_shape[0], 4 * _PIXELS / 0.8  # for pixels in [-1, 1] after dropout of a fifth
        for channels, kernel, stride, padding in plan:
            convolution = nn.Conv2d(inputs, channels, kernel, stride, padding)
            layers += [_normalised(convolution, variance**-0.5), nn.LeakyReLU(_SLOPE)]
            layers += [nn.Dropout(0.5)] if stride == 2 else []
            inputs, variance = channels, _LEAKY_DROPPED if stride == 2 else _LEAKY
        self.layers = nn.Sequential(*layers)
        self.to(memory_format=torch.channels_last)

    def features(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to the means (N, size) over the last map."""
        return self.layers(image.contiguous(memory_format=torch.channels_last)).mean((2, 3))


class SemiSupervisedMLPGenerator(Generator):
    """Noise through two layers of softplus units to an image squashed by tanh, as the paper draws MNIST.

    Args:
        image_shape: shape of the samples to draw, (channels, height, width) or any other.
        latent_dim: size of the noise.
        width: 64 gives the paper's two layers of 500 units; the units are proportional to it.
        norm: ``batch`` norm as in the paper or ``layer`` norm on the hidden layers, or ``none``. The last layer's
            weight is normalised, with learned lengths that begin at 1.

    Examples:
        >>> SemiSupervisedMLPGenerator((1, 28, 28), latent_dim=10, width=8)(torch.randn(2, 10)).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self, image_shape: Sequence[int], latent_dim: int = 100, width: int = 64, norm: Norm = "batch"
    ) -> None:
        super().__init__()
        at_least(1, image_shape=image_shape, latent_dim=latent_dim, width=width)
        self.image_shape, self.latent_dim = tuple(image_shape), latent_dim
        units = max(500 * width // 64, 1)
        layers: list[nn.Module] = []
        for inputs in (latent_dim, units):
            norms = norm_layers(units, norm, maps=False)
            layers += [nn.Linear(inputs, units, bias=not norms), *norms, nn.Softplus()]
        pixels = prod(self.image_shape)
        self.layers = nn.Sequential(*layers, _normalised(nn.Linear(units, pixels), 1.0, learned=pixels))

    def logits(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to unbounded (N, *image_shape)."""
        return (self.layers(noise) / 2).view(-1, *self.image_shape)  # tanh(x / 2): the paper's sigmoid, in [-1, 1]


@dataclass(frozen=True)
class SemiSupervisedBackbone(Backbone):
    """The networks of Salimans et al. 2016: MLPs if a side is below 32 pixels, else DCGAN's generator and convolutions.

    See `SemiSupervisedMLPGenerator`, `SemiSupervisedMLPDiscriminator` and `SemiSupervisedConvDiscriminator`;
    arXiv:1606.03498. The MLPs take data of any shape. The discriminators' weights have fixed lengths.

    Args:
        width: 64 gives the paper's sizes for digits and SVHN, 96 those for CIFAR-10.
        latent_dim: size of the noise.
        generator_norm: norm of the generator.
        upsampling: how DCGAN's generator doubles a map.
        minibatch: kernels of `MinibatchDiscrimination` in the discriminator, 5 dimensions each, 100 in the paper; 0
            leaves it out. It is for better samples; scores then depend on the batch.

    Examples:
        >>> SemiSupervisedBackbone(width=4).discriminator((3, 32, 32), outputs=11)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 11])
    """

    smallest: ClassVar[int] = 1

    width: int = 64
    latent_dim: int = 100
    generator_norm: Norm = "batch"
    upsampling: Upsampling = "transposed"
    minibatch: int = 0

    def generator(self, image_shape: Sequence[int], inputs: int) -> Generator:
        """A network that draws from vectors (N, inputs)."""
        if _is_for_mlps(image_shape):
            return SemiSupervisedMLPGenerator(image_shape, inputs, self.width, self.generator_norm)
        return DCGANGenerator(image_shape, inputs, self.width, self.upsampling, self.generator_norm)

    def discriminator(
        self, image_shape: Sequence[int], outputs: int = 1, norm: Norm | None = None
    ) -> SemiSupervisedDiscriminator:
        """A network that gives ``outputs`` scores; refuses a game that needs a norm."""
        refuse_norm(self, norm, "weights have fixed lengths, which leave no room for a norm")
        network = SemiSupervisedMLPDiscriminator if _is_for_mlps(image_shape) else SemiSupervisedConvDiscriminator
        return network(image_shape, outputs, self.width, self.minibatch)


def _is_for_mlps(image_shape: Sequence[int]) -> bool:
    """Whether this shape is for MLPs: all shapes but those of images whose sides are 32 pixels or more."""
    return len(image_shape) != 3 or min(image_shape[1:]) < _CONVOLVED


def _normalised(layer: Layer, scale: float, learned: int = 0) -> Layer:
    """Fixes the lengths of a layer's output units; the drawn weights are long enough that a step turns them little."""
    nn.init.normal_(layer.weight, std=0.1)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    parametrize.register_parametrization(layer, "weight", FixedNorm(scale, learned))
    return layer
