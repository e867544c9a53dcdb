"""The game in two stages: a small image from a sentence, then a larger one from that image and the sentence."""

import warnings
from functools import partial
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.core.first_captions import Text
from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError, at_least
from lit_gans.families.caption import CaptionGAN
from lit_gans.likelihoods import kl_to_standard
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.models.gancls import halved
from lit_gans.networks.captions import MatchingDiscriminator
from lit_gans.networks.stacked import Refiner, StackedGenerator
from lit_gans.networks.wrappers import ConditionalGenerator
from lit_gans.precision import full


class StackGAN(CaptionGAN):
    """A first stage draws a small image from a sentence; a second takes it to the double or four times the size.

    Zhang et al. 2016, *StackGAN: Text to Photo-realistic Image Synthesis with Stacked Generative Adversarial Networks*,
    arXiv:1612.03242. Both stages are there from the start. For ``stage_one_steps`` batches the first plays, then it
    rests and the second plays, each against a discriminator of its own for images of its size.

    With sentences s, wrong ones s' and images x of the stage's size, the discriminator of a stage minimises
    `-E log D(x, s) - 1/2 E log(1 - D(x, s')) - 1/2 E log(1 - D(G(z, c), s))`, its generator `-E log D(G(z, c), s) +
    kl KL(N(mu(s), sigma(s)^2) || N(0, I))`, where c is drawn from N(mu(s), sigma(s)^2), the conditioning augmentation.

    The KL term is the mean over the coordinates of c, as in the authors' code; the paper's formula has the sum, which
    is 128 times as much for 128 coordinates. The second stage adds to the first's image enlarged, see `Refiner`.

    Good at: larger images at a small price, since most of the learning happens in small ones. Bad at: undoing a first
    stage that got the sentence wrong; a run has a second length to choose.

    Args:
        stage_one_steps: batches of the first stage; the second plays on all that follow.
        factor: 2 or 4, the size of the large image in that of the small one.
        kl: weight of the KL term; 2 in the authors' code.
        augmentation: size of c, 128 in the paper.
        refiner_width: channels of the refiner's widest map.
        blocks: its residual blocks, 2 to 4 in the paper.
        caption: arguments of `CaptionGAN`: text_shape, text_encoder, backbone, and those of all games. A generator of
            your own is a `StackedGenerator`; a discriminator judges the small images.

    Raises:
        UsageError: if an argument is out of range.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> model = StackGAN(image_shape=(3, 32, 32), text_shape=(8, 28), backbone=DCGANBackbone(width=8))
        >>> model.sample(2, seed=0).shape, model.sample(2, seed=0, stage=1).shape
        (torch.Size([2, 3, 32, 32]), torch.Size([2, 3, 16, 16]))

    Card: docs/models/stackgan.md; configuration: examples/configs/stackgan_glyphs.yaml.
    """

    players = ("generator", "discriminator", "large_discriminator")
    stages = 2

    large_discriminator: nn.Module

    def __init__(
        self,
        *,
        stage_one_steps: int = 2000,
        factor: Literal[2, 4] = 2,
        kl: float = 2.0,
        augmentation: int = 128,
        refiner_width: int = 64,
        blocks: int = 2,
        **caption: Any,
    ) -> None:
        at_least(0, stage_one_steps=stage_one_steps, kl=kl)
        at_least(1, augmentation=augmentation, refiner_width=refiner_width, blocks=blocks)
        if factor not in (2, 4):
            raise UsageError(
                f"factor must be 2 or 4, the size of the large image in that of the small one, got {factor}"
            )
        self.stage_one_steps, self.factor, self.kl, self.augmentation = stage_one_steps, factor, kl, augmentation
        self._refiner = {"width": refiner_width, "blocks": blocks}
        super().__init__(**caption)
        for options in (self.optimizer_factories, self.scheduler_factories, self.scheduler_options):
            options["large_discriminator"] = options["discriminator"]

    # ---------------------------------------------------------------- networks

    @property
    def small_shape(self) -> tuple[int, ...]:
        """The shape of the first stage's images: each side is ``factor`` times smaller, rounded up."""
        channels, *sides = self.shape
        return channels, *(-(-side // self.factor) for side in sides)

    def make_generator(self) -> nn.Module:
        """The backbone's generator of small images, and the second stage's."""
        reader, size = self.make_reader()
        first, conditioning = self.tellable(partial(self.backbone.generator, self.small_shape), self.augmentation)
        first = ConditionalGenerator(first, self.augmentation, conditioning)
        refiner = Refiner(self.shape, self.factor, self.augmentation, **self._refiner)
        return StackedGenerator(reader, first, refiner, size, self.augmentation)

    def make_discriminator(self) -> nn.Module:
        """The backbone's discriminator of small images."""
        return self._judge(self.small_shape)

    def make_large_discriminator(self) -> nn.Module:
        """The backbone's discriminator of large images."""
        return self._judge(self.shape)

    def _judge(self, shape: tuple[int, ...]) -> nn.Module:
        reader, size = self.make_reader()
        return MatchingDiscriminator(reader, self.backbone.discriminator(shape, norm=self.needed_norm), size)

    # ---------------------------------------------------------------- the game

    @property
    def stage(self) -> int:
        """The stage that plays on this batch, 1 or 2."""
        return 1 if self.batch_number < self.stage_one_steps else 2

    def on_train_start(self) -> None:
        """Also passes over PyTorch's advice on schedules: they go by the batches of the run, also of who rests."""
        super().on_train_start()
        warnings.filterwarnings("ignore", ".*lr_scheduler.step.. before .optimizer.step")

    def movers(self) -> tuple[str, ...]:
        """The generator, and the discriminator of the stage that plays."""
        rests = "large_discriminator" if self.stage == 1 else "discriminator"
        return tuple(player for player in super().movers() if player != rests)

    def generate(self, batch: Batch) -> Fake:
        """One fake of the stage that plays for every sentence: ``small`` or ``image``."""
        self._remember(batch["tokens"])
        if self.batch_number == self.stage_one_steps:
            self._begin_second_stage()
        text = cast(StackedGenerator, self.generator).read(batch["text"])
        fake = self.generator(self.noise_for(batch), text, stage=self.stage)
        return {"small" if self.stage == 1 else "image": fake, "text": text}

    @torch.no_grad()
    def _begin_second_stage(self) -> None:
        """Gives the second stage the averaged first one, which samples are made by, and an average that begins anew.

        An average follows closely at first and slowly later on, so it would be far behind a network that begins late.
        """
        if self.generator_ema is None:
            return
        average = self.generator_ema.following(self.generator)
        pairs = zip(self.generator.resting(2), average.resting(2), strict=True)  # type: ignore[operator]
        for weight, averaged in pairs:
            weight.copy_(averaged)
        self.generator_ema.restart(self.generator)

    def shrunk(self, image: Tensor) -> Tensor:
        """Images as the first stage draws them, by the mean of each square."""
        height, width = self.small_shape[1:]
        return F.adaptive_avg_pool2d(image, (height, width))

    def critic(self, batch: Batch) -> Any:
        """The first stage's discriminator as a function of large images, which R1 differentiates."""
        judge = super().critic(batch)
        return lambda image: judge(self.shrunk(image))

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """The first stage: call small reals with their own sentences real, all else fake."""
        scores = self.judged(self.discriminator, batch, self.shrunk(batch["image"]), fake["small"])
        return _terms(*scores)

    def large_discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """The second stage: the same for large images, with R1 where it is due."""
        terms = _terms(*self.judged(self.large_discriminator, batch, batch["image"], fake["image"]))
        if not self.r1 or not self.is_due(self.r1_every):
            return terms
        text = self.large_discriminator.read(batch["text"])  # type: ignore[operator]
        slope = self.slope(lambda image: self.large_discriminator(image, text), batch["image"])
        return {**terms, "r1": self.r1 / 2 * self.r1_every * slope}

    def generator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The generator's turn; the stage that rests is frozen, or its optimizer's momentum would move it on."""
        resting = cast(StackedGenerator, self.generator).resting(self.stage)
        resting = [parameter for parameter in resting if parameter.requires_grad]
        for parameter in resting:
            parameter.requires_grad_(False)
        try:
            return super().generator_step(batch, fake)
        finally:
            for parameter in resting:
                parameter.requires_grad_(True)

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real with the sentence, and keep conditions near N(0, I)."""
        stage, image = (1, fake["small"]) if "small" in fake else (2, fake["image"])
        judge = self.discriminator if stage == 1 else self.large_discriminator
        told = fake["text"] if stage == 1 else fake["text"].detach()
        mean, log_variance = cast(StackedGenerator, self.generator).statistics(told, stage)
        spread = kl_to_standard(full(mean), full(log_variance)).mean() / self.augmentation
        text = judge.read(batch["text"])  # type: ignore[operator]
        return {**non_saturating_generator(judge(image, text)), "kl": self.kl * spread}

    # ---------------------------------------------------------------- samples

    def sample(
        self,
        n: int | None = None,
        *,
        seed: int | None = None,
        noise: Tensor | None = None,
        text: Text | None = None,
        truncation: float = 1.0,
        stage: Literal[1, 2] = 2,
    ) -> Tensor:
        """Draws images, see `CaptionGAN.sample`.

        Args:
            n: how many images.
            seed: makes the draw repeatable.
            noise: (n, latent_dim) noise to use in place of a draw.
            text: a sentence, sentences that take turns, or conditions (n, size).
            truncation: a factor on the noise.
            stage: 1 for the small images of the first stage. Until the second has begun, its images are these enlarged,
                a tenth fainter.

        Raises:
            UsageError: if there is no such stage, or as there.
        """
        if stage not in (1, 2):
            raise UsageError(f"stage must be 1 or 2, got {stage}")
        options: dict[str, Any] = {"stage": 1} if stage == 1 else {}
        return self._drawn(n, seed, noise, text, truncation=truncation, **options)


def _terms(right: Tensor, wrong: Tensor, fooled: Tensor) -> Terms:
    return halved(minimax_discriminator(right, fooled), minimax_discriminator(right, wrong))
