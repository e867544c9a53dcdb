"""The layers of StyleGAN2 (Karras et al. 2020, arXiv:1912.04958), in plain PyTorch."""

from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.errors import UsageError
from lit_gans.precision import full

GAIN = sqrt(2)  # of a leaky ReLU, applied before it, where it is free: leaky_relu(a x) = a leaky_relu(x)


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU with slope 0.2; the layer before it has the gain of sqrt(2) that keeps the variance."""
    return F.leaky_relu(x, 0.2)


class EqualLinear(nn.Module):
    """A linear layer whose weights are drawn from N(0, 1) and scaled by 1 / sqrt(inputs) at run time.

    Adam moves all weights at the same speed, whatever their scale. With the scale outside of the weights, all layers
    learn at the same relative speed (the equalised learning rate of Karras et al. 2017, arXiv:1710.10196, section 4.1).

    Args:
        in_features: size of the input.
        out_features: size of the output.
        bias: initial value of every bias.
        lr_multiplier: learning rate of this layer, relative to the others.
        gain: factor on the output.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: float = 0.0, lr_multiplier: float = 1.0, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), bias / lr_multiplier))
        self.scale = gain * lr_multiplier / sqrt(in_features)
        self.bias_scale = gain * lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_features) to (N, out_features)."""
        return F.linear(x, self.weight * self.scale, self.bias * self.bias_scale)


class EqualConv2d(nn.Module):
    """A convolution with an equalised learning rate, see `EqualLinear`.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: side of the kernel; without ``stride`` the map keeps its size.
        stride: distance between two outputs; above 1 nothing is padded here, since a `Blur` before it pads.
        bias: whether a bias is added.
        gain: factor on the output.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, bias: bool = True, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.scale, self.gain = gain / sqrt(in_channels * kernel**2), gain
        self.stride, self.padding = stride, kernel // 2 if stride == 1 else 0

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        bias = None if self.bias is None else self.bias * self.gain
        return F.conv2d(x, self.weight * self.scale, bias, self.stride, self.padding)


class Blur(nn.Module):
    """The separable [1, 3, 3, 1] low-pass filter before halving and after doubling.

    The convolution after it halves: with a stride in the filter, backward is 20 times slower in bfloat16.

    Args:
        padding: zeros on each side; the filter alone shortens a side by 3 pixels.
        gain: sum of the filter; 4 makes up for the zeros that doubling puts between the pixels.
    """

    kernel: Tensor

    def __init__(self, padding: int, gain: float = 1.0) -> None:
        super().__init__()
        side = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", gain * side.outer(side)[None, None], persistent=False)
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        """Filters every channel of (N, C, H, W) by itself."""
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, -1, -1, -1)  # (C, 1, 4, 4)
        return F.conv2d(x, kernel, padding=self.padding, groups=channels)


class ModulatedConv2d(nn.Module):
    """A convolution whose input channels a style scales, and whose output channels are scaled back to unit variance.

    Section 2.2 of the paper modulates and demodulates the weights of each sample, a convolution of N groups. Scaling
    the input before and the output after one ordinary convolution is the same function, and much faster on a CPU.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: side of the kernel.
        style_dim: size of the style, from which a learned affine map makes the scales, which begin around 1.
        up: whether to double height and width, by a transposed convolution and a `Blur`.
        demodulate: whether to divide by the standard deviation that the output has if the inputs have unit variance.
        gain: factor on the output.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        style_dim: int,
        up: bool = False,
        demodulate: bool = True,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.scale = 1 / sqrt(in_channels * kernel**2)
        self.affine = EqualLinear(style_dim, in_channels, bias=1.0)
        self.blur = Blur(padding=(5 - kernel) // 2, gain=4.0) if up else None
        self.demodulate, self.gain = demodulate, gain

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(N, in_channels, H, W) and (N, style_dim) to (N, out_channels, H, W), with ``up`` twice as high and wide."""
        weight, scales = self.weight * self.scale, self.affine(style)
        x = x * scales[:, :, None, None].to(x.dtype)  # scales: (N, in_channels, 1, 1)
        if self.blur is None:
            x = F.conv2d(x, weight, padding=weight.shape[2] // 2)
        else:
            x = self.blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        if not self.demodulate:
            return x * self.gain if self.gain != 1 else x
        return x * (self.gain * self._demodulation(weight, scales))[:, :, None, None].to(x.dtype)

    @staticmethod
    def _demodulation(weight: Tensor, scales: Tensor) -> Tensor:
        """One over the length of each modulated kernel, (N, out_channels) float32."""
        with torch.autocast(scales.device.type, enabled=False):
            energy = full(scales).square() @ full(weight).square().sum((2, 3)).T
        return torch.rsqrt(energy + 1e-8)


class MinibatchDeviation(nn.Module):
    """Appends one channel that says how much the samples of a small group differ, so that a collapse can be seen.

    Karras et al. 2017, arXiv:1710.10196, section 3: the standard deviation over the group of every feature at every
    place, averaged to one number a group. If the batch is not a multiple of the group, its first samples fill up
    the groups, where they count twice. A batch of one has deviation 0.

    Args:
        group: samples in a group.

    Raises:
        UsageError: if ``group`` is below 2, since one sample has no deviation.
    """

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        if group < 2:
            raise UsageError(f"a deviation is taken over a group of at least 2 samples, got group={group}")
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C + 1, H, W)."""
        n, _, height, width = x.shape
        size = min(self.group, n)
        groups = -(-n // size)
        rows = torch.arange(size * groups, device=x.device) % n
        grouped = full(x)[rows].unflatten(0, (size, groups))  # (size, groups, C, H, W)
        variance = (grouped - grouped.mean(0)).square().mean(0)  # var is five times slower on a CPU here
        spread = (variance + 1e-8).sqrt().mean((1, 2, 3))  # (groups,)
        channel = spread.repeat(size)[:n].to(x.dtype).view(n, 1, 1, 1).expand(n, 1, height, width)  # (N, 1, H, W)
        return torch.cat([x, channel], 1)
