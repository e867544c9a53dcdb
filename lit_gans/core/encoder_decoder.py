"""Models that learn to code images and to decode them again, without a game."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from lit_gans.core.checks import refuse_backbone, refuse_no_network
from lit_gans.core.generative import Batch
from lit_gans.core.joint import JointModel
from lit_gans.core.sampling import noise_size, with_latent_dim
from lit_gans.errors import UsageError, at_least, one
from lit_gans.likelihoods import bernoulli
from lit_gans.losses import Terms
from lit_gans.networks import DCGANBackbone, MLPBackbone
from lit_gans.networks.base import Backbone, evaluating, has_logits, in_parts, refuse_without_logits
from lit_gans.networks.codes import Decoder
from lit_gans.optim import ExponentialAverage
from lit_gans.precision import full

Likelihood = Literal["gaussian", "bernoulli"]

_SMALL = MLPBackbone((128, 128), (128, 128), latent_dim=20)


class EncoderDecoder(JointModel):
    """An encoder, a decoder (the generator) and one optimizer for both.

    A variant writes the objective. The rest is here: images to codes and back, samples from the decoder, averages of
    both networks, logging.

    Args:
        encoder: maps (N, C, H, W) to (N, outputs), as many outputs as the variant says.
        generator: maps codes (N, latent_dim) to (N, C, H, W) in [-1, 1].
        backbone: makes the networks that are not given; by default DCGAN's with layer norm, or an MLP
            for images with a side below 8 pixels.
        latent_dim: size of a code; by default the given generator's own ``latent_dim``, or the backbone's.
        likelihood: the distribution of an image x around its copy x': ``gaussian``, or ``bernoulli``, values that are
            1 or -1 with mean x', which needs a generator with ``logits``.
        model: arguments of `JointModel`: optimizer, scheduler, image_shape, clip_norm and ema_decay.

    Raises:
        UsageError: if an argument is out of range, the generator lacks what the likelihood needs, or a backbone comes
            with two networks.
    """

    encoder: nn.Module
    players: ClassVar[tuple[str, ...]] = ("encoder", "generator")
    needs: ClassVar[tuple[str, ...]] = ("image",)
    draws: ClassVar[bool] = True
    default_backbone: ClassVar[Backbone] = DCGANBackbone(
        width=32, latent_dim=20, generator_norm="layer", discriminator_norm="layer"
    )
    #: outputs of the encoder for each dimension of the code
    outputs: ClassVar[int] = 1

    def __init__(
        self,
        *,
        encoder: nn.Module | None = None,
        generator: nn.Module | None = None,
        backbone: Backbone | None = None,
        latent_dim: int | None = None,
        likelihood: Likelihood = "gaussian",
        **model: Any,
    ) -> None:
        at_least(1, latent_dim=latent_dim)
        self._backbone, self._asked_dim = backbone, latent_dim
        super().__init__(**model)
        refuse_backbone(self, backbone, Backbone, encoder=encoder, generator=generator)
        if likelihood not in get_args(Likelihood):
            raise UsageError(f"likelihood must be 'gaussian' or 'bernoulli', got {likelihood!r}")
        refuse_no_network("generator", generator)
        refuse_no_network("encoder", encoder)
        # the decoder is made first, then the encoder, then both averages
        self.set_generator(self.made_drawing(self.make_generator() if generator is None else generator))
        self.latent_dim = noise_size(self._decoder(self.generator), latent_dim)
        self.encoder = self.make_encoder() if encoder is None else encoder
        self.encoder_ema = ExponentialAverage(self.encoder, self.ema_decay) if self.ema_decay else None
        if likelihood == "bernoulli":
            refuse_without_logits(self._decoder(self.generator), "likelihood='bernoulli' needs the generator's logits")
        self.likelihood = likelihood

    @property
    def backbone(self) -> Backbone:
        """The backbone of the default networks: the one that was given, else DCGAN's or an MLP."""
        if self._backbone is not None:
            return self._backbone
        return self.default_backbone if self.default_backbone.suits(self.shape) else _SMALL

    def make_generator(self) -> nn.Module:
        """The backbone's generator, read as a decoder: the sigmoid of its outputs, in [-1, 1]."""
        size = self._asked_dim or self.backbone.latent_dim
        network = with_latent_dim(self.backbone.generator(self.shape, size), size)
        return Decoder(network) if has_logits(network) else network

    def make_encoder(self) -> nn.Module:
        """The backbone's encoder."""
        return self.backbone.encoder(self.shape, self.outputs * (self.latent_dim or 0))

    def made_drawing(self, decoder: nn.Module) -> nn.Module:
        """Makes a generator from noise out of a decoder of codes: the decoder itself, where codes are like noise."""
        return decoder

    # ---------------------------------------------------------------- a variant writes these

    @abstractmethod
    def objective(self, images: Tensor) -> Terms:
        """The terms, means over the batch, whose sum the encoder and the decoder minimise."""

    @abstractmethod
    def held_out(self, images: Tensor, seed: int) -> Terms:
        """Named means over a batch of validation images, by the averaged networks."""

    def _decoder(self, generator: nn.Module) -> Any:
        """The part of the generator that maps codes, rather than noise, to images."""
        return generator

    # ---------------------------------------------------------------- images to codes and back

    @contextmanager
    def inference_encoder(self) -> Iterator[nn.Module]:
        """The averaged encoder (the plain one if there is no average) in evaluation mode, put back afterwards."""
        network = self.encoder if self.encoder_ema is None else self.encoder_ema.following(self.encoder)
        with evaluating(network):
            yield network

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Codes (N, latent_dim) of images (N, C, H, W) in [-1, 1], by the averaged encoder.

        Raises:
            UsageError: if they are no images, or of another shape than the model's.
        """
        images = self.usable_images(images, f"{one(self)} encodes")
        if tuple(images.shape[1:]) != tuple(self.shape):
            raise UsageError(
                f"this {type(self).__name__} encodes images of shape {tuple(self.shape)}, got "
                f"{tuple(images.shape[1:])}; resize them"
            )
        with self.inference_encoder() as encoder:
            return in_parts(lambda part: self.encoded(encoder, part)[0], images, like=self._like())

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] of codes (N, latent_dim), by the averaged decoder."""
        with self.inference_generator() as generator:
            return in_parts(self._decoder(generator), codes, like=self._like())

    def reconstruct(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1], encoded and decoded again."""
        return self.decode(self.encode(images))

    def sample(
        self, n: int = 64, *, seed: int | None = None, noise: Tensor | None = None, truncation: float = 1.0
    ) -> Tensor:
        """Draws images from the averaged decoder (the plain one if ``ema_decay=0``).

        Args:
            n: how many images.
            seed: makes the draw repeatable, on any device; without it the global random state is used.
            noise: (n, latent_dim) noise to use in place of a draw; ``n`` and ``seed`` are then ignored.
            truncation: a factor on the noise; below 1 images are more typical and less varied.

        Returns:
            (n, C, H, W) float32 in [-1, 1], without the likelihood's noise.
        """
        return self.draw(n, seed, noise, truncation=truncation)

    def encoded(self, encoder: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
        """Runs the encoder and splits its output into ``outputs`` float32 tensors (N, latent_dim).

        They are the code, or mean and log-variance.

        Raises:
            UsageError: if the encoder's output has another shape.
        """
        given, size = full(encoder(images)), self.latent_dim or 0
        if given.shape != (len(images), self.outputs * size):
            times = f"{self.outputs} numbers for each of" if self.outputs > 1 else "a code of"
            raise UsageError(
                f"{type(self).__name__}'s encoder must give {times} the generator's latent_dim={size} "
                f"dimensions: {(len(images), self.outputs * size)}, got {tuple(given.shape)}"
            )
        return given.chunk(self.outputs, 1)  # (N, outputs * latent_dim) to (N, latent_dim) each

    def log_likelihood(self, generator: nn.Module, images: Tensor, codes: Tensor) -> Tensor:
        """Log-likelihoods (N,) of images in nats, under the distribution that codes (N, latent_dim) are decoded to."""
        decoder, codes = self._decoder(generator), codes.to(self.dtype)
        if self.likelihood == "bernoulli":
            return bernoulli(images, 2 * decoder.logits(codes))  # 2 sigmoid(2 x) - 1 = tanh(x)
        return self.gaussian_log_likelihood(images, decoder(codes))

    @abstractmethod
    def gaussian_log_likelihood(self, images: Tensor, mean: Tensor) -> Tensor:
        """Log-likelihoods (N,) of images under a Gaussian around ``mean`` (N, C, H, W)."""

    # ---------------------------------------------------------------- training

    def loss(self, batch: Batch) -> Terms:
        """The variant's `objective` for a batch's images."""
        return self.objective(batch[self.subject])

    def averages(self) -> list[tuple[ExponentialAverage, nn.Module]]:
        """The averages of the decoder and of the encoder, with the networks that they follow."""
        return super().averages() + ([] if self.encoder_ema is None else [(self.encoder_ema, self.encoder)])

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Logs the variant's terms of held-out images, and the mean squared error of their reconstructions.

        In a validation the names begin with ``val/``, in a test with ``test/``; ``val/mse`` is a mean over pixels, of
        values in [-1, 1].

        Returns:
            As many samples as the batch has images, as ``fake``, the same ones at every validation, and as ``shown``
            the images and their reconstructions, for pictures side by side.
        """
        images = self.receive(batch)[self.subject]
        reconstruction = self.reconstruct(images)
        terms = {**self.held_out(images, self.number(batch_idx)), "mse": (reconstruction - images).square().mean()}
        self.log_dict(
            {f"{self.stage_name}/{name}": term for name, term in terms.items()}, batch_size=len(images), sync_dist=True
        )
        return {
            "fake": self.sample(len(images), seed=self.number(batch_idx)),
            "shown": {"image": images, "reconstruction": reconstruction},
        }
