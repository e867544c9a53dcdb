"""Converts images: their size, their channels, and uint8 to float and back."""

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms


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
    """Converts numbers in [0, 255] to float32 in [-1, 1], of any shape; always a copy."""
    return images.to(torch.float32, copy=True).div_(127.5).sub_(1)


def to_uint8(images: Tensor) -> Tensor:
    """Converts floats in [-1, 1] to uint8 in [0, 255], of any shape; values outside are clamped."""
    return images.detach().float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
