"""The discrete variational autoencoder: the tokenizer of a transformer that draws."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import cos, log, pi
from typing import Any, ClassVar, Literal, cast, get_args

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn

from lit_gans.core.exporting import refuse_truncation
from lit_gans.core.generative import Batch
from lit_gans.core.image_tokens import ImageTokenizer
from lit_gans.core.joint import JointModel
from lit_gans.errors import UsageError, at_least, finite_from
from lit_gans.likelihoods import logit_laplace
from lit_gans.losses import Terms
from lit_gans.networks import CodeDecoder, CodeEncoder, gumbel_softmax
from lit_gans.networks.base import evaluating
from lit_gans.networks.codebook import EDGE
from lit_gans.networks.exported import ROWS, Exported, FromGrid, Port
from lit_gans.optim import ExponentialAverage, TextAdam
from lit_gans.precision import full

Reconstruction = Literal["l2", "l1", "logit_laplace"]


class DiscreteVAE(ImageTokenizer, JointModel):
    """An autoencoder whose code is a small grid of whole numbers: an image as a sentence that a transformer can write.

    The first stage of Ramesh et al. 2021, *Zero-Shot Text-to-Image Generation*, arXiv:2102.12092, with the relaxation
    of Jang et al. 2016, arXiv:1611.01144.

    An encoder q gives each place of a grid a distribution over K codes. In training a decoder d sees the soft choice
    `y = softmax((log q + g) / tau)` with Gumbel noise g, and both minimise `E r(x, d(y)) + kl KL(q || uniform)`: r is
    the squared error (``l2``), the absolute one (``l1``), or minus the logit-Laplace log-likelihood of the paper, a
    mean over pixels and channels, and the divergence is in nats, a mean over places. The temperature tau falls along a
    cosine from 1 to 1/16 over ``temperature_steps`` batches, so that soft choices become hard ones. After training the
    code of a place is the likeliest one.

    ``val/mse`` is that of such reconstructions, ``val/codes_used`` and ``val/code_perplexity`` say how much of the
    codebook is in use, and ``val/fid`` compares reconstructions with held-out images.

    Good at: short codes of images, stable training. Bad at: sharp edges and fine texture, as all means are; it draws
    nothing by itself.

    Args:
        codes: K, the size of the codebook; 8,192 in the paper.
        downs: how many times the sides are halved; 3 in the paper, whose images have 256 pixels a side.
        width: channels at the grid.
        blocks: residual blocks at the grid, in the encoder and in the decoder.
        reconstruction: what r is.
        kl: weight of the divergence.
        temperature_steps: batches until the temperature is at its end.
        end_temperature: the last temperature.
        optimizer: Adam with learning rate 2e-3 and betas (0.9, 0.98), see `TextAdam`.
        joint: other arguments of `JointModel`: scheduler, image_shape, clip_norm and ema_decay.

    Raises:
        UsageError: if a number is out of range, or the sides of the images cannot be halved so often.

    Examples:
        >>> import torch
        >>> model = DiscreteVAE(image_shape=(3, 32, 32), codes=16, width=16)
        >>> codes = model.encode(torch.zeros(2, 3, 32, 32))
        >>> codes.shape, model.decode(codes).shape
        (torch.Size([2, 8, 8]), torch.Size([2, 3, 32, 32]))

    Card: docs/models/discrete_vae.md; configuration: examples/configs/discrete_vae_glyphs.yaml.
    """

    players: ClassVar[tuple[str, ...]] = ("encoder", "generator")
    needs: ClassVar[tuple[str, ...]] = ("image",)

    def __init__(
        self,
        *,
        codes: int = 128,
        downs: int = 2,
        width: int = 64,
        blocks: int = 1,
        reconstruction: Reconstruction = "l2",
        kl: float = 6e-3,
        temperature_steps: int = 2000,
        end_temperature: float = 1 / 16,
        optimizer: OptimizerCallable = TextAdam,
        **joint: Any,
    ) -> None:
        super().__init__(optimizer=optimizer, **joint)
        at_least(2, codes=codes)
        at_least(1, downs=downs, width=width, temperature_steps=temperature_steps)
        at_least(0, blocks=blocks, kl=kl)
        if not finite_from(0, end_temperature) or not 0 < end_temperature <= 1:
            raise UsageError(f"end_temperature must be above 0 and at most 1, got {end_temperature}")
        if reconstruction not in get_args(Reconstruction):
            raise UsageError(f"reconstruction must be one of {', '.join(get_args(Reconstruction))}: {reconstruction!r}")
        self.codes, self.downs, self.kl, self.reconstruction = codes, downs, kl, reconstruction
        self.temperature_steps, self.end_temperature = temperature_steps, end_temperature
        self._refuse_odd_sides()
        options = {"channels": self.shape[0], "codes": codes, "downs": downs, "width": width, "blocks": blocks}
        self.set_generator(CodeDecoder(**options, spread=reconstruction == "logit_laplace"))
        self.encoder = CodeEncoder(**options)
        self.encoder_ema = ExponentialAverage(self.encoder, self.ema_decay) if self.ema_decay else None

    def _refuse_odd_sides(self) -> None:
        if len(self.shape) != 3 or any(side % 2**self.downs for side in self.shape[1:]):
            raise UsageError(
                f"the sides of images for a DiscreteVAE are halved downs={self.downs} times, so they must be multiples "
                f"of {2**self.downs}, got {tuple(self.shape)}; resize them, or choose other downs"
            )

    # ---------------------------------------------------------------- the tokenizer

    @property
    def grid(self) -> tuple[int, int]:
        """The rows and columns of codes of an image."""
        return self.shape[1] // 2**self.downs, self.shape[2] // 2**self.downs

    def codes_of(self, images: Tensor) -> Tensor:
        """The likeliest codes (n, h, w) of images, by the averaged encoder."""
        with self.inference_encoder() as encoder:
            return encoder(images).argmax(1)

    def image_of(self, codes: Tensor) -> Tensor:
        """Images (n, C, H, W) of codes (n, h, w), by the averaged decoder."""
        with self.inference_generator() as decoder:
            return cast(CodeDecoder, decoder).of_codes(codes)

    def exported(self, *, to: str | None = None, truncation: float = 1.0) -> Exported:
        """The decoder, as a function of grids of codes."""
        self.refuse_direction(to)
        refuse_truncation(self, truncation)
        rows = torch.randint(self.codes, (ROWS, *self.grid), generator=torch.Generator().manual_seed(0))
        codes = Port("codes", ("batch", *self.grid), f"whole numbers from 0 to {self.codes - 1}", rows, "int64")
        return FromGrid(self.exported_part(), self.port_of_samples(), codes)

    @contextmanager
    def inference_encoder(self) -> Iterator[nn.Module]:
        """The averaged encoder (the plain one if there is no average) in evaluation mode, put back afterwards."""
        network = self.encoder if self.encoder_ema is None else self.encoder_ema.following(self.encoder)
        with evaluating(network):
            yield network

    def averages(self) -> list[tuple[ExponentialAverage, nn.Module]]:
        """The averages of the decoder and of the encoder, with the networks that they follow."""
        return super().averages() + ([] if self.encoder_ema is None else [(self.encoder_ema, self.encoder)])

    # ---------------------------------------------------------------- training

    @property
    def temperature(self) -> float:
        """The temperature of this batch, a function of its number in the run alone."""
        done = 0 if self._trainer is None else min(self.batch_number / self.temperature_steps, 1.0)
        return self.end_temperature + (1 - self.end_temperature) * (1 + cos(pi * done)) / 2

    def loss(self, batch: Batch) -> Terms:
        """The error of images decoded from soft choices, and the divergence from equally likely codes."""
        images = batch["image"]
        logits = self.encoder(images)  # (N, codes, h, w)
        chosen = gumbel_softmax(logits, self.temperature)
        given = self.error_of(images, self.generator, chosen.to(self.dtype))
        return {"reconstruction": given.mean(), "kl": self.kl * kl_to_uniform(logits).mean()}

    def error_of(self, images: Tensor, decoder: Any, weights: Tensor) -> Tensor:
        """The reconstruction term of each image (N,), by the decoder, for weights (N, codes, h, w) of the codes."""
        images = full(images)
        if self.reconstruction == "logit_laplace":
            mean, spread = full(decoder.logits(weights)).chunk(2, 1)
            return -logit_laplace(images, mean, spread, EDGE) / images[0].numel()
        error = full(decoder(weights)) - images
        return (error.square() if self.reconstruction == "l2" else error.abs()).flatten(1).mean(1)

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Logs ``val/mse``, of images decoded from their codes, a mean over pixels of values in [-1, 1].

        Returns:
            The reconstructions as ``fake`` and the images as ``real``, which scores compare as sets, and both as
            ``shown``, for pictures side by side.
        """
        images = self.receive(batch)["image"]
        codes = self.encode(images)
        self.count_codes(codes)
        reconstruction = self.decode(codes)
        mse = (reconstruction - full(images)).square().mean()
        self.log_dict({f"{self.stage_name}/mse": mse}, batch_size=len(images), sync_dist=True)
        shown = {"image": full(images), "reconstruction": reconstruction}
        return {"fake": reconstruction, "real": full(images), "shown": shown}

    def sample(self, n: int = 64, *, seed: int | None = None) -> Tensor:
        """Refused: equally likely codes are no picture.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            "a DiscreteVAE turns images into codes and back, and does not draw; train a TextToImageTransformer, which "
            "draws by its codes: lit-gans fit --model TextToImageTransformer --model.tokenizer CKPT"
        )

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Reconstructions of the batch's images."""
        return self.reconstruct(self.receive(batch)["image"])


def kl_to_uniform(logits: Tensor) -> Tensor:
    """The divergence in nats of the distributions of logits (N, K, h, w) from one of equally likely codes: (N, h, w).

    Examples:
        >>> import torch
        >>> kl_to_uniform(torch.zeros(1, 4, 1, 1))
        tensor([[[0.]]])
    """
    logs = F.log_softmax(full(logits), 1)
    return (logs.exp() * logs).sum(1) + log(logits.shape[1])
