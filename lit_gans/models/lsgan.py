"""The least-squares game."""

from typing import Any

from lit_gans.core.game import Batch, Fake
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, least_squares_discriminator, least_squares_generator


class LSGAN(LatentGAN):
    """Least squares in place of cross-entropy: a fake far on the right side of the boundary still gets a gradient.

    Mao et al. 2016, *Least Squares Generative Adversarial Networks*, arXiv:1611.04076.

    The discriminator minimises `1/2 E (D(x) - b)^2 + 1/2 E (D(G(z)) - a)^2`, the generator `1/2 E (D(G(z)) - c)^2`.

    With b - c = 1 and b - a = 2 (a = -1, b = 1, c = 0) it minimises the Pearson chi-squared divergence; the default
    (0, 1, 1) is the paper's 0-1 coding, which works as well.

    Good at: stable training without tuning. Bad at: small learning rates are needed at high resolution.

    Args:
        a: the discriminator's target for fakes.
        b: the discriminator's target for reals.
        c: the generator's target for fakes.
        latent: arguments of `LatentGAN`.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> LSGAN(image_shape=(1, 28, 28), backbone=DCGANBackbone(width=8), a=-1, b=1, c=0).sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])

    Card: docs/models/lsgan.md; configuration: examples/configs/lsgan_mnist.yaml.
    """

    scores_have_zero = False

    def __init__(self, *, a: float = 0.0, b: float = 1.0, c: float = 1.0, **latent: Any) -> None:
        super().__init__(**latent)
        self.a, self.b, self.c = a, b, c

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals to b, fakes to a."""
        real = self.discriminator(batch["image"])
        return least_squares_discriminator(real, self.discriminator(fake), self.a, self.b)

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Fakes to c."""
        return least_squares_generator(self.discriminator(fake), self.c)
