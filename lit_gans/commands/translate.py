"""``lit-gans translate``.

What is heavy is imported when it is needed, so that help answers at once.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lit_gans.trust import NOBODY

if TYPE_CHECKING:
    from torch import Tensor

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def translate(
    checkpoint: str,
    pictures: str,
    output: str = "translated",
    direction: Literal["AtoB", "BtoA"] = "AtoB",
    size: int | None = None,
    batch: int = 8,
    seed: int = 0,
    device: str = "cpu",
    trust: list[str] = NOBODY,
) -> None:
    """Translates a picture, or every picture of a folder.

    Pictures keep their names and their sizes, whatever these are.

    Args:
        checkpoint: a checkpoint file of a model that makes images from images, say a CycleGAN or a Pix2Pix.
        pictures: a picture, or a folder of them.
        output: a picture file for one picture; else a folder for files of the same names.
        direction: BtoA goes the other way, if the model goes both.
        size: short side, in pixels, that larger pictures are made smaller to for the translation and enlarged from
            afterwards; by default they are translated as large as they are.
        batch: how many pictures of equal size are translated at once.
        seed: of the noise, in models that have any.
        device: where to compute, for example cpu or cuda.
        trust: packages of yours that the checkpoint names classes of; they are imported, which runs their code.
    """
    from lit_gans.checkpoints import load
    from lit_gans.commands.latents import usable
    from lit_gans.errors import UsageError

    if batch < 1:
        raise UsageError(f"batch must be at least 1 picture, got {batch}")
    if size is not None and size < 8:
        raise UsageError(f"size must be at least 8 pixels, got {size}")
    files = _places(Path(pictures), Path(output))
    model = load(checkpoint, usable(device), trust=trust)
    if model.draws:
        raise UsageError(
            f"{checkpoint} holds a {type(model).__name__}, which draws from noise and translates nothing; use "
            "'lit-gans sample', or a checkpoint of a Pix2Pix, CycleGAN, CUT or Colorizer"
        )
    how = way(model, direction)
    done, skipped = _translate_all(model, files, how | {"seed": seed}, size, batch)
    for file, reason in skipped:
        print(f"skipped {file}: {reason}", file=sys.stderr)
    if not done:
        raise UsageError(f"nothing in {pictures} could be read as a picture")
    print(f"{done} picture{'s' * (done != 1)} in {output}")


def _places(given: Path, output: Path) -> list[tuple[Path, Path]]:
    """Every picture with the file that its translation goes to."""
    from lit_gans.errors import UsageError

    if given.is_dir():
        files = sorted(file for file in given.iterdir() if file.suffix.lower() in _PICTURES)
        if not files:
            raise UsageError(f"the folder {given} has no picture that ends in {', '.join(_PICTURES)}")
        if output.suffix.lower() in _PICTURES or output.is_file():
            raise UsageError(f"{given} is a folder, so output must be one too, got {output}")
    elif given.is_file():
        files = [given]
    else:
        raise UsageError(f"there is no picture or folder {given}")
    into = given.is_dir() or output.suffix.lower() not in _PICTURES
    pairs = [(file, output / file.name if into else output) for file in files]
    if same := [str(file) for file, target in pairs if target.resolve() == file.resolve()]:
        raise UsageError(f"the translation would replace {same[0]}; name another output")
    return pairs


def way(model: Any, direction: str) -> dict[str, Any]:
    """The arguments of a model's `translate` that say which way it goes.

    Raises:
        UsageError: if it does not go that way.
    """
    import inspect

    from lit_gans.errors import UsageError

    translate = getattr(model, "translate", None)
    if translate and "direction" in inspect.signature(translate).parameters:
        return {"direction": direction}
    if direction != "AtoB":
        does = "translates one way only" if translate else "translates nothing"
        raise UsageError(f"a {type(model).__name__} {does}; leave --direction away")
    return {}


def _translate_all(
    model: Any, files: list[tuple[Path, Path]], how: dict[str, Any], size: int | None, batch: int
) -> tuple[int, list[tuple[Path, str]]]:
    """Translates and writes; how many, and what could not be read and why."""
    from tqdm import tqdm

    from lit_gans.commands.photos import read_photo, write_photo
    from lit_gans.errors import UsageError

    waiting: list[tuple[Tensor, Path]] = []
    skipped: list[tuple[Path, str]] = []
    channels = _channels(model, how.get("direction"))

    def flush() -> None:
        if waiting:
            import torch

            made = _resized(model, torch.cat([photo for photo, _ in waiting]), how, size)
            for image, (_, target) in zip(made, waiting, strict=True):
                write_photo(image, target)
            waiting.clear()

    for file, target in tqdm(files, unit=" pictures", disable=None if len(files) > 1 else True):
        try:
            photo = read_photo(str(file), channels)
        except UsageError as error:
            if len(files) == 1:
                raise
            skipped.append((file, str(error)))
            continue
        if waiting and (len(waiting) == batch or waiting[0][0].shape != photo.shape):
            flush()
        waiting.append((photo, target))
    flush()
    return len(files) - len(skipped), skipped


def _channels(model: Any, direction: str | None) -> int:
    """Of the pictures that a model takes."""
    shape = model.image_shape if direction == "BtoA" else model.source_shape
    return 3 if shape is None else int(shape[0])


def _resized(model: Any, photos: "Tensor", how: dict[str, Any], size: int | None) -> "Tensor":
    """Translations as large as the photos, by way of a smaller size if one is wanted."""
    from torch.nn.functional import interpolate

    height, width = photos.shape[2:]
    scale = 1.0 if size is None else min(1.0, size / min(height, width))
    if scale == 1:
        return model.translate(photos, **how).cpu()
    small = interpolate(photos, (round(height * scale), round(width * scale)), mode="bilinear", antialias=True)
    return interpolate(model.translate(small, **how).cpu(), (height, width), mode="bicubic").clamp(-1, 1)
