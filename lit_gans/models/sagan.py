"""The hinge game with self-attention."""

from typing import Any

from lightning.pytorch.cli import OptimizerCallable

from lit_gans.core.game import Batch, Fake
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, hinge_discriminator, hinge_generator
from lit_gans.networks import ResNetBackbone
from lit_gans.optim import AdamWithoutMomentum


class SAGAN(LatentGAN):
    """Residual players in which every place of a map attends to every other, both spectrally normalised.

    Zhang, Goodfellow, Metaxas & Odena 2018, *Self-Attention Generative Adversarial Networks*, arXiv:1805.08318. The
    backbone's ``attention`` is the short side in pixels of the map with attention, in both players: 32 in the paper,
    for images of 128 pixels; 16 by default.

    The discriminator minimises `E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))`, the generator `-E D(G(z))`. Both move on
    every batch; in place of more discriminator steps the paper gives the discriminator four times the generator's
    learning rate (4e-4 and 1e-4), as `examples/configs/sagan_*.yaml` do.

    Good at: shapes whose parts must agree over a distance. Bad at: small images, where convolutions see the whole
    image anyway, and cost: attention is quadratic in the number of places.

    Args:
        optimizer: Adam with betas (0, 0.9) in the paper.
        latent: arguments of `LatentGAN`.

    Examples:
        >>> backbone = ResNetBackbone(width=8, generator_norm="spectral", attention=16)
        >>> SAGAN(image_shape=(3, 32, 32), backbone=backbone).sample(2, seed=0).shape
        torch.Size([2, 3, 32, 32])

    Card: docs/models/sagan.md; configuration: examples/configs/sagan_mnist.yaml.
    """

    default_backbone = ResNetBackbone(generator_norm="spectral", attention=16)
    discriminator_norm = "spectral"

    def __init__(self, *, optimizer: OptimizerCallable = AdamWithoutMomentum, **latent: Any) -> None:
        super().__init__(optimizer=optimizer, **latent)

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals above the margin, fakes below it."""
        return hinge_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Score high."""
        return hinge_generator(self.discriminator(fake))
