"""Convolutional encoder and decoder, and the discriminator that is both and judges an image by its copy."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, log2, prod

import torch
from torch import Tensor, nn

from lit_gans.errors import UsageError, at_least
from lit_gans.networks.base import Discriminator, Generator
from lit_gans.networks.blocks import WEIGHTED, Norm, Upsampling, crop, doublings, norm_layers, reparametrise, upsample
from lit_gans.networks.dcgan import DCGANGenerator, halving, initialise
from lit_gans.precision import full

_COARSE = 8  # side of the coarsest map, as nearly as halving comes to it


def levels(image_shape: Sequence[int]) -> int:
    """How many times the encoder halves and the decoder doubles: the short side ends with 6 to 11 pixels.

    Raises:
        UsageError: if a side is below 8 pixels.
    """
    doublings(image_shape)  # refuses what is too small
    return round(log2(min(image_shape[1:]) / _COARSE))


class VanishingResidual(nn.Module):
    """``carry * x + (1 - carry) * layer(x)``: an identity while ``carry`` is 1, the layer alone when it is 0.

    Berthelot et al. 2017, arXiv:1703.10717. ``carry`` is a buffer that training moves from 1 to 0; it begins at 0.
    """

    carry: Tensor

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("carry", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Any tensor that the layer keeps the shape of."""
        return self.carry * x + (1 - self.carry) * self.layer(x)


class ConvEncoder(nn.Module):
    """BEGAN's encoder: pairs of 3x3 convolutions with ELU, halved by a stride of 2, then one linear layer.

    Args:
        image_shape: (channels, height, width) of the images; both sides at least 8.
        code_dim: size of a code.
        width: channels of the finest map; the next has twice as many, the third three times, and so on.
        norm: what normalises the hidden maps or the weights; ``none`` in the paper.
        vanishing: make every layer that keeps its shape a `VanishingResidual`.

    Raises:
        UsageError: if a side is below 8 pixels or ``norm`` is unknown.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        code_dim: int = 64,
        width: int = 64,
        norm: Norm = "none",
        vanishing: bool = False,
    ) -> None:
        super().__init__()
        at_least(1, code_dim=code_dim, width=width)
        channels, height, image_width = image_shape
        n = levels(image_shape)
        layers: list[nn.Module] = [_block(channels, width, norm)]
        for level in range(n + 1):
            features = width * (level + 1)
            layers += [_block(features, features, norm, vanishing=vanishing) for _ in range(2)]
            if level < n:
                layers += [_block(features, features + width, norm, stride=2)]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.project = nn.Linear(features * ceil(height / 2**n) * ceil(image_width / 2**n), code_dim)
        _initialise(self, norm)

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to codes (N, code_dim)."""
        return self.project(self.layers(image.contiguous(memory_format=torch.channels_last)))


