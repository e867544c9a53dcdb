"""Pictures to try a model on, for one who has none at hand: drawn on the spot, like those of the drawn data sets."""

from typing import Any

import torch
from torch import Tensor

from lit_gans.data import Glyphs, PairedGlyphs, UnpairedGlyphs
from lit_gans.images.shape import to_float, to_shape

_SIDE = 64  # pixels, for a model that was not told the size of its images


def example(model: Any, to: str = "b", number: int = 0) -> Tensor:
    """A drawn picture (1, C, H, W) in [-1, 1] for a model that translates, colours or inverts.

    A game of pairs gets outlines, one of two domains plain or striped shapes, a Colorizer shapes in colour, and a model
    that draws a digit, whatever it was trained on.

    Args:
        model: which takes pictures.
        to: the domain that it is to be translated to.
        number: of the picture.
    """
    shape = model.image_shape if to == "a" or model.draws else model.source_shape
    channels, *sides = shape or (3, _SIDE, _SIDE)
    size: tuple[int, int] = sides[0], sides[1]
    kind: dict[str, Any] = {"size": size, "count": 10, "seed": number}
    if model.draws:
        images = Glyphs(characters="0123456789", **kind).samples("test")[[0]]["image"]
    elif "source" in model.needs:
        images = PairedGlyphs(**kind).samples("test")[[0]]["source"]
    else:
        images = UnpairedGlyphs(**kind).samples("test")[[0]]["b" if to == "a" else "a"]
    return to_float(to_shape(torch.as_tensor(images), (channels, *size)))
