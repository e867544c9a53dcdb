"""The original game."""

from typing import Any

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.families import LatentGAN, required
from lit_gans.losses import Terms, minimax_discriminator, minimax_generator, non_saturating_generator
from lit_gans.networks import Discriminator, Generator, MLPDiscriminator, MLPGenerator
from lit_gans.networks.blocks import Norm


class GAN(LatentGAN):
    """The original GAN, played by multi-layer perceptrons.

    Goodfellow et al. 2014, *Generative Adversarial Nets*, arXiv:1406.2661.

    The discriminator minimises `-E log D(x) - E log(1 - D(G(z)))`, the generator `-E log D(G(z))` or, saturating,
    `E log(1 - D(G(z)))`.

    Good at: being read, any image shape, points in the plane. Bad at: sharp images; collapses easily.

    Args:
        generator: a network from noise to images; by default an MLP of ``generator_hidden``.
        discriminator: a network from images to logits; by default an MLP of ``discriminator_hidden``.
        image_shape: (channels, height, width); needed by the default networks.
        latent_dim: size of the noise, for the default generator.
        generator_hidden: widths of the generator's hidden layers, from the noise outwards. The classic tutorials use
            128; 128, 256, 512, 1024 draws clearer digits. More than two layers are batch-normalised.
        discriminator_hidden: widths of the discriminator's hidden layers, from the image inwards.
        dropout: share of hidden units that the discriminator drops while training.
        saturating: play the true minimax game, in which the generator's gradient vanishes where it loses.
        latent: arguments of `LatentGAN`.

    Examples:
        >>> model = GAN(image_shape=(1, 28, 28), generator_hidden=(128, 256, 512, 1024))
        >>> model.sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        latent_dim: int = 100,
        generator_hidden: tuple[int, ...] = (128,),
        discriminator_hidden: tuple[int, ...] = (128,),
        dropout: float = 0.0,
        saturating: bool = False,
        **latent: Any,
    ) -> None:
        norm: Norm = "batch" if len(generator_hidden) > 2 else "none"
        super().__init__(
            MLPGenerator(required(image_shape), latent_dim, generator_hidden, norm) if generator is None else generator,
            MLPDiscriminator(required(image_shape), discriminator_hidden, dropout)
            if discriminator is None
            else discriminator,
            image_shape=image_shape,
            **latent,
        )
        self.play_generator = minimax_generator if saturating else non_saturating_generator

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Real against fake, binary cross-entropy on logits."""
        return minimax_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real, or (saturating) not be called fake."""
        return self.play_generator(self.discriminator(fake))
