"""The networks of StyleGAN2 (Karras et al. 2020, arXiv:1912.04958), for sides of 8 pixels or more."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, sqrt
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.errors import UsageError, at_least
from lit_gans.networks.base import Backbone, Discriminator, Generator, refuse_norm
from lit_gans.networks.layers import Norm, crop, doublings, widths
from lit_gans.networks.modulation import (
    GAIN,
    Blur,
    EqualConv2d,
    EqualLinear,
    MinibatchDeviation,
    ModulatedConv2d,
    activate,
)
from lit_gans.networks.recomputing import Stages, recomputed
from lit_gans.precision import without_autocast

_MEAN_DECAY = 0.995  # share of the running mean of the styles that a batch keeps


class Mapping(nn.Module):
    """Maps noise to a style: scaled to unit mean square, then through fully connected layers that learn slowly."""

    def __init__(self, latent_dim: int, style_dim: int, layers: int, lr_multiplier: float = 0.01) -> None:
        super().__init__()
        sizes = [latent_dim, *[style_dim] * layers]
        self.layers = nn.ModuleList(EqualLinear(i, o, 0.0, lr_multiplier, GAIN) for i, o in pairwise(sizes))

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to (N, style_dim) in float32, which costs little here and keeps the mean style exact."""
        with torch.autocast(noise.device.type, enabled=False):
            x = noise * torch.rsqrt(noise.square().mean(1, keepdim=True) + 1e-8)
            for layer in self.layers:
                x = activate(layer(x))
        return x


class StyleLayer(nn.Module):
    """A modulated 3x3 convolution, then noise, bias and leaky ReLU.

    In training every pixel of every sample gets new noise from the global random state. In evaluation all samples share
    one fixed map, drawn when the layer was made, so that an image is a function of its style.
    """

    #: the map is the same on all devices, which need not average it
    constant_buffers: ClassVar[tuple[str, ...]] = ("noise",)
    noise: Tensor

    def __init__(self, inputs: int, outputs: int, style_dim: int, size: tuple[int, int], up: bool) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, outputs, 3, style_dim, up=up, gain=GAIN)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(1, outputs, 1, 1))
        self.register_buffer("noise", torch.randn(1, 1, *size))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(N, inputs, h, w) and (N, style_dim) to (N, outputs, H, W)."""
        x = self.conv(x, style)
        fresh = (x.shape[0], *self.noise.shape[1:])
        noise = torch.randn(fresh, device=x.device, dtype=x.dtype) if self.training else self.noise.to(x.dtype)
        shift = noise * (GAIN * self.strength).to(x.dtype)
        return activate(x + shift + (GAIN * self.bias).to(x.dtype))


class StyleBlock(nn.Module):
    """The layers of one resolution, and the image that they add to that of the resolution before.

    A block doubles height and width and has two layers; the coarsest has no inputs and one layer.
    """

    def __init__(self, inputs: int, outputs: int, channels: int, style_dim: int, size: tuple[int, int]) -> None:
        super().__init__()
        layers = [StyleLayer(inputs, outputs, style_dim, size, up=True)] if inputs else []
        self.layers = nn.ModuleList([*layers, StyleLayer(outputs, outputs, style_dim, size, up=False)])
        self.to_rgb = ModulatedConv2d(outputs, channels, 1, style_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor, image: Tensor | None, styles: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Map and image of the resolution before to those of this one; the image is float32."""
        for layer, style in zip(self.layers, styles, strict=True):
            x = layer(x, style)
        shown = without_autocast(self.to_rgb(x, styles[-1])) + self.bias
        if image is not None:  # inside of the border this is doubling with the filter [1, 3, 3, 1]
            shown = shown + F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
        return x, shown


