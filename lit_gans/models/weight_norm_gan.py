"""The non-saturating game of strictly weight-normalised players."""

from typing import Any

from lightning.pytorch.cli import OptimizerCallable

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.families import LatentGAN, required
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.networks import Discriminator, Generator, WeightNormDiscriminator, WeightNormGenerator
from lit_gans.optim import RMSprop


class WeightNormGAN(LatentGAN):
    """Every unit projects onto a direction of unit length, where batch norm would mix the images of a batch.

    Xiang & Li 2017, *On the Effects of Batch and Weight Normalization in Generative Adversarial Networks*,
    arXiv:1704.03971. Strict weight normalisation `y = w x / |w|`, with neither gain nor bias except in each last layer,
    and an activation with a learned threshold and slope: `TPReLU`.

    The discriminator minimises `-E log D(x) - E log(1 - D(G(z)))`, the generator `-E log D(G(z))`.

    The paper measures it by how near the generator can come to held-out images: add the callback `Reconstruction`.

    Good at: steady training, a generator that draws the same from a noise whatever else is in the batch, and gradient
    penalties, which batch norm would forbid. Bad at: the first few batches, in which it may fail: let the learning
    rates rise over them, as `examples/configs/weight_norm_gan_*.yaml` do. The paper found it stable up to 2e-4.

    Args:
        generator: a network from noise to images; by default `WeightNormGenerator`.
        discriminator: a network from images to logits; by default `WeightNormDiscriminator`.
        image_shape: (channels, height, width), both sides at least 8; needed by the default networks.
        latent_dim: size of the noise, for the default generator.
        width: channels of the finest hidden maps, for the default networks.
        generator_optimizer: RMSprop in the paper, with learning rate 2e-5 to 1e-4 and batches of 32; here 5e-5.
        discriminator_optimizer: the same for the discriminator.
        latent: arguments of `LatentGAN`.

    Examples:
        >>> WeightNormGAN(image_shape=(1, 28, 28), width=8).sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        latent_dim: int = 100,
        width: int = 64,
        generator_optimizer: OptimizerCallable = RMSprop,
        discriminator_optimizer: OptimizerCallable = RMSprop,
        **latent: Any,
    ) -> None:
        super().__init__(
            WeightNormGenerator(required(image_shape), latent_dim, width) if generator is None else generator,
            WeightNormDiscriminator(required(image_shape), width) if discriminator is None else discriminator,
            image_shape=image_shape,
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
            **latent,
        )

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Real against fake."""
        return minimax_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real."""
        return non_saturating_generator(self.discriminator(fake))
