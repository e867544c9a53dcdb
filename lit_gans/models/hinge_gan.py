"""The hinge game."""

from lit_gans.core.game import Batch, Fake
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, hinge_discriminator, hinge_generator


class HingeGAN(LatentGAN):
    """A discriminator that pushes reals above 1 and fakes below -1, and no further: a support vector machine's margin.

    Lim & Ye 2017, *Geometric GAN*, arXiv:1705.02894.

    The discriminator minimises `E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))`, the generator `-E D(G(z))`.

    Good at: a discriminator that wastes no effort on images that it judges well already; the game of `SNGAN`, `SAGAN`
    and BigGAN. Bad at: without spectral norm nothing bounds the discriminator inside the margin.

    The arguments are `LatentGAN`'s.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> HingeGAN(image_shape=(1, 28, 28), backbone=DCGANBackbone(width=8)).sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])

    Card: docs/models/hinge_gan.md; configuration: examples/configs/hinge_gan_mnist.yaml.
    """

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals above the margin, fakes below it."""
        return hinge_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Score high."""
        return hinge_generator(self.discriminator(fake))
