"""Digits and letters drawn on the spot: a data set that needs no download."""

from math import pi

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lit_gans.data.base import ImageData, Samples, Sized, height_width
from lit_gans.errors import UsageError

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MASTER = 96  # side of the drawings that every sample is warped from
_STROKES = (0, 2, 4)  # stroke widths of the drawings, in pixels of the master


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
        batch_size: images a device and batch.
        num_workers: worker processes; 0 is fastest for a set in memory.
        seed: of the drawings and their order.

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
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if not characters or channels not in (1, 3) or count < 10:
            raise UsageError(
                "Glyphs draws at least one character, in 1 or 3 channels, at least 10 times; got "
                f"characters={characters!r}, channels={channels}, count={count}"
            )
        self.characters, self.count, self.distortion, self.noise = characters, count, distortion, noise
        self.image_shape = (channels, *height_width(size))
        self.num_classes = len(characters)

    def load(self, split: str) -> Samples:
        """The images of a split, a function of the arguments and the split."""
        count = self.count if split == "train" else self.count // 10
        rng = torch.Generator().manual_seed(3 * self.seed + ("train", "val", "test").index(split))
        masters = draw(self.characters)
        label = torch.randint(len(self.characters), (count,), generator=rng)
        images = [self._render(masters, part, rng) for part in label.split(2000)]
        return Samples(torch.cat(images), label)

    def _render(self, masters: Tensor, label: Tensor, rng: torch.Generator) -> Tensor:
        """(N,) labels to (N, C, H, W) uint8."""
        channels, height, width = self.image_shape
        stroke = torch.randint(len(_STROKES), (len(label),), generator=rng)
        grid = F.affine_grid(self._warps(len(label), rng), [len(label), 1, 2 * height, 2 * width], align_corners=False)
        ink = F.grid_sample(masters[label, stroke].unsqueeze(1), grid, align_corners=False)
        ink = F.avg_pool2d(ink, 2)  # drawn at twice the size: smooth edges
        if channels == 1:
            image = ink
        else:
            # a light colour on a dark one, so that every glyph can be read
            light = 0.5 + 0.5 * torch.rand(len(label), 3, 1, 1, generator=rng)
            light[torch.arange(len(label)), torch.randint(3, (len(label),), generator=rng)] *= 0.4
            dark = 0.3 * torch.rand(len(label), 3, 1, 1, generator=rng)
            image = dark + (light - dark) * ink
        image = image + 0.5 * self.noise * torch.randn(image.shape, generator=rng)
        return image.clamp(0, 1).mul(255).round().to(torch.uint8)

    def _warps(self, count: int, rng: torch.Generator) -> Tensor:
        """(N, 2, 3) affine maps from image to master coordinates: turn, shear, scale, shift."""
        turn, shear, grow, stretch, right, down = (2 * torch.rand(6, count, generator=rng) - 1) * self.distortion
        angle, scale, stretch = turn * pi / 8, torch.exp(0.25 * grow), torch.exp(0.15 * stretch)
        cos, sin = angle.cos(), angle.sin()
        lean = torch.stack(
            [torch.stack([scale * stretch, 0.4 * shear], 1), torch.stack([0 * scale, scale / stretch], 1)], 1
        )
        turned = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1) @ lean
        aspect = self.image_shape[2] / self.image_shape[1]  # keep the glyph's shape in images that are not square
        turned[:, :, 0] *= max(aspect, 1.0)
        turned[:, :, 1] *= max(1 / aspect, 1.0)
        return torch.cat([turned, 0.2 * torch.stack([right, down], 1).unsqueeze(2)], 2)


def draw(characters: str) -> Tensor:
    """Every character at every stroke width.

    Returns:
        (characters, strokes, side, side) float in [0, 1], white ink on black.
    """
    font = ImageFont.load_default(size=_MASTER * 0.8)
    drawings = []
    for character in characters:
        for stroke in _STROKES:
            page = Image.new("L", (_MASTER, _MASTER))
            ImageDraw.Draw(page).text(
                (_MASTER / 2, _MASTER / 2), character, fill=255, font=font, anchor="mm", stroke_width=stroke
            )
            drawings.append(torch.from_numpy(np.asarray(page, dtype=np.float32) / 255))
    return torch.stack(drawings).view(len(characters), len(_STROKES), _MASTER, _MASTER)