class StyleGenerator(Generator):
    """Noise is mapped to a style that scales the channels of all convolutions; the image is a sum of all resolutions.

    The learned constant has a short side of 4 to 7 pixels. A side that is not a multiple of the last doubling is drawn
    a few pixels too large and cropped around the centre. Two things differ from the paper, as all models here
    need it: a tanh after the sum of all resolutions keeps images in [-1, 1], and the per-pixel noise is fixed in
    evaluation, so that an image is a function of its latent vector.

    The buffer ``mean_style`` is the running mean of the styles in training; ``truncation`` moves styles towards it.

    Args:
        image_shape: (channels, height, width) of the images to draw; both sides at least 8.
        latent_dim: size of the noise.
        width: channels of the finest map; each coarser one has twice as many, up to eight times.
        style_dim: size of a style.
        mapping_layers: fully connected layers from noise to style; the paper has 8, its small-image settings 2.
        mixing: share of samples that take their finer layers from a second style while training (0.9 in the paper).
        recompute: keep few maps for the backward pass and compute the others again.

    Raises:
        UsageError: if a side is below 8 pixels, there is no mapping layer, or ``mixing`` is not in [0, 1].

    Examples:
        >>> generator = StyleGenerator((3, 24, 32), latent_dim=16, width=4, style_dim=16).eval()
        >>> generator(torch.randn(2, 16), truncation=0.7).shape
        torch.Size([2, 3, 24, 32])
    """

    mean_style: Tensor
    truncates = True

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 128,
        width: int = 32,
        style_dim: int = 128,
        mapping_layers: int = 2,
        mixing: float = 0.0,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        at_least(1, latent_dim=latent_dim, width=width, style_dim=style_dim, mapping_layers=mapping_layers)
        if not 0 <= mixing <= 1:
            raise UsageError(f"mixing is a share of the samples and must be in [0, 1], got {mixing}")
        last = doublings(image_shape)
        plan = widths(width, last + 1)[::-1]
        channels, self.height, self.width = image_shape
        self.latent_dim, self.style_dim, self.mixing = latent_dim, style_dim, mixing
        height, wide = ceil(self.height / 2**last), ceil(self.width / 2**last)
        self.mapping = Mapping(latent_dim, style_dim, mapping_layers)
        self.register_buffer("mean_style", torch.zeros(style_dim))
        self.constant = nn.Parameter(torch.randn(1, plan[0], height, wide))
        self.blocks = nn.ModuleList(
            StyleBlock(*pair, channels, style_dim, (height << level, wide << level))
            for level, pair in enumerate(pairwise([0, *plan]))
        )
        self.n_layers, self.recompute = 2 * last + 1, recompute
        self.to(memory_format=torch.channels_last)

    def forward(self, noise: Tensor, truncation: float = 1.0) -> Tensor:
        """(N, latent_dim) to (N, C, H, W) in [-1, 1]; the arguments are those of `logits`."""
        return self.logits(noise, truncation).tanh()

    def logits(self, noise: Tensor, truncation: float = 1.0) -> Tensor:
        """(N, latent_dim) to unbounded (N, C, H, W).

        Args:
            noise: (N, latent_dim).
            truncation: factor on the distance of the styles from their mean: below 1 images are more typical and less
                varied, at 0 all are the same.
        """
        style = self.mapping(noise)
        if self.training:
            with torch.no_grad():
                self.mean_style.lerp_(style.mean(0).to(self.mean_style.dtype), 1 - _MEAN_DECAY)
        if truncation != 1:
            style = torch.lerp(self.mean_style, style, truncation)
        if self.training and self.mixing:
            style = self._mix(style, noise)
        return self._draw(style)

    def synthesis(self, style: Tensor) -> Tensor:
        """(N, style_dim), or one style a layer (N, n_layers, style_dim), to (N, C, H, W) in [-1, 1]."""
        return self._draw(style).tanh()

    def _draw(self, style: Tensor) -> Tensor:
        """Styles, as `synthesis` takes them, to the unbounded sum of all resolutions (N, C, H, W)."""
        styles = [style] * self.n_layers if style.ndim == 2 else style.unbind(1)  # (N, style_dim) each
        x = self.constant.expand(style.shape[0], -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x, image = self.blocks[0](x, None, styles[:1])
        for level, block in enumerate(self.blocks[1:]):
            given = x, image, styles[2 * level + 1 : 2 * level + 3]
            x, image = recomputed(block, *given) if self.recompute else block(*given)
        return crop(image, self.height, self.width)

    def _mix(self, style: Tensor, noise: Tensor) -> Tensor:
        """Styles (N, n_layers, style_dim), one a layer; from a random layer on they come from other noise."""
        n = len(style)
        other = self.mapping(torch.randn_like(noise))
        start = torch.randint(1, self.n_layers, (n, 1), device=style.device)  # first layer of the second style
        start = start.masked_fill(torch.rand(n, 1, device=style.device) >= self.mixing, self.n_layers)
        second = torch.arange(self.n_layers, device=style.device) >= start  # (N, n_layers)
        return torch.where(second[:, :, None], other[:, None], style[:, None])  # (N, n_layers, style_dim)


class ResidualBlock(nn.Module):
    """Two convolutions that halve height and width after a filter, plus a 1x1 shortcut; the variance stays 1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = 1 / sqrt(2)  # the sum of two terms of unit variance has variance 2
        self.main = EqualConv2d(inputs, inputs, 3, gain=GAIN)
        self.down = nn.Sequential(Blur(padding=2), EqualConv2d(inputs, outputs, 3, stride=2, gain=GAIN * half))
        self.shortcut = nn.Sequential(Blur(padding=1), EqualConv2d(inputs, outputs, 1, stride=2, bias=False, gain=half))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H // 2, W // 2)."""
        return activate(self.down(activate(self.main(x)))) + self.shortcut(x)


class StyleDiscriminator(Discriminator):
    """Residual blocks with filtered halving, the deviation within the minibatch, then two fully connected layers.

    A logit depends on the other images of its group, in evaluation too: judge reals and fakes in separate batches.

    Args:
        image_shape: (channels, height, width) of the images to judge; both sides at least 8.
        width: channels of the map that has the size of the image; each halving doubles them, up to eight times.
        group: samples that the minibatch deviation is taken over, see `MinibatchDeviation`; any batch size works.
        outputs: number of scores of an image.
        recompute: keep few maps for the backward pass and compute the others again.

    Raises:
        UsageError: if a side is below 8 pixels or ``group`` below 2.
    """

    def __init__(
        self, image_shape: Sequence[int], width: int = 32, group: int = 4, outputs: int = 1, recompute: bool = False
    ) -> None:
        super().__init__()
        at_least(1, width=width, outputs=outputs)
        n = doublings(image_shape)
        channels, height, image_width = image_shape
        plan = widths(width, n + 1)
        last = plan[-1]
        self.from_rgb = EqualConv2d(channels, plan[0], 1, gain=GAIN)
        self.blocks = Stages(*(ResidualBlock(i, o) for i, o in pairwise(plan)))
        self.blocks.recompute = recompute
        self.deviation = MinibatchDeviation(group)
        self.final = EqualConv2d(last + 1, last, 3, gain=GAIN)
        self.hidden = EqualLinear(last * (height >> n) * (image_width >> n), last, gain=GAIN)
        self.size = last
        self.judge = EqualLinear(last, outputs)
        self.to(memory_format=torch.channels_last)

    def features(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to the features (N, size) that the last layer judges by."""
        x = activate(self.from_rgb(image.contiguous(memory_format=torch.channels_last)))
        x = activate(self.final(self.deviation(self.blocks(x))))  # (N, size, 4 to 7, ...)
        return activate(self.hidden(x.flatten(1)))  # (N, size * height * width) to (N, size)


@dataclass(frozen=True)
class StyleBackbone(Backbone):
    """The networks of StyleGAN2: a generator steered by styles, a residual discriminator, equalised learning rates.

    See `StyleGenerator` and `StyleDiscriminator`. Karras et al. 2020, arXiv:1912.04958.

    Args:
        width: channels of the maps that have the size of the image; coarser ones have twice as many, up to eight times.
        latent_dim: size of the noise.
        style_dim: size of a style.
        mapping_layers: layers from noise to style; 8 in the paper.
        mixing: share of fakes made from two styles while training; 0.9 in the paper.
        group: samples of a group of the discriminator's `MinibatchDeviation`.
        recompute: compute the maps of both networks again in the backward pass and keep few: less memory, more time.

    Examples:
        >>> backbone = StyleBackbone(width=4, style_dim=16)
        >>> backbone.generator((3, 24, 32), inputs=16)(torch.randn(2, 16)).shape
        torch.Size([2, 3, 24, 32])
    """

    width: int = 32
    latent_dim: int = 128
    style_dim: int = 128
    mapping_layers: int = 2
    mixing: float = 0.0
    group: int = 4
    recompute: bool = False

    def generator(self, image_shape: Sequence[int], inputs: int) -> StyleGenerator:
        """A network that draws from vectors (N, inputs)."""
        return StyleGenerator(
            image_shape, inputs, self.width, self.style_dim, self.mapping_layers, self.mixing, self.recompute
        )

    def discriminator(
        self, image_shape: Sequence[int], outputs: int = 1, norm: Norm | None = None
    ) -> StyleDiscriminator:
        """A network that gives ``outputs`` scores; refuses a game that needs a norm."""
        refuse_norm(self, norm, "layers have equalised learning rates, which a norm would undo")
        return StyleDiscriminator(image_shape, self.width, self.group, outputs, self.recompute)
