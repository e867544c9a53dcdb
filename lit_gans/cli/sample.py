"""``lit-gans sample``: draws images from a checkpoint.

Slow imports are delayed until they are needed, so that help, and an answer to wrong words, come at once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lit_gans.cli.options import BatchSize, Checkpoint, Device, Force, Labels, Option, Trust, seeds
from lit_gans.cli.words import NOBODY

if TYPE_CHECKING:
    from torch import Tensor

_MOST = 1_000_000
_COUNT = 64  # images, unless a seed or a row of noise stands for each
_AT_ONCE = 500  # images that are in memory at once, if they need not all be


def sample(
    checkpoint: Checkpoint,
    count: int | None = None,
    seed: Annotated[list[int] | None, Option(parse=seeds, shown="N,N-N")] = None,
    label: Labels = None,
    truncation: float = 1.0,
    noise: str | None = None,
    output: str | None = None,
    columns: int | None = None,
    batch_size: BatchSize = None,
    device: Device = "auto",
    force: Force = False,
    trust: Trust = NOBODY,
) -> None:
    """Draws images from a checkpoint.

    Args:
        count: how many images; 64 by default, or as many as there are seeds or rows of noise.
        seed: makes the draw repeatable; without it every call draws anew. Of several, 0-63 or 3,5,9, each draws one
            image, which is named after it in a folder.
        label: for models that draw by class one of them, or several that take turns; for models that draw attributes
            those that hold; by number, or by the name that the data gave. By default the labels of training take turns.
        truncation: below 1, say 0.7, images are more typical and less varied: a factor on the distance of the styles
            from their mean where the model has styles, and on the noise elsewhere.
        noise: a .npy, .npz or .safetensors file to draw from, with one row an image, as 'lit-gans invert --latents'
            writes it.
        output: a .png, .jpg or .webp file for a grid, a .zip or .npz file, or a folder for one .png an image. A folder
            with a dot in its name is written with a slash at its end. By default samples.png, or samples-2.png and so
            on where that is taken.
        columns: images in a row of the grid; by default a column for each class, or about as many as there are rows.
        force: replace a file that is there, or draw into a folder that has files. Pictures of an earlier draw are
            removed.
    """
    from lit_gans.cli.writing import Target
    from lit_gans.errors import UsageError, at_least, usable_seed
    from lit_gans.files import free_name

    for number in seed or []:
        usable_seed(seed=number)
    at_least(1, count=count, columns=columns, batch_size=batch_size)
    if count is not None and count > _MOST:
        raise UsageError(f"count must be at most {_MOST}, got {count}; draw fewer at a time")
    several = list(dict.fromkeys(seed)) if seed is not None and len(seed) > 1 else None
    if several and noise is not None:
        raise UsageError("a row of noise says all that a seed would; leave out --seed or --noise")
    if several and count not in (None, len(several)):
        raise UsageError(f"each of the {len(several)} seeds draws one image; leave out --count")
    if noise is not None and not Path(noise).is_file():
        raise UsageError(f"there is no file {noise}; name a .npy, .npz or .safetensors file with a row an image")
    target = Target.of(free_name("samples.png", force) if output is None else output, force)

    from lit_gans.checkpoints import load
    from lit_gans.cli.models import labels, refuse_other_than_drawing, usable
    from lit_gans.networks.base import at_once

    model = load(checkpoint, usable(device), trust=trust).eval()
    refuse_other_than_drawing(model, checkpoint)
    given = labels(model, label)
    options = {} if truncation == 1 else {"truncation": truncation}
    with at_once(batch_size):
        if several is None and noise is None and (count or _COUNT) <= _AT_ONCE:
            one, n = seed[0] if seed else None, count or _COUNT
            parts = iter([model.sample(n, seed=one, **given, **options)])
        else:
            rows = _rows(model, seed, noise, count, given)
            n = len(rows["noise"])
            parts = _drawn(model, rows, options)
        told = [f"seed{number:04}" for number in several] if several else [f"{number:05}" for number in range(n)]
        turns = 0 if several and model.known_classes is None else _in_turn(model, label)
        target.write(parts, told, _classes(model, given, n), columns or (turns if 0 < turns <= n else None))
    print(f"{n} image{'s' * (n != 1)} in {target}")


def _rows(
    model: Any, seed: list[int] | None, noise: str | None, count: int | None, given: dict[str, Any]
) -> dict[str, "Tensor"]:
    """The inputs of all images, which are small, unlike the images."""
    import torch

    if noise is not None:
        from lit_gans.cli.writing import read_noise

        given_rows = read_noise(noise, tuple(model.rows(1, seed=0)["noise"].shape[1:]), count)
        return model.rows(len(given_rows), noise=given_rows, seed=seed[0] if seed else None, **given)
    if seed is None or len(seed) == 1:
        return model.rows(count or _COUNT, seed=seed[0] if seed else None, **given)
    each = list(dict.fromkeys(seed))
    single = [model.rows(1, seed=number, **given) for number in each]
    rows: dict[str, Tensor] = {name: torch.cat([one[name] for one in single]) for name in single[0]}
    if "label" in rows:  # each alone would begin with the first class
        rows["label"] = model.conditions(given.get("label"), len(each))
    return rows


def _drawn(model: Any, rows: dict[str, "Tensor"], options: dict[str, float]) -> Iterator["Tensor"]:
    """Yields all images in parts."""
    from tqdm import tqdm

    n = len(rows["noise"])
    with tqdm(total=n, unit=" images", disable=None if n > _AT_ONCE else True) as bar:
        for start in range(0, n, _AT_ONCE):
            some = {name: values[start : start + _AT_ONCE] for name, values in rows.items()}
            images = model.sample(**some, **options)
            yield images.cpu()
            bar.update(len(images))


def _in_turn(model: Any, label: list[str] | None) -> int:
    """The number of classes that take turns, for the columns of a grid; 0 if there are none."""
    if label is None:
        return int(model.columns)
    return len(label) if model.columns and len(label) > 1 else 0


def _classes(model: Any, given: dict[str, Any], n: int) -> "Tensor | None":
    """The classes (n,) of images that are drawn by class, or their attributes (n, num_classes)."""
    if model.known_classes is None:
        return None
    rows = model.conditions(given.get("label"), n)
    return (rows if model.multi_label else rows.argmax(1)).long().cpu()
