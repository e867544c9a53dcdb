"""The hinge game with self-attention."""

from typing import Any

from lightning.pytorch.cli import OptimizerCallable

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.families import LatentGAN, required
from lit_gans.losses import Terms, hinge_discriminator, hinge_generator
from lit_gans.networks import Discriminator, Generator, ResNetDiscriminator, ResNetGenerator
from lit_gans.optim import AdamWithoutMomentum


class SAGAN(LatentGAN):
    """Residual players in which every place of a map attends to every other, both spectrally normalised.

    Zhang, Goodfellow, Metaxas & Odena 2018, *Self-Attention Generative Adversarial Networks*, arXiv:1805.08318.

    The discriminator minimises `E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))`, the generator `-E D(G(z))`. Both move on
    every batch; in place of more discriminator steps the paper gives it four times the generator's learning rate (4e-4
    and 1e-4), as `examples/configs/sagan_*.yaml` do.

    Good at: shapes whose parts must agree over a distance. Bad at: small images, where convolutions see everything
    anyway, and cost: attention is quadratic in the number of places.

    Args:
        generator: a network from noise to images; by default `ResNetGenerator` with attention.
        discriminator: a network from images to scores; by default `ResNetDiscriminator` with attention.
        image_shape: (channels, height, width); needed by the default networks.
        latent_dim: size of the noise, for the default generator.
        width: channels of the finest hidden maps, for the default networks.
        attention: height in pixels of the map that attends to itself, in both players: 32 in the paper, for 128 pixels.
        generator_optimizer: Adam with betas (0, 0.9) in the paper.
        discriminator_optimizer: the same for the discriminator.
        latent: arguments of `LatentGAN`.

    Examples:
        >>> SAGAN(image_shape=(3, 32, 32), width=8, attention=16).sample(2, seed=0).shape
        torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        latent_dim: int = 128,
        width: int = 64,
        attention: int = 16,
        generator_optimizer: OptimizerCallable = AdamWithoutMomentum,
        discriminator_optimizer: OptimizerCallable = AdamWithoutMomentum,
        **latent: Any,
    ) -> None:
        super().__init__(
            ResNetGenerator(required(image_shape), latent_dim, width, "spectral", attention)
            if generator is None
            else generator,
            ResNetDiscriminator(required(image_shape), width, "spectral", attention)
            if discriminator is None
            else discriminator,
            image_shape=image_shape,
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
            **latent,
        )

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals above the margin, fakes below it."""
        return hinge_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Score high."""
        return hinge_generator(self.discriminator(fake))
