"""What a fake is made from: one abstract class a kind of input."""

from typing import Any

import torch
from torch import Tensor

from lit_gans.base import BaseGAN, Batch, Fake, ImageShape
from lit_gans.errors import UsageError
from lit_gans.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    Discriminator,
    Generator,
    MLPDiscriminator,
    MLPGenerator,
)

_CHUNK = 500  # samples drawn at once: enough to be fast, few enough for any memory


class LatentGAN(BaseGAN):
    """A game in which a fake is made from noise alone: ``generator(noise)`` with noise (N, latent_dim) from N(0, I).

    Args:
        generator: any module that maps (N, latent_dim) to (N, C, H, W) in [-1, 1] and has an int ``latent_dim``; by
            default the DCGAN one, or an MLP if a side is below 8 pixels.
        discriminator: any module that maps (N, C, H, W) to what the variant's losses expect, mostly logits (N,); by
            default the generator's counterpart.
        image_shape: (channels, height, width); needed by the default networks.
        latent_dim: size of the noise, for the default generator.
        base: arguments of `BaseGAN`.

    Raises:
        UsageError: if the default networks have no ``image_shape``, or the generator does not say how large its
            noise is.
    """

    needs = ("image",)

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        latent_dim: int = 100,
        **base: Any,
    ) -> None:
        small = image_shape is not None and min(image_shape[1:]) < 8
        if generator is None:
            generator = (MLPGenerator if small else DCGANGenerator)(required(image_shape), latent_dim)
        if discriminator is None:
            discriminator = (MLPDiscriminator if small else DCGANDiscriminator)(required(image_shape))
        super().__init__(generator, discriminator, image_shape=image_shape, **base)
        noise_size = getattr(self.generator, "latent_dim", None)
        if not isinstance(noise_size, int):
            raise UsageError(
                f"the generator {type(self.generator).__name__} has no latent_dim; give it an int attribute "
                "latent_dim, the size of the noise that its forward takes"
            )
        self.latent_dim = noise_size

    def generate(self, batch: Batch) -> Fake:
        """As many fakes as the batch has images."""
        image = batch["image"]
        return self.generator(torch.randn(len(image), self.latent_dim, device=image.device))

    @torch.no_grad()
    def sample(self, n: int = 64, *, seed: int | None = None, noise: Tensor | None = None) -> Tensor:
        """Draws images from the averaged generator (the plain one if ``ema_decay=0``).

        Args:
            n: how many images.
            seed: makes the draw repeatable, on any device; without it the global random state is used.
            noise: (n, latent_dim) noise to use in place of a draw; ``n`` and ``seed`` are then ignored.

        Returns:
            (n, C, H, W) float32 in [-1, 1].
        """
        if noise is None:
            rng = None if seed is None else torch.Generator().manual_seed(seed)
            noise = torch.randn(n, self.latent_dim, generator=rng)
        with self.inference_generator() as generator:
            return torch.cat([generator(chunk.to(self.device)).float() for chunk in noise.split(_CHUNK)])

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """As many fakes as the batch has images, the same ones at every validation."""
        return {"fake": self.sample(len(self.receive(batch)["image"]), seed=batch_idx)}


def required(image_shape: ImageShape | None) -> ImageShape:
    """The shape that default networks are built for.

    Raises:
        UsageError: if there is none.
    """
    if image_shape is None:
        raise UsageError(
            "the default networks need image_shape=(channels, height, width); pass it, or pass both a generator and a "
            "discriminator of your own"
        )
    return image_shape
