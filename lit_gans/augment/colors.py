"""Policies that change the colours of an image and leave every pixel in its place.

The channels of an image are taken as one colour, but for the fourth of four, which is how opaque the others are and
stays as it is. Several images side by side, a source and its target for example, get the same change: ``layout`` says
how many channels each has; else a multiple of three is taken as RGB images, and one of four as RGB images with
transparency.
"""

from collections.abc import Sequence
from math import pi, sqrt

import torch
from torch import Tensor

from lit_gans.augment.draws import integers, normal, uniform

_RGB, _RGBA = 3, 4


def color(images: Tensor, p: Tensor, layout: Sequence[int] | None = None) -> Tensor:
    """Brightness, saturation and contrast of DiffAugment (Zhao et al. 2020, arXiv:2006.10738).

    Adds U(-0.5, 0.5), then moves each pixel away from the mean of its channels by a factor U(0, 2), then the image
    away from its mean by a factor U(0.5, 1.5). One channel has no saturation.
    """
    sizes = _sizes(images.shape[1], layout)
    colors = _colors(images, sizes)  # (N, images, C, H, W)
    brightness = _each(uniform(images, p, 0.5), colors)
    saturation = _each(uniform(images, p, 1.0), colors) + 1
    contrast = _each(uniform(images, p, 0.5), colors) + 1
    luma = colors.mean(2, keepdim=True)  # (N, images, 1, H, W)
    ground = brightness + luma.mean((3, 4), keepdim=True) * (1 - contrast)
    if colors.shape[2] == 1:
        return _back(colors * contrast + ground, images, sizes)
    # all three at once, and so that factors of 1 round nothing, as (x - luma) * saturation + luma would
    changed = colors * (saturation * contrast) + luma * ((1 - saturation) * contrast) + ground
    return _back(changed, images, sizes)


def tone(images: Tensor, p: Tensor, layout: Sequence[int] | None = None) -> Tensor:
    """Brightness, contrast, luma flip, hue and saturation of ADA (Karras et al. 2020, arXiv:2006.06676, appendix B).

    Adds N(0, 0.2^2); multiplies by a contrast 2^N(0, 0.5^2); with probability 1/2 inverts the luma, the mean of a
    pixel's channels; turns the hue about the grey axis by an angle from U(-pi, pi); multiplies the rest of the colour,
    the chroma, by a saturation 2^N(0, 1). One channel has luma alone, and only three have a hue.
    """
    sizes = _sizes(images.shape[1], layout)
    colors = _colors(images, sizes)  # (N, images, C, H, W)
    brightness = normal(images, p, 0.2)
    contrast = torch.exp2(normal(images, p, 0.5))
    luma_gain = contrast * (1 - 2 * integers(images, p, 0, 1))
    shift = _each(luma_gain * brightness, colors)
    if colors.shape[2] == 1:
        return _back(colors * _each(luma_gain, colors) + shift, images, sizes)
    angle = uniform(images, p, pi if colors.shape[2] == _RGB else 0.0)
    chroma_gain = contrast * torch.exp2(normal(images, p, 1.0))
    kept = chroma_gain * angle.cos()
    # all five at once: luma' = gain * (luma + brightness), chroma' = gain * rotation(chroma)
    changed = colors * _each(kept, colors) + colors.mean(2, keepdim=True) * _each(luma_gain - kept, colors) + shift
    if colors.shape[2] == _RGB:
        turned = _each(chroma_gain * angle.sin() / sqrt(_RGB), colors)
        changed = changed + (colors.roll(1, 2) - colors.roll(-1, 2)) * turned  # the cross product with (1, 1, 1)
    return _back(changed, images, sizes)


def _sizes(channels: int, layout: Sequence[int] | None) -> list[int]:
    """The channels of each of the images that lie side by side."""
    if layout is not None and sum(layout) == channels and len({_opaque(size) for size in layout} - {1}) < 2:
        return list(layout)
    size = next((size for size in (_RGB, _RGBA) if channels % size == 0), channels)
    return [size] * (channels // size)


def _opaque(size: int) -> int:
    return _RGB if size == _RGBA else size


def _colors(images: Tensor, sizes: list[int]) -> Tensor:
    """(N, C, H, W) to (N, number of images, channels of a colour, H, W); grey beside colour becomes colour."""
    if len({*sizes}) == 1 and sizes[0] != _RGBA:
        return images.unflatten(1, (-1, sizes[0]))
    parts = [part[:, : _opaque(part.shape[1])] for part in images.split(sizes, 1)]
    channels = max(part.shape[1] for part in parts)
    return torch.stack([part.expand(-1, channels, -1, -1) for part in parts], 1)


def _back(colors: Tensor, images: Tensor, sizes: list[int]) -> Tensor:
    """Changed colours (N, number of images, C, H, W) in the place of those of images (N, C, H, W)."""
    if len({*sizes}) == 1 and sizes[0] != _RGBA:
        return colors.flatten(1, 2)
    parts = []
    for changed, part in zip(colors.unbind(1), images.split(sizes, 1), strict=True):
        parts += [changed[:, : _opaque(part.shape[1])]] + ([part[:, _RGB:]] if part.shape[1] == _RGBA else [])
    return torch.cat(parts, 1)


def _each(values: Tensor, colors: Tensor) -> Tensor:
    """Draws (N,) in a shape (N, 1, 1, 1, 1) and dtype that multiply colours."""
    return values.to(colors.dtype).view(-1, 1, 1, 1, 1)
