"""The hinge game under spectral normalisation."""

from typing import Any

from lightning.pytorch.cli import OptimizerCallable

from lit_gans.core.game import Batch, Fake
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, hinge_discriminator, hinge_generator
from lit_gans.networks import DCGANBackbone
from lit_gans.optim import AdamWithoutMomentum


class SNGAN(LatentGAN):
    """A discriminator each of whose layers has spectral norm 1: it cannot be steeper than 1, at almost no cost.

    Miyato, Kataoka, Koyama & Yoshida 2018, *Spectral Normalization for Generative Adversarial Networks*,
    arXiv:1802.05957. One power iteration a pass follows the largest singular value of each layer; its vectors are part
    of a checkpoint. The paper's residual networks are ``backbone=ResNetBackbone()``.

    The discriminator minimises `E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))`, the generator `-E D(G(z))`.

    Good at: stable training of deep residual networks at the cost of a plain step. Bad at: a discriminator of slope 1
    learns slowly; the paper gives it five batches for each of the generator's.

    Args:
        optimizer: Adam with learning rate 2e-4 and betas (0, 0.9) in the paper.
        generator_every: the generator moves once in so many batches; n_dis in the paper.
        latent: arguments of `LatentGAN`.

    Examples:
        >>> from lit_gans.networks import ResNetBackbone
        >>> SNGAN(image_shape=(3, 32, 32), backbone=ResNetBackbone(width=8)).sample(2, seed=0).shape
        torch.Size([2, 3, 32, 32])

    Card: docs/models/sngan.md; configuration: examples/configs/sngan_mnist.yaml.
    """

    default_backbone = DCGANBackbone(latent_dim=128)
    discriminator_norm = "spectral"

    def __init__(
        self, *, optimizer: OptimizerCallable = AdamWithoutMomentum, generator_every: int = 5, **latent: Any
    ) -> None:
        super().__init__(optimizer=optimizer, generator_every=generator_every, **latent)

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals above the margin, fakes below it."""
        return hinge_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Score high."""
        return hinge_generator(self.discriminator(fake))
