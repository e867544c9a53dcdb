"""The Wasserstein game with clamped weights."""

from typing import Any, ClassVar

import torch
from lightning.pytorch.cli import OptimizerCallable

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError, finite_from
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, wasserstein_discriminator, wasserstein_generator
from lit_gans.networks import Discriminator, Generator
from lit_gans.optim import RMSprop


class WGAN(LatentGAN):
    """A critic whose weights are clamped measures how far fakes are from reals, and never stops giving a gradient.

    Arjovsky, Chintala & Bottou 2017, *Wasserstein GAN*, arXiv:1701.07875, algorithm 1.

    The critic minimises `-E D(x) + E D(G(z))` with every weight in [-c, c], the generator `-E D(G(z))`. The negated sum
    of the critic's terms estimates the Wasserstein distance up to a constant factor.

    Good at: a loss that falls as samples improve. Bad at: speed (five critic batches a generator's) and capacity, which
    the clamp takes from the critic; `WGANGP` and `SNGAN` bound it better.

    Args:
        generator: a network from noise to images; by default `DCGANGenerator`.
        discriminator: the critic, a network from images to scores; by default the DCGAN one, with batch norm.
        clamp: c, the largest absolute value of any of the critic's parameters.
        generator_optimizer: RMSprop with learning rate 5e-5 in the paper, which found momentum to be harmful.
        discriminator_optimizer: the same for the critic.
        generator_every: the paper's n_critic.
        latent: arguments of `LatentGAN`.

    Raises:
        UsageError: if ``clamp`` is not positive.

    Examples:
        >>> WGAN(image_shape=(1, 28, 28), width=8, clamp=0.01).sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])
    """

    scores_have_zero: ClassVar[bool] = False

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        clamp: float = 0.01,
        generator_optimizer: OptimizerCallable = RMSprop,
        discriminator_optimizer: OptimizerCallable = RMSprop,
        generator_every: int = 5,
        **latent: Any,
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
            generator_every=generator_every,
            **latent,
        )
        if not (finite_from(0, clamp) and clamp):
            raise UsageError(f"clamp is the largest absolute weight of the critic and must be positive, got {clamp}")
        self.clamp = clamp

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """The negated distance."""
        return wasserstein_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Score high."""
        return wasserstein_generator(self.discriminator(fake))

    def discriminator_step(self, batch: Batch, fake: Fake) -> Terms:
        """A step of the critic, then the clamp."""
        terms = super().discriminator_step(batch, fake)
        with torch.no_grad():
            torch._foreach_clamp_min_(list(self.discriminator.parameters()), -self.clamp)
            torch._foreach_clamp_max_(list(self.discriminator.parameters()), self.clamp)
        return terms
