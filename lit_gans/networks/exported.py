"""The functions that exported files hold: a generator, with all that a draw does around it.

Each takes and gives plain tensors, has no randomness of its own, and works in float32. Words in the shape of a `Port`
are sizes that may change from call to call.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from lit_gans.images.lab import AB, rgb_to_lab, with_colours
from lit_gans.networks.translators import AlwaysDropout, Translator

ROWS = 4  # of an example
LEAST = 8  # pixels of the sides of an image that is translated, which reflection in the networks asks for
NOISE_OFF = "dropout is off, which is this model's noise: a source has one translation here, and not many"


@dataclass(frozen=True)
class Port:
    """An input or the output of a function.

    Args:
        name: in the file.
        shape: its size; words are sizes that may change.
        meaning: its values, in words.
        rows: an example, (4, ...), of what has no height and width.
        dtype: ``float32`` or ``int64``.
    """

    name: str
    shape: tuple[int | str, ...]
    meaning: str
    rows: Tensor | None = None
    dtype: Literal["float32", "int64"] = "float32"

    def example(self, n: int, sides: Sequence[int]) -> Tensor:
        """Values for n rows, at most 4; images are random and have these sides."""
        if self.rows is not None:
            return self.rows[:n]
        return torch.rand(n, *(int(size) for size in self.shape[1:-2]), *sides) * 2 - 1


class Exported(nn.Module):
    """A function of tensors; a variant says its inputs, its output and how it computes.

    Args:
        generator: is copied, to the CPU and float32, in evaluation mode.
        output: what it gives.
        inputs: what it takes, in the order of the arguments of ``forward``.
        sides: height and width of the images that the model was made for.
    """

    #: what whoever uses the file must know beside its ports
    notes: tuple[str, ...] = ()

    def __init__(self, generator: nn.Module, output: Port, *inputs: Port, sides: Sequence[int] = ()) -> None:
        super().__init__()
        self.generator: Any = _still(generator)
        self.output, self.inputs, self.sides = output, inputs, tuple(sides)
        if any(isinstance(module, AlwaysDropout) for module in generator.modules()):
            self.notes = (NOISE_OFF,)
        self.eval()

    def example(self, n: int = 2, sides: Sequence[int] | None = None) -> tuple[Tensor, ...]:
        """Inputs of n rows."""
        return tuple(port.example(n, sides or self.sides) for port in self.inputs)


def _still(network: nn.Module) -> nn.Module:
    """A copy of a network for evaluation, in which nothing is random."""
    network = copy.deepcopy(getattr(network, "_orig_mod", network)).cpu().float().eval().requires_grad_(False)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, AlwaysDropout):
                setattr(parent, name, nn.Identity())
    return network


class FromNoise(Exported):
    """``noise`` to a sample.

    Args:
        generator: maps noise to samples.
        output: what it gives.
        inputs: the noise, and what else a variant takes.
        truncation: as ``sample`` takes it; it is fixed.
    """

    def __init__(self, generator: nn.Module, output: Port, *inputs: Port, truncation: float = 1.0) -> None:
        super().__init__(generator, output, *inputs)
        styles = truncation != 1 and getattr(generator, "truncates", False) is True
        self.options = {"truncation": truncation} if styles else {}
        self.scale = 1.0 if styles else truncation
        if truncation != 1:
            self.notes = (*self.notes, f"truncation is fixed at {truncation:g}")

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to (N, ...)."""
        return self.draw(noise)

    def draw(self, noise: Tensor, *conditions: Tensor) -> Tensor:
        """Samples of noise and of conditions, as the generator takes them."""
        noise = noise if self.scale == 1 else noise * self.scale
        return cast(Tensor, self.generator(noise, *conditions, **self.options))


class FromLabel(FromNoise):
    """``noise`` and ``label``, whole numbers, to an image."""

    classes: Tensor

    def __init__(
        self, generator: nn.Module, output: Port, *inputs: Port, classes: int = 1, truncation: float = 1.0
    ) -> None:
        super().__init__(generator, output, *inputs, truncation=truncation)
        self.register_buffer("classes", torch.arange(classes))

    def forward(self, noise: Tensor, label: Tensor) -> Tensor:  # type: ignore[override]
        """(N, latent_dim) and (N,) to (N, C, H, W)."""
        return self.draw(noise, (label[:, None] == self.classes).to(noise.dtype))  # (N, num_classes)


