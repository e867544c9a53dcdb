"""``lit-gans colorize``: gives a grey photograph colours.

Slow imports are delayed until they are needed, so that help answers at once.
"""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lit_gans.cli.options import Checkpoint, Device, Force, Megapixels, Option, Pictures, Trust
from lit_gans.cli.words import NOBODY

if TYPE_CHECKING:
    from lit_gans.images.hints import Hint
    from lit_gans.models import Colorizer

_NO_HINTS: list[str] = []


def colorize(
    checkpoint: Checkpoint,
    pictures: Pictures,
    hint: Annotated[list[str], Option(shown="X,Y,COLOUR", separate=False)] = _NO_HINTS,
    output: str = "colorized",
    size: int | None = None,
    max_megapixels: Megapixels = 179.0,
    device: Device = "auto",
    force: Force = False,
    trust: Trust = NOBODY,
) -> None:
    """Gives a grey photograph colours, or every picture of a folder and of the folders in it.

    Photographs keep their names, the folders that they are in, their sizes and their lightness. The colours are found
    at about the size of the images that the model was trained on, and enlarged. Names that begin with a dot are passed
    over; what cannot be coloured is skipped and named at the end.

    Args:
        hint: known colours of one picture as x,y,colour: pixels from the left and from the top, and a colour such as
            #c08040 or brown. Several are given one after another.
        output: a picture file for one picture; else a folder for files of the same names.
        size: short side, in pixels, of the picture when its colours are found; larger pictures are reduced to it. By
            default that of the images that the model was trained on.
    """
    from lit_gans.errors import UsageError, at_least, one

    at_least(0, max_megapixels=max_megapixels)
    if size is not None and size < 8:
        raise UsageError(f"size must be at least 8 pixels, got {size}")
    if hint and Path(pictures).is_dir():
        raise UsageError(f"a hint is a place in one picture, but {pictures} is a folder; name one picture in it")

    hints = [parse_hint(text) for text in hint]

    from lit_gans.checkpoints import load
    from lit_gans.cli.models import usable
    from lit_gans.cli.pictures import places, tell, unreadable
    from lit_gans.files import refuse_taken
    from lit_gans.models import Colorizer

    files = places(Path(pictures), Path(output), output.endswith("/"))
    refuse_taken(*(target for _, target in files), force=force)
    model = load(checkpoint, usable(device), trust=trust)
    if not isinstance(model, Colorizer):
        raise UsageError(f"{checkpoint} holds {one(model)}, which does not colour pictures; use one of a Colorizer")
    skipped = _colour_all(model, files, hints, size, max_megapixels)
    told = f"{len(hints)} hint{'s' * (len(hints) != 1)}" if hints else "without hints"
    single = files[0][1] if len(files) == 1 else output
    tell(len(files) - len(skipped), [*skipped, *unreadable(Path(pictures))], f"{single}, {told}", "coloured")


def _colour_all(
    model: "Colorizer", files: list[tuple[Path, Path]], hints: "list[Hint]", size: int | None, megapixels: float
) -> list[str]:
    """Colours and writes all pictures; returns which were skipped, and why."""
    from tqdm import tqdm

    from lit_gans.cli.pictures import unwritable
    from lit_gans.errors import UsageError
    from lit_gans.images.hints import refuse_outside
    from lit_gans.images.photos import read_picture, write_picture
    from lit_gans.images.shape import to_uint8

    skipped: list[str] = []
    for file, target in tqdm(files, unit=" pictures", disable=None if len(files) > 1 else True):
        try:
            photo = read_picture(file, megapixels=megapixels)
        except UsageError as error:
            skipped.append(str(error))
            continue
        refuse_outside(photo.shape[2:], hints)
        try:
            made: Any = to_uint8(model.colorize_photo(photo, hints, size))[0]
        except (RuntimeError, ValueError, MemoryError) as error:
            large = f"{photo.shape[3]}x{photo.shape[2]} pixels"
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            skipped.append(f"{file}: {large} cannot be coloured ({reason})")
            continue
        try:
            write_picture(made, target, drawn=False)
        except (OSError, ValueError) as error:
            skipped.append(unwritable(file, target, error))
    return skipped


def parse_hint(text: str) -> "Hint":
    """Parses ``x,y,colour`` for `place_hints`.

    Raises:
        UsageError: if it is something else, or there is no such colour.
    """
    from PIL import ImageColor

    from lit_gans.errors import UsageError

    parts = [part.strip() for part in text.split(",", 2)]
    try:
        x, y = float(parts[0]), float(parts[1])
        name = parts[2]
    except (ValueError, IndexError):
        raise UsageError(f"a hint is x,y,colour, say 120,80,#c08040, got {text!r}") from None
    colour: tuple[int, ...] = ()
    with suppress(ValueError):
        colour = ImageColor.getrgb(name)
    if len(colour) != 3:
        raise UsageError(
            f"{name!r} in the hint {text!r} is no colour; write it as #rrggbb, say #c08040, or by its name"
        )
    return x, y, colour
