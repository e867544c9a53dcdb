"""The conditional hinge game with a projection discriminator."""

from typing import Any

from lightning.pytorch.cli import OptimizerCallable
from torch import nn

from lit_gans.core.game import Batch, Fake
from lit_gans.families import LabelGAN
from lit_gans.losses import Terms, hinge_discriminator, hinge_generator
from lit_gans.networks import ProjectionDiscriminator, ResNetBackbone
from lit_gans.optim import AdamWithoutMomentum


class ProjectionGAN(LabelGAN):
    """The label enters the discriminator as an inner product with its features, as it does in the likelihood ratio.

    Miyato & Koyama 2018, *cGANs with Projection Discriminator*, arXiv:1802.05637, with the spectral normalisation and
    hinge loss of that paper; the generator gets the label by the gains and shifts of its batch norm. On DCGAN's
    networks (``backbone=DCGANBackbone(latent_dim=128)``) a step takes a small part of the time.

    With `D(x, y) = psi(phi(x)) + y^T V phi(x)` the discriminator minimises
    `E max(0, 1 - D(x, y)) + E max(0, 1 + D(G(z, y), y))`, the generator `-E D(G(z, y), y)`.

    Good at: many classes, and diversity within each, where `ACGAN` loses it. Bad at: the price of several
    discriminator batches for each of the generator's.

    Args:
        optimizer: Adam with learning rate 2e-4 and betas (0, 0.9) in the paper.
        generator_every: the generator moves once in so many batches; n_dis in the paper.
        label: arguments of `LabelGAN`. A discriminator of your own maps images and conditions (N, num_classes) to
            scores.

    Examples:
        >>> model = ProjectionGAN(image_shape=(3, 32, 32), num_classes=5, backbone=ResNetBackbone(width=8))
        >>> model.sample(2, seed=0, label=[0, 4]).shape
        torch.Size([2, 3, 32, 32])

    Card: docs/models/projection_gan.md; configuration: examples/configs/projection_gan_mnist.yaml.
    """

    default_backbone = ResNetBackbone()
    discriminator_norm = "spectral"
    conditioning = "norm"

    def __init__(
        self, *, optimizer: OptimizerCallable = AdamWithoutMomentum, generator_every: int = 5, **label: Any
    ) -> None:
        super().__init__(optimizer=optimizer, generator_every=generator_every, **label)

    def make_discriminator(self) -> nn.Module:
        """The backbone's discriminator, with the inner product of its features and the condition."""
        return ProjectionDiscriminator(super().make_discriminator(), self.num_classes)

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals above the margin, fakes below it, each with its label."""
        return hinge_discriminator(self.critic(batch)(batch["image"]), self.critic(fake)(fake["image"]))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Score high with the label."""
        return hinge_generator(self.critic(fake)(fake["image"]))
