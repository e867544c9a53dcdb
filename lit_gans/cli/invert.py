"""``lit-gans invert``: projects pictures onto what a generator can draw.

Slow imports are delayed until they are needed, so that help answers at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from lit_gans.cli.words import NOBODY

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

_ACROSS = 8  # images in a row of the picture


def invert(
    checkpoint: str,
    image: str,
    steps: int = 200,
    restarts: int = 8,
    learning_rate: float = 0.1,
    clip: float | None = None,
    crop: int | None = None,
    label: int | None = None,
    output: str = "inversion.png",
    latents: str | None = None,
    seed: int = 0,
    device: str = "cpu",
    force: bool = False,
    trust: list[str] = NOBODY,
) -> None:
    """Projects images onto what a generator can draw.

    Looks for the latent point whose picture has the smallest squared error, shows every image above its
    reconstruction and prints the mean squared error a pixel, of values in [-1, 1].

    Args:
        checkpoint: a checkpoint file of a model that draws from noise.
        image: a picture, or a folder of them; they are cut and resized to the generator's shape.
        steps: gradient steps of every latent point.
        restarts: number of latent points to start from, for each image.
        learning_rate: of the first step; it falls to 0.
        clip: redraw coordinates of a latent point that leave +-clip, say 3; by default they may go anywhere.
        crop: side of the middle square that is cut out of every image first, as in training on CelebA, where it is 178
            by default.
        label: class to draw, for a conditional model.
        output: a .png file.
        latents: a .safetensors file for the latent points (noise) and errors.
        seed: of the starts.
        device: where to compute, for example cpu or cuda.
        force: replace files that are there.
        trust: packages of yours that the checkpoint names classes of; they are imported, which runs their code.
    """
    from lit_gans.cli.models import labels, load_latent
    from lit_gans.errors import UsageError
    from lit_gans.files import refuse_taken, replacing
    from lit_gans.images.photos import find_pictures, write_picture
    from lit_gans.latents.inversion import invert_images

    if Path(output).suffix.lower() != ".png":
        raise UsageError(f"output must end in .png, got {output}")
    if latents is not None and Path(latents).suffix != ".safetensors":
        raise UsageError(f"latents must end in .safetensors, got {latents}")
    refuse_taken(output, *([] if latents is None else [latents]), force=force)
    files = find_pictures(image)
    model = load_latent(checkpoint, device, trust)
    if label is None and model.known_classes is not None:
        raise UsageError("the generator is conditional: add --label, the class to draw")
    given = labels(model, None if label is None else [label]).get("label")
    conditions = model.conditions(given, len(files))
    images = _read(files, model.shape, crop).to(device)
    with model.inference_generator() as generator:
        network, how = model.drawing(generator), (steps, restarts, learning_rate, seed)
        found = invert_images(network, images, model.latent_dim, *how, conditions, clip)
    write_picture(_sheet(images, found.reconstructions), output)
    if latents is not None:
        from safetensors.torch import save_file

        with replacing(latents) as temporary:
            save_file({"noise": found.noise.cpu(), "errors": found.errors.cpu()}, temporary)
    for file, error in zip(files, found.errors.tolist(), strict=True):
        print(f"{error:.5f}  {file}")
    print(f"mean squared error a pixel, of values in [-1, 1], on average: {float(found.errors.mean()):.5f}")
    print(f"{len(files)} images, each above its reconstruction, in {output}")


def _read(files: list[Path], shape: tuple[int, int, int], crop: int | None) -> "Tensor":
    """Pictures (N, C, H, W) in [-1, 1], cut and resized to (channels, height, width) as the data modules do it."""
    import torch

    from lit_gans.errors import UsageError
    from lit_gans.images.photos import read_picture

    channels, height, width = shape
    if channels not in (1, 3):
        raise UsageError(f"pictures have 1 or 3 channels, but the generator draws {channels}")
    return torch.cat([read_picture(file, channels, (height, width), crop) for file in files])


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
