"""EncoderDecoder: models that learn to give back what they are shown, without a game."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ClassVar, Literal, get_args

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lit_gans.core.checks import checked_terms, refuse_idle
from lit_gans.core.generative import GenerativeModel, ImageShape
from lit_gans.core.gradients import parameters_of, reduce_gradients
from lit_gans.errors import UsageError
from lit_gans.families import draw, noise_size, required
from lit_gans.likelihoods import bernoulli
from lit_gans.losses import Terms
from lit_gans.networks.base import Generator, evaluating
from lit_gans.networks.encoders import DCGANDecoder, DCGANEncoder, Encoder, GaussianCodes, MLPDecoder, MLPEncoder
from lit_gans.optim import Adam, ExponentialAverage, named
from lit_gans.precision import full

Likelihood = Literal["gaussian", "bernoulli"]

_CHUNK = 500  # images coded at once: enough to be fast, few enough for any memory
_MLP_BELOW = 8  # images with a side below so many pixels get MLPs by default


class EncoderDecoder(GenerativeModel):
    """An encoder, a decoder (the generator) and one optimizer for both, by Lightning's automatic optimization.

    A variant says what is minimised. The rest is here: images to codes and back, samples from the decoder, averages of
    both networks, logging. One batch is one step.

    Args:
        encoder: maps (N, C, H, W) to (N, outputs), as many outputs as the variant says.
        generator: maps noise (N, latent_dim) to (N, C, H, W) in [-1, 1] and has an int ``latent_dim``.
        likelihood: what a decoded image x' says of an image x: ``gaussian``, values around x', or ``bernoulli``, values
            that are 1 or -1 with mean x', which needs a generator with ``logits``.
        optimizer: makes the optimizer from all parameters: a class or ``functools.partial``.
        scheduler: makes the learning-rate schedule, which is stepped once a batch.
        model: arguments of `GenerativeModel`: image_shape, num_classes, clip_norm and ema_decay.

    Raises:
        UsageError: if an argument is out of range, the generator lacks what the likelihood needs, or a factory cannot
            be named in a checkpoint.
    """

    encoder: nn.Module
    players: ClassVar[tuple[str, ...]] = ("encoder", "generator")
    needs = ("image",)
    #: outputs of the encoder for each dimension of the code
    outputs: ClassVar[int] = 1

    def __init__(
        self,
        encoder: nn.Module,
        generator: nn.Module,
        *,
        likelihood: Likelihood = "gaussian",
        optimizer: OptimizerCallable = Adam,
        scheduler: LRSchedulerCallable | None = None,
        **model: Any,
    ) -> None:
        super().__init__(generator, **model)
        if likelihood not in get_args(Likelihood):
            raise UsageError(f"likelihood must be 'gaussian' or 'bernoulli', got {likelihood!r}")
        decoder = self._decoder(generator)
        if likelihood == "bernoulli" and not callable(getattr(decoder, "logits", None)):
            raise UsageError(
                f"the bernoulli likelihood needs logits, but the generator {type(decoder).__name__} has no method "
                "'logits'; use DCGANDecoder or MLPDecoder, or likelihood='gaussian'"
            )
        self.latent_dim = noise_size(generator)
        self.likelihood = likelihood
        self.encoder = encoder
        decay = self.generator_ema.decay if self.generator_ema is not None else 0
        self.encoder_ema = ExponentialAverage(encoder, decay) if decay else None
        self.optimizer_factory = named("optimizer", optimizer, again=True)
        self.scheduler_factory = named("scheduler", scheduler)
        self._followed = -1
        self._reduced: set[int] = set()

    # ---------------------------------------------------------------- what a variant writes

    @abstractmethod
    def objective(self, images: Tensor) -> Terms:
        """The terms, means over the batch, that the encoder and the decoder minimise the sum of."""

    @abstractmethod
    def held_out(self, images: Tensor, seed: int) -> Terms:
        """Means over a batch of validation images, by the averaged networks."""

    def _decoder(self, generator: nn.Module) -> Any:
        """What maps codes, rather than noise, to images."""
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
        """Codes (N, latent_dim) of images (N, C, H, W) in [-1, 1], by the averaged encoder."""
        with self.inference_encoder() as encoder:
            parts = [self.statistics(encoder, part.to(self.device, self.dtype))[0] for part in images.split(_CHUNK)]
        return torch.cat(parts)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] of codes (N, latent_dim), by the averaged decoder."""
        with self.inference_generator() as generator:
            decoder = self._decoder(generator)
            return torch.cat([decoder(part.to(self.device, self.dtype)).float() for part in codes.split(_CHUNK)])

    def reconstruct(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1], coded and decoded."""
        return self.decode(self.encode(images))

    def sample(self, n: int = 64, *, seed: int | None = None, noise: Tensor | None = None) -> Tensor:
        """Draws images from the averaged decoder (the plain one if ``ema_decay=0``).

        Args:
            n: how many images.
            seed: makes the draw repeatable, on any device; without it the global random state is used.
            noise: (n, latent_dim) noise to use in place of a draw; ``n`` and ``seed`` are then ignored.

        Returns:
            (n, C, H, W) float32 in [-1, 1], without the likelihood's noise.
        """
        return draw(self, self.latent_dim, n, seed, noise)

    def statistics(self, encoder: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
        """What an encoder says of images: as many (N, latent_dim) float32 tensors as the variant asks for.

        Raises:
            UsageError: if it gives another shape.
        """
        given = full(encoder(images))
        if given.shape != (len(images), self.outputs * self.latent_dim):
            times = f"{self.outputs} numbers for each of" if self.outputs > 1 else "a code of"
            raise UsageError(
                f"{type(self).__name__}'s encoder must give {times} the generator's latent_dim={self.latent_dim} "
                f"dimensions: {(len(images), self.outputs * self.latent_dim)}, got {tuple(given.shape)}"
            )
        return given.chunk(self.outputs, 1)

    def log_likelihood(self, generator: nn.Module, images: Tensor, codes: Tensor) -> Tensor:
        """How likely images are (N,) under the distribution that codes (N, latent_dim) are decoded to, in nats."""
        decoder, codes = self._decoder(generator), codes.to(self.dtype)
        if self.likelihood == "bernoulli":
            return bernoulli(images, decoder.logits(codes))
        return self.gaussian_log_likelihood(images, decoder(codes))

    @abstractmethod
    def gaussian_log_likelihood(self, images: Tensor, mean: Tensor) -> Tensor:
        """(N,), of images under a Gaussian around ``mean``."""

    # ---------------------------------------------------------------- training

    def training_step(self, batch: Any, batch_idx: int) -> Terms:
        """One batch: every term and, as ``loss``, their sum."""
        terms = checked_terms("model", self.objective(self.receive(batch)["image"]))
        loss = torch.stack(list(terms.values())).sum()
        shown = {name: term.detach() for name, term in {**terms, "loss": loss}.items()}
        if self.trainer.world_size > 1:  # the devices' mean: all of them stop here, or none
            values = self.trainer.strategy.reduce(torch.stack(list(shown.values())), reduce_op="mean")
            shown = dict(zip(shown, values.unbind(), strict=True))
        self._refuse_nonfinite("model", shown)
        self._log_terms(shown)
        return {**shown, "loss": loss}

    def on_fit_start(self) -> None:
        """Also keeps in mind whose gradients DDP averages over devices: those of what is not frozen by now."""
        super().on_fit_start()
        self._reduced = {id(p) for p in self.parameters() if p.requires_grad}

    def backward(self, loss: Tensor, *arguments: Any, **options: Any) -> None:
        """Lightning's; on several devices also averages the gradients of what a callback has unfrozen since."""
        super().backward(loss, *arguments, **options)
        if self.trainer.world_size > 1:
            reduce_gradients(p for p in self.parameters() if p.requires_grad and id(p) not in self._reduced)

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        """Lightning's, then the averages, which must be done before any callback can save."""
        super().optimizer_step(*arguments, **options)
        self._follow()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if (override := vars(cls).get("optimizer_step")) is not None:

            @wraps(override)
            def optimizer_step(self: "EncoderDecoder", *arguments: Any, **named: Any) -> None:
                override(self, *arguments, **named)
                self._follow()  # Lightning's own examples step the optimizer here, without super()

            cls.optimizer_step = optimizer_step  # type: ignore[method-assign]

    def _follow(self) -> None:
        """Moves the averages, once a batch."""
        if self._followed == self.batch_number:
            return
        self._followed = self.batch_number
        if self.generator_ema is not None and self.encoder_ema is not None:
            self.generator_ema.update_parameters(self.generator)
            self.encoder_ema.update_parameters(self.encoder)

    def on_train_start(self) -> None:
        """Also lets the encoder's average go on from where a checkpoint left it; refuses weights that nobody moves."""
        super().on_train_start()
        moved = [p for optimizer in self.trainer.optimizers for p in parameters_of(optimizer)]
        refuse_idle(self, moved, "the encoder or the generator, or give it to the one optimizer")
        self._followed = -1
        if self.encoder_ema is not None:
            self.encoder_ema.updates = None

    def reset_average(self) -> None:
        """Also lets the encoder's average begin anew."""
        super().reset_average()
        if self.encoder_ema is not None:
            self.encoder_ema.restart(self.encoder)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Logs what the variant says of held-out images, and the mean squared error of their reconstructions.

        In a validation the names begin with ``val/``, in a test with ``test/``; ``val/mse`` is a mean over pixels, of
        values in [-1, 1].

        Returns:
            As many samples as the batch has images, as ``fake``, the same ones at every validation, and ``shown``, the
            images and their reconstructions, to be looked at side by side.
        """
        images = self.receive(batch)["image"]
        stage = "test" if self.trainer.testing else "val"
        reconstruction = self.reconstruct(images)
        terms = {**self.held_out(images, self.number(batch_idx)), "mse": (reconstruction - images).square().mean()}
        self.log_dict({f"{stage}/{name}": term for name, term in terms.items()}, batch_size=len(images), sync_dist=True)
        return {
            "fake": self.sample(len(images), seed=self.number(batch_idx)),
            "shown": {"image": images, "reconstruction": reconstruction},
        }

    def configure_optimizers(self) -> Any:
        """One optimizer and, if wanted, one schedule, over all parameters that are not frozen."""
        parameters = [p for p in self.parameters() if p.requires_grad]
        if not parameters:
            raise UsageError("neither the encoder nor the generator has a parameter that requires a gradient")
        optimizer = self.optimizer_factory(parameters)
        if self.scheduler_factory is None:
            return optimizer
        scheduler = self.scheduler_factory(optimizer)
        if isinstance(scheduler, ReduceLROnPlateau):
            raise UsageError(
                f"{type(self).__name__} steps its schedule after every batch, and ReduceLROnPlateau waits for a score; "
                "use lit_gans.optim.LinearDecay or another one of fixed length"
            )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step", "name": "lr"}}


# -------------------------------------------------------------------- default networks


def default_encoder(image_shape: ImageShape | None, outputs: int, width: int) -> Encoder:
    """A convolutional encoder, or an MLP if a side is below 8 pixels.

    Raises:
        UsageError: if there is no shape.
    """
    shape = required(image_shape, "an encoder and a generator")
    if min(shape[1:]) < _MLP_BELOW:
        return MLPEncoder(shape, outputs, (4 * width,) * 2)
    return DCGANEncoder(shape, outputs, width)


def default_decoder(image_shape: ImageShape | None, latent_dim: int, width: int) -> Generator:
    """The counterpart of `default_encoder`."""
    shape = required(image_shape, "an encoder and a generator")
    if min(shape[1:]) < _MLP_BELOW:
        return MLPDecoder(shape, latent_dim, (4 * width,) * 2)
    return DCGANDecoder(shape, latent_dim, width)


def fitted(decoder: nn.Module) -> GaussianCodes:
    """A decoder behind a Gaussian fitted to its codes.

    Raises:
        UsageError: if it does not say how large a code is.
    """
    noise_size(decoder)
    return GaussianCodes(decoder)
