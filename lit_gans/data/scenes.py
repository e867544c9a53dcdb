"""Coloured scenes drawn on the spot: data sets of two domains and of pairs that need no download."""

import colorsys
from typing import Any, Literal

import torch
from torch import Tensor

from lit_gans.data import drawing
from lit_gans.data.drawing import SHAPES, uniform
from lit_gans.data.image_data import ImageData, Sized, height_width
from lit_gans.data.samples import Samples
from lit_gans.errors import UsageError

_GROUNDS = ((0.86, 0.80, 0.66), (0.66, 0.79, 0.90), (0.72, 0.85, 0.68))  # of one, two and three shapes


class Scenes(ImageData):
    """Base of the sets of coloured scenes.

    Args:
        size: side length or (height, width) in pixels.
        count: training images; validation and test have a tenth each.
        loading: arguments of `ImageData`: batch_size, num_workers, seed, ...
    """

    def __init__(self, size: Sized = 32, count: int = 4000, **loading: Any) -> None:
        super().__init__(**loading)
        if count < 10:
            raise UsageError(f"{type(self).__name__} draws at least 10 images, got count={count}")
        self.count = count
        self.image_shape = (3, *height_width(size))

    @property
    def _size(self) -> tuple[int, int]:
        return self.image_shape[1:]

    def _parts(self, count: int) -> list[int]:
        """The numbers of images to draw one after another."""
        return [len(part) for part in torch.empty(count).split(drawing.at_a_time(self._size))]

    def _within(self, radius: Tensor, rng: torch.Generator) -> Tensor:
        """(N, 2) random centres of things of the given radii."""
        room = (drawing.half_sides(self._size) - radius.unsqueeze(1)).clamp(min=0)
        return room * (2 * torch.rand(len(radius), 2, generator=rng) - 1)


