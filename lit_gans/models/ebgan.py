"""The energy-based game."""

from typing import Any, ClassVar

import torch.nn.functional as F

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.errors import UsageError, finite_from
from lit_gans.families import LatentGAN, required
from lit_gans.losses import Terms
from lit_gans.networks.autoencoder import AutoEncoderDiscriminator
from lit_gans.networks.base import Discriminator, Generator
from lit_gans.networks.blocks import Norm
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
        generator: a network from noise to images; by default the DCGAN one.
        discriminator: any module from (N, C, H, W) to energies (N,), not negative. For ``pull_away`` it must also take
            ``return_codes=True`` and then give energies and codes (N, ...), as `AutoEncoderDiscriminator` does.
        image_shape: (channels, height, width), both sides at least 8; needed by the default networks.
        width: channels of the finest hidden maps, for the default networks; 64.
        discriminator_norm: what normalises the default discriminator; batch norm as in the paper.
        code_dim: size of the default autoencoder's codes.
        margin: the energy m from which a fake is bad enough, a mean squared error a value of images in [-1, 1]. The
            paper's margins are for errors summed over an image. It must be above the energy of real images.
        pull_away: weight of the pulling-away term; 0.1 in the paper, 0 is plain EBGAN. A batch of one image has no
            pair to pull apart and goes without.
        latent: arguments of `LatentGAN`.

    Raises:
        UsageError: if ``margin`` is not positive or ``pull_away`` is negative.

    Examples:
        >>> EBGAN(image_shape=(1, 28, 28), width=8, pull_away=0.1).sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])
    """

    judges_by_energy: ClassVar[bool] = True
    scores_have_zero: ClassVar[bool] = False

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        width: int | None = None,
        discriminator_norm: Norm | None = None,
        code_dim: int = 64,
        margin: float = 0.1,
        pull_away: float = 0.0,
        **latent: Any,
    ) -> None:
        if not (finite_from(0, margin, pull_away) and margin):
            raise UsageError(f"margin must be positive and pull_away not negative, got {margin} and {pull_away}")
        # arguments keep their values: a checkpoint records them as they are when the family is called
        judge, judge_norm, units = discriminator, discriminator_norm, width
        if judge is None:
            norm = discriminator_norm or "batch"
            judge = AutoEncoderDiscriminator(required(image_shape), width or 64, code_dim, 2, strided=True, norm=norm)
            judge_norm, units = None, width if generator is None else None  # what is left for the family to shape
        super().__init__(
            generator, judge, image_shape=image_shape, width=units, discriminator_norm=judge_norm, **latent
        )
        self.margin, self.pull_away = margin, pull_away

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
