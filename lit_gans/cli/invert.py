"""``lit-gans invert``: projects pictures onto what a generator can draw.

Slow imports are delayed until they are needed, so that help answers at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from lit_gans.cli.options import BatchSize, Checkpoint, Device, Force, Megapixels, Pictures, Trust
from lit_gans.cli.words import NOBODY

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from lit_gans.images.kinds import Kind

_ACROSS = 8  # images in a row of the picture
_AT_ONCE = 512  # latent points that are moved together


def invert(
    checkpoint: Checkpoint,
    pictures: Pictures,
    steps: int = 200,
    restarts: int = 8,
    learning_rate: float = 0.1,
    clip: float | None = None,
    crop: int | None = None,
    label: str | None = None,
    text: str | None = None,
    output: str | None = None,
    latents: str | None = None,
    seed: int = 0,
    batch_size: BatchSize = None,
    max_megapixels: Megapixels = 179.0,
    device: Device = "auto",
    force: Force = False,
    trust: Trust = NOBODY,
) -> None:
    """Projects images onto what a generator can draw.

    Looks for the latent point whose picture has the smallest squared error, shows every image above its
    reconstruction and prints the mean squared error a pixel, of values in [-1, 1]. Pictures are cut and resized to the
    generator's shape; those that cannot be read are skipped and named at the end.

    Args:
        steps: gradient steps of every latent point.
        restarts: number of latent points to start from, for each image.
        learning_rate: of the first step; it falls to 0.
        clip: redraw coordinates of a latent point that leave +-clip, say 3; by default they may go anywhere.
        crop: side of the middle square that is cut out of every image first, as in training on CelebA, where it is 178
            by default.
        label: class to draw, by number or name, for a conditional model.
        text: sentence to draw by, for a model that draws what a sentence says.
        output: a .png, .jpg or .webp file; by default inversion.png, or inversion-2.png and so on where that is taken.
        latents: a .safetensors file for the latent points (noise) and errors; 'lit-gans sample --noise' draws them.
        seed: of the starts.
    """
    from lit_gans.cli.writing import picture_file
    from lit_gans.errors import UsageError, at_least, usable_seed
    from lit_gans.files import free_name, refuse_taken, replacing

    output = free_name("inversion.png", force) if output is None else output
    target = picture_file(output)
    at_least(1, batch_size=batch_size, crop=crop)
    at_least(0, max_megapixels=max_megapixels)
    usable_seed(seed=seed)
    if latents is not None and Path(latents).suffix != ".safetensors":
        raise UsageError(f"latents must end in .safetensors, got {latents}")
    refuse_taken(target, *([] if latents is None else [latents]), force=force)

    from lit_gans.cli.models import labels, load_latent, refuse_options
    from lit_gans.cli.pictures import tell, unreadable
    from lit_gans.images.photos import find_pictures, write_picture
    from lit_gans.latents.inversion import invert_images

    found = find_pictures(pictures)
    model = load_latent(checkpoint, device, trust)
    if label is None and model.known_classes is not None:
        raise UsageError("the generator is conditional: add --label, the class to draw")
    if text is not None:
        refuse_options(model, checkpoint, ["text"])
    elif model.draws_by_text:
        raise UsageError("the generator draws what a sentence says: add --text, the sentence to draw by")
    given = text or labels(model, None if label is None else [label]).get("label")
    files, images, skipped = _read(found, model.shape, crop, max_megapixels, model.image_kind)
    if not files:
        tell(0, skipped, output, "inverted")
    images = images.to(model.device)
    conditions = model.conditions(given, len(files))
    with model.inference_generator() as generator:
        network, how = model.drawing(generator), (steps, restarts, learning_rate, seed)
        together = _AT_ONCE if batch_size is None else batch_size * restarts
        result = invert_images(network, images, model.latent_dim, *how, conditions, clip, at_once=together)
    write_picture(_sheet(images, result.reconstructions), target)
    if latents is not None:
        from safetensors.torch import save_file

        with replacing(latents) as temporary:
            save_file({"noise": result.noise.cpu(), "errors": result.errors.cpu()}, temporary)
    for file, error in zip(files, result.errors.tolist(), strict=True):
        print(f"{error:.5f}  {file}")
    print(f"mean squared error a pixel, of values in [-1, 1], on average: {float(result.errors.mean()):.5f}")
    tell(len(files), [*skipped, *unreadable(Path(pictures))], output, "inverted", ", each above its reconstruction,")


def _read(
    files: list[Path], shape: tuple[int, int, int], crop: int | None, megapixels: float, kind: "Kind"
) -> "tuple[list[Path], Tensor, list[str]]":
    """Reads pictures, cut and resized to (channels, height, width) as the data modules do it.

    Returns:
        The files that could be read, (N, C, H, W) in [-1, 1], and which were skipped, and why.
    """
    import torch

    from lit_gans.errors import UsageError
    from lit_gans.images.photos import read_picture

    channels, height, width = shape
    read, images, skipped = [], [], []
    for file in files:
        try:
            images.append(read_picture(file, channels, (height, width), crop, megapixels, kind))
            read.append(file)
        except UsageError as error:
            skipped.append(str(error))
    return read, torch.cat(images) if images else torch.empty(0, *shape), skipped


def _sheet(images: "Tensor", reconstructions: "Tensor") -> "Image.Image":
    """Rows of images, each above its reconstruction."""
    from lit_gans.images.grid import grid, to_image
    from lit_gans.images.sheet import Row, sheet

    rows = []
    for some, found in zip(images.split(_ACROSS), reconstructions.split(_ACROSS), strict=True):
        for words, pictures in (("image", some), ("nearest", found)):
            shown = [to_image(grid(picture.unsqueeze(0))) for picture in pictures]
            rows.append(Row(words, shown, joined=words == "nearest"))
    return sheet(rows)
