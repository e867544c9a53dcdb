"""The deterministic autoencoder."""

from typing import Any

import torch
from torch import Tensor, nn

from lit_gans.core.encoder_decoder import EncoderDecoder, Likelihood, default_decoder, default_encoder, fitted
from lit_gans.core.generative import ImageShape
from lit_gans.families import noise_size
from lit_gans.losses import Terms
from lit_gans.networks.base import Generator
from lit_gans.networks.encoders import Encoder
from lit_gans.precision import full


class AutoEncoder(EncoderDecoder):
    """Images through a narrow code and back: a baseline that reconstructs well and was not made to draw.

    Hinton & Salakhutdinov 2006, *Reducing the Dimensionality of Data with Neural Networks*, Science 313,
    doi:10.1126/science.1127647; trained as a whole, without that paper's layers of restricted Boltzmann machines.

    Encoder e and decoder d minimise `1/2 E |x - d(e(x))|^2`, summed over pixels (``gaussian``), or the cross-entropy
    between x and d(e(x)) as probabilities of white (``bernoulli``).

    It has no prior. Samples decode draws from a Gaussian that is fitted to the codes: ``generator`` maps noise from
    N(0, I) through their running mean and covariance (`GaussianCodes`), ``decode`` maps codes.

    Good at: small reconstruction errors, compression, features. Bad at: samples, since most codes are no Gaussian.

    Args:
        encoder: a network from images to codes (N, latent_dim); by default `DCGANEncoder`, or `MLPEncoder` if a side is
            below 8 pixels.
        generator: a network from codes to images in [-1, 1], with an int ``latent_dim``; by default the encoder's
            counterpart.
        image_shape: (channels, height, width); needed by the default networks.
        latent_dim: size of a code, for the default generator.
        width: channels of the finest hidden maps (a quarter of an MLP's units), for the default networks.
        likelihood: ``gaussian`` or ``bernoulli``, for images that are nearly black and white.
        model: arguments of `EncoderDecoder`: optimizer, scheduler, clip_norm and ema_decay.

    Examples:
        >>> model = AutoEncoder(image_shape=(1, 28, 28), width=8)
        >>> model.reconstruct(torch.zeros(3, 1, 28, 28)).shape, model.sample(2, seed=0).shape
        (torch.Size([3, 1, 28, 28]), torch.Size([2, 1, 28, 28]))
    """

    generator: Any

    def __init__(
        self,
        encoder: Encoder | None = None,
        generator: Generator | None = None,
        *,
        image_shape: ImageShape | None = None,
        latent_dim: int = 20,
        width: int = 32,
        likelihood: Likelihood = "gaussian",
        **model: Any,
    ) -> None:
        decoder = default_decoder(image_shape, latent_dim, width) if generator is None else generator
        coder = default_encoder(image_shape, noise_size(decoder), width) if encoder is None else encoder
        super().__init__(coder, fitted(decoder), image_shape=image_shape, likelihood=likelihood, **model)

    def objective(self, images: Tensor) -> Terms:
        """The reconstruction error; the codes are noted."""
        (codes,) = self.statistics(self.encoder, images)
        self.generator.observe(codes)
        return {"reconstruction": -self.log_likelihood(self.generator, images, codes).mean()}

    @torch.no_grad()
    def held_out(self, images: Tensor, seed: int) -> Terms:
        """The reconstruction error."""
        codes = self.encode(images)
        with self.inference_generator() as generator:
            return {"loss": -self.log_likelihood(generator, images, codes).mean()}

    def gaussian_log_likelihood(self, images: Tensor, mean: Tensor) -> Tensor:
        """Of unit variance, without its constant."""
        return -0.5 * (full(images) - full(mean)).square().flatten(1).sum(1)

    def _decoder(self, generator: nn.Module) -> Any:
        return generator.decoder
