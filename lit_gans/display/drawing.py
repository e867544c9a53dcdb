"""What the page does with a model that draws from noise: samples, the way between two, arithmetic, sliders, inversion.

Everything is drawn by the model's own methods; nothing here knows the page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lit_gans.errors import UsageError, one
from lit_gans.images.grid import grid, to_image
from lit_gans.latents.directions import directions
from lit_gans.latents.paths import path

MOST = 100  # samples of a grid
STEPS = 8  # images of the way between two samples
SLIDERS = 6
_USUAL, _COLUMNS, _WIDEST = 36, 6, 20  # samples to begin with, of a row then; most classes beside each other
_LETTERS = "ABC"
_COLOURS = ("#ea580c", "#2563eb", "#059669")  # of the frames around what was clicked
_CELL, _GRID, _LARGE = 40, 720, 320  # pixels: least side of a sample, of the whole grid, of the clicked one
_TERM, _SIGN = 160, 40  # of each picture of a sum, and of the sign behind it
_GAP = 2  # pixels between samples, as the grid lays them out
_POINTS = (2, 1, 1)  # the shape of a point in the plane

Rows = dict[str, Tensor]


@dataclass(frozen=True)
class Drawing:
    """Samples with what they were drawn from.

    Args:
        rows: the inputs of `sample`, (n, ...) each: ``noise``, and ``label``, ``text`` or ``code`` beside it.
        images: (n, C, H, W) in [-1, 1], on the CPU.
        options: further arguments of `sample`: truncation, say.
        words: of each sample, its sentence or its class; empty if there are none.
        picks: the numbers of the samples that were clicked, three at most.
        across: samples in a row of the grid; 0 for about as many as there are rows.
        along: the directions (k, latent_dim) in which the last that was clicked changes most, once they are known.
    """

    rows: Rows
    images: Tensor
    options: Mapping[str, Any]
    words: tuple[str, ...] = ()
    picks: tuple[int, ...] = ()
    across: int = 0
    along: Tensor | None = None

    @property
    def columns(self) -> int:
        """Samples in a row of the grid."""
        return self.across or max(1, round(len(self.images) ** 0.5 + 0.4))

    def row(self, number: int) -> Rows:
        """The inputs of one sample, (1, ...) each."""
        return {name: values[number : number + 1] for name, values in self.rows.items()}

    def said(self, number: int) -> str:
        """The words of one sample."""
        return self.words[number % len(self.words)] if self.words else ""


def drawn(
    model: Any,
    count: int,
    seed: int,
    label: Sequence[str] = (),
    text: str = "",
    options: Mapping[str, Any] | None = None,
) -> Drawing:
    """Draws samples.

    Args:
        model: one that draws from noise.
        count: how many.
        seed: of the noise.
        label: classes that take turns, or the attributes that hold, by their words; by default those of training.
        text: a sentence to draw by; by default those of training take turns.
        options: further arguments of `sample`.

    Raises:
        UsageError: if a label or a word of the text is unknown, or the count is out of range.
    """
    if not 1 <= count <= MOST:
        raise UsageError(f"the number of images must be from 1 to {MOST}, got {count}")
    given: dict[str, Any] = {}
    if label:
        given["label"] = label_of(model, label)
    if text.strip():
        given["text"] = text.strip()
    rows = {name: values.cpu() for name, values in model.rows(count, seed=seed, **given).items()}
    options = {name: value for name, value in (options or {}).items() if (name, value) != ("truncation", 1.0)}
    images = model.sample(**rows, **options).float().cpu()
    across = _across(model) if not given and count > _across(model) else 0
    return Drawing(rows, images, options, _words(model, rows, given.get("text"), count), across=across)


def usual_count(model: Any) -> int:
    """How many samples to begin with: whole rows, where each column is a class."""
    columns = _across(model) or _COLUMNS
    return columns * max(1, round(_USUAL / columns))


def _across(model: Any) -> int:
    """Samples in a row where each column is a class, several for each if there are few; 0 without classes."""
    columns = int(model.columns)
    return columns * max(1, round(_COLUMNS / columns)) if 0 < columns <= _WIDEST else 0


def label_of(model: Any, words: Sequence[str]) -> Any:
    """The label that `sample` takes for words of `choices`: classes, or one row of attributes."""
    numbers = [choices(model).index(word) for word in words]
    if not model.multi_label:
        return [int(model.known_classes[number]) for number in numbers]
    row = torch.zeros(1, model.num_classes)
    row[0, numbers] = 1
    return row


def choices(model: Any) -> list[str]:
    """The classes, or attributes, that a model can draw, as words; none for a model without labels."""
    if model.known_classes is None:
        return []
    numbers = range(model.num_classes) if model.multi_label else model.known_classes.tolist()
    names = model.class_names
    return [names[number] if names else str(number) for number in numbers]


def _words(model: Any, rows: Rows, text: str | None, n: int) -> tuple[str, ...]:
    if text is not None:
        return (text,)
    if model.draws_by_text:
        return tuple(model.captions(n))
    if "label" not in rows or model.multi_label:
        return ()
    classes, names = rows["label"].argmax(1).tolist(), model.class_names
    return tuple(names[each] if names else f"class {each}" for each in classes)


# -------------------------------------------------------------------- the grid


def shown(drawing: Drawing) -> Image.Image:
    """The grid of samples, with frames and letters at those that were clicked."""
    picture = to_image(grid(drawing.images, drawing.columns))
    if _pointlike(drawing.images):
        return enlarged(picture, _GRID)
    factor = _factor(drawing)
    picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(16)
    height, width = (side + _GAP for side in drawing.images.shape[2:])
    for letter, number, colour in zip(_LETTERS, drawing.picks, _COLOURS, strict=False):
        down, across = divmod(number, drawing.columns)
        left, top = across * width * factor, down * height * factor
        right, bottom = left + (width + _GAP) * factor - 1, top + (height + _GAP) * factor - 1
        pen.rectangle((left, top, right, bottom), outline=colour, width=max(4, _GAP * factor))
        pen.rectangle((left, top, left + 19, top + 19), fill=colour)
        pen.text((left + 10, top + 10), letter, "white", font, anchor="mm")
    return picture


def cell(drawing: Drawing, x: int, y: int) -> int | None:
    """The number of the sample at a place of the grid, in pixels; None if there is none."""
    if _pointlike(drawing.images):
        return None
    height, width = ((side + _GAP) * _factor(drawing) for side in drawing.images.shape[2:])
    across, down = int(x // width), int(y // height)
    number = down * drawing.columns + across
    return number if 0 <= across < drawing.columns and 0 <= number < len(drawing.images) else None


def picked(drawing: Drawing, number: int) -> Drawing:
    """The drawing after a click: the samples become A, B and C in turn, and the fourth is A again."""
    picks = drawing.picks if len(drawing.picks) < len(_LETTERS) else ()
    return replace(drawing, picks=(*picks, number), along=None)


def _factor(drawing: Drawing) -> int:
    """The whole number by which the grid is enlarged."""
    side = max(drawing.images.shape[2:]) + _GAP
    return max(1, round(_GRID / (side * drawing.columns)), -(-_CELL // side))


def _pointlike(images: Tensor) -> bool:
    return tuple(images.shape[1:]) == _POINTS


def enlarged(picture: Image.Image, side: int = _LARGE) -> Image.Image:
    """A picture, enlarged by a whole number to about so many pixels if it is smaller."""
    factor = max(1, round(side / max(picture.size)))
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def picture(image: Tensor) -> Image.Image:
    """One image (C, H, W) as a picture, without a frame."""
    drawn = to_image(grid(image[None], 1))
    return drawn.crop((_GAP, _GAP, drawn.width - _GAP, drawn.height - _GAP))


# -------------------------------------------------------------------- between samples


def way(model: Any, drawing: Drawing) -> Image.Image:
    """The images between A and B, as a row.

    The noise turns from one to the other, as in `interpolate`; a class, a sentence or a code is mixed.
    """
    first, last = (drawing.row(number) for number in drawing.picks[:2])
    rows = {
        name: path(first[name], last[name], STEPS, "spherical" if name == "noise" else "linear").flatten(0, 1)
        for name in first
    }
    images = model.sample(**rows, **drawing.options).cpu()
    return enlarged(to_image(grid(images, STEPS)), 2 * _GRID)


def sum_of(drawing: Drawing) -> Rows:
    """The inputs of A - B + C: the sum of the noises, of the length of C's, and C's own class, sentence or code."""
    a, b, c = (drawing.row(number) for number in drawing.picks)
    noise = a["noise"] - b["noise"] + c["noise"]
    return {**c, "noise": noise * (c["noise"].norm() / noise.norm().clamp(min=1e-6))}


def arithmetic(model: Any, drawing: Drawing) -> Image.Image:
    """A, B, C and A - B + C side by side."""
    images = [picture(drawing.images[number]) for number in drawing.picks]
    images.append(picture(model.sample(**sum_of(drawing), **drawing.options).cpu()[0]))
    factor = max(1, round(_TERM / max(images[0].size)))
    width, height = images[0].width * factor, images[0].height * factor
    page = Image.new("RGB", (4 * width + 3 * _SIGN, height), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(28)
    for number, (image, sign) in enumerate(zip(images, "-+= ", strict=True)):
        left = number * (width + _SIGN)
        page.paste(image.resize((width, height), Image.Resampling.NEAREST), (left, 0))
        pen.text((left + width + _SIGN // 2, height // 2), sign.strip(), "black", font, anchor="mm")
    return page


# -------------------------------------------------------------------- sliders


def moved(model: Any, drawing: Drawing, moves: Sequence[float]) -> tuple[Drawing, Image.Image]:
    """The clicked sample after steps along the directions in which it changes most; these are found at the first one.

    Args:
        model: one that draws from latent points.
        drawing: the last that was clicked is moved.
        moves: how far, in units of the noise, along each direction.

    Raises:
        UsageError: if nothing was clicked.
    """
    if not drawing.picks:
        raise UsageError("click a sample first: the sliders move that one")
    row = drawing.row(drawing.picks[-1])
    along = drawing.along
    if along is None:

        def draw(noise: Tensor) -> Tensor:
            others = {name: values.expand(len(noise), -1) for name, values in row.items() if name != "noise"}
            images: Tensor = model.sample(noise=noise, **others, **drawing.options)
            return images

        along = directions(draw, row["noise"], SLIDERS)
    steps = torch.zeros(len(along))
    steps[: len(moves)] = torch.tensor(list(moves), dtype=torch.float32)[: len(along)]
    image = model.sample(**{**row, "noise": row["noise"] + steps @ along}, **drawing.options).cpu()[0]
    return replace(drawing, along=along), enlarged(picture(image))


# -------------------------------------------------------------------- pictures from outside


def found(
    model: Any, drawing: Drawing, image: Tensor, label: Sequence[str] = (), text: str = "", steps: int = 100
) -> tuple[Drawing, float]:
    """Looks for the sample that is nearest to a picture; it becomes the last of the grid, and is clicked.

    Args:
        model: one that draws from latent points.
        drawing: gets the sample.
        image: (1, C, H, W) in [-1, 1], of the shape that the model draws.
        label: the class, or the attributes, to draw by; wanted by a model that draws by label.
        text: the sentence to draw by; wanted by a model that draws by sentences.
        steps: of the search.

    Returns:
        The drawing, and the mean squared error of the sample's pixels.

    Raises:
        UsageError: if the model has no latent points, or nobody has said what to draw by.
    """
    by: dict[str, Any] = {}
    if model.known_classes is not None:
        if not label or (len(label) > 1 and not model.multi_label):
            raise UsageError(f"{one(model)} draws by label: choose the one that the picture shows, then upload it")
        by["label"] = label_of(model, label)
    if model.draws_by_text:
        if not text.strip():
            raise UsageError(f"{one(model)} draws by a sentence: write what the picture shows, then upload it")
        by["text"] = text.strip()
    result = model.invert(image, steps=steps, restarts=4, **by)
    rows = model.rows(1, noise=result.noise.cpu(), **by)
    images = torch.cat([drawing.images, result.reconstructions.float().cpu()])
    kept = {name: torch.cat([values, rows[name].cpu()]) for name, values in drawing.rows.items()}
    words = tuple(drawing.said(number) for number in range(len(drawing.images)))
    words = (*words, "the nearest to your picture") if any(words) else ("",) * len(words) + ("the nearest",)
    options = {name: value for name, value in drawing.options.items() if name != "truncation"}
    added = replace(drawing, rows=kept, images=images, words=words, options=options)
    return picked(added, len(images) - 1), float(result.errors[0])
