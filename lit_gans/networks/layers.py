"""Layers and norms that several networks share, the sizes of their maps, and the initialisation of weights."""

from collections.abc import Sequence
from math import log2
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from lit_gans.errors import UsageError

Upsampling = Literal["transposed", "resize", "bilinear", "subpixel"]
Norm = Literal["batch", "instance", "instance_affine", "layer", "weight", "spectral", "none"]
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)
WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)

_INSTANCE = ("instance", "instance_affine")
_SMALLEST = 4  # side of the coarsest feature map


def doublings(image_shape: Sequence[int]) -> int:
    """The number of doublings of a generator: as many as leave the coarsest map's short side 4 pixels or more.

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
    """The number of strided convolutions of a discriminator: as many as leave the short side 3 pixels or more.

    Where the generator begins at 6 or 7 pixels, that is one more than its doublings, so that the linear layer judges
    whole figures and not their parts.

    Raises:
        UsageError: if the image has a side below 8 pixels.
    """
    n = doublings(image_shape)
    return n + (min(image_shape[1:]) >> (n + 1) >= 3)


def widths(width: int, levels: int, most: int = 8) -> list[int]:
    """The channels of the maps of all levels, from the finest, which has ``width``, to the coarsest.

    A level has half the height and width of the one before and twice the channels, so that all levels cost about the
    same. Channels are never more than ``most`` times the width, as in the papers: a convolution's weights grow with the
    square of its channels, so that otherwise nearly all of them would be in the coarsest maps.

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
        """Gives the four pixels of an output the same kernel, so that no checkerboard is drawn at first (ICNR).

        Aitken et al. 2017, arXiv:1707.02937. Call it after any initialisation of the convolution.
        """
        for parameter in self[0].parameters():
            kernels = parameter.data.unflatten(0, (-1, 4))  # (out_channels, 4, ...)
            kernels.copy_(kernels[:, :1].clone().expand_as(kernels))


