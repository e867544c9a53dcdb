"""The relativistic game of pairs with two gradient penalties."""

from math import cos, pi
from typing import Any, ClassVar

import torch
from lightning.pytorch.cli import OptimizerCallable

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.errors import UsageError, finite_from
from lit_gans.families import LatentGAN, required
from lit_gans.losses import Terms, relativistic_discriminator, relativistic_generator
from lit_gans.networks import Discriminator, Generator, R3Discriminator, R3Generator
from lit_gans.networks.blocks import Norm
from lit_gans.optim import AdamWithoutMomentum
from lit_gans.penalties import judged
from lit_gans.precision import without_autocast


class R3GAN(LatentGAN):
    """Every real is compared with one fake, and the discriminator is kept flat at both: a game that converges.

    Huang, Gokaslan, Kuleshov & Tompkin 2024, *The GAN is dead; long live the GAN! A Modern Baseline GAN*,
    arXiv:2501.05441. No normalisation, no trick: a relativistic loss against collapse, R1 and R2 against divergence.

    The discriminator minimises `E softplus(D(G(z)) - D(x)) + gamma/2 E |grad D(x)|^2 + gamma/2 E |grad D(G(z))|^2`, the
    generator `E softplus(D(x) - D(G(z)))`.

    Good at: covering every mode, and improving for as long as it trains; the first choice here. Bad at: the price of a
    step, about twice a plain one, for the two penalties.

    Args:
        generator: a network from noise to images; by default `R3Generator`.
        discriminator: a network from images to scores without batch norm; by default the generator's counterpart.
        image_shape: (channels, height, width); needed by the default networks.
        latent_dim: size of the noise, for the default generator.
        width: channels of the finest hidden maps, for the default networks.
        residual: take the paper's networks. Without, the players are DCGAN's (an MLP below 8 pixels), whose step takes
            a small part of the time on a CPU.
        penalty: gamma. Images of 28 to 32 pixels want about 1, points in the plane 0.1, large images more.
        penalty_end: where gamma ends, along half a cosine, as in the paper's burn-in; by default it stays.
        penalty_steps: after how many batches it has arrived there.
        generator_optimizer: Adam with beta1 = 0 in the paper.
        discriminator_optimizer: the same for the discriminator.
        latent: arguments of `LatentGAN`.

    Raises:
        UsageError: if the discriminator has batch norm or an argument is out of range.

    Examples:
        >>> R3GAN(image_shape=(1, 28, 28), width=8).sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])
    """

    default_norm: ClassVar[Norm] = "none"
    scores_have_zero: ClassVar[bool] = False

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        latent_dim: int = 64,
        width: int | None = None,
        residual: bool = True,
        penalty: float = 1.0,
        penalty_end: float | None = None,
        penalty_steps: int = 0,
        generator_optimizer: OptimizerCallable = AdamWithoutMomentum,
        discriminator_optimizer: OptimizerCallable = AdamWithoutMomentum,
        **latent: Any,
    ) -> None:
        shaped = residual and (generator is None or discriminator is None)
        super().__init__(
            (R3Generator(required(image_shape), latent_dim, width or 32) if residual else None)
            if generator is None
            else generator,
            (R3Discriminator(required(image_shape), width or 32) if residual else None)
            if discriminator is None
            else discriminator,
            image_shape=image_shape,
            latent_dim=latent_dim,
            width=None if shaped else width,
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
            **latent,
        )
        if not finite_from(0, penalty, penalty_end) or (penalty_end is None) != (penalty_steps < 1):
            raise UsageError(
                "penalty and penalty_end must not be negative, and penalty_end goes with penalty_steps, the batch at "
                f"which it is reached; got penalty={penalty}, penalty_end={penalty_end}, penalty_steps={penalty_steps}"
            )
        self.refuse_batch_norm("R3GAN's penalty")
        self.penalty, self.penalty_end, self.penalty_steps = penalty, penalty_end, penalty_steps

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Every real above its fake, flat at both: scores and gradients from one float32 pass over all images."""
        scores, slopes = judged(self.discriminator, torch.cat([batch["image"], without_autocast(fake)]))
        (real, fake), (r1, r2) = scores.chunk(2), slopes.chunk(2)
        weight = self.gamma() / 2
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
