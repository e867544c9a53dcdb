"""The non-saturating game of strictly weight-normalised players."""

from typing import Any

from lightning.pytorch.cli import OptimizerCallable

from lit_gans.core.game import Batch, Fake
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.networks import WeightNormBackbone
from lit_gans.optim import RMSprop


class WeightNormGAN(LatentGAN):
    """Every unit projects its input onto a direction of unit length, in place of batch norm, which mixes images.

    Xiang & Li 2017, *On the Effects of Batch and Weight Normalization in Generative Adversarial Networks*,
    arXiv:1704.03971. Strict weight normalisation `y = w x / |w|`, with neither gain nor bias except in each last layer,
    and an activation with a learned threshold and slope: `TPReLU`.

    The discriminator minimises `-E log D(x) - E log(1 - D(G(z)))`, the generator `-E log D(G(z))`.

    The paper measures how near the generator can come to held-out images: add the callback `Reconstruction`.

    Good at: steady training, images that do not depend on the rest of their batch, and gradient penalties, which batch
    norm does not allow. Bad at: the first few batches, in which it may fail: let the learning rates rise over them, as
    `examples/configs/weight_norm_gan_*.yaml` do. The paper found it stable up to 2e-4.

    Args:
        optimizer: RMSprop in the paper, with learning rate 2e-5 to 1e-4 and batches of 32; here 5e-5.
        latent: arguments of `LatentGAN`.

    Examples:
        >>> WeightNormGAN(image_shape=(1, 28, 28), backbone=WeightNormBackbone(width=8)).sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])

    Card: docs/models/weight_norm_gan.md; configuration: examples/configs/weight_norm_gan_mnist.yaml.
    """

    default_backbone = WeightNormBackbone()

    def __init__(self, *, optimizer: OptimizerCallable = RMSprop, **latent: Any) -> None:
        super().__init__(optimizer=optimizer, **latent)

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Real against fake."""
        return minimax_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real."""
        return non_saturating_generator(self.discriminator(fake))
