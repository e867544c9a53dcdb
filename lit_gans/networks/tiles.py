"""Large pictures through a network in overlapping tiles, which leave no seams.

A value of the result depends on the picture as far as the network's convolutions reach, so a tile that is wider than
what is kept of it by that much gives what the whole picture would. Only instance norm looks further: it takes mean and
variance from all that it is given. Here both are taken once, from the whole picture made small, and held.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.errors import UsageError
from lit_gans.images.shape import as_float, to_uint8
from lit_gans.networks.translators import AlwaysDropout

_STEP = 32  # tiles begin at multiples of it, so that strides fall as in the whole picture
_SPOT = 8  # pixels of a side of what is followed through a network
_SIZES = (128, 256, 512, 1024)  # of the pictures in which it is followed

_NO_TILES = "so it cannot translate in tiles; make large pictures smaller"

_Norm = nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d


def in_tiles(network: nn.Module, picture: Tensor, tile: int, like: Tensor) -> Tensor:
    """A translation of a picture of any size.

    Args:
        network: maps (1, C, H, W) in [-1, 1] to (1, C', H, W) in [-1, 1]; in evaluation mode.
        picture: (C, H, W) uint8, or float in [-1, 1].
        tile: side of the squares of the result that are made at once, in pixels; the side of the picture from which
            instance norm gets its statistics, too.
        like: its type and device are what the network computes with.

    Returns:
        (C', H, W) of the picture's type.

    Raises:
        UsageError: if the network looks further than a tile can be wide, or draws noise, which would differ from tile
            to tile.
    """
    if any(isinstance(module, AlwaysDropout) for module in network.modules()):
        raise UsageError(f"{type(network).__name__} draws noise, another one for each tile, {_NO_TILES}")
    # as a `Translator` pads the whole picture
    rows, columns = (_mirrored(length, getattr(network, "stride", 1)) for length in picture.shape[1:])
    height, width = len(rows), len(columns)
    small = picture if max(height, width) <= tile else _shrunk(picture, tile)
    with statistics_of(network, _floats(small, like)):
        margin = reach(network, picture.shape[0], like)
        if margin is None:
            raise UsageError(f"{type(network).__name__} looks further around a pixel than tiles overlap, {_NO_TILES}")
        margin, step = -(-margin // _STEP) * _STEP, max(_STEP, tile // _STEP * _STEP)
        result: Tensor | None = None
        for top, left in product(range(0, height, step), range(0, width, step)):
            above, before = max(0, top - margin), max(0, left - margin)
            part = picture[:, rows[above : top + step + margin]][:, :, columns[before : left + step + margin]]
            made = network(_floats(part, like))[0, :, top - above :, left - before :][:, :step, :step]
            if result is None:
                result = picture.new_empty(len(made), height, width)
            result[:, top : top + made.shape[1], left : left + made.shape[2]] = (
                to_uint8(made) if picture.dtype == torch.uint8 else made
            ).cpu()
    assert result is not None
    upper, before = (
        (len(padded) - length) // 2 for padded, length in zip((rows, columns), picture.shape[1:], strict=True)
    )
    return result[:, upper : upper + picture.shape[1], before : before + picture.shape[2]]


def reach(network: nn.Module, channels: int, like: Tensor) -> int | None:
    """How many pixels around each one a network looks at; None if it is half of 1024 or more.

    A spot that is not a number spoils just what depends on it.
    """
    for size in _SIZES:
        picture = like.new_zeros(1, channels, size, size)
        first, last = size // 2, size // 2 + _SPOT
        picture[:, :, first:last, first:last] = torch.nan
        spoilt = network(picture).isnan().any(1)[0]  # (size, size)
        rows, columns = (spoilt.any(dim).nonzero() for dim in (1, 0))
        if not len(rows):
            return 0
        low, high = min(int(rows[0]), int(columns[0])), max(int(rows[-1]), int(columns[-1]))
        if low > 0 and high < size - 1:
            return max(0, first - low, high - last + 1) + _SPOT
    return None


@contextmanager
def statistics_of(network: nn.Module, image: Tensor) -> Iterator[None]:
    """While it lasts, instance norm in a network uses the mean and variance that it finds in one image (1, C, H, W)."""
    norms = [module for module in network.modules() if isinstance(module, _Norm) and not module.track_running_stats]
    hooks = [norm.register_forward_pre_hook(_measure) for norm in norms]
    try:
        network(image)
        for hook in hooks:
            hook.remove()
        for norm in norms:
            norm.track_running_stats = True
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for norm in norms:
            norm.track_running_stats, norm.running_mean, norm.running_var = False, None, None


def _measure(norm: nn.Module, given: tuple[Tensor, ...]) -> None:
    values = given[0].float()
    dims = [0, *range(2, values.ndim)]
    norm.running_mean, norm.running_var = values.mean(dims), values.var(dims, correction=0)


def _mirrored(length: int, stride: int) -> Tensor:
    """The numbers of the rows of a picture that is padded at both ends, by reflection, to a multiple of ``stride``."""
    more = -length % stride
    numbers = torch.arange(-(more // 2), length + more - more // 2).abs()
    return torch.where(numbers < length, numbers, 2 * (length - 1) - numbers).clamp(0, length - 1)


def _shrunk(picture: Tensor, side: int) -> Tensor:
    """(C, H, W) uint8 to a picture whose longer side has ``side`` pixels."""
    scale = side / max(picture.shape[1:])
    size = [max(_STEP, round(length * scale)) for length in picture.shape[1:]]
    return F.interpolate(picture[None], size, mode="bilinear", antialias=True)[0]


def _floats(picture: Tensor, like: Tensor) -> Tensor:
    """(C, H, W) uint8 to (1, C, H, W) in [-1, 1]."""
    return as_float(picture[None].to(like.device)).to(like.dtype)
