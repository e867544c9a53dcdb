"""The discriminator that judges an image by how well it copies it."""

from typing import Any, cast

from torch import Tensor, nn

from lit_gans.errors import UsageError
from lit_gans.networks.base import Discriminator, Generator, refuse_without_logits
from lit_gans.precision import full


class AutoEncoderDiscriminator(Discriminator):
    """Judges an image by its energy: the error of an autoencoder's copy of it.

    The error is computed inside the module, so that augmented images are compared with their own copies.

    Args:
        encoder: any module from (N, C, H, W) to codes (N, size), such as a backbone's encoder. Codes should be small,
            because with large ones fakes are copied well too.
        decoder: a generator from codes (N, size) to images (N, C, H, W), such as a backbone's.
        power: the energy is the mean of ``|image - copy|**power`` over an image's values; 1 in BEGAN, 2 in EBGAN.
        bounded: whether copies are in [-1, 1], as in EBGAN, or the decoder's ``logits``, as in BEGAN.

    Raises:
        UsageError: if ``power`` is neither 1 nor 2, or copies are not bounded and the decoder does not have ``logits``.

    Examples:
        >>> import torch
        >>> from lit_gans.networks import BEGANBackbone
        >>> backbone, shape = BEGANBackbone(width=4), (3, 16, 16)
        >>> autoencoder = backbone.encoder(shape, outputs=8), backbone.generator(shape, inputs=8)
        >>> AutoEncoderDiscriminator(*autoencoder, bounded=False)(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2])
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, power: int = 1, bounded: bool = True) -> None:
        super().__init__()
        if power not in (1, 2):
            raise UsageError(f"power must be 1 (absolute errors) or 2 (squared errors), got {power}")
        if not bounded:
            refuse_without_logits(decoder, "unbounded copies are the decoder's logits")
        self.encoder, self.decoder, self.power, self.bounded = encoder, decoder, power, bounded

    def encode(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to codes (N, size)."""
        return self.encoder(image)

    def decode(self, code: Tensor) -> Tensor:
        """(N, size) to copies (N, C, H, W), in [-1, 1] if ``bounded``."""
        return self.decoder(code) if self.bounded else cast(Generator, self.decoder).logits(code)

    def reconstruct(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to the autoencoder's copies (N, C, H, W)."""
        return self.decode(self.encode(image))

    def forward(self, image: Tensor, return_codes: bool = False) -> Any:
        """(N, C, H, W) to energies (N,) in float32, and with ``return_codes`` to energies and codes (N, size)."""
        codes = self.encode(image)
        error = (full(self.decode(codes)) - full(image)).flatten(1)  # (N, values of an image)
        energies = error.abs().mean(1) if self.power == 1 else error.square().mean(1)
        return (energies, codes) if return_codes else energies
