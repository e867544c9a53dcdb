"""The non-saturating game with a gradient penalty around the reals."""

from typing import Any

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import at_least
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.penalties import dragan_penalty


class DRAGAN(LatentGAN):
    """The non-saturating game with a penalty on the sharp slopes around reals that make a generator collapse.

    Kodali, Abernethy, Hays & Kira 2017, *On Convergence and Stability of GANs*, arXiv:1705.07215.

    The discriminator minimises `-E log D(x) - E log(1 - D(G(z))) + lambda E (|grad D(x + delta)| - 1)^2`, the generator
    `-E log D(G(z))`.

    Good at: keeping modes by a penalty at the reals alone, with one generator step a batch. Bad at: the penalty does
    not depend on where the fakes are, so it does not bound the discriminator between them and the reals.

    Args:
        penalty: lambda; 10 in the paper.
        penalty_every: the penalty is computed once in so many batches, times that number.
        spread: largest noise around a real, in standard deviations of the batch's values.
        latent: arguments of `LatentGAN`.

    Raises:
        UsageError: if the discriminator has batch norm, or an argument is out of range.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> DRAGAN(image_shape=(1, 28, 28), backbone=DCGANBackbone(width=8)).sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])

    Card: docs/models/dragan.md; configuration: examples/configs/dragan_mnist.yaml.
    """

    discriminator_norm = "none"

    def __init__(self, *, penalty: float = 10.0, penalty_every: int = 1, spread: float = 0.5, **latent: Any) -> None:
        super().__init__(**latent)
        self.refuse_batch_norm("the gradient penalty")
        at_least(1, penalty_every=penalty_every)
        self.penalty, self.penalty_every, self.spread = penalty, penalty_every, spread

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Real against fake, and the penalty on slopes other than 1 around the reals."""
        terms = minimax_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))
        if not self.is_due(self.penalty_every):
            return terms
        slopes = dragan_penalty(self.discriminator, batch["image"], self.spread)
        return {**terms, "penalty": self.penalty * self.penalty_every * slopes}

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real."""
        return non_saturating_generator(self.discriminator(fake))
