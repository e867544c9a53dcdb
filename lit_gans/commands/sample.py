"""``lit-gans sample``."""

from pathlib import Path

_MOST = 1_000_000


def sample(
    checkpoint: str,
    count: int = 64,
    seed: int | None = None,
    label: list[int] | None = None,
    output: str = "samples.png",
    columns: int | None = None,
    device: str = "cpu",
) -> None:
    """Draws images from a checkpoint.

    Args:
        checkpoint: a checkpoint file, say runs/DCGAN-Glyphs/version_0/checkpoints/last.ckpt.
        count: how many images.
        seed: makes the draw repeatable; without it every call draws anew.
        label: for models that draw by class the number of one, or of several that take turns; for models that draw
            attributes the numbers of those that hold. By default what training has shown takes turns.
        output: a .png file for a grid, or a folder for one file an image.
        columns: images in a row of the grid; by default a column for each class, or about as many as there are rows.
        device: where to compute, for example cpu or cuda.
    """
    from lit_gans.checkpoints import load
    from lit_gans.commands.latents import labels, usable
    from lit_gans.errors import UsageError, at_least, usable_seed
    from lit_gans.pictures import grid, to_uint8, write_png

    target = Path(output)
    at_least(1, count=count, columns=columns)
    usable_seed(seed=seed)
    if count > _MOST:
        raise UsageError(f"count must be at most {_MOST}, got {count}; draw fewer at a time")
    if target.suffix and target.suffix.lower() != ".png":
        raise UsageError(f"output must end in .png (a grid) or be a folder (one file an image), got {output}")
    if target.is_file() and not target.suffix:
        raise UsageError(f"output {output} is a file; name a folder, or a .png file for a grid")
    model = load(checkpoint, usable(device))
    images = model.sample(count, seed=seed, **labels(model, label))
    if target.suffix:
        classes = getattr(model, "columns", 0)  # none if there are attributes instead
        taking_turns = classes if label is None else len(label) if classes and len(label) > 1 else 0
        if columns is None and 0 < taking_turns <= count:
            columns = taking_turns
        write_png(grid(images, columns), target)
    else:
        for number, image in enumerate(to_uint8(images)):
            single = image if len(image) in (1, 3) else grid(images[number : number + 1])
            write_png(single, target / f"{number:05}.png")
    print(f"{count} images in {target}")
