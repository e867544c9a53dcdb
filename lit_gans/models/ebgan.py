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
    """The discriminator is an autoencoder, and what it copies badly is fake.

    Zhao, Mathieu & LeCun 2016, *Energy-based Generative Adversarial Networks*, arXiv:1609.03126.

    With the energy `E(v) = mean (v - D(v))^2` over an image's values the discriminator minimises
    `E(x) + max(0, m - E(G(z)))`, the generator `E(G(z))` and, with ``pull_away`` (EBGAN-PT), the mean squared cosine
    between the codes of different fakes: codes of a collapsed generator are alike.

    Good at: a discriminator that learns from every pixel, not from one bit an image. Bad at: the margin must suit the
    data; far too low and fakes cost nothing early, far too high and the discriminator spends itself on bad copies.

    Args:
        code_dim: size of the default autoencoder's codes.
        margin: the energy m from which a fake is bad enough, a mean squared error a value of images in [-1, 1]. The
            paper's margins are for errors summed over an image. It must be above the energy of real images.
        pull_away: weight of the pulling-away term; 0.1 in the paper, 0 is plain EBGAN. A batch of one image has no
            pair to pull apart and goes without.
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
        """The backbone's encoder and generator, one after the other."""
        encoder, decoder = (
            make(self.shape, self.code_dim) for make in (self.backbone.encoder, self.backbone.generator)
        )
        return AutoEncoderDiscriminator(encoder, decoder, power=2)

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Copy reals well, and fakes badly as far as the margin, each by itself."""
        real = full(self.discriminator(batch["image"]))
        return {"real": real.mean(), "fake": F.relu(self.margin - full(self.discriminator(fake))).mean()}

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be copied well, and with codes of one's own."""
        if not self.pull_away or len(fake) < 2:
            return {"fake": full(self.discriminator(fake)).mean()}
        energies, codes = self.discriminator(fake, return_codes=True)
        return {"fake": full(energies).mean(), "pull_away": self.pull_away * pull_away(codes)}
