"""Converts images: their size, their channels, and uint8 to float and back."""

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

WHOLE = (torch.uint8, torch.int16)  # types that data keep images in, beside floats in [-1, 1]


def to_shape(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Converts (N, C, H, W) uint8 images, grey or coloured, to another (channels, height, width)."""
    if images.shape[1] != shape[0]:
        images = transforms.grayscale_to_rgb(images) if shape[0] == 3 else transforms.rgb_to_grayscale(images)
    return resize(images, (shape[1], shape[2]))


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes (N, C, H, W) uint8 images to another (height, width): bicubic and antialiased, for every data set.

    The filter changes FID (Parmar et al. 2022, arXiv:2104.11222); that paper recommends a bicubic one that is
    antialiased.
    """
    if tuple(images.shape[2:]) == size:
        return images
    parts = [
        transforms.resize(part, list(size), InterpolationMode.BICUBIC, antialias=True) for part in images.split(5000)
    ]
    return torch.cat(parts)


def to_float(images: Tensor) -> Tensor:
    """Converts numbers in [0, 255] to float32 in [-1, 1], of any shape; always a copy.

    Numbers in int16 are of 16 bits, from -32768 to 32767: PyTorch computes little with uint16.
    """
    if images.dtype == torch.int16:
        return images.to(torch.float32, copy=True).add_(32768).div_(32767.5).sub_(1)
    return images.to(torch.float32, copy=True).div_(127.5).sub_(1)


def as_float(images: Tensor) -> Tensor:
    """Images as data keep them (uint8, int16 or float) as floats in [-1, 1]; these stay as they are."""
    return to_float(images) if images.dtype in WHOLE else images


def in_colour(images: Tensor, ground: Tensor | float = 1.0) -> Tensor:
    """Images of any number of channels as grey or coloured ones, as they are shown and as scores see them.

    Of four channels the fourth is how opaque the others are: they are laid on ``ground``. Of two the mean is taken, of
    more than four the first three.

    Args:
        images: (N, C, H, W) in [-1, 1].
        ground: what lies under transparent images, in [-1, 1]; white by default.

    Returns:
        (N, 1 or 3, H, W) in [-1, 1].
    """
    channels = images.shape[1]
    if channels in (1, 3):
        return images
    if channels == 4:
        opaque = (images[:, 3:].clamp(-1, 1) + 1) / 2
        return images[:, :3] * opaque + ground * (1 - opaque)
    return images.mean(1, keepdim=True) if channels == 2 else images[:, :3]


def to_uint8(images: Tensor) -> Tensor:
    """Converts floats in [-1, 1] to uint8 in [0, 255], of any shape; values outside are clamped."""
    return images.detach().float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
