"""The boundary equilibrium game."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError, at_least
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms
from lit_gans.networks import AutoEncoderDiscriminator, Backbone, BEGANBackbone
from lit_gans.networks.began import VanishingResidual
from lit_gans.precision import full

_HORIZON = 500  # number of batches that the running mean of the convergence covers


class BEGAN(LatentGAN):
    """An autoencoder as the discriminator, and a controller that keeps the two players in balance.

    Berthelot, Schumm & Metz 2017, *BEGAN: Boundary Equilibrium Generative Adversarial Networks*, arXiv:1703.10717.

    With the energy `E(v) = mean |v - D(v)|` the discriminator minimises `E(x) - k E(G(z))`, the generator `E(G(z))`.
    After every batch `k <- clip(k + k_rate (gamma E(x) - E(G(z))), 0, 1)`, from 0: the fakes' energy is kept at
    gamma times the reals'. `M = E(x) + |gamma E(x) - E(G(z))|` is a measure of convergence.

    The energies in k and M are those of the discriminator's turn, before its step, on every batch; on several devices
    they are means over the devices. `state/k`, `state/convergence` (M) and `state/convergence_mean` (the running mean
    of M over some 500 batches) are logged. A ``ReduceLROnPlateau`` schedule of either player watches the last, once a
    batch.

    Two things differ from the paper: noise is N(0, I), not U(-1, 1), and the generator ends with tanh, so that every
    image is in [-1, 1], while the autoencoder does not.

    Good at: smooth, stable training with a measure of convergence. Bad at: diversity, which gamma trades for quality.

    Args:
        code_dim: size of the default autoencoder's codes.
        vanishing: batches over which residual connections in the default networks fade, which helps large images; 16000
            in the paper, 0 turns them off. The backbone must have this option, as `BEGANBackbone` does.
        gamma: E(G(z)) / E(x) at the balance, in (0, 1]: lower is sharper, higher more diverse; 0.3 to 0.7 for faces.
        k_rate: lambda_k, the rate at which k moves; 0.001 in the paper, more for runs of fewer than 100,000 batches.
        latent: arguments of `LatentGAN`. A discriminator of your own maps images to energies (N,), not negative.

    Raises:
        UsageError: if ``gamma``, ``k_rate`` or ``vanishing`` is out of range, or nothing in the backbone can vanish.

    Examples:
        >>> BEGAN(image_shape=(3, 32, 40), backbone=BEGANBackbone(width=8), gamma=0.7).sample(2, seed=0).shape
        torch.Size([2, 3, 32, 40])

    Card: docs/models/began.md; configuration: examples/configs/began_mnist.yaml.
    """

    default_backbone = BEGANBackbone()
    judges_by_energy = True
    scores_have_zero = False
    plateau = "state/convergence_mean"
    k: Tensor
    convergence_mean: Tensor

    def __init__(
        self, *, code_dim: int = 64, vanishing: int = 0, gamma: float = 0.5, k_rate: float = 0.001, **latent: Any
    ) -> None:
        if not 0 < gamma <= 1:
            raise UsageError(f"gamma must be in (0, 1], got {gamma}")
        at_least(0, k_rate=k_rate, vanishing=vanishing)
        at_least(1, code_dim=code_dim)
        self.code_dim, self.vanishing, self.gamma, self.k_rate = code_dim, vanishing, gamma, k_rate
        super().__init__(**latent)
        self.register_buffer("k", torch.zeros(()))
        self.register_buffer("convergence_mean", torch.zeros(()))
        self._energies: list[Tensor] = []

    @property
    def backbone(self) -> Backbone:
        """The options of the networks; with ``vanishing`` their residual connections can fade."""
        backbone: Any = super().backbone
        if self.vanishing and not hasattr(backbone, "vanishing"):
            raise UsageError(
                f"vanishing fades residual connections, which {type(backbone).__name__} does not have; use "
                "BEGANBackbone, or vanishing=0"
            )
        return replace(backbone, vanishing=True) if self.vanishing else backbone

    def make_discriminator(self) -> nn.Module:
        """An autoencoder of the backbone's encoder and generator, whose copies have no bounds."""
        encoder, decoder = (
            make(self.shape, self.code_dim) for make in (self.backbone.encoder, self.backbone.generator)
        )
        return AutoEncoderDiscriminator(encoder, decoder, power=1, bounded=False)

    def generate(self, batch: Batch) -> Fake:
        """Makes as many fakes as the batch has images, after the residual connections have faded a little."""
        if self.vanishing and self.batch_number <= self.vanishing:
            for module in self.modules():
                if isinstance(module, VanishingResidual):
                    module.carry.fill_(1 - self.batch_number / self.vanishing)
        return super().generate(batch)

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Copy reals well, and fakes badly with weight k."""
        real, drawn = (full(self.discriminator(v)).mean() for v in (batch["image"], fake))
        self._energies.append(torch.stack([real, drawn]).detach())
        return {"real": real, "fake": -self.k * drawn}

    def discriminator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The discriminator's turn, then the update of k, for the next batch."""
        self._energies.clear()
        terms = super().discriminator_step(batch, fake)
        energies = torch.stack(self._energies).mean(0)  # of all parts of the batch
        # means over devices, or k and the learning rates of the devices would drift apart
        real, drawn = self.trainer.strategy.reduce(energies, reduce_op="mean")
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
