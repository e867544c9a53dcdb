"""The relativistic average game."""

from lit_gans.core.game import Batch, Fake
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, relativistic_average_discriminator, relativistic_average_generator


class RelativisticGAN(LatentGAN):
    """The discriminator compares each real with the average fake, and each fake with the average real.

    Jolicoeur-Martineau 2018, *The relativistic discriminator: a key element missing from standard GAN*,
    arXiv:1807.00734: the average form, RaSGAN. `R3GAN` plays the form of pairs.

    The discriminator minimises `E softplus(mean D(G(z)) - D(x)) + E softplus(D(G(z)) - mean D(x))`, the generator the
    same with reals and fakes exchanged: it must lower the reals' score too, so its gradient does not vanish when all
    fakes have low scores.

    Good at: training where the non-saturating game stalls, at little more cost. Bad at: judging single images, since
    its scores have no zero.

    The arguments are `LatentGAN`'s.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> RelativisticGAN(image_shape=(1, 28, 28), backbone=DCGANBackbone(width=8)).sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])

    Card: docs/models/relativistic_gan.md; configuration: examples/configs/relativistic_gan_mnist.yaml.
    """

    scores_have_zero = False

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals above the mean fake, fakes below the mean real."""
        return relativistic_average_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Fakes above the mean real, reals below the mean fake."""
        return relativistic_average_generator(self.discriminator(batch["image"]), self.discriminator(fake))
