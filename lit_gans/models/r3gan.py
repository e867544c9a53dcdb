"""The relativistic game of pairs with two gradient penalties."""

from math import cos, pi
from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError, at_least
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, relativistic_discriminator, relativistic_generator
from lit_gans.networks import R3Backbone
from lit_gans.optim import AdamWithoutMomentum
from lit_gans.penalties import scores_and_slopes
from lit_gans.precision import without_autocast


class R3GAN(LatentGAN):
    """Every real is compared with one fake, and the discriminator is kept flat at both: a game that converges.

    Huang, Gokaslan, Kuleshov & Tompkin 2024, *The GAN is dead; long live the GAN! A Modern Baseline GAN*,
    arXiv:2501.05441. No normalisation and no tricks: a relativistic loss against collapse, R1 and R2 against
    divergence. On DCGAN's networks (``backbone=DCGANBackbone()``) a step takes a small part of the time on a CPU.

    The discriminator minimises `E softplus(D(G(z)) - D(x)) + gamma/2 E |grad D(x)|^2 + gamma/2 E |grad D(G(z))|^2`, the
    generator `E softplus(D(x) - D(G(z)))`.

    Good at: covering every mode, and improving for as long as it trains; the first choice here. Bad at: the price of a
    step, about twice a plain one, for the two penalties.

    Args:
        penalty: gamma: about 1 for images of 28 to 32 pixels, 0.1 for points in the plane, more for large images.
        penalty_end: the last gamma, which half a cosine leads to, as in the paper's burn-in; by default gamma stays.
        penalty_steps: number of batches after which gamma is ``penalty_end``.
        penalty_every: both penalties are computed once in so many batches, times that number (lazy regularisation,
            Karras et al. 2020, arXiv:1912.04958, appendix B); the scores of the others need no double backward.
        penalty_noise: deviation of a noise to take differences by; these stand for both gradients where a network has
            no second derivative. 0.01, say; gamma wants to be its own then.
        optimizer: Adam with beta1 = 0 in the paper.
        latent: arguments of `LatentGAN`.

    Raises:
        UsageError: if the discriminator has batch norm or an argument is out of range.

    Examples:
        >>> R3GAN(image_shape=(1, 28, 28), backbone=R3Backbone(width=8)).sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])

    Card: docs/models/r3gan.md; configuration: examples/configs/r3gan_mnist.yaml.
    """

    default_backbone = R3Backbone()
    discriminator_norm = "none"
    scores_have_zero = False

    def __init__(
        self,
        *,
        penalty: float = 1.0,
        penalty_end: float | None = None,
        penalty_steps: int = 0,
        penalty_every: int = 1,
        penalty_noise: float = 0.0,
        optimizer: OptimizerCallable = AdamWithoutMomentum,
        **latent: Any,
    ) -> None:
        super().__init__(optimizer=optimizer, **latent)
        at_least(0, penalty=penalty, penalty_end=penalty_end, penalty_noise=penalty_noise)
        at_least(1, penalty_every=penalty_every)
        if (penalty_end is None) != (penalty_steps < 1):
            raise UsageError(
                "penalty_end goes with penalty_steps, the batch at which it is reached: give both or none, got "
                f"penalty_end={penalty_end} and penalty_steps={penalty_steps}"
            )
        self.refuse_batch_norm("R3GAN's penalty")
        self.penalty, self.penalty_end, self.penalty_steps = penalty, penalty_end, penalty_steps
        self.penalty_every, self.penalty_noise = penalty_every, penalty_noise

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Every real above its fake, flat at both; scores and gradients, where due, are from one float32 pass."""
        images = torch.cat([batch["image"], without_autocast(fake)])
        if not self.is_due(self.penalty_every):
            return relativistic_discriminator(*self.discriminator(images).chunk(2))
        scores, slopes = scores_and_slopes(self.discriminator, images, self.penalty_noise)
        (real, fake), (r1, r2) = scores.chunk(2), slopes.chunk(2)  # (2 N,) to (N,) each
        weight = self.gamma() / 2 * self.penalty_every
        return {**relativistic_discriminator(real, fake), "r1": weight * r1.mean(), "r2": weight * r2.mean()}

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Every fake above its real."""
        return relativistic_generator(self.discriminator(batch["image"]), self.discriminator(fake))

    def gamma(self) -> float:
        """The penalties' weight at this batch."""
        if self.penalty_end is None:
            return self.penalty
        left = (1 + cos(pi * min(self.batch_number / self.penalty_steps, 1.0))) / 2
        return self.penalty_end + left * (self.penalty - self.penalty_end)
