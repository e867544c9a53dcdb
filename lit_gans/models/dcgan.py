"""The convolutional GAN."""

from typing import Any

from lit_gans.base import Batch, Fake, ImageShape, Terms
from lit_gans.families import LatentGAN, required
from lit_gans.losses import minimax_discriminator, non_saturating_generator
from lit_gans.networks import DCGANDiscriminator, DCGANGenerator, Discriminator, Generator
from lit_gans.networks.blocks import Upsampling


class DCGAN(LatentGAN):
    """The non-saturating game, played by strided convolutions with batch norm.

    Radford, Metz & Chintala 2015, *Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
    Networks*, arXiv:1511.06434. All of the paper's guidelines: no pooling, batch norm in both players except the
    generator's last and the discriminator's first layer, ReLU and tanh in the generator, leaky ReLU in the
    discriminator, weights from N(0, 0.02), Adam with learning rate 2e-4 and beta1 0.5.

    The discriminator minimises `-E log D(x) - E log(1 - D(G(z)))`, the generator `-E log D(G(z))`.

    Good at: a strong, cheap baseline for images up to 128 pixels. Bad at: covering every mode; it plateaus where
    regularised games keep improving.

    Args:
        generator: a network from noise to images; by default `DCGANGenerator`.
        discriminator: a network from images to logits; by default `DCGANDiscriminator`.
        image_shape: (channels, height, width), both sides at least 8; needed by the default networks.
        latent_dim: size of the noise, for the default generator.
        width: channels of the finest hidden maps, for the default networks.
        upsampling: ``transposed`` convolutions as in the paper, or ``resize`` and convolve (no checkerboards).
        base: arguments of `BaseGAN`: optimizers, schedules, ratio, clipping, average.

    Examples:
        >>> DCGAN(image_shape=(3, 48, 64), width=8, upsampling="resize").sample(2, seed=0).shape
        torch.Size([2, 3, 48, 64])
    """

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        latent_dim: int = 100,
        width: int = 64,
        upsampling: Upsampling = "transposed",
        **base: Any,
    ) -> None:
        super().__init__(
            generator or DCGANGenerator(required(image_shape), latent_dim, width, upsampling),
            discriminator or DCGANDiscriminator(required(image_shape), width),
            image_shape=image_shape,
            **base,
        )

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Real against fake, each in a batch of its own, as batch norm demands."""
        return minimax_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real."""
        return non_saturating_generator(self.discriminator(fake))
