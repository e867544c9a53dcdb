"""Policies that change the colours of an image and leave every pixel in its place.

The channels of an image are taken as one colour; a multiple of three channels is taken as several RGB images, which all
get the same change: a source and its target, for example.
"""

from math import pi, sqrt

import torch
from torch import Tensor

from lit_gans.augment.draws import integers, normal, uniform

_RGB = 3


def color(images: Tensor, p: Tensor) -> Tensor:
    """Brightness, saturation and contrast of DiffAugment (Zhao et al. 2020, arXiv:2006.10738).

    Adds U(-0.5, 0.5), then moves each pixel away from the mean of its channels by a factor U(0, 2), then the image
    away from its mean by a factor U(0.5, 1.5). One channel has no saturation.
    """
    colors = _colors(images)  # (N, images, C, H, W)
    brightness = _each(uniform(images, p, 0.5), colors)
    saturation = _each(uniform(images, p, 1.0), colors) + 1
    contrast = _each(uniform(images, p, 0.5), colors) + 1
    luma = colors.mean(2, keepdim=True)  # (N, images, 1, H, W)
    ground = brightness + luma.mean((3, 4), keepdim=True) * (1 - contrast)
    if colors.shape[2] == 1:
        return (colors * contrast + ground).flatten(1, 2)  # back to (N, C, H, W)
    # all three at once, and so that factors of 1 round nothing, as (x - luma) * saturation + luma would
    changed = colors * (saturation * contrast) + luma * ((1 - saturation) * contrast) + ground
    return changed.flatten(1, 2)  # back to (N, C, H, W)


def tone(images: Tensor, p: Tensor) -> Tensor:
    """Brightness, contrast, luma flip, hue and saturation of ADA (Karras et al. 2020, arXiv:2006.06676, appendix B).

    Adds N(0, 0.2^2); multiplies by a contrast 2^N(0, 0.5^2); with probability 1/2 inverts the luma, the mean of a
    pixel's channels; turns the hue about the grey axis by an angle from U(-pi, pi); multiplies the rest of the colour,
    the chroma, by a saturation 2^N(0, 1). One channel has luma alone, and only three have a hue.
    """
    colors = _colors(images)  # (N, images, C, H, W)
    brightness = normal(images, p, 0.2)
    contrast = torch.exp2(normal(images, p, 0.5))
    luma_gain = contrast * (1 - 2 * integers(images, p, 0, 1))
    shift = _each(luma_gain * brightness, colors)
    if colors.shape[2] == 1:
        return (colors * _each(luma_gain, colors) + shift).flatten(1, 2)
    angle = uniform(images, p, pi if colors.shape[2] == _RGB else 0.0)
    chroma_gain = contrast * torch.exp2(normal(images, p, 1.0))
    kept = chroma_gain * angle.cos()
    # all five at once: luma' = gain * (luma + brightness), chroma' = gain * rotation(chroma)
    changed = colors * _each(kept, colors) + colors.mean(2, keepdim=True) * _each(luma_gain - kept, colors) + shift
    if colors.shape[2] == _RGB:
        turned = _each(chroma_gain * angle.sin() / sqrt(_RGB), colors)
        changed = changed + (colors.roll(1, 2) - colors.roll(-1, 2)) * turned  # the cross product with (1, 1, 1)
    return changed.flatten(1, 2)  # back to (N, C, H, W)


def _colors(images: Tensor) -> Tensor:
    """(N, C, H, W) to (N, number of colour images, channels of a colour, H, W)."""
    channels = images.shape[1]
    return images.unflatten(1, (-1, _RGB if channels % _RGB == 0 else channels))  # (N, images, C, H, W)


def _each(values: Tensor, colors: Tensor) -> Tensor:
    """Draws (N,) in a shape (N, 1, 1, 1, 1) and dtype that multiply colours."""
    return values.to(colors.dtype).view(-1, 1, 1, 1, 1)