class ConvDecoder(Generator):
    """BEGAN's decoder, which is its generator too: one linear layer, then pairs of 3x3 convolutions with ELU, doubled.

    Every map has as many channels. A side that is not a multiple of the last doubling is drawn a few pixels too large
    and cropped around the centre.

    Args:
        image_shape: (channels, height, width) of the images; both sides at least 8.
        latent_dim: size of a code, or of the noise.
        width: channels of every hidden map.
        upsampling: how a map is doubled: ``resize`` (nearest, as in the paper) and ``bilinear`` leave the convolution
            to the layers that follow anyway; ``transposed`` and ``subpixel`` bring one of their own.
        norm: what normalises the hidden maps or the weights; ``none`` in the paper.
        skip: give every doubled map the coarsest one too, resized: the paper's skip connections.
        bounded: end with tanh, so that images are in [-1, 1]; otherwise with the last convolution, as in the paper.
        vanishing: make every layer that keeps its shape a `VanishingResidual`.

    Raises:
        UsageError: if a side is below 8 pixels, or ``upsampling`` or ``norm`` is unknown.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 64,
        width: int = 64,
        upsampling: Upsampling = "resize",
        norm: Norm = "none",
        skip: bool = False,
        bounded: bool = True,
        vanishing: bool = False,
    ) -> None:
        super().__init__()
        at_least(1, latent_dim=latent_dim, width=width)
        self.latent_dim, self.skip, self.bounded = latent_dim, skip, bounded
        channels, self.height, self.width = image_shape
        n = levels(image_shape)
        self.coarse = (width, ceil(self.height / 2**n), ceil(self.width / 2**n))
        self.project = nn.Linear(latent_dim, prod(self.coarse))
        self.levels, self.doubles = nn.ModuleList(), nn.ModuleList()
        for level in range(n + 1):
            widths = [width * (2 if skip and level else 1), width, width]
            self.levels.append(nn.Sequential(*[_block(i, o, norm, vanishing=vanishing) for i, o in pairwise(widths)]))
            if level < n:
                self.doubles.append(_double(width, upsampling, norm))
        self.draw = nn.Conv2d(width, channels, 3, 1, 1)
        _initialise(self, norm)

    def forward(self, code: Tensor) -> Tensor:
        """(N, latent_dim) to (N, C, H, W), in [-1, 1] if ``bounded``."""
        coarse = self.project(code).view(-1, *self.coarse).contiguous(memory_format=torch.channels_last)
        x = self.levels[0](coarse)
        for double, level in zip(self.doubles, self.levels[1:], strict=True):
            x = double(x)
            if self.skip:
                x = torch.cat([x, nn.functional.interpolate(coarse, x.shape[2:])], 1)
            x = level(x)
        image = self.draw(x)
        return crop(image.tanh() if self.bounded else image, self.height, self.width)


class AutoEncoderDiscriminator(Discriminator):
    """Judges an image by its energy: how badly an autoencoder copies it.

    The error is taken inside the module, over whatever it is called with, so that augmented images are compared with
    their own copies.

    Args:
        image_shape: (channels, height, width) of the images to judge; both sides at least 8.
        width: channels of the finest hidden maps.
        code_dim: size of a code; small, or everything is copied well.
        power: an energy is the mean over an image's values of ``|image - copy|**power``: 1 as in BEGAN, 2 as in EBGAN.
        strided: the autoencoder of EBGAN, DCGAN's strided 4x4 convolutions and its generator, in place of BEGAN's
            `ConvEncoder` and `ConvDecoder`.
        norm: what normalises the hidden maps (``batch``, ``layer``) or the weights (``weight``, ``spectral``).
        skip: skip connections in BEGAN's decoder.
        vanishing: make BEGAN's layers that keep their shape `VanishingResidual` ones.

    Raises:
        UsageError: if a side is below 8 pixels, ``power`` is neither 1 nor 2, or ``norm`` is unknown.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        width: int = 64,
        code_dim: int = 64,
        power: int = 1,
        strided: bool = False,
        norm: Norm = "none",
        skip: bool = False,
        vanishing: bool = False,
    ) -> None:
        super().__init__()
        at_least(1, width=width, code_dim=code_dim)
        if power not in (1, 2):
            raise UsageError(f"power must be 1 (absolute errors) or 2 (squared errors), got {power}")
        self.power = power
        self.encoder: nn.Module
        self.decoder: nn.Module
        if strided:
            self.encoder = _strided_encoder(image_shape, code_dim, width, norm)
            self.decoder = DCGANGenerator(image_shape, code_dim, width, norm=norm)
        else:
            self.encoder = ConvEncoder(image_shape, code_dim, width, norm, vanishing)
            self.decoder = ConvDecoder(image_shape, code_dim, width, "resize", norm, skip, False, vanishing)

    def encode(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to codes (N, code_dim)."""
        return self.encoder(image.contiguous(memory_format=torch.channels_last))

    def reconstruct(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to the autoencoder's copy of it."""
        return self.decoder(self.encode(image))

    def forward(self, image: Tensor, return_codes: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """(N, C, H, W) to energies (N,) in float32, and with ``return_codes`` to energies and codes (N, code_dim)."""
        codes = self.encode(image)
        error = (full(self.decoder(codes)) - full(image)).flatten(1)
        energies = error.abs().mean(1) if self.power == 1 else error.square().mean(1)
        return (energies, codes) if return_codes else energies


def _block(in_channels: int, out_channels: int, norm: Norm, stride: int = 1, vanishing: bool = False) -> nn.Module:
    layer = nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, 1), *norm_layers(out_channels, norm), nn.ELU(inplace=True)
    )
    return VanishingResidual(layer) if vanishing and in_channels == out_channels and stride == 1 else layer


def _double(features: int, kind: Upsampling, norm: Norm) -> nn.Module:
    if kind == "resize" or kind == "bilinear":
        return nn.Upsample(scale_factor=2, mode="nearest" if kind == "resize" else kind)
    return nn.Sequential(upsample(features, features, kind, bias=True), *norm_layers(features, norm), nn.ELU())


def _strided_encoder(image_shape: Sequence[int], code_dim: int, width: int, norm: Norm) -> nn.Module:
    """DCGAN's discriminator with a code in place of a logit, and a norm after its first convolution too."""
    layers, size = halving(image_shape, width, norm, normalise_first=True)
    encoder = nn.Sequential(*layers, nn.Linear(size, code_dim))
    initialise(encoder, norm)
    reparametrise(encoder, norm)
    return encoder.to(memory_format=torch.channels_last)


def _initialise(network: nn.Module, norm: Norm) -> None:
    """Glorot's weights, which keep the scale of ELU maps through many layers, and zero biases."""
    for module in network.modules():
        if isinstance(module, WEIGHTED):
            nn.init.xavier_uniform_(module.weight)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    reparametrise(network, norm)
    network.to(memory_format=torch.channels_last)
