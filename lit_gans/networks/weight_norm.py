"""The strictly weight-normalised networks of Xiang & Li 2017, for sides of 8 pixels or more."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, prod
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lit_gans.errors import at_least
from lit_gans.networks.base import Backbone, Discriminator, Generator, refuse_norm
from lit_gans.networks.layers import Norm, crop, doublings, halvings, widths

_EPS = 1e-12  # added to squared lengths: far below that of any weight in use
_FIRST = 0.01  # factor on the initial weights of a generator's first layer

Layer = TypeVar("Layer", nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


class StrictNorm(nn.Module):
    """Divides the weights of each output unit by their length: the parametrization w / |w|.

    An output is then the projection of its input onto a direction. It has unit variance if the inputs have unit
    variance and are uncorrelated. In a transposed convolution of stride s each output depends on only one in s^2
    entries of its kernel, so there the length is sqrt(sum w^2 / s^2).

    Unlike the usual weight normalisation (Salimans & Kingma 2016, arXiv:1602.07868) it learns no length. ``gain`` adds
    one; together with the layer's bias that is the paper's affine layer.

    Args:
        dim: dimension of the weight that counts the output units.
        stride: stride of a transposed convolution, else 1.
        gain: number of output units, if each gets a learned length, which begins at 1; else 0.
    """

    def __init__(self, dim: int = 0, stride: int = 1, gain: int = 0) -> None:
        super().__init__()
        self.dim, self.stride = dim, stride
        self.gain = nn.Parameter(torch.ones(gain)) if gain else None

    def forward(self, weight: Tensor) -> Tensor:
        """A weight of the same shape and type."""
        others = [dim for dim in range(weight.ndim) if dim != self.dim]
        exact = weight.to(torch.promote_types(weight.dtype, torch.float32))
        scale = self.stride * torch.rsqrt(exact.square().sum(others, keepdim=True) + _EPS)
        if self.gain is not None:
            scale = scale * self.gain.view_as(scale)
        return weight * scale.to(weight.dtype)


def normalised(layer: Layer, affine: bool = False, init: float = 1.0) -> Layer:
    """Draws a layer's weight from U(-1, 1) / sqrt(n), with n weights an output unit, and normalises it strictly.

    Args:
        layer: the layer, without a bias unless it is ``affine``.
        affine: whether it gets a gain, as the last layer of each network in the paper.
        init: factor on the initial weight. It changes no output, only how fast the direction turns: a step of the same
            length turns a shorter vector further.
    """
    transposed = isinstance(layer, nn.ConvTranspose2d)
    dim = 1 if transposed else 0
    units = layer.weight.shape[dim]
    bound = init / (layer.weight.numel() / units) ** 0.5
    nn.init.uniform_(layer.weight, -bound, bound)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    stride = layer.stride[0] if isinstance(layer, nn.ConvTranspose2d) else 1
    parametrize.register_parametrization(layer, "weight", StrictNorm(dim, stride, units if affine else 0))
    return layer


class _UnitInterval(torch.autograd.Function):
    """Clamps to [0, 1]. Outside, a gradient passes only if its step leads back, so that no value gets stuck."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        """The clamped values."""
        ctx.save_for_backward(value)
        return value.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """The gradient, with 0 where its step would lead further out."""
        (value,) = ctx.saved_tensors
        return grad.masked_fill(((value < 0) & (grad > 0)) | ((value > 1) & (grad < 0)), 0)


class TPReLU(nn.Module):
    """Translated parametric ReLU: a PReLU with a learned threshold for each channel, Xiang & Li 2017.

    ``f(x) = x`` above the threshold a and ``a + b (x - a)`` below it, that is PReLU_b(x - a) + a, so f(a) = a. A
    strictly normalised layer has no bias that could choose where its units switch on. The threshold does that instead,
    and the next layer absorbs the shift. Each channel learns a threshold and a slope. The slope is clamped to [0, 1],
    so that f never falls and is never steeper below the threshold than above.

    Args:
        channels: channels of the input, its second dimension.
        slope: initial b of every channel; the thresholds begin at 0.

    Examples:
        >>> activation = TPReLU(1)
        >>> _ = activation.threshold.data.fill_(-1.0), activation.slope.data.fill_(0.5)
        >>> activation(torch.tensor([[-3.0], [-1.0], [2.0]])).flatten().tolist()
        [-2.0, -1.0, 2.0]
    """

    def __init__(self, channels: int, slope: float = 0.25) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.zeros(channels))
        self.slope = nn.Parameter(torch.full((channels,), slope))

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, C, ...) to the same shape."""
        shape = (-1, *[1] * (inputs.ndim - 2))
        a = self.threshold.to(inputs.dtype).view(shape)  # (C, 1, ...)
        b = _UnitInterval.apply(self.slope).to(inputs.dtype).view(shape)
        above = inputs + -a  # faster than inputs - a, whose backward negates a whole map
        return torch.relu(above) * (1 - b) + b * above + a  # half the time of prelu, which sums its channels slowly


