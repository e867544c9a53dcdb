"""``lit-gans sample``: draws images from a checkpoint."""

import re
import sys
from pathlib import Path

from lit_gans.cli.words import NOBODY

_MOST = 1_000_000


def sample(
    checkpoint: str,
    count: int = 64,
    seed: int | None = None,
    label: list[int] | None = None,
    output: str = "samples.png",
    columns: int | None = None,
    device: str = "cpu",
    force: bool = False,
    trust: list[str] = NOBODY,
) -> None:
    """Draws images from a checkpoint.

    Args:
        checkpoint: a checkpoint file, say runs/DCGAN-Glyphs/version_0/checkpoints/last.ckpt.
        count: how many images.
        seed: makes the draw repeatable; without it every call draws anew.
        label: for models that draw by class the number of one, or of several that take turns; for models that draw
            attributes the numbers of those that hold. By default the labels of training take turns.
        output: a .png file for a grid, or a folder for one file an image.
        columns: images in a row of the grid; by default a column for each class, or about as many as there are rows.
        device: where to compute, for example cpu or cuda.
        force: replace a file that is there, or draw into a folder that has files. Pictures of an earlier draw are
            removed.
        trust: packages of yours that the checkpoint names classes of; they are imported, which runs their code.
    """
    from lit_gans.checkpoints import load
    from lit_gans.cli.models import labels, usable
    from lit_gans.errors import UsageError, at_least, usable_seed
    from lit_gans.files import refuse_taken
    from lit_gans.images.grid import grid
    from lit_gans.images.photos import write_picture
    from lit_gans.images.shape import to_uint8

    target = Path(output)
    at_least(1, count=count, columns=columns)
    usable_seed(seed=seed)
    if count > _MOST:
        raise UsageError(f"count must be at most {_MOST}, got {count}; draw fewer at a time")
    if target.suffix and target.suffix.lower() != ".png":
        raise UsageError(f"output must end in .png (a grid) or be a folder (one file an image), got {output}")
    if target.is_file() and not target.suffix:
        raise UsageError(f"output {output} is a file; name a folder, or a .png file for a grid")
    if target.suffix:
        refuse_taken(target, force=force)
    else:
        refuse_taken(target / "00000.png", force=True)  # checks that the folder can be made
        _refuse_used(target, force)
    model = load(checkpoint, usable(device), trust=trust)
    images = model.sample(count, seed=seed, **labels(model, label))
    if target.suffix:
        classes = model.columns
        taking_turns = classes if label is None else len(label) if classes and len(label) > 1 else 0
        if columns is None and 0 < taking_turns <= count:
            columns = taking_turns
        write_picture(grid(images, columns), target)
    else:
        names = [f"{number:05}.png" for number in range(count)]
        _remove_earlier(target, {*names})
        for number, (image, name) in enumerate(zip(to_uint8(images), names, strict=True)):
            write_picture(image if len(image) in (1, 3) else grid(images[number : number + 1]), target / name)
    print(f"{count} images in {target}")


def _refuse_used(folder: Path, force: bool) -> None:
    """Refuses a folder with files: pictures of two draws in one folder would spoil what is measured of it."""
    from lit_gans.errors import UsageError

    there = sorted(_shown(folder))
    if there and not force:
        raise UsageError(
            f"the folder {folder} holds {there[0]}{f' and {len(there) - 1} more' * (len(there) > 1)} already; name a "
            "new or empty one, or draw into it with --force"
        )


def _remove_earlier(folder: Path, new: set[str]) -> None:
    """Removes what an earlier call has drawn into a folder, and says what else is in it."""
    from lit_gans.images.photos import is_drawn

    foreign = 0
    for name in _shown(folder) - new:
        ours = re.fullmatch(r"\d{5,}\.png", name) is not None and is_drawn(folder / name)
        if ours:
            (folder / name).unlink()
        foreign += not ours
    if foreign:
        print(f"note: {foreign} other file{'s' * (foreign != 1)} in {folder} stay as they are", file=sys.stderr)


def _shown(folder: Path) -> set[str]:
    """The names in a folder that are not hidden."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")} if folder.is_dir() else set()
