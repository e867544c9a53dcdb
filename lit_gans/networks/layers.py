"""Layers and norms that several networks share, the plan of their maps, and the initialisation of their weights."""

from collections.abc import Sequence
from math import log2
from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from lit_gans.errors import UsageError

Upsampling = Literal["transposed", "resize", "bilinear", "subpixel"]
Norm = Literal["batch", "instance", "layer", "weight", "spectral", "none"]
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)
WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)

_SMALLEST = 4  # side of the coarsest feature map


def doublings(image_shape: Sequence[int]) -> int:
    """How many times the generator doubles and the discriminator halves: as long as the short side keeps 4 pixels.

    Raises:
        UsageError: if the shape is not (channels, height, width), or has a side below 8 pixels, which leaves no room
            for one doubling.
    """
    if len(image_shape) != 3 or image_shape[0] < 1:
        raise UsageError(
            "a convolutional network takes images (channels, height, width) of at least one channel, got image_shape "
            f"{tuple(image_shape)}; use MLPBackbone, whose networks take any shape"
        )
    if min(image_shape[1:]) < 2 * _SMALLEST:
        raise UsageError(
            "a convolutional network takes images of at least 8x8 pixels (one doubling from 4x4), got image_shape "
            f"{tuple(image_shape)}; use larger images, or MLPBackbone, whose networks take any shape"
        )
    return int(log2(min(image_shape[1:]) / _SMALLEST))


def halvings(image_shape: Sequence[int]) -> int:
    """How many strided convolutions a discriminator takes: as long as they leave the short side 3 pixels.

    One more than the generator's doublings where 7 or 6 pixels would be left, so that its linear layer judges whole
    figures and not their parts.

    Raises:
        UsageError: if the image has a side below 8 pixels.
    """
    n = doublings(image_shape)
    return n + (min(image_shape[1:]) >> (n + 1) >= 3)


def widths(width: int, levels: int, most: int = 8) -> list[int]:
    """Channels of the maps of so many levels, from the finest, which has ``width``, to the coarsest.

    A level has half the height and width of the one before and twice the channels, so that all of them cost about the
    same. From ``most`` times on channels stay, as in the papers: a convolution's weights grow with their square, and
    would soon be nearly all in the coarsest maps.

    Examples:
        >>> widths(64, 5)
        [64, 128, 256, 512, 512]
    """
    return [width * min(2**level, most) for level in range(levels)]


