"""``lit-gans translate``: makes pictures from pictures, and texts from texts.

Slow imports are delayed until they are needed, so that help answers at once.
"""

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lit_gans.cli.options import BatchSize, Checkpoint, Device, Force, Input, Megapixels, Texts, Trust
from lit_gans.cli.pictures import places, tell, unreadable
from lit_gans.cli.texts import deliver, texts_of, translate_texts
from lit_gans.cli.words import NOBODY
from lit_gans.errors import UsageError, one
from lit_gans.files import refuse_taken

if TYPE_CHECKING:
    from torch import Tensor

_TILED = 4_000_000  # pixels of a picture, from which on it is translated in tiles
_SMALL = 16  # pixels of a short side; a picture of fewer that cannot be translated is too small
_BEAMS = 256  # the work grows with their number
_LARGE = 1024  # pixels of a short side; a picture of more that cannot be translated may be too large


def translate(
    checkpoint: Checkpoint,
    input: Input = None,
    text: Texts = None,
    output: str | None = None,
    direction: Literal["AtoB", "BtoA"] = "AtoB",
    size: int | None = None,
    tile: int = 512,
    seed: int = 0,
    beams: int = 1,
    batch_size: BatchSize = None,
    max_megapixels: Megapixels = 179.0,
    device: Device = "auto",
    force: Force = False,
    trust: Trust = NOBODY,
) -> None:
    """Translates a picture, or every picture of a folder and of the folders in it; or texts.

    Pictures keep their names, the folders that they are in, and their sizes. Names that begin with a dot are passed
    over; pictures that cannot be translated are skipped and named at the end. Texts are printed, or written to a file,
    one a line; an empty line stands where one cannot be translated.

    Args:
        text: for a model of texts: the text to translate, in quotes, or several, each in quotes, in place of a file.
        output: a picture file for one picture; else a folder for files of the same names, by default translated. For
            texts a text file.
        direction: BtoA translates back, if the model translates both ways.
        size: short side, in pixels, to which larger pictures are reduced for the translation, and from which the result
            is enlarged again; by default they are translated as large as they are.
        tile: side, in pixels, of the parts in which pictures of more than 4 megapixels are translated, where the
            networks allow it; 0 translates them in one piece, too.
        seed: of the noise, if the model draws any.
        beams: for texts: how many translations are looked for at once, of which the likeliest is taken; 1 takes the
            likeliest token at each place.
    """
    from lit_gans.errors import at_least, usable_seed

    at_least(1, batch_size=batch_size, beams=beams)
    if beams > _BEAMS:
        raise UsageError(f"beams must be at most {_BEAMS}, got {beams}; a few, say 4, find the best translation")
    at_least(0, max_megapixels=max_megapixels, tile=tile)
    usable_seed(seed=seed)
    if size is not None and size < 8:
        raise UsageError(f"size must be at least 8 pixels, got {size}")

    if text is not None and input is not None:
        raise UsageError(f"translate takes a text or a file, got --text and {input}")
    if text is None and input is None:
        raise UsageError("translate needs something to translate: a picture, a folder of them, a text file, or --text")

    from lit_gans.checkpoints import load
    from lit_gans.cli.models import domain, usable

    model = load(checkpoint, usable(device), trust=trust)
    if not model.domains and not model.translates_texts:
        does, use = ("draws from noise and ", "'lit-gans sample', or ") if model.draws else ("", "")
        raise UsageError(
            f"{checkpoint} holds {one(model)}, which {does}translates nothing; use {use}a checkpoint of a "
            "Pix2Pix, CycleGAN, CUT, Colorizer or Seq2Seq"
        )
    how = {"to": domain(model, direction), "seed": seed, "tile": tile}
    if model.translates_texts:
        if size is not None:
            raise UsageError(f"{one(model)} translates texts, which do not have a size; leave out --size")
        texts = texts_of(str(input)) if text is None else text
        return _write(model, texts, input, output, beams, batch_size or 64, force)
    if text is not None or beams > 1:
        wrong = "leave out --beams" if text is None else "name a picture, or a folder of them"
        raise UsageError(f"{checkpoint} holds {one(model)}, which translates pictures, not texts; {wrong}")
    folder = output or "translated"
    named = places(Path(str(input)), Path(folder), folder.endswith("/"))
    files = _own_kind(model, how["to"], named)
    if [target for _, target in named] == [Path(folder)]:  # a picture's own name, which may have got another ending
        folder = str(files[0][1])
    refuse_taken(*(target for _, target in files), force=force)
    skipped = _translate_all(model, files, how, size, batch_size or 8, max_megapixels)
    tell(len(files) - len(skipped), [*skipped, *unreadable(Path(str(input)))], folder, "translated")


