"""The kind of numbers that the files of a set of images hold: how many bits, and which are black and white."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import Tensor

from lit_gans.images.depth import Range
from lit_gans.images.shape import to_uint8

FULL: dict[int, Range] = {8: (0.0, 255.0), 16: (0.0, 65535.0), 32: (0.0, 1.0)}


@dataclass(frozen=True)
class Kind:
    """The kind of numbers in image files, in which a model of these images writes its samples, too.

    Args:
        bits: 8, 16, or 32 for floats.
        limits: the numbers in files that are -1 and 1 for networks.
    """

    bits: int = 8
    limits: Range = FULL[8]

    def plain(self, channels: int) -> bool:
        """Whether any format of pictures can hold images of so many channels."""
        return self.bits == 8 and channels in (1, 3)

    def ending(self, channels: int) -> str:
        """The ending of files of single images: .png where PNG has such images, else .npy."""
        low, high = self.limits
        if self.bits == 16 and not 0 <= low < high <= 65535:
            return ".npy"
        return ".png" if self.bits < 32 and channels in (1, 3, 4) else ".npy"

    def numbers(self, image: Tensor) -> np.ndarray:
        """An image (..., C, H, W) in [-1, 1] as files of this kind hold it.

        Returns:
            (..., H, W, C) uint8, uint16 (int16 if there are numbers below 0), or float32. The numbers of 8 bits are 0
            to 255 whatever the limits are, as pictures show them; how opaque pixels of 16 bits are is 0 to 65535.
        """
        image = image.detach().cpu().movedim(-3, -1)  # (..., H, W, C)
        if self.bits == 8:
            return np.ascontiguousarray(to_uint8(image).numpy())
        share = ((image.double() + 1) / 2).clamp(0, 1).numpy()
        low, high = self.limits
        values = low + share * (high - low)
        if self.bits == 32:
            return values.astype(np.float32)
        if share.shape[-1] == 4:
            values[..., 3] = share[..., 3] * 65535
        return np.round(values).astype(np.int16 if low < 0 else np.uint16)

    def words(self) -> str:
        """The kind in words.

        Examples:
            >>> Kind().words(), Kind(16, (0, 4095)).words(), Kind(32, (-1, 1)).words()
            ('8 bits, 0 to 255', '16 bits, 0 to 4095', 'floats, -1 to 1')
        """
        low, high = self.limits
        return f"{'floats' if self.bits == 32 else f'{self.bits} bits'}, {low:g} to {high:g}"

    def plainly(self) -> dict[str, Any]:
        """The kind as plain values, which a checkpoint keeps; `usable` reads them."""
        return asdict(self) | {"limits": [*map(float, self.limits)]}


def usable(given: Any) -> Kind | None:
    """The kind that plain values, from whatever file, describe; None if they describe none.

    Examples:
        >>> usable({"bits": 16, "limits": [0, 4095]}), usable({"bits": 9}), usable(None)
        (Kind(bits=16, limits=(0.0, 4095.0)), None, None)
    """
    if not isinstance(given, dict) or given.keys() != {"bits", "limits"} or given["bits"] not in FULL:
        return None
    limits = given["limits"]
    fit = isinstance(limits, (list, tuple)) and len(limits) == 2 and all(type(n) in (int, float) for n in limits)
    if not fit or not -np.inf < limits[0] < limits[1] < np.inf:
        return None
    return Kind(int(given["bits"]), (float(limits[0]), float(limits[1])))
