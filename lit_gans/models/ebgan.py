"""The energy-based game."""

from typing import Any

import torch.nn.functional as F
from torch import nn

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError, at_least, finite_from
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms
from lit_gans.networks import AutoEncoderDiscriminator
from lit_gans.penalties import pull_away
from lit_gans.precision import full


class EBGAN(LatentGAN):
    """The discriminator is an autoencoder, and images that it copies badly count as fake.

    Zhao, Mathieu & LeCun 2016, *Energy-based Generative Adversarial Networks*, arXiv:1609.03126.

    With the energy `E(v) = mean (v - D(v))^2` over an image's values the discriminator minimises
    `E(x) + max(0, m - E(G(z)))`, the generator `E(G(z))` and, with ``pull_away`` (EBGAN-PT), the mean squared cosine
    between the codes of different fakes, since fakes of a collapsed generator have similar codes.

    Good at: a discriminator that learns from every pixel, not from one bit an image. Bad at: the margin must suit the
    data: if it is far too low, fakes soon cost nothing; if it is far too high, the discriminator learns to copy badly.

    Args:
        code_dim: size of the default autoencoder's codes.
        margin: the energy m from which a fake costs nothing, a mean squared error over the values of images in [-1, 1].
            It must be above the energy of real images. The paper's margins are for errors summed over an image.
        pull_away: weight of the pulling-away term; 0.1 in the paper, 0 is plain EBGAN. For a batch of one image, which
            has no pair, the term is left out.
        latent: arguments of `LatentGAN`. A discriminator of your own maps images to energies (N,), not negative. For
            ``pull_away`` it must also take ``return_codes=True`` and then give energies and codes (N, ...).

    Raises:
        UsageError: if ``margin`` is not positive or ``pull_away`` is negative.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> EBGAN(image_shape=(1, 28, 28), backbone=DCGANBackbone(width=8), pull_away=0.1).sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])

    Card: docs/models/ebgan.md; configuration: examples/configs/ebgan_mnist.yaml.
    """

    judges_by_energy = True
    scores_have_zero = False

    def __init__(self, *, code_dim: int = 64, margin: float = 0.1, pull_away: float = 0.0, **latent: Any) -> None:
        if not (finite_from(0, margin, pull_away) and margin):
            raise UsageError(f"margin must be positive and pull_away not negative, got {margin} and {pull_away}")
        at_least(1, code_dim=code_dim)
        self.code_dim, self.margin, self.pull_away = code_dim, margin, pull_away
        super().__init__(**latent)

    def make_discriminator(self) -> nn.Module:
        """An autoencoder of the backbone's encoder and generator."""
        encoder, decoder = (
            make(self.shape, self.code_dim) for make in (self.backbone.encoder, self.backbone.generator)
        )
        return AutoEncoderDiscriminator(encoder, decoder, power=2)

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Copy reals well, and each fake badly, up to the margin."""
        real = full(self.discriminator(batch["image"]))
        return {"real": real.mean(), "fake": F.relu(self.margin - full(self.discriminator(fake))).mean()}

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be copied well, with codes that differ between fakes."""
        if not self.pull_away or len(fake) < 2:
            return {"fake": full(self.discriminator(fake)).mean()}
        energies, codes = self.discriminator(fake, return_codes=True)
        return {"fake": full(energies).mean(), "pull_away": self.pull_away * pull_away(codes)}
