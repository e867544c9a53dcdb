"""The deterministic autoencoder."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from lit_gans.core.encoder_decoder import EncoderDecoder
from lit_gans.core.sampling import noise_size
from lit_gans.losses import Terms
from lit_gans.networks import GaussianCodes
from lit_gans.precision import full


class AutoEncoder(EncoderDecoder):
    """Maps images to short codes and back: a baseline that reconstructs well, but was not made to draw.

    Hinton & Salakhutdinov 2006, *Reducing the Dimensionality of Data with Neural Networks*, Science 313,
    doi:10.1126/science.1127647; trained as a whole, without that paper's layers of restricted Boltzmann machines.

    Encoder e and decoder d minimise `1/2 E |x - d(e(x))|^2`, summed over pixels (``gaussian``), or the cross-entropy
    between x and d(e(x)) as probabilities of white (``bernoulli``).

    It has no prior. For samples a Gaussian is fitted to the codes: ``generator`` moves noise from N(0, I) to their
    running mean and covariance before it decodes (`GaussianCodes`); ``decode`` takes codes as they are.

    Good at: small reconstruction errors, compression, features. Bad at: samples, since codes are seldom Gaussian.

    The arguments are `EncoderDecoder`'s.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> model = AutoEncoder(image_shape=(1, 28, 28), backbone=DCGANBackbone(width=8), latent_dim=20)
        >>> model.reconstruct(torch.zeros(3, 1, 28, 28)).shape, model.sample(2, seed=0).shape
        (torch.Size([3, 1, 28, 28]), torch.Size([2, 1, 28, 28]))

    Card: docs/models/autoencoder.md; configuration: examples/configs/autoencoder_mnist.yaml.
    """

    generator: Any

    def made_drawing(self, decoder: nn.Module) -> nn.Module:
        """The decoder, with a Gaussian before it that is fitted to its codes."""
        return GaussianCodes(decoder, noise_size(decoder, self._asked_dim))

    def exported_part(self) -> nn.Module:
        """The decoder behind one linear layer, since the root of a matrix is no layer that files can hold."""
        return cast(GaussianCodes, super().exported_part()).as_layers()

    def objective(self, images: Tensor) -> Terms:
        """The reconstruction error; also fits the Gaussian to the codes."""
        (codes,) = self.encoded(self.encoder, images)
        self.generator.observe(codes)
        return {"reconstruction": -self.log_likelihood(self.generator, images, codes).mean()}

    @torch.no_grad()
    def held_out(self, images: Tensor, seed: int) -> Terms:
        """The reconstruction error, as ``loss``."""
        codes = self.encode(images)
        with self.inference_generator() as generator:
            return {"loss": -self.log_likelihood(generator, images, codes).mean()}

    def gaussian_log_likelihood(self, images: Tensor, mean: Tensor) -> Tensor:
        """The log-density of unit variance without its constant, (N,)."""
        return -0.5 * (full(images) - full(mean)).square().flatten(1).sum(1)

    def _decoder(self, generator: nn.Module) -> Any:
        return generator.decoder
