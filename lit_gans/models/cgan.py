"""The conditional game."""

from torch import nn

from lit_gans.core.game import Batch, Fake
from lit_gans.families import LabelGAN
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.networks import ConditionalDiscriminator


class CGAN(LabelGAN):
    """Both players get the label: a fake has to look real and like its label.

    Mirza & Osindero 2014, *Conditional Generative Adversarial Nets*, arXiv:1411.1784.

    The discriminator minimises `-E log D(x | y) - E log(1 - D(G(z | y) | y))`, the generator `-E log D(G(z | y) | y)`.

    Good at: any condition, also attributes, at no cost. Bad at: nothing forces the discriminator to look at the label,
    which it may do late; `ACGAN` and `ProjectionGAN` follow labels more closely.

    The arguments are `LabelGAN`'s. A discriminator of your own maps images and conditions (N, num_classes) to logits.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> model = CGAN(image_shape=(1, 28, 28), num_classes=10, backbone=DCGANBackbone(width=8))
        >>> model.sample(2, seed=0, label=7).shape
        torch.Size([2, 1, 28, 28])

    Card: docs/models/cgan.md; configuration: examples/configs/cgan_mnist.yaml.
    """

    def make_discriminator(self) -> nn.Module:
        """The backbone's discriminator, which gets the condition as further channels."""
        channels, *sides = self.shape
        shape = (channels + self.num_classes, *sides)
        return ConditionalDiscriminator(self.backbone.discriminator(shape, norm=self.needed_norm))

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals with their labels against fakes with theirs."""
        return minimax_discriminator(self.critic(batch)(batch["image"]), self.critic(fake)(fake["image"]))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real with the label."""
        return non_saturating_generator(self.critic(fake)(fake["image"]))