def upsample(in_channels: int, out_channels: int, kind: Upsampling, bias: bool = False) -> nn.Module:
    """Doubles height and width.

    ``transposed`` is a 4x4 transposed convolution of stride 2 (the kernel is a multiple of the stride, so all outputs
    see equally many inputs); ``resize`` is nearest-neighbour resizing and a 3x3 convolution, which cannot draw a
    checkerboard (Odena et al. 2016, doi:10.23915/distill.00003); ``bilinear`` is the same with smoother resizing;
    ``subpixel`` is `SubPixel`, the cheapest, which draws no checkerboard at first.

    Raises:
        UsageError: if ``kind`` is none of these.
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
    """Batch norm of (N, features) units that uses its running statistics for a batch of one.

    A single row has no deviation of its own, and the last batch of a loader can be a single row.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, features) to (N, features)."""
        if self.training and len(x) == 1:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class InstanceNorm(nn.InstanceNorm2d):
    """Mean 0 and variance 1 for each channel of a sample (Ulyanov et al. 2016, arXiv:1607.08022).

    Group norm with a channel a group is the same function, and faster where maps are in standard memory order.
    PyTorch's instance norm has a wrong gradient on a CPU for a batch of one whose gradient is in channels-last order
    (as of 2.14: its view of such a batch has other strides, and its kernel reads them as standard ones).
    """

    def forward(self, maps: Tensor) -> Tensor:
        """(N, features, H, W) to the same shape; by the running statistics where some are held, see `in_tiles`."""
        if self.track_running_stats:
            return super().forward(maps)
        return F.group_norm(maps, self.num_features, self.weight, self.bias, self.eps)


def norm_layers(features: int, norm: Norm, maps: bool = True) -> list[nn.Module]:
    """A list of the layer that normalises ``features`` channels; empty for norms of weights, see `reparametrise`.

    ``layer`` takes mean and deviation over all values of a sample, and has a gain and a shift for each channel (Ba et
    al. 2016, arXiv:1607.06450); ``instance`` takes them over each channel of a sample, without gain and shift, and
    ``instance_affine`` with both: what batch norm is for one image at a time.

    Args:
        features: channels of a map, or units of a fully connected layer.
        norm: the kind of norm.
        maps: whether it is for maps (N, features, H, W), or else for units (N, features).

    Raises:
        UsageError: if ``norm`` is unknown, or is instance norm for units.
    """
    if norm == "batch":
        return [nn.BatchNorm2d(features) if maps else UnitBatchNorm(features)]
    if norm == "layer":
        return [nn.GroupNorm(1, features) if maps else nn.LayerNorm(features)]
    if norm in _INSTANCE and maps:
        return [InstanceNorm(features, affine=norm == "instance_affine")]
    if norm not in get_args(Norm):
        raise UsageError(f"norm must be one of {', '.join(get_args(Norm))}, got {norm!r}")
    if norm in _INSTANCE:
        raise UsageError("instance norm is for maps; fully connected layers take 'layer' or 'batch'")
    return []


def order_with(norm: Norm) -> torch.memory_format:
    """The memory order of weights and maps in which convolutions with a norm are fastest on a CPU.

    Instance norm has fast kernels for standard order only: CycleGAN's step is 1.06 times as fast in it in float32 and
    1.9 times with ``bf16-mixed``. With other norms channels-last is 1.1 times as fast.
    """
    return torch.contiguous_format if norm in _INSTANCE else torch.channels_last


def needs_bias(norm: Norm) -> bool:
    """Whether a layer needs a bias of its own, because no norm layer follows it."""
    return not norm_layers(1, norm)


def dense_layers(inputs: int, units: int, norm: Norm, activation: nn.Module) -> list[nn.Module]:
    """A fully connected layer with norm and activation; an empty list for 0 units."""
    if not units:
        return []
    return [nn.Linear(inputs, units, bias=needs_bias(norm)), *norm_layers(units, norm, maps=False), activation]


def normal(module: nn.Module, std: float = 0.02) -> None:
    """Draws weights from N(0, std), norm gains from N(1, std), and zeroes biases (Radford et al. 2015, section 4).

    Use it with ``network.apply(normal)``, before `reparametrise`.
    """
    if isinstance(module, SubPixel):  # `apply` visits it after its convolution
        module.begin_as_nearest()
        return
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, std)
    elif isinstance(module, (*NORMS, InstanceNorm)) and module.weight is not None:
        nn.init.normal_(module.weight, 1.0, std)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def initialise(network: nn.Module, norm: Norm) -> None:
    """Draws weights from DCGAN's N(0, 0.02) if a norm layer restores the scale of the maps; else keeps PyTorch's."""
    if norm in ("batch", "layer", *_INSTANCE):
        network.apply(normal)


def reparametrise(network: nn.Module, norm: Norm) -> None:
    """Normalises the weights of all convolutions, linear layers and embeddings, if ``norm`` is one of weights.

    ``weight`` learns length and direction apart (Salimans & Kingma 2016, arXiv:1602.07868), ``spectral`` divides by the
    largest singular value (Miyato et al. 2018, arXiv:1802.05957; the kernel as an outputs x rest matrix, one power
    iteration a forward pass in training). Call it after the initialisation, which needs the plain weights.
    """
    needs_bias(norm)  # refuses an unknown norm
    for module in list(network.modules()):
        if not isinstance(module, WEIGHTED) or parametrize.is_parametrized(module):
            continue
        if norm == "weight":  # one length an output; outputs are a transposed kernel's second dimension
            parametrizations.weight_norm(module, dim=1 if isinstance(module, nn.ConvTranspose2d) else 0)
        elif norm == "spectral" and module.weight.is_meta:
            dim = 1 if isinstance(module, nn.ConvTranspose2d) else 0
            parametrize.register_parametrization(module, "weight", _SpectralNormOfShapes(module.weight, dim=dim))
        elif norm == "spectral":
            parametrizations.spectral_norm(module)


class _SpectralNormOfShapes(parametrizations._SpectralNorm):
    """Spectral norm that begins without its 15 iterations where weights have shapes alone.

    There, they only take time: seconds for a deep network, at the start of each run, which makes its model once more.
    """

    def _power_method(self, weight_mat: Tensor, n_power_iterations: int) -> None:
        if not weight_mat.is_meta:
            super()._power_method(weight_mat, n_power_iterations)


def crop(image: Tensor, height: int, width: int) -> Tensor:
    """The middle (N, C, height, width) of images (N, C, H, W), in standard memory order."""
    top, left = (image.shape[2] - height) // 2, (image.shape[3] - width) // 2
    return image[:, :, top : top + height, left : left + width].contiguous()


def strided_each(maps: Tensor, kernels: Tensor, stride: int, bias: Tensor | None = None) -> Tensor:
    """Convolves every channel by itself, with a stride; on a CPU in float32 at least.

    There the way back of bfloat16 takes 4 to 30 times as long as that of float32.

    Args:
        maps: (N, C, H, W), padded.
        kernels: (C, 1, k, k).
        stride: in both directions.
        bias: (C,), added to every channel.

    Returns:
        (N, C, ...) in the number type of ``maps``.
    """
    groups = len(kernels)
    if maps.device.type != "cpu" or not (torch.is_autocast_enabled("cpu") or maps.dtype == torch.bfloat16):
        return F.conv2d(maps, kernels, bias, stride, groups=groups)
    kind = torch.promote_types(maps.dtype, torch.float32)
    bias = None if bias is None else bias.to(kind)
    with torch.autocast("cpu", enabled=False):
        return F.conv2d(maps.to(kind), kernels.to(kind), bias, stride, groups=groups).to(maps.dtype)
