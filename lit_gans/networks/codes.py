"""Generators made from decoders: one with the outputs that a likelihood needs, one that draws its own codes."""

from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lit_gans.networks.base import Generator, refuse_without_logits
from lit_gans.precision import full, without_autocast

_MEMORY = 0.99  # share of the old statistics that one update keeps, at most


class Decoder(Generator):
    """A generator whose outputs l are log-odds of white and not black: images are ``2 sigmoid(l) - 1``.

    That is ``tanh(l / 2)``, the mean of values that are 1 or -1. So ``logits`` are half of the generator's own logits.
    They are float32 under autocast too, because a likelihood depends on small differences.

    Args:
        generator: maps codes (N, latent_dim) to (N, C, H, W), with ``logits``, such as a backbone's.

    Raises:
        UsageError: if it does not have ``logits``.
    """

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        refuse_without_logits(generator, "a decoder takes its images from the generator's logits")
        self.generator = generator
        self.latent_dim: int = generator.latent_dim  # type: ignore[assignment]

    def logits(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to unbounded (N, C, H, W), half the log-odds that a value is 1 and not -1."""
        return without_autocast(cast(Generator, self.generator).logits(noise)) / 2


class GaussianCodes(Generator):
    """A decoder behind a Gaussian fitted to the codes it is trained on, so that it can draw from N(0, I).

    ``forward(noise)`` decodes ``mean + covariance^(1/2) noise``. The root is the symmetric one, which changes little
    where its matrix changes little. Codes move while an encoder learns, so both statistics are running ones: an update
    keeps 0.99 of them, and less at first.

    Args:
        decoder: any module that maps (N, latent_dim) codes to (N, C, H, W) in [-1, 1].
        latent_dim: size of a code; by default the decoder's own ``latent_dim``.
    """

    mean: Tensor
    covariance: Tensor
    batches: Tensor

    def __init__(self, decoder: nn.Module, latent_dim: int | None = None) -> None:
        super().__init__()
        self.decoder = decoder
        self.latent_dim: int = latent_dim or decoder.latent_dim  # type: ignore[assignment]
        self.register_buffer("mean", torch.zeros(self.latent_dim))
        self.register_buffer("covariance", torch.eye(self.latent_dim))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) from N(0, I) to (N, C, H, W) in [-1, 1]."""
        return self.decoder(self.codes(noise))

    def logits(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) from N(0, I) to unbounded (N, C, H, W), where the decoder has logits."""
        return cast(Generator, self.decoder).logits(self.codes(noise))

    def codes(self, noise: Tensor) -> Tensor:
        """Noise (N, latent_dim) from N(0, I) to codes (N, latent_dim), computed in float32."""
        with torch.autocast(noise.device.type, enabled=False):
            return (self.mean + full(noise) @ self._root()).to(self.mean.dtype)

    def _root(self) -> Tensor:
        """The symmetric root (latent_dim, latent_dim) of the covariance."""
        values, vectors = torch.linalg.eigh(full(self.covariance))
        return vectors * values.clamp_min(0).sqrt() @ vectors.T

    @torch.no_grad()
    def as_layers(self) -> nn.Sequential:
        """The same function with the statistics of now: a linear layer from noise to codes, and the decoder."""
        first = nn.Linear(self.latent_dim, self.latent_dim, device=self.mean.device)
        first.weight.copy_(self._root().T)
        first.bias.copy_(full(self.mean))
        return nn.Sequential(first, self.decoder)

    @torch.no_grad()
    def observe(self, codes: Tensor) -> None:
        """Updates the statistics with a batch of codes (N, latent_dim), on several devices with the codes of all."""
        if dist.is_available() and dist.is_initialized():
            from torchmetrics.utilities.distributed import gather_all_tensors  # slow to import

            codes = torch.cat(gather_all_tensors(codes.detach()))
        with torch.autocast(codes.device.type, enabled=False):
            codes = full(codes.detach())
            share = 1 - ((1 + self.batches) / (10 + self.batches)).clamp_max(_MEMORY)
            mean = codes.mean(0)
            centred, shift = codes - mean, mean - self.mean
            own = centred.T @ centred / len(codes)  # (latent_dim, latent_dim)
            self.covariance.lerp_(own + (1 - share) * torch.outer(shift, shift), share)
            self.mean.lerp_(mean, share)
            self.batches += 1
