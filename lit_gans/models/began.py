"""The boundary equilibrium game."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.errors import UsageError, finite_from
from lit_gans.families import LatentGAN, required
from lit_gans.losses import Terms
from lit_gans.networks.autoencoder import AutoEncoderDiscriminator, ConvDecoder, VanishingResidual
from lit_gans.networks.base import Discriminator, Generator
from lit_gans.networks.blocks import Norm, Upsampling
from lit_gans.precision import full

_HORIZON = 500  # batches that the running mean of the convergence looks back


class BEGAN(LatentGAN):
    """An autoencoder as the discriminator, and a controller that keeps the two players in balance.

    Berthelot, Schumm & Metz 2017, *BEGAN: Boundary Equilibrium Generative Adversarial Networks*, arXiv:1703.10717.

    With the energy `E(v) = mean |v - D(v)|` the discriminator minimises `E(x) - k E(G(z))`, the generator `E(G(z))`.
    After every batch `k <- clip(k + k_rate (gamma E(x) - E(G(z))), 0, 1)`, from 0: the fakes' energy is kept at
    gamma times the reals'. `M = E(x) + |gamma E(x) - E(G(z))|` says how far training has come.

    Both energies of k and M are the discriminator's turn's, before its step and whether or not the generator moves on
    that batch; on several devices they are the mean over all of them. `state/k` and `state/convergence` (M) are
    logged, and `state/convergence_mean`, M's running mean over some 500 batches, is what a ``ReduceLROnPlateau``
    schedule of either player watches, a batch at a time.

    Two departures from the paper: noise is N(0, I), not U(-1, 1), and the generator, not the autoencoder, ends with
    tanh, so that every image is in [-1, 1].

    Good at: smooth, stable training with a measure of convergence. Bad at: diversity, which gamma trades for quality.

    Args:
        generator: a network from noise to images; by default `ConvDecoder`.
        discriminator: any module from (N, C, H, W) to energies (N,), not negative; by default
            `AutoEncoderDiscriminator`.
        image_shape: (channels, height, width), both sides at least 8; needed by the default networks.
        latent_dim: size of the noise, for the default generator.
        width: channels of the finest hidden maps, for the default networks; 64, in the paper 128 for faces.
        upsampling: how the default generator doubles a map; ``resize`` (nearest) as in the paper.
        generator_norm: what normalises the default generator; nothing in the paper.
        discriminator_norm: what normalises the default discriminator; nothing in the paper.
        code_dim: size of the default autoencoder's codes.
        skip: skip connections from the coarsest map in the default decoders, which sharpen images.
        vanishing: batches over which residual connections in the default networks fade, which helps large images; 16000
            in the paper, 0 is none.
        gamma: E(G(z)) / E(x) at the balance, in (0, 1]: lower is sharper, higher more diverse; 0.3 to 0.7 for faces.
        k_rate: lambda_k, how fast k moves; 0.001 in the paper, more for runs of less than some 100,000 batches.
        latent: arguments of `LatentGAN`.

    Raises:
        UsageError: if ``gamma``, ``k_rate`` or ``vanishing`` is out of range.

    Examples:
        >>> BEGAN(image_shape=(3, 32, 40), width=8, gamma=0.7).sample(2, seed=0).shape
        torch.Size([2, 3, 32, 40])
    """

    judges_by_energy: ClassVar[bool] = True
    scores_have_zero: ClassVar[bool] = False
    plateau: ClassVar[str | None] = "state/convergence_mean"
    k: Tensor
    convergence_mean: Tensor

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        latent_dim: int = 64,
        width: int | None = None,
        upsampling: Upsampling | None = None,
        generator_norm: Norm | None = None,
        discriminator_norm: Norm | None = None,
        code_dim: int = 64,
        skip: bool = False,
        vanishing: int = 0,
        gamma: float = 0.5,
        k_rate: float = 0.001,
        **latent: Any,
    ) -> None:
        if not 0 < gamma <= 1 or not finite_from(0, k_rate, vanishing):
            raise UsageError(
                f"gamma must be in (0, 1], k_rate and vanishing not negative, got {gamma}, {k_rate} and {vanishing}"
            )
        options: dict[str, Any] = {"width": width, "upsampling": upsampling, "generator_norm": generator_norm}
        options["discriminator_norm"] = discriminator_norm
        if generator is None or discriminator is None:
            options = {}  # used here; the family refuses them where both networks are given
        fades, units, up = vanishing > 0, width or 64, upsampling or "resize"
        # arguments keep their values: a checkpoint records them as they are when the family is called
        draws, judge = generator, discriminator
        if draws is None:
            norm = generator_norm or "none"
            draws = ConvDecoder(required(image_shape), latent_dim, units, up, norm, skip, vanishing=fades)
        if judge is None:
            norm = discriminator_norm or "none"
            judge = AutoEncoderDiscriminator(
                required(image_shape), units, code_dim, norm=norm, skip=skip, vanishing=fades
            )
        super().__init__(draws, judge, image_shape=image_shape, **options, **latent)
        self.gamma, self.k_rate, self.vanishing = gamma, k_rate, vanishing
        self.register_buffer("k", torch.zeros(()))
        self.register_buffer("convergence_mean", torch.zeros(()))
        self._energies = torch.zeros(2)

    def generate(self, batch: Batch) -> Fake:
        """As many fakes as the batch has images."""
        if self.vanishing and self.batch_number <= self.vanishing:
            for module in self.modules():
                if isinstance(module, VanishingResidual):
                    module.carry.fill_(1 - self.batch_number / self.vanishing)
        return super().generate(batch)

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Copy reals well and fakes badly, as much as k says."""
        real, drawn = (full(self.discriminator(v)).mean() for v in (batch["image"], fake))
        self._energies = torch.stack([real, drawn]).detach()
        return {"real": real, "fake": -self.k * drawn}

    def discriminator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The discriminator's turn, then the controller's: k is not used again in this batch."""
        terms = super().discriminator_step(batch, fake)
        # the same numbers on every device, or their k and their learning rates would drift apart
        real, drawn = self.trainer.strategy.reduce(self._energies, reduce_op="mean")
        balance = self.gamma * real - drawn
        convergence = real + balance.abs()
        share = max(1 / (self.batch_number + 1), 1 / _HORIZON)
        self.k = (self.k + self.k_rate * balance).clamp(0, 1)
        self.convergence_mean = torch.lerp(self.convergence_mean, convergence, share)
        return {
            **terms,
            "state/k": self.k,
            "state/convergence": convergence,
            "state/convergence_mean": self.convergence_mean,
        }

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be copied well."""
        return {"fake": full(self.discriminator(fake)).mean()}