class SubPixel(nn.Sequential):
    """A 3x3 convolution to four times the channels, which become 2x2 pixels (Shi et al. 2016, arXiv:1609.05158)."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool = False) -> None:
        super().__init__(nn.Conv2d(in_channels, 4 * out_channels, 3, 1, 1, bias=bias), nn.PixelShuffle(2))
        self.begin_as_nearest()

    def begin_as_nearest(self) -> None:
        """Gives the four pixels of an output one kernel, so that no checkerboard is drawn at first (ICNR).

        Aitken et al. 2017, arXiv:1707.02937. It goes after any initialisation of the convolution.
        """
        for parameter in self[0].parameters():
            kernels = parameter.data.unflatten(0, (-1, 4))
            kernels.copy_(kernels[:, :1].clone().expand_as(kernels))


def upsample(in_channels: int, out_channels: int, kind: Upsampling, bias: bool = False) -> nn.Module:
    """Doubles height and width.

    ``transposed`` is a 4x4 transposed convolution of stride 2 (the kernel is a multiple of the stride, so all outputs
    see equally many inputs); ``resize`` is nearest-neighbour resizing and a 3x3 convolution, which cannot draw a
    checkerboard (Odena et al. 2016, doi:10.23915/distill.00003), ``bilinear`` the same with smoother resizing;
    ``subpixel`` is `SubPixel`, the cheapest, which draws none at first.

    Raises:
        UsageError: if ``kind`` is another one.
    """
    if kind == "transposed":
        return nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, bias=bias)
    if kind == "resize" or kind == "bilinear":
        resize = nn.Upsample(scale_factor=2) if kind == "resize" else nn.Upsample(scale_factor=2, mode="bilinear")
        return nn.Sequential(resize, nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=bias))
    if kind == "subpixel":
        return SubPixel(in_channels, out_channels, bias)
    raise UsageError(f"upsampling must be 'transposed', 'resize', 'bilinear' or 'subpixel', got {kind!r}")


class UnitBatchNorm(nn.BatchNorm1d):
    """Batch norm of (N, features) units that takes a batch of one, too, by its running statistics.

    A single row has no deviation of its own, and the last batch of a loader may well be one.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, features) to (N, features)."""
        if self.training and len(x) == 1:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


def norm_layers(features: int, norm: Norm, maps: bool = True) -> list[nn.Module]:
    """The layer that normalises ``features`` channels; none for a norm of the weights, which is `reparametrise`'s.

    ``layer`` takes mean and deviation over all of a sample, with a gain and a shift a channel (Ba et al. 2016,
    arXiv:1607.06450), ``instance`` over each of its channels, without (Ulyanov et al. 2016, arXiv:1607.08022).

    Args:
        features: channels of a map, or units of a fully connected layer.
        norm: the kind.
        maps: whether (N, features, H, W) maps are normalised, or (N, features) units.

    Raises:
        UsageError: if ``norm`` is unknown.
    """
    if norm == "batch":
        return [nn.BatchNorm2d(features) if maps else UnitBatchNorm(features)]
    if norm == "layer":
        return [nn.GroupNorm(1, features) if maps else nn.LayerNorm(features)]
    if norm == "instance" and maps:
        return [nn.InstanceNorm2d(features)]
    if norm not in get_args(Norm):
        raise UsageError(f"norm must be one of {', '.join(get_args(Norm))}, got {norm!r}")
    if norm == "instance":
        raise UsageError("instance norm is for maps; fully connected layers take 'layer' or 'batch'")
    return []


def needs_bias(norm: Norm) -> bool:
    """Whether the convolution before a norm has to bring the bias, because no norm layer with a shift follows."""
    return not norm_layers(1, norm)


def dense_layers(inputs: int, units: int, norm: Norm, activation: nn.Module) -> list[nn.Module]:
    """A fully connected layer with norm and activation; nothing for no units."""
    if not units:
        return []
    return [nn.Linear(inputs, units, bias=needs_bias(norm)), *norm_layers(units, norm, maps=False), activation]


def normal(module: nn.Module, std: float = 0.02) -> None:
    """Draws weights from N(0, std), norm gains from N(1, std), and zeroes biases (Radford et al. 2015, section 4).

    Use it with ``network.apply(normal)``, before `reparametrise`.
    """
    if isinstance(module, SubPixel):  # apply comes to it after its convolution
        module.begin_as_nearest()
        return
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, std)
    elif isinstance(module, NORMS) and module.weight is not None:
        nn.init.normal_(module.weight, 1.0, std)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def initialise(network: nn.Module, norm: Norm) -> None:
    """DCGAN's N(0, 0.02) where a norm restores the scale of the maps; PyTorch's own where nothing does."""
    if norm in ("batch", "instance", "layer"):
        network.apply(normal)


def reparametrise(network: nn.Module, norm: Norm) -> None:
    """Normalises the weights of all convolutions, linear layers and embeddings; nothing for a norm of activations.

    ``weight`` learns length and direction apart (Salimans & Kingma 2016, arXiv:1602.07868), ``spectral`` divides by the
    largest singular value (Miyato et al. 2018, arXiv:1802.05957; the kernel as an outputs x rest matrix, one power
    iteration a forward pass in training). It goes after the initialisation, which needs the plain weights.
    """
    needs_bias(norm)  # refuses an unknown one
    for module in list(network.modules()):
        if not isinstance(module, WEIGHTED) or parametrize.is_parametrized(module):
            continue
        if norm == "weight":  # one length an output, which a transposed kernel has second
            parametrizations.weight_norm(module, dim=1 if isinstance(module, nn.ConvTranspose2d) else 0)
        elif norm == "spectral":
            parametrizations.spectral_norm(module)


def crop(image: Tensor, height: int, width: int) -> Tensor:
    """The middle (height, width) of (N, C, H, W) images, in standard memory order."""
    top, left = (image.shape[2] - height) // 2, (image.shape[3] - width) // 2
    return image[:, :, top : top + height, left : left + width].contiguous()
