"""The original game."""

from typing import Any

from lit_gans.core.game import Batch, Fake
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, minimax_discriminator, minimax_generator, non_saturating_generator
from lit_gans.networks import MLPBackbone


class GAN(LatentGAN):
    """The original GAN, played by multi-layer perceptrons.

    Goodfellow et al. 2014, *Generative Adversarial Nets*, arXiv:1406.2661.

    The discriminator minimises `-E log D(x) - E log(1 - D(G(z)))`, the generator `-E log D(G(z))` or, saturating,
    `E log(1 - D(G(z)))`.

    Good at: being understood, any shape of data, points in the plane. Bad at: sharp images; collapses easily.

    Args:
        saturating: whether to play the true minimax game, in which the generator's gradient vanishes where it loses.
        latent: arguments of `LatentGAN`.

    Examples:
        >>> model = GAN(image_shape=(1, 28, 28), backbone=MLPBackbone(generator_hidden=(128, 256, 512, 1024)))
        >>> model.sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])

    Card: docs/models/gan.md; configuration: examples/configs/gan_mnist.yaml.
    """

    default_backbone = MLPBackbone()

    def __init__(self, *, saturating: bool = False, **latent: Any) -> None:
        super().__init__(**latent)
        self.play_generator = minimax_generator if saturating else non_saturating_generator

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Real against fake, binary cross-entropy on logits."""
        return minimax_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real, or (saturating) not be called fake."""
        return self.play_generator(self.discriminator(fake))
