"""What the commands do with a model, as its methods: encode, translate, invert, interpolate."""

from typing import Any, ClassVar

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from lit_gans.core.exporting import Exporting
from lit_gans.errors import UsageError, one
from lit_gans.images.ranges import is_halved, refuse_other_range
from lit_gans.images.shape import as_float
from lit_gans.latents.inversion import Inversion, invert_images
from lit_gans.latents.paths import Mode, draw, path


class Exploring(Exporting):
    """Methods that every model has; one that cannot do a thing says so, and what it can do instead."""

    value_range: ClassVar[tuple[float, float] | None]
    #: whether what the generator translates are images in the value range, and not lightness or hints as well
    takes_images_alone: ClassVar[bool] = True

    def encode(self, images: Tensor) -> Tensor:
        """Codes (N, latent_dim) of images (N, C, H, W) in [-1, 1].

        Raises:
            UsageError: if the model does not have an encoder.
        """
        instead = "invert(images) looks for their noise" if self.draws_from_latents else "VAE and AutoEncoder have one"
        raise UsageError(f"{one(self)} does not have an encoder; {instead}")

    def translate(self, images: Tensor, *, to: str | None = None, seed: int | None = None) -> Tensor:
        """Translations of images (N, C, H, W) in [-1, 1].

        Raises:
            UsageError: if the model does not translate.
        """
        raise UsageError(
            f"{one(self)} draws and does not translate; use sample(), or a model that translates: Pix2Pix, "
            "CycleGAN or CUT"
        )

    def invert(
        self,
        images: Tensor,
        *,
        label: Any = None,
        steps: int = 200,
        restarts: int = 8,
        learning_rate: float = 0.1,
        clip: float | None = None,
        seed: int = 0,
    ) -> Inversion:
        """Finds the noise whose samples are nearest to images, as ``lit-gans invert`` does, see `invert_images`.

        Args:
            images: (N, C, H, W) in [-1, 1], of the shape that the model draws.
            label: the classes to draw, as ``sample`` takes them; wanted by a model that draws by class.
            steps: gradient steps of each point.
            restarts: starts of each image.
            learning_rate: of the first step.
            clip: redraw coordinates beyond +-clip.
            seed: of the starts.

        Returns:
            ``reconstructions`` (N, C, H, W), ``noise`` (N, latent_dim) and ``errors`` (N,).

        Raises:
            UsageError: if the model does not draw from noise alone, the images have another shape, or a number is out
                of range.
        """
        size = self._refuse_without_latents("invert")
        images = self.usable_images(images, "invert takes")
        if label is None and self.known_classes is not None:
            raise UsageError(f"{one(self)} draws by class: say which, invert(images, label=3)")
        conditions = self.conditions(label, len(images))
        with self.inference_generator() as generator:
            how = (steps, restarts, learning_rate, seed)
            return invert_images(self.drawing(generator), images.to(self.device), size, *how, conditions, clip)

    def interpolate(
        self,
        n: int = 8,
        steps: int = 10,
        *,
        seed: int | None = None,
        mode: Mode = "spherical",
        label: Any = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """Draws what lies between pairs of latent points, as ``lit-gans interpolate`` does.

        Args:
            n: how many pairs.
            steps: images from one end to the other, both included.
            seed: makes the draw repeatable.
            mode: ``spherical`` turns from one point to the other, ``linear`` takes the straight line.
            label: the class of each row, as ``sample`` takes it.
            truncation: below 1 images are more typical and less varied, as ``sample`` takes it.

        Returns:
            (n, steps, C, H, W) float32 in [-1, 1].

        Raises:
            UsageError: if the model does not draw from noise alone, or there are fewer than two steps.
        """
        ends = draw(2 * n, self._refuse_without_latents("interpolate"), seed)
        points = path(ends[:n], ends[n:], steps, mode)
        by_row = self.conditions(label, n)
        given: dict[str, Any] = {"noise": points.flatten(0, 1)}
        if by_row is not None:
            given["label"] = by_row.repeat_interleave(steps, 0)
        if truncation != 1:  # a sample() of one's own need not take it
            given["truncation"] = truncation
        drawn = self.sample(**given)
        return torch.unflatten(drawn, 0, (n, steps))

    def usable_images(self, images: Any, words: str) -> Tensor:
        """Images that a user gives, as a float tensor (N, C, H, W); bytes in [0, 255] become [-1, 1].

        Args:
            images: a tensor or an array.
            words: the beginning of the sentence that refuses others.

        Raises:
            UsageError: if they are none, or certainly have another range than the model's.
        """
        given = images if isinstance(images, (Tensor, np.ndarray)) else None
        dims = 4 if self.image_shape is None else 1 + len(self.image_shape)
        if given is None or given.ndim != dims:
            what = f"a {type(images).__name__}" if given is None else str(tuple(given.shape))
            one = "; for one image give image[None]" if given is not None and given.ndim == dims - 1 else ""
            expected = (
                "images (N, channels, height, width) in [-1, 1]" if dims == 4 else f"samples of {dims} dimensions"
            )
            raise UsageError(f"{words} {expected}, got {what}{one}")
        images = torch.as_tensor(images)
        if self.value_range != (-1, 1) or not self.takes_images_alone:
            return as_float(images)
        if is_halved(images):  # a validation may have such images by chance
            rank_zero_warn(
                f"{words} images in [-1, 1], and these look like [0, 1]: bring them there with image * 2 - 1"
            )
        else:
            refuse_other_range(images, f"the images that {words}")
        return as_float(images)

    def _refuse_without_latents(self, method: str) -> int:
        """The size of the latent vectors.

        Raises:
            UsageError: if no latent vector determines a sample.
        """
        if not self.draws_from_latents or self.latent_dim is None:
            raise UsageError(f"{method} looks for latent vectors, but {one(self)} does not draw from noise alone")
        return self.latent_dim
