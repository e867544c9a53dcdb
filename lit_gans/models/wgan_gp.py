"""The Wasserstein game with a gradient penalty."""

from typing import Any

from lightning.pytorch.cli import OptimizerCallable

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import at_least
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, wasserstein_discriminator, wasserstein_generator
from lit_gans.optim import AdamWithoutMomentum
from lit_gans.penalties import gradient_penalty


class WGANGP(LatentGAN):
    """The Wasserstein game with a penalty on the critic's slopes other than 1 between reals and fakes.

    Gulrajani, Ahmed, Arjovsky, Dumoulin & Courville 2017, *Improved Training of Wasserstein GANs*, arXiv:1704.00028.

    The critic minimises `-E D(x) + E D(G(z)) + lambda E (|grad D(x_mix)| - 1)^2`, the generator `-E D(G(z))`.

    Good at: stable training of almost any pair of networks. Bad at: speed; every critic batch costs a second backward
    pass, and the paper takes five of them for each of the generator's.

    Args:
        penalty: lambda; 10 in the paper, 0.1 for points in the plane.
        penalty_every: the penalty is computed once in so many batches, times that number.
        optimizer: Adam with betas (0, 0.9) in the paper.
        generator_every: the generator moves once in so many batches; n_critic in the paper.
        latent: arguments of `LatentGAN`.

    Raises:
        UsageError: if the critic has batch norm, or an argument is out of range.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> backbone = DCGANBackbone(width=8, discriminator_norm="layer")
        >>> WGANGP(image_shape=(1, 28, 28), backbone=backbone).sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])

    Card: docs/models/wgan_gp.md; configuration: examples/configs/wgan_gp_mnist.yaml.
    """

    discriminator_norm = "none"
    scores_have_zero = False

    def __init__(
        self,
        *,
        penalty: float = 10.0,
        penalty_every: int = 1,
        optimizer: OptimizerCallable = AdamWithoutMomentum,
        generator_every: int = 5,
        **latent: Any,
    ) -> None:
        super().__init__(optimizer=optimizer, generator_every=generator_every, **latent)
        self.refuse_batch_norm("the gradient penalty")
        at_least(1, penalty_every=penalty_every)
        self.penalty, self.penalty_every = penalty, penalty_every

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Minus the distance, and the penalty on slopes other than 1."""
        terms = wasserstein_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))
        if not self.is_due(self.penalty_every):
            return terms
        slopes = gradient_penalty(self.discriminator, batch["image"], fake)
        return {**terms, "penalty": self.penalty * self.penalty_every * slopes}

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Score high."""
        return wasserstein_generator(self.discriminator(fake))