class WeightNormGenerator(Generator):
    """Noise, projected to a coarse map and doubled by transposed convolutions until it covers the image, then tanh.

    DCGAN's generator with strictly normalised layers and `TPReLU` in place of batch norm and ReLU. The last layer has a
    gain and a bias. A side that is not a multiple of the last doubling is drawn a few pixels too large and cropped.

    Args:
        image_shape: (channels, height, width) of the images to draw; both sides at least 8.
        latent_dim: size of the noise.
        width: channels of the finest hidden map; each coarser one has twice as many, up to eight times.

    Raises:
        UsageError: if a side is below 8 pixels.

    Examples:
        >>> WeightNormGenerator((3, 30, 40), latent_dim=10, width=4)(torch.randn(2, 10)).shape
        torch.Size([2, 3, 30, 40])
    """

    def __init__(self, image_shape: Sequence[int], latent_dim: int = 100, width: int = 64) -> None:
        super().__init__()
        at_least(1, latent_dim=latent_dim, width=width)
        n = doublings(image_shape)
        self.latent_dim = latent_dim
        channels, self.height, self.width = image_shape
        plan = widths(width, n)[::-1]
        self.coarse = (plan[0], ceil(self.height / 2**n), ceil(self.width / 2**n))
        self.project = normalised(nn.Linear(latent_dim, prod(self.coarse), bias=False), init=_FIRST)
        layers: list[nn.Module] = [TPReLU(plan[0])]
        for wide, narrow in pairwise(plan):
            layers += [normalised(nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)), TPReLU(narrow)]
        last = normalised(nn.ConvTranspose2d(plan[-1], channels, 4, 2, 1), affine=True)
        self.layers = nn.Sequential(*layers, last)
        self.to(memory_format=torch.channels_last)

    def logits(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to unbounded (N, C, H, W)."""
        coarse = self.project(noise).view(-1, *self.coarse)  # (N, most channels, 4 to 7, ...)
        return crop(self.layers(coarse.contiguous(memory_format=torch.channels_last)), self.height, self.width)


class WeightNormDiscriminator(Discriminator):
    """Strictly normalised strided convolutions with `TPReLU`, then one linear layer with a gain and a bias.

    Args:
        image_shape: (channels, height, width) of the images to judge; both sides at least 8.
        width: channels after the first convolution; each further one has twice as many, up to eight times.
        outputs: number of scores of an image.

    Raises:
        UsageError: if a side is below 8 pixels.

    Examples:
        >>> WeightNormDiscriminator((3, 30, 40), width=4)(torch.randn(2, 3, 30, 40)).shape
        torch.Size([2])
    """

    def __init__(self, image_shape: Sequence[int], width: int = 64, outputs: int = 1) -> None:
        super().__init__()
        at_least(1, width=width, outputs=outputs)
        n = halvings(image_shape)
        channels, height, image_width = image_shape
        layers: list[nn.Module] = []
        for features in widths(width, n):
            layers += [normalised(nn.Conv2d(channels, features, 4, 2, 1, bias=False)), TPReLU(features)]
            channels = features
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.places = (height >> n) * (image_width >> n)
        self.size = channels * self.places
        self.judge = normalised(nn.Linear(self.size, outputs), affine=True)
        self.to(memory_format=torch.channels_last)

    def features(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to the features (N, size) that the last layer judges by."""
        return self.layers(image.contiguous(memory_format=torch.channels_last))


@dataclass(frozen=True)
class WeightNormBackbone(Backbone):
    """Strictly weight-normalised convolutions. See `WeightNormGenerator` and `WeightNormDiscriminator`.

    Xiang & Li 2017, arXiv:1704.03971.

    Args:
        width: channels of the finest maps; each coarser one has twice as many, up to eight times.
        latent_dim: size of the noise.

    Examples:
        >>> WeightNormBackbone(width=4).discriminator((3, 30, 40), outputs=5)(torch.zeros(2, 3, 30, 40)).shape
        torch.Size([2, 5])
    """

    width: int = 64
    latent_dim: int = 100

    def generator(self, image_shape: Sequence[int], inputs: int) -> WeightNormGenerator:
        """A network that draws from vectors (N, inputs)."""
        return WeightNormGenerator(image_shape, inputs, self.width)

    def discriminator(
        self, image_shape: Sequence[int], outputs: int = 1, norm: Norm | None = None
    ) -> WeightNormDiscriminator:
        """A network that gives ``outputs`` scores; refuses a game that needs a norm."""
        refuse_norm(self, norm, "layers are weight-normalised strictly, by themselves")
        return WeightNormDiscriminator(image_shape, self.width, outputs)
