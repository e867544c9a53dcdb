"""Encoders and decoders: the convolutional ones of DCGAN's shape, and multi-layer perceptrons for anything."""

from collections.abc import Sequence
from math import prod

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torchmetrics.utilities.distributed import gather_all_tensors

from lit_gans.errors import at_least
from lit_gans.networks.base import Encoder as Encoder
from lit_gans.networks.base import Generator
from lit_gans.networks.blocks import Norm, Upsampling, reparametrise
from lit_gans.networks.dcgan import DCGANGenerator, halving, initialise
from lit_gans.networks.mlp import MLPGenerator, perceptron
from lit_gans.precision import full, without_autocast

_MEMORY = 0.99  # share of the old statistics that a batch of codes leaves, at most


class Decoder(Generator):
    """Maps codes (N, latent_dim) to images (N, C, H, W) in [-1, 1] as ``tanh(logits(code) / 2)``.

    That is ``2 sigmoid(logits) - 1``: ``logits`` are those of each value being 1 and not -1.
    """

    def logits(self, code: Tensor) -> Tensor:
        """(N, latent_dim) to unbounded (N, C, H, W)."""
        raise NotImplementedError

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to (N, C, H, W) in [-1, 1]."""
        return (without_autocast(self.logits(noise)) / 2).tanh()


class DCGANEncoder(Encoder):
    """Strided convolutions with a norm and leaky ReLU, as in a DCGAN's discriminator, then one linear layer.

    Args:
        image_shape: (channels, height, width); both sides at least 8.
        outputs: numbers an image.
        width: channels after the first convolution; each further one has twice as many, up to eight times.
        norm: ``layer`` or ``batch`` norm on all maps, ``weight`` or ``spectral`` norm on all weights, or ``none``.

    Raises:
        UsageError: if a side is below 8 pixels or ``norm`` is unknown.

    Examples:
        >>> DCGANEncoder((3, 20, 17), outputs=5, width=4)(torch.randn(2, 3, 20, 17)).shape
        torch.Size([2, 5])
    """

    def __init__(self, image_shape: Sequence[int], outputs: int, width: int = 32, norm: Norm = "layer") -> None:
        super().__init__()
        at_least(1, outputs=outputs, width=width)
        self.layers, size = halving(image_shape, width, norm, normalise_first=True)
        self.encode = nn.Linear(size, outputs)
        initialise(self, norm)
        reparametrise(self, norm)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to (N, outputs)."""
        return self.encode(self.layers(image.contiguous(memory_format=torch.channels_last)))


class DCGANDecoder(DCGANGenerator, Decoder):
    """A DCGAN's generator with its logits in reach.

    Args:
        image_shape: (channels, height, width); both sides at least 8.
        latent_dim: size of a code.
        width: channels of the finest hidden map; each coarser one has twice as many, up to eight times.
        upsampling: how a map is doubled, see `DCGANGenerator`.
        norm: ``layer`` or ``batch`` norm on all hidden maps, ``weight`` or ``spectral`` norm on all weights, or
            ``none``.

    Raises:
        UsageError: if a side is below 8 pixels, or ``upsampling`` or ``norm`` is unknown.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 20,
        width: int = 32,
        upsampling: Upsampling = "transposed",
        norm: Norm = "layer",
    ) -> None:
        super().__init__(image_shape, latent_dim, width, upsampling, norm)
        self.layers = self.layers[:-1]  # without the tanh

    def logits(self, code: Tensor) -> Tensor:
        """(N, latent_dim) to unbounded (N, C, H, W)."""
        return super().forward(code)  # the generator's, whose tanh is gone

    forward = Decoder.forward


class MLPEncoder(Encoder):
    """A flattened image through fully connected layers.

    Args:
        image_shape: (channels, height, width).
        outputs: numbers an image.
        hidden: widths of the hidden layers, from the image inwards.
        norm: ``batch`` or ``layer`` norm on the hidden layers, ``weight`` or ``spectral`` norm on all weights, or
            ``none``.

    Raises:
        UsageError: if ``norm`` is unknown.
    """

    def __init__(
        self, image_shape: Sequence[int], outputs: int, hidden: Sequence[int] = (512, 512), norm: Norm = "none"
    ) -> None:
        super().__init__()
        at_least(1, outputs=outputs, hidden=hidden)
        self.layers = nn.Sequential(nn.Flatten(), *perceptron(prod(image_shape), hidden, outputs, norm))
        reparametrise(self, norm)

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to (N, outputs)."""
        return self.layers(image)


class MLPDecoder(MLPGenerator, Decoder):
    """An `MLPGenerator` with its logits in reach.

    Args:
        image_shape: (channels, height, width).
        latent_dim: size of a code.
        hidden: widths of the hidden layers, from the code outwards.
        norm: ``batch`` or ``layer`` norm on the hidden layers, ``weight`` or ``spectral`` norm on all weights, or
            ``none``.

    Raises:
        UsageError: if ``norm`` is unknown.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 20,
        hidden: Sequence[int] = (512, 512),
        norm: Norm = "none",
    ) -> None:
        super().__init__(image_shape, latent_dim, hidden, norm)
        self.layers = self.layers[:-1]  # without the tanh

    def logits(self, code: Tensor) -> Tensor:
        """(N, latent_dim) to unbounded (N, C, H, W)."""
        return super().forward(code)  # the generator's, whose tanh is gone

    forward = Decoder.forward


class GaussianCodes(Generator):
    """A decoder behind a Gaussian fitted to the codes it is trained on, so that it can draw from N(0, I).

    ``forward(noise)`` decodes ``mean + covariance^(1/2) noise``, with the symmetric root, which moves as little as its
    matrix does. Codes move while an encoder learns, so that both statistics forget: a batch leaves 0.99 of them, and
    less at first.

    Args:
        decoder: any module that maps (N, latent_dim) codes to (N, C, H, W) in [-1, 1] and has an int ``latent_dim``.
    """

    mean: Tensor
    covariance: Tensor
    batches: Tensor

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder
        self.latent_dim: int = decoder.latent_dim  # type: ignore[assignment]
        self.register_buffer("mean", torch.zeros(self.latent_dim))
        self.register_buffer("covariance", torch.eye(self.latent_dim))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) from N(0, I) to (N, C, H, W) in [-1, 1]."""
        return self.decoder(self.codes(noise))

    def codes(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) from N(0, I) to as many codes, in float32."""
        with torch.autocast(noise.device.type, enabled=False):
            values, vectors = torch.linalg.eigh(full(self.covariance))
            root = vectors * values.clamp_min(0).sqrt() @ vectors.T
            return (self.mean + full(noise) @ root).to(self.mean.dtype)

    @torch.no_grad()
    def observe(self, codes: Tensor) -> None:
        """Takes a batch of codes (N, latent_dim) into the statistics; on several devices the codes of all of them."""
        if dist.is_available() and dist.is_initialized():
            codes = torch.cat(gather_all_tensors(codes.detach()))
        with torch.autocast(codes.device.type, enabled=False):
            codes = full(codes.detach())
            share = 1 - ((1 + self.batches) / (10 + self.batches)).clamp_max(_MEMORY)
            mean = codes.mean(0)
            centred, shift = codes - mean, mean - self.mean
            own = centred.T @ centred / len(codes)
            self.covariance.lerp_(own + (1 - share) * torch.outer(shift, shift), share)
            self.mean.lerp_(mean, share)
            self.batches += 1