class FromAttributes(FromNoise):
    """``noise`` and ``attributes``, a number for each, to an image."""

    def forward(self, noise: Tensor, attributes: Tensor) -> Tensor:  # type: ignore[override]
        """(N, latent_dim) and (N, num_classes) to (N, C, H, W)."""
        return self.draw(noise, attributes)


class FromCode(FromNoise):
    """``noise`` and ``code`` to an image."""

    def forward(self, noise: Tensor, code: Tensor) -> Tensor:  # type: ignore[override]
        """(N, latent_dim) and (N, codes) to (N, C, H, W)."""
        return self.draw(noise, code)


class FromTokens(FromNoise):
    """``noise`` and the ``tokens`` of a sentence, which the generator's reader reads, to an image."""

    def forward(self, noise: Tensor, tokens: Tensor) -> Tensor:  # type: ignore[override]
        """(N, latent_dim) and (N, T) to (N, C, H, W)."""
        return self.draw(noise, self.generator.read(tokens))


class FromVectors(FromNoise):
    """``noise`` and the ``vectors`` of sentences, by a frozen encoder that is not in the file, to an image."""

    def forward(self, noise: Tensor, vectors: Tensor) -> Tensor:  # type: ignore[override]
        """(N, latent_dim) and (N, D) to (N, C, H, W)."""
        return self.draw(noise, self.generator.read(vectors))


class FromGrid(Exported):
    """A grid of whole numbers, ``codes``, to an image."""

    def forward(self, codes: Tensor) -> Tensor:
        """(N, h, w) to (N, C, H, W)."""
        return cast(Tensor, self.generator.of_codes(codes))


class FromImage(Exported):
    """An ``image`` to its translation, of the same height and width."""

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H, W)."""
        return self.translate(image)

    def translate(self, image: Tensor) -> Tensor:
        """What the generator makes of maps (N, C, H, W); padded as a `Translator` pads, but without branches."""
        if not isinstance(self.generator, Translator):
            return cast(Tensor, self.generator(image))
        (height, down, top), (width, right, left) = (_room(side, self.generator.stride) for side in image.shape[2:])
        mirrored = (_number(down - top) < _number(height)) & (_number(right - left) < _number(width))
        image = image.index_select(2, _places(height, down, top, mirrored))
        image = self.generator.translate(image.index_select(3, _places(width, right, left, mirrored)))
        return image.index_select(2, torch.arange(height) + top).index_select(3, torch.arange(width) + left)


def _room(side: int, stride: int) -> tuple[int, int, int]:
    """A side, what lacks to the next multiple of a stride, and the half of it that is padded before."""
    lack = (side + stride - 1) // stride * stride - side
    return side, lack, lack // 2


def _number(size: int) -> Tensor:
    return torch.full((), size)


def _places(side: int, lack: int, before: int, mirrored: Tensor) -> Tensor:
    """Where each pixel of a padded side comes from: by reflection, or from the edge where there is no room for it."""
    places = torch.arange(side + lack) - before
    last = side - 1
    return torch.where(mirrored, last - (last - places.abs()).abs(), places.clamp(0, last))


class FromHints(FromImage):
    """A grey or coloured ``image`` and ``hints`` of its colours, with their ``mask``, to an image in colour.

    Args:
        generator: gives a and b of Lab, divided by 110.
        output: what it gives.
        inputs: image, hints and mask.
        sides: height and width of the images that the model was made for.
        join: makes the generator's input of Lab images, hints and mask.
    """

    def __init__(
        self,
        generator: nn.Module,
        output: Port,
        *inputs: Port,
        sides: Sequence[int],
        join: Callable[[Tensor, Tensor, Tensor], Tensor],
    ) -> None:
        super().__init__(generator, output, *inputs, sides=sides)
        self.join = join

    def forward(self, image: Tensor, hints: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        """(N, 3, H, W), (N, 2, H, W) and (N, 1, H, W) to (N, 3, H, W)."""
        return with_colours(image, AB * self.translate(self.join(rgb_to_lab(image), hints * mask, mask)))
