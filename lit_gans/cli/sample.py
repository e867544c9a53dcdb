"""``lit-gans sample``: draws images, or writes texts, from a checkpoint.

Slow imports are delayed until they are needed, so that help, and an answer to wrong words, come at once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lit_gans.cli.options import BatchSize, Checkpoint, Device, Force, Labels, Option, Texts, Trust, seeds
from lit_gans.cli.words import NOBODY

if TYPE_CHECKING:
    from torch import Tensor

    from lit_gans.cli.writing import Target

_MOST = 1_000_000
_COUNT, _TEXTS = 64, 16  # images and texts, unless a seed, a text or a row of noise stands for each
_AT_ONCE = 500  # images that are in memory at once, if they need not all be


def sample(
    checkpoint: Checkpoint,
    count: int | None = None,
    seed: Annotated[list[int] | None, Option(parse=seeds, shown="N,N-N")] = None,
    label: Labels = None,
    text: Texts = None,
    truncation: float = 1.0,
    temperature: float | None = None,
    top_k: int | None = None,
    guidance: float | None = None,
    stage: int | None = None,
    noise: str | None = None,
    output: str | None = None,
    columns: int | None = None,
    batch_size: BatchSize = None,
    device: Device = "auto",
    force: Force = False,
    trust: Trust = NOBODY,
) -> None:
    """Draws images, or writes texts, from a checkpoint.

    Args:
        count: how many; 64 images or 16 texts by default, or as many as there are seeds, texts or rows of noise.
        seed: makes the draw repeatable; without it every call draws anew. Of several, 0-63 or 3,5,9, each draws one
            image, which is named after it in a folder.
        label: for models that draw by class one of them, or several that take turns; for models that draw attributes
            those that hold; by number, or by the name that the data gave. By default the labels of training take turns.
        text: for models that draw by sentences the sentence, in quotes, or several that take turns, each in quotes; by
            default those of training take turns. For models that write texts how each begins.
        truncation: below 1, say 0.7, images are more typical and less varied: a factor on the distance of the styles
            from their mean where the model has styles, and on the noise elsewhere.
        temperature: for models that write or draw token by token; below 1, say 0.8, samples are more typical and less
            varied.
        top_k: for the same models; every token is one of so many that are likeliest.
        guidance: for models that draw token by token by sentences; above 1, say 3, images follow the sentence more
            closely.
        stage: for models that draw in stages the one to show; 1 is the first.
        noise: a .npy, .npz or .safetensors file to draw from, with one row an image, as 'lit-gans invert --latents'
            writes it.
        output: a .png, .jpg or .webp file for a grid, a .zip or .npz file, or a folder for one file an image, of the
            kind that the data had: .png, with transparency or of 16 bits where the data had that, or .npy for floats
            and other channels. A folder with a dot in its name is written with a slash at its end. By default
            samples.png, or samples-2.png and so on where that is taken. Texts are printed, or written to a .txt file,
            one a line.
        columns: images in a row of the grid; by default a column for each class, or about as many as there are rows.
        force: replace a file that is there, or draw into a folder that has files. Pictures of an earlier draw are
            removed.
    """
    from lit_gans.cli.texts import text_file
    from lit_gans.errors import UsageError, at_least, usable_seed
    from lit_gans.files import refuse_taken

    for number in seed or []:
        usable_seed(seed=number)
    at_least(1, count=count, columns=columns, batch_size=batch_size, top_k=top_k, stage=stage)
    at_least(0, temperature=temperature, guidance=guidance)
    if temperature == 0:
        raise UsageError("temperature must be above 0, say 0.8, got 0")
    if count is not None and count > _MOST:
        raise UsageError(f"count must be at most {_MOST}, got {count}; draw fewer at a time")
    several = list(dict.fromkeys(seed)) if seed is not None and len(seed) > 1 else None
    if several and noise is not None:
        raise UsageError("a row of noise says all that a seed would; leave out --seed or --noise")
    if several and count not in (None, len(several)):
        raise UsageError(f"each of the {len(several)} seeds draws one sample; leave out --count")
    if noise is not None and not Path(noise).is_file():
        raise UsageError(f"there is no file {noise}; name a .npy, .npz or .safetensors file with a row an image")
    written = text_file(output)
    target = None if written else _target(output, force)
    if written:
        refuse_taken(str(output), force=force)

    from lit_gans.checkpoints import load
    from lit_gans.cli.models import refuse_options, refuse_other_than_drawing, usable
    from lit_gans.networks.base import at_once

    model = load(checkpoint, usable(device), trust=trust).eval()
    refuse_other_than_drawing(model, checkpoint)
    given: dict[str, Any] = {
        "temperature": temperature,
        "top_k": top_k,
        "guidance": guidance,
        "stage": stage,
        "label": label,
    }
    given |= {"text": text, "noise": noise, "truncation": None if truncation == 1 else truncation}
    options = {name: value for name, value in given.items() if value is not None}
    refuse_options(model, checkpoint, [name for name in options if name != "label" or model.of_texts])
    with at_once(batch_size):
        if model.of_texts:
            _write(model, count, several or seed, options, output)
        else:
            _draw(model, count, seed, options, target or _target(output, force), columns)


def _target(output: str | None, force: bool) -> "Target":
    from lit_gans.cli.writing import Target
    from lit_gans.files import free_name

    return Target.of(free_name("samples.png", force) if output is None else output, force)


def _write(model: Any, count: int | None, seed: list[int] | None, options: dict[str, Any], output: str | None) -> None:
    """Writes texts; of several beginnings each is written as often as the others."""
    from lit_gans.cli.texts import deliver, drawn_texts, refuse_no_text_file

    refuse_no_text_file(model, output)
    begun, noise = options.pop("text", [None]), options.pop("noise", None)
    if noise is not None:
        from lit_gans.cli.writing import read_noise

        rows = read_noise(noise, tuple(model.draw_noise(1).shape[1:]), count)
        given = {} if begun == [None] else {"text": [begun[row % len(begun)] for row in range(len(rows))]}
        deliver(model.write(len(rows), noise=rows.to(model.device), **given, **options), output, "written")
        return
    n = count or max(_TEXTS, len(begun))
    found: list[str] = []
    for number, each in enumerate(begun):
        own = n // len(begun) + (number < n % len(begun))
        found += drawn_texts(model, own, seed, options if each is None else {**options, "text": each})
    deliver(found, output, "written")


def _draw(
    model: Any,
    count: int | None,
    seed: list[int] | None,
    options: dict[str, Any],
    target: "Target",
    columns: int | None,
) -> None:
    """Draws images."""
    from lit_gans.cli.models import labels

    label, noise = options.pop("label", None), options.pop("noise", None)
    given = labels(model, label) | ({"text": options.pop("text")} if "text" in options else {})
    several = list(dict.fromkeys(seed)) if seed is not None and len(seed) > 1 else None
    texts = len(given.get("text", ()))
    wanted = count or (texts if texts > 1 else _COUNT)
    if several is None and noise is None and wanted <= _AT_ONCE:
        one, n = seed[0] if seed else None, wanted
        parts = iter([model.sample(n, seed=one, **given, **options)])
    else:
        rows = _rows(model, seed, noise, count, given)
        n = len(rows["noise"])
        parts = _drawn(model, rows, options)
    told = [f"seed{number:04}" for number in several] if several else [f"{number:05}" for number in range(n)]
    turns = 0 if several and model.known_classes is None else _in_turn(model, label)
    across, words = columns or (turns if 0 < turns <= n else None), _words(model, given, n)
    target.write(parts, told, _classes(model, given, n), across, words, model.image_kind)
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
    for name in {"label", "text"} & rows.keys():  # each alone would begin with the first class or sentence
        rows[name] = model.conditions(given.get(name), len(each))
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


def _words(model: Any, given: dict[str, Any], n: int) -> list[str]:
    """The sentence of each image, for the grid; empty if there are none."""
    texts = given.get("text") or model.captions(n)
    return [texts[number % len(texts)] for number in range(n)] if texts else []


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
