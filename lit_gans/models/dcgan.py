"""The convolutional GAN."""

from lit_gans.core.game import Batch, Fake
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator


class DCGAN(LatentGAN):
    """The non-saturating game, played by strided convolutions with batch norm.

    Radford, Metz & Chintala 2015, *Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
    Networks*, arXiv:1511.06434. All of the paper's guidelines: no pooling, batch norm in both players except the
    generator's last and the discriminator's first layer, ReLU and tanh in the generator, leaky ReLU in the
    discriminator, weights from N(0, 0.02), Adam with learning rate 2e-4 and beta1 0.5.

    The discriminator minimises `-E log D(x) - E log(1 - D(G(z)))`, the generator `-E log D(G(z))`.

    Good at: a strong, cheap baseline for images up to 128 pixels. Bad at: covering every mode; it stops
    improving where regularised games go on, as it does itself with `r1` in place of the discriminator's batch norm.

    The arguments are `LatentGAN`'s.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> backbone = DCGANBackbone(width=8, upsampling="resize")
        >>> DCGAN(image_shape=(3, 48, 64), backbone=backbone).sample(2, seed=0).shape
        torch.Size([2, 3, 48, 64])
        >>> regularised = DCGAN(image_shape=(1, 28, 28), backbone=DCGANBackbone(width=8), r1=1.0)

    Card: docs/models/dcgan.md; configuration: examples/configs/dcgan_mnist.yaml.
    """

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Real against fake, in separate batches, as batch norm needs it."""
        return minimax_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real."""
        return non_saturating_generator(self.discriminator(fake))
