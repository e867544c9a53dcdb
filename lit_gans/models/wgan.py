"""The Wasserstein game with clamped weights."""

from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError, finite_from
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, wasserstein_discriminator, wasserstein_generator
from lit_gans.optim import RMSprop


class WGAN(LatentGAN):
    """A critic with clamped weights measures the distance of fakes from reals; its gradient does not vanish.

    Arjovsky, Chintala & Bottou 2017, *Wasserstein GAN*, arXiv:1701.07875, algorithm 1.

    The critic minimises `-E D(x) + E D(G(z))` with every weight in [-c, c], the generator `-E D(G(z))`. Minus the sum
    of the critic's terms estimates the Wasserstein distance, up to a constant factor.

    Good at: a loss that falls as samples improve. Bad at: speed (five critic batches for each of the generator's),
    and the critic's capacity, which the clamp reduces; `WGANGP` and `SNGAN` bound the critic better.

    Args:
        clamp: c, the largest absolute value of the critic's parameters.
        optimizer: RMSprop with learning rate 5e-5 in the paper, which found momentum to be harmful.
        generator_every: the generator moves once in so many batches; n_critic in the paper.
        latent: arguments of `LatentGAN`.

    Raises:
        UsageError: if ``clamp`` is not positive.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> WGAN(image_shape=(1, 28, 28), backbone=DCGANBackbone(width=8), clamp=0.01).sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])

    Card: docs/models/wgan.md; configuration: examples/configs/wgan_mnist.yaml.
    """

    scores_have_zero = False

    def __init__(
        self, *, clamp: float = 0.01, optimizer: OptimizerCallable = RMSprop, generator_every: int = 5, **latent: Any
    ) -> None:
        super().__init__(optimizer=optimizer, generator_every=generator_every, **latent)
        if not (finite_from(0, clamp) and clamp):
            raise UsageError(f"clamp is the largest absolute weight of the critic and must be positive, got {clamp}")
        self.clamp = clamp

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Minus the distance."""
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