class UnpairedGlyphs(Scenes):
    """Plain shapes in domain ``a``, striped ones in domain ``b``, like CycleGAN's horses and zebras.

    Shapes, places, sizes, colours and grounds have the same distribution in both. Nothing is paired, and ``b`` has a
    quarter more images than ``a``. Batches also have the shapes, ``label_a`` and ``label_b``. No translator learns from
    them; they serve to test whether a translation keeps the shape.

    Args:
        size: side length or (height, width) in pixels.
        count: training images of ``a``; validation and test have a tenth each.
        loading: arguments of `ImageData`: batch_size, num_workers, seed, flip.

    Raises:
        UsageError: if ``count`` is below 10.

    Examples:
        >>> data = UnpairedGlyphs(size=16, count=100)
        >>> data.setup("fit")
        >>> data.splits["train"].sizes
        [100, 125]
    """

    num_classes = len(SHAPES)

    def load(self, split: str) -> Samples:
        """The images of a split, which depend on the arguments and the split alone."""
        count, rng = drawing.start(self.count, self.seed, split)
        groups = []
        for name, number, striped in (("a", count, False), ("b", count * 5 // 4, True)):
            images, kinds = zip(*(self._render(part, striped, rng) for part in self._parts(number)), strict=True)
            groups.append({name: torch.cat(images), f"label_{name}": torch.cat(kinds)})
        return Samples(*groups)

    def _render(self, count: int, striped: bool, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) uint8 of one domain, and the shapes (N,) that they show."""
        kind = torch.randint(len(SHAPES), (count,), generator=rng)
        radius = uniform(0.55, 0.92, count, rng)
        angle = uniform(-3.1416, 3.1416, count, rng)
        warps = drawing.place(angle, radius / 0.8, self._within(radius, rng), self._size)
        ink = drawing.filled(drawing.warped_depths(drawing.depths(tuple(SHAPES))[kind], warps, self._size))
        mean = drawing.colours(uniform(0.42, 0.58, count, rng), 3, rng, vivid=0.5)
        ground = drawing.texture(mean, 0.12, self._size, rng)
        # inks are lighter or darker than every ground, and a striped shape has one of each
        light, dark = uniform(0.76, 0.92, count, rng), uniform(0.06, 0.24, count, rng)
        swap = torch.rand(count, generator=rng) < 0.5
        inside = drawing.colours(torch.where(swap, light, dark), 3, rng)[:, :, None, None]
        if striped:
            second = drawing.colours(torch.where(swap, dark, light), 3, rng)[:, :, None, None]
            period = (uniform(0.13, 0.22, count, rng) * min(self._size)).clamp(min=3.5)  # seen in 16 pixels too
            inside = inside + (second - inside) * drawing.stripes(period, self._size, rng)
        image = ground + (inside - ground) * ink
        return drawing.to_bytes(image + 0.01 * torch.randn(image.shape, generator=rng)), kind


class PairedGlyphs(Scenes):
    """Outlines of one to three shapes and characters, and the same filled with colour, as in pix2pix.

    The kind of a thing decides its colour, up to a little jitter, and the number of things decides that of the ground.

    Args:
        size: side length or (height, width) in pixels.
        direction: ``AtoB`` makes colour from outlines, ``BtoA`` outlines from colour.
        count: training pairs; validation and test have a tenth each.
        characters: to draw besides the shapes.
        loading: arguments of `ImageData`: batch_size, num_workers, seed, flip.

    Raises:
        UsageError: if ``direction`` is neither of them, ``count`` is below 10, or a character cannot be seen.

    Examples:
        >>> data = PairedGlyphs(size=16, count=100)
        >>> data.setup("fit")
        >>> sorted(data.splits["train"][[0]])
        ['source', 'target']
    """

    def __init__(
        self,
        size: Sized = 32,
        direction: Literal["AtoB", "BtoA"] = "AtoB",
        count: int = 4000,
        characters: str = "27AH",
        **loading: Any,
    ) -> None:
        super().__init__(size, count, **loading)
        if direction not in ("AtoB", "BtoA"):
            raise UsageError(f"direction must be 'AtoB' or 'BtoA', got {direction!r}")
        self.direction, self.kinds = direction, (*SHAPES, *visible(characters))
        hues = [(k / len(self.kinds), (0.95, 0.7)[k % 2]) for k in range(len(self.kinds))]
        self.colours = torch.tensor([colorsys.hsv_to_rgb(hue, 0.85, value) for hue, value in hues])

    def load(self, split: str) -> Samples:
        """The pairs of a split, which depend on the arguments and the split alone."""
        count, rng = drawing.start(self.count, self.seed, split)
        pairs = [self._render(part, rng) for part in self._parts(count)]
        outline, colour = (torch.cat(images) for images in zip(*pairs, strict=True))
        first, second = (outline, colour) if self.direction == "AtoB" else (colour, outline)
        return Samples({"source": first, "target": second})

    def _render(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Outlines and colours, (N, 3, H, W) uint8 each."""
        number = torch.randint(1, 4, (count,), generator=rng)
        turn = uniform(0, 6.2832, count, rng)
        jitter = 0.04 * torch.randn(4, count, 3, generator=rng)
        outline = torch.ones(count, 1, *self._size)
        colour = (torch.tensor(_GROUNDS)[number - 1] + 0.5 * jitter[3])[:, :, None, None].expand(-1, -1, *self._size)
        width = max(1.0, min(self._size) / 32)
        for place in range(3):
            kind = torch.randint(len(self.kinds), (count,), generator=rng)
            depth = drawing.warped_depths(
                drawing.depths(self.kinds)[kind], self._warps(number, turn, place, rng), self._size
            )
            shown = (place < number).view(-1, 1, 1, 1)
            ink, line = shown * drawing.filled(depth), shown * drawing.outlined(depth, width)
            outline = outline + (1 - outline) * ink  # hides what is behind
            outline = outline + (0.1 - outline) * line
            colour = colour + ((self.colours[kind] + jitter[place])[:, :, None, None] - colour) * ink
        return drawing.to_bytes(outline.repeat(1, 3, 1, 1)), drawing.to_bytes(colour)

    def _warps(self, number: Tensor, turn: Tensor, place: int, rng: torch.Generator) -> Tensor:
        """Maps (N, 2, 3) that place the things: one about the middle, several in a ring."""
        count = len(number)
        scale = torch.tensor([0.8, 0.56, 0.5])[number - 1] * uniform(0.85, 1.1, count, rng)
        ring = turn + 6.2832 * place / number
        distance = torch.tensor([0.0, 0.48, 0.53])[number - 1].unsqueeze(1)
        centre = distance * torch.stack([ring.cos(), ring.sin()], 1)
        centre = centre + torch.tensor([0.2, 0.03, 0.03])[number - 1].unsqueeze(1) * (
            2 * torch.rand(count, 2, generator=rng) - 1
        )
        angle = uniform(-0.5, 0.5, count, rng)
        return drawing.place(angle, scale, centre * drawing.half_sides(self._size), self._size)


class ColouredGlyphs(PairedGlyphs):
    """Scenes of one to three coloured shapes and characters: the coloured half of `PairedGlyphs`, one image alone.

    The kind of a thing decides its colour, and the number of things that of the ground, both up to a little jitter. So
    a grey image nearly tells its colours, as grey photographs do, and a `Colorizer` can learn them.

    Args:
        size: side length or (height, width) in pixels.
        count: training images; validation and test have a tenth each.
        characters: to draw besides the shapes.
        loading: arguments of `ImageData`: batch_size, num_workers, seed, flip.

    Raises:
        UsageError: if ``count`` is below 10, or a character cannot be seen.

    Examples:
        >>> data = ColouredGlyphs(size=16, count=100)
        >>> data.setup("fit")
        >>> data.splits["train"][[0, 1]]["image"].shape
        torch.Size([2, 3, 16, 16])
    """

    def __init__(self, size: Sized = 32, count: int = 4000, characters: str = "27AH", **loading: Any) -> None:
        super().__init__(size, "AtoB", count, characters, **loading)

    def load(self, split: str) -> Samples:
        """The images of a split, which depend on the arguments and the split alone."""
        return Samples({"image": super().load(split)[:]["target"]})


def visible(characters: str) -> str:
    """The same characters, if all of them can be seen."""
    hidden = [c for c in characters if c.isspace() or not c.isprintable()]
    if hidden:
        raise UsageError(f"characters must be ones that can be seen; leave {hidden[0]!r} out of {characters!r}")
    return characters
