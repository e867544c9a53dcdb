"""The conditional game."""

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.families import LabelGAN
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.networks import ConditionalDiscriminator, Discriminator
from lit_gans.networks.blocks import Norm


class CGAN(LabelGAN):
    """Both players are told the label: a fake has to look real and like what it is called.

    Mirza & Osindero 2014, *Conditional Generative Adversarial Nets*, arXiv:1411.1784.

    The discriminator minimises `-E log D(x | y) - E log(1 - D(G(z | y) | y))`, the generator `-E log D(G(z | y) | y)`.

    Good at: any condition, also attributes, at no cost. Bad at: nothing forces the discriminator to look at the label,
    which it may learn late; `ACGAN` and `ProjectionGAN` follow labels more closely.

    Args:
        generator: a network from noise and condition to images; by default DCGAN's in a `ConditionalGenerator`, with
            the label beside the noise.
        discriminator: a network from images and condition to logits; by default DCGAN's in a
            `ConditionalDiscriminator`, with the label as further channels.
        num_classes: see `LabelGAN`.
        multi_label: see `LabelGAN`.
        latent: arguments of `LatentGAN`.

    Examples:
        >>> CGAN(image_shape=(1, 28, 28), num_classes=10, width=8).sample(2, seed=0, label=7).shape
        torch.Size([2, 1, 28, 28])
    """

    @classmethod
    def _default_discriminator(
        cls, image_shape: ImageShape, width: int, norm: Norm | None, num_classes: int | None = None
    ) -> Discriminator:
        channels, height, side = image_shape
        planes = (channels + cls._classes(num_classes), height, side)
        return ConditionalDiscriminator(super()._default_discriminator(planes, width, norm))

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals with their labels against fakes with theirs."""
        return minimax_discriminator(self.realness(batch)(batch["image"]), self.realness(fake)(fake["image"]))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real under the label."""
        return non_saturating_generator(self.realness(fake)(fake["image"]))
