"""The hinge game under spectral normalisation."""

from typing import Any, ClassVar

from lightning.pytorch.cli import OptimizerCallable

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.families import LatentGAN, required
from lit_gans.losses import Terms, hinge_discriminator, hinge_generator
from lit_gans.networks import Discriminator, Generator, ResNetDiscriminator, ResNetGenerator
from lit_gans.networks.blocks import Norm
from lit_gans.optim import AdamWithoutMomentum


class SNGAN(LatentGAN):
    """A discriminator each of whose layers has spectral norm 1: it cannot be steeper than 1, at almost no cost.

    Miyato, Kataoka, Koyama & Yoshida 2018, *Spectral Normalization for Generative Adversarial Networks*,
    arXiv:1802.05957. The largest singular value is followed by one power iteration a pass, whose vectors are part of a
    checkpoint.

    The discriminator minimises `E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))`, the generator `-E D(G(z))`.

    Good at: stable training of deep residual networks at the cost of a plain step. Bad at: a discriminator of slope 1
    learns slowly; the paper gives it five batches for each of the generator's.

    Args:
        generator: a network from noise to images; by default the paper's standard convolutional or residual one.
        discriminator: a network from images to scores, spectrally normalised; by default the generator's counterpart.
        image_shape: (channels, height, width); needed by the default networks.
        latent_dim: size of the noise, for the default generator.
        width: channels of the finest hidden maps, for the default networks.
        residual: take the paper's residual networks, of blocks with ``4 * width`` channels in the generator and
            ``2 * width`` in the discriminator at 32 pixels, in place of the strided convolutions.
        generator_optimizer: Adam with learning rate 2e-4 and betas (0, 0.9) in the paper.
        discriminator_optimizer: the same for the discriminator.
        generator_every: the paper's n_dis.
        latent: arguments of `LatentGAN`.

    Examples:
        >>> SNGAN(image_shape=(3, 32, 32), width=8, residual=True).sample(2, seed=0).shape
        torch.Size([2, 3, 32, 32])
    """

    default_norm: ClassVar[Norm] = "spectral"

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        latent_dim: int = 128,
        width: int | None = None,
        residual: bool = False,
        generator_optimizer: OptimizerCallable = AdamWithoutMomentum,
        discriminator_optimizer: OptimizerCallable = AdamWithoutMomentum,
        generator_every: int = 5,
        **latent: Any,
    ) -> None:
        shaped = residual and (generator is None or discriminator is None)
        super().__init__(
            (ResNetGenerator(required(image_shape), latent_dim, width or 64) if residual else None)
            if generator is None
            else generator,
            (ResNetDiscriminator(required(image_shape), width or 64) if residual else None)
            if discriminator is None
            else discriminator,
            image_shape=image_shape,
            latent_dim=latent_dim,
            width=None if shaped else width,
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
            generator_every=generator_every,
            **latent,
        )

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals above the margin, fakes below it."""
        return hinge_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Score high."""
        return hinge_generator(self.discriminator(fake))