def _write(
    model: Any, texts: list[str], file: str | None, output: str | None, beams: int, batch: int, force: bool
) -> None:
    """Translates texts, those of a file or others."""
    from lit_gans.images.formats import SUFFIXES

    if output is not None:
        if file is not None and Path(output).resolve() == Path(file).resolve():
            raise UsageError(f"the translations would replace {file}; name another output")
        if Path(output).suffix.lower() in SUFFIXES:
            raise UsageError(f"{one(model)} translates texts: output must be a text file, got {output}")
        refuse_taken(output, force=force)
    deliver(translate_texts(model, texts, beams, batch, lines=file is not None), output, "translated")


def _translate_all(
    model: Any, files: list[tuple[Path, Path]], how: dict[str, Any], size: int | None, batch: int, megapixels: float
) -> list[str]:
    """Translates and writes all pictures; returns which were skipped, and why."""
    from tqdm import tqdm

    from lit_gans.images.photos import read_pixels

    waiting: list[tuple[Tensor, Path, Path]] = []
    skipped: list[str] = []
    channels = _channels(model, how["to"])
    for file, target in tqdm(files, unit=" pictures", disable=None if len(files) > 1 else True):
        try:
            photo = read_pixels(file, channels, megapixels=megapixels, kind=model.image_kind)
        except UsageError as error:
            skipped.append(str(error))
            continue
        if waiting and (len(waiting) == batch or waiting[0][0].shape != photo.shape):
            skipped += _flush(model, waiting, how, size)
        waiting.append((photo, file, target))
    return skipped + (_flush(model, waiting, how, size) if waiting else [])


def _flush(model: Any, waiting: "list[tuple[Tensor, Path, Path]]", how: dict[str, Any], size: int | None) -> list[str]:
    """Translates and writes pictures of one size, one by one if need be; returns which were skipped, and why."""
    from lit_gans.cli.pictures import unwritable
    from lit_gans.images.photos import write_image

    pictures = waiting[:]
    waiting.clear()
    try:
        made = _made(model, [photo for photo, _, _ in pictures], how, size)
    except (
        UsageError,
        RuntimeError,
        ValueError,
        MemoryError,
    ) as error:  # too small for the network, or too large for the memory
        if len(pictures) > 1:
            return [reason for picture in pictures for reason in _flush(model, [picture], how, size)]
        photo, file, _ = pictures[0]
        return [f"{file}: {_reason(photo.shape[2], photo.shape[1], error)}"]
    skipped = []
    for image, (_, file, target) in zip(made, pictures, strict=True):
        try:
            write_image(image, target, model.image_kind, drawn=False)
        except (OSError, ValueError) as error:
            skipped.append(unwritable(file, target, error))
    return skipped


def _reason(width: int, height: int, error: Exception) -> str:
    """Why a picture cannot be translated, in words."""
    if min(width, height) < _SMALL and not isinstance(error, UsageError):  # PyTorch tells of its own insides
        return f"{width}x{height} pixels cannot be translated (they are too few for the networks); enlarge it"
    smaller = "; make it smaller for the translation with --size" if min(height, width) >= _LARGE else ""
    said = next(iter(str(error).splitlines()), type(error).__name__)
    return f"{width}x{height} pixels cannot be translated ({said}){smaller}"


def _channels(model: Any, to: str) -> int:
    """The number of channels of the pictures that a model takes."""
    shape = model.image_shape if to == "a" else model.source_shape
    return 3 if shape is None else int(shape[0])


def _own_kind(model: Any, to: Any, files: list[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    """The pictures with the files that are made of them, of formats that hold the kind of images that are made."""
    from lit_gans.images.photos import place_for

    channels = _channels(model, "b" if to == "a" else "a")
    places = [place_for(target, model.image_kind, channels) for _, target in files]
    named, counts = [], Counter(places)
    for (file, target), place in zip(files, places, strict=True):
        alone = place == target or counts[place] == 1
        named.append((file, place if alone else target.with_name(target.name + place.suffix)))  # a.jpg and a.png
    return named


def _made(model: Any, photos: "list[Tensor]", how: dict[str, Any], size: int | None) -> "Tensor | list[Tensor]":
    """Translations in [-1, 1], as large as the photos (C, H, W), which are as data keep them and all of one size."""
    import torch
    from torch.nn.functional import interpolate

    from lit_gans.images.shape import as_float

    how = dict(how)
    tile, (height, width) = how.pop("tile"), photos[0].shape[1:]
    scale = 1.0 if size is None else min(1.0, size / min(height, width))
    if tile and scale == 1 and height * width > _TILED:
        with suppress(UsageError):  # else in one piece
            return [as_float(model.translate_large(photo, to=how["to"], tile=tile)) for photo in photos]
    images = as_float(torch.stack(photos))
    if scale == 1:
        return model.translate(images, **how).cpu()
    small = interpolate(images, (round(height * scale), round(width * scale)), mode="bilinear", antialias=True)
    return interpolate(model.translate(small, **how).cpu(), (height, width), mode="bicubic")
