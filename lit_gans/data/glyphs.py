"""Digits and letters drawn on the spot: a data set that needs no download."""

from typing import Any, Literal

import torch
from torch import Tensor

from lit_gans.data import drawing
from lit_gans.data.drawing import uniform
from lit_gans.data.image_data import ImageData, Sized, height_width
from lit_gans.data.samples import Samples
from lit_gans.errors import UsageError

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Glyphs(ImageData):
    """Characters in the font that Pillow ships, each turned, sheared, scaled, shifted, thickened and made noisy.

    Deterministic for a seed on every machine with the same Pillow. ``label`` is the position in ``characters``.

    Args:
        characters: what to draw; ``0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ`` by default.
        size: side length or (height, width) in pixels.
        channels: 1 draws white on black, 3 draws a random colour on a dark one.
        count: training images; validation and test have a tenth each.
        distortion: 0 draws every character upright and centred, 1 as wildly as handwriting.
        noise: standard deviation of the pixel noise, with images in [-1, 1].
        background: ``plain``, or ``texture``: any colour on clouds of others, often between two more characters that
            the border cuts, as house numbers look on photographs.
        loading: arguments of `ImageData`: batch_size, num_workers, seed, flip, labels_per_class, label_fraction.

    Raises:
        UsageError: if there is nothing to draw or ``channels`` is neither 1 nor 3.

    Examples:
        >>> data = Glyphs("AB", size=(24, 32), channels=3, count=100)
        >>> data.setup("fit")
        >>> data.splits["train"][[0, 1]]["image"].shape
        torch.Size([2, 3, 24, 32])
    """

    def __init__(
        self,
        characters: str = DIGITS + LETTERS,
        size: Sized = 32,
        channels: int = 1,
        count: int = 16_000,
        distortion: float = 0.5,
        noise: float = 0.03,
        background: Literal["plain", "texture"] = "plain",
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        if not characters or channels not in (1, 3) or count < 10:
            raise UsageError(
                "Glyphs draws at least one character, in 1 or 3 channels, at least 10 times; got "
                f"characters={characters!r}, channels={channels}, count={count}"
            )
        if background not in ("plain", "texture"):
            raise UsageError(f"background must be 'plain' or 'texture', got {background!r}")
        self.characters, self.count, self.distortion, self.noise = characters, count, distortion, noise
        self.background = background
        self.image_shape = (channels, *height_width(size))
        self.num_classes = len(characters)

    @property
    def class_names(self) -> str:
        """The characters."""
        return self.characters

    def load(self, split: str) -> Samples:
        """The images of a split, which depend on the arguments and the split alone."""
        count, rng = drawing.start(self.count, self.seed, split)
        masters = drawing.draw(self.characters)
        label = torch.randint(len(self.characters), (count,), generator=rng)
        # plain ones always 2000 at a time: another number would change the drawings of a seed
        part = 2000 if self.background == "plain" else drawing.at_a_time(self.image_shape[1:])
        images = [self._render(masters, some, rng) for some in label.split(part)]
        return Samples({"image": torch.cat(images), "label": label})

    def _render(self, masters: Tensor, label: Tensor, rng: torch.Generator) -> Tensor:
        """(N,) labels to (N, C, H, W) uint8."""
        channels, size, count = self.image_shape[0], self.image_shape[1:], len(label)
        stroke = torch.randint(len(drawing.STROKES), (count,), generator=rng)
        warps = drawing.wild_warps(count, self.distortion, size, rng)
        ink = drawing.stamp(masters, label, stroke, warps, size)
        if self.background == "texture":
            image = self._on_texture(masters, stroke, warps, ink, rng)
        elif channels == 1:
            image = ink
        else:
            # a light colour on a dark one, so that every glyph can be read
            light = 0.5 + 0.5 * torch.rand(count, 3, 1, 1, generator=rng)
            light[torch.arange(count), torch.randint(3, (count,), generator=rng)] *= 0.4
            dark = 0.3 * torch.rand(count, 3, 1, 1, generator=rng)
            image = dark + (light - dark) * ink
        return drawing.to_bytes(image + 0.5 * self.noise * torch.randn(image.shape, generator=rng))

    def _on_texture(self, masters: Tensor, stroke: Tensor, warps: Tensor, ink: Tensor, rng: torch.Generator) -> Tensor:
        """Ink on clutter, with pieces of other characters in the same ink to the left and the right."""
        channels, size, count = self.image_shape[0], self.image_shape[1:], len(stroke)
        mean = drawing.colours(uniform(0.15, 0.85, count, rng), channels, rng, vivid=0.7)
        ground = drawing.texture(mean, 0.22, size, rng)
        light = drawing.brightness(ground).unsqueeze(1)
        # so that it can be read, the ink differs from the ground under and around it, not only from the mean
        near = (light * ink).sum((1, 2, 3)) / ink.sum((1, 2, 3)).clamp(min=1e-6)
        colour = drawing.contrasting(near, 0.42, channels, rng)
        border = float(drawing.half_sides(size)[0])
        for side in (-1, 1):
            beside = (torch.rand(count, generator=rng) < 0.6).nonzero()[:, 0]
            if len(beside) == 0:  # an empty batch of maps is an error
                continue
            other = torch.randint(len(masters), (len(beside),), generator=rng)
            there = drawing.moved(warps[beside], side * (border + uniform(0.1, 0.4, len(beside), rng)), size)
            ink[beside] = torch.maximum(ink[beside], drawing.stamp(masters, other, stroke[beside], there, size))
        return ground + (colour[:, :, None, None] - ground) * ink
