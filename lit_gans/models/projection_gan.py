"""The conditional hinge game with a projection discriminator."""

from typing import Any, ClassVar

from lightning.pytorch.cli import OptimizerCallable

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.families import LabelGAN, required
from lit_gans.losses import Terms, hinge_discriminator, hinge_generator
from lit_gans.networks import (
    ConditionalGenerator,
    Discriminator,
    Generator,
    ProjectionDiscriminator,
    ResNetDiscriminator,
    ResNetGenerator,
)
from lit_gans.networks.blocks import Norm
from lit_gans.networks.conditional import Conditioning
from lit_gans.optim import AdamWithoutMomentum


class ProjectionGAN(LabelGAN):
    """The label enters the discriminator as an inner product with its features, as the likelihood ratio suggests.

    Miyato & Koyama 2018, *cGANs with Projection Discriminator*, arXiv:1802.05637, with the spectral normalisation and
    hinge loss of that paper; the generator learns of the label by its batch norm's gains and shifts.

    With `D(x, y) = psi(phi(x)) + y^T V phi(x)` the discriminator minimises
    `E max(0, 1 - D(x, y)) + E max(0, 1 + D(G(z, y), y))`, the generator `-E D(G(z, y), y)`.

    Good at: many classes, and diversity within each, where `ACGAN` loses it. Bad at: the price of several
    discriminator batches for each of the generator's.

    Args:
        generator: a network from noise and condition to images; by default a `ConditionalGenerator` by norm.
        discriminator: a network from images and condition to scores; by default a `ProjectionDiscriminator`.
        image_shape: (channels, height, width); needed by the default networks.
        num_classes: number of classes, or of attributes; the command line takes it from the data.
        latent_dim: size of the noise, for the default generator.
        width: channels of the finest hidden maps, for the default networks.
        residual: take the paper's residual networks in place of DCGAN's, whose step takes a small part of the time.
        generator_optimizer: Adam with learning rate 2e-4 and betas (0, 0.9) in the paper.
        discriminator_optimizer: the same for the discriminator.
        generator_every: the paper's n_dis.
        label: arguments of `LabelGAN`.

    Examples:
        >>> ProjectionGAN(image_shape=(3, 32, 32), num_classes=5, width=8).sample(2, seed=0, label=[0, 4]).shape
        torch.Size([2, 3, 32, 32])
    """

    default_norm: ClassVar[Norm] = "spectral"
    conditioning: ClassVar[Conditioning] = "norm"

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        num_classes: int | None = None,
        latent_dim: int = 128,
        width: int | None = None,
        residual: bool = True,
        generator_optimizer: OptimizerCallable = AdamWithoutMomentum,
        discriminator_optimizer: OptimizerCallable = AdamWithoutMomentum,
        generator_every: int = 5,
        **label: Any,
    ) -> None:
        shaped = residual and (generator is None or discriminator is None)
        super().__init__(
            (self._residual_generator(image_shape, num_classes, latent_dim, width) if residual else None)
            if generator is None
            else generator,
            (self._residual_discriminator(image_shape, num_classes, width) if residual else None)
            if discriminator is None
            else discriminator,
            image_shape=image_shape,
            num_classes=num_classes,
            latent_dim=latent_dim,
            width=None if shaped else width,
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
            generator_every=generator_every,
            **label,
        )

    @classmethod
    def _residual_generator(
        cls, image_shape: ImageShape | None, num_classes: int | None, latent_dim: int, width: int | None
    ) -> Generator:
        plain = ResNetGenerator(required(image_shape), latent_dim, width or 64)
        return ConditionalGenerator(plain, cls._classes(num_classes), cls.conditioning)

    @classmethod
    def _residual_discriminator(
        cls, image_shape: ImageShape | None, num_classes: int | None, width: int | None
    ) -> Discriminator:
        return ProjectionDiscriminator(
            ResNetDiscriminator(required(image_shape), width or 64), cls._classes(num_classes)
        )

    @classmethod
    def _default_discriminator(
        cls, image_shape: ImageShape, width: int, norm: Norm | None, num_classes: int | None = None
    ) -> Discriminator:
        plain = super()._default_discriminator(image_shape, width, norm)
        return ProjectionDiscriminator(plain, cls._classes(num_classes), norm or cls.default_norm)

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals above the margin, fakes below it, each under its label."""
        return hinge_discriminator(self.realness(batch)(batch["image"]), self.realness(fake)(fake["image"]))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Score high under the label."""
        return hinge_generator(self.realness(fake)(fake["image"]))
