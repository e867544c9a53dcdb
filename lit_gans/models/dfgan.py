"""The one-stage game by deep fusion of sentence and image."""

from typing import Any

from lightning.pytorch.cli import OptimizerCallable

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import at_least
from lit_gans.families.caption import CaptionGAN
from lit_gans.losses import Terms, hinge_discriminator, hinge_generator
from lit_gans.models.gancls import halved
from lit_gans.networks.fusion import FusionBackbone
from lit_gans.optim import AdamWithoutMomentum
from lit_gans.penalties import matching_aware


class DFGAN(CaptionGAN):
    """The sentence changes every map of the generator, and a penalty smooths the discriminator where it is right.

    Tao et al. 2022, *DF-GAN: A Simple and Effective Baseline for Text-to-Image Synthesis*, arXiv:2008.05865: one stage,
    one output that judges image and sentence together, and no further network that compares the two.

    With images x, their sentences s and wrong sentences s', the discriminator minimises
    `E max(0, 1 - D(x, s)) + 1/2 E max(0, 1 + D(x, s')) + 1/2 E max(0, 1 + D(G(z, s), s)) + penalty
    E (|grad_x D(x, s)|^2 + |grad_s D(x, s)|^2)^3`, the generator `-E D(G(z, s), s)`. The penalty runs in float32.

    Good at: images that show what the sentence says, with one discriminator and few settings; what to try first. Bad
    at: the price of its penalty, most of a step; `penalty_every=4` takes a quarter of it.

    Args:
        penalty: weight of the matching-aware gradient penalty, 2 in the paper; 0 turns it off.
        penalty_every: the penalty is computed once in so many batches, times that number; 1 in the paper.
        optimizer: Adam with betas (0, 0.9) in the paper, with a learning rate of 1e-4 for the generator and of 4e-4 for
            the discriminator.
        caption: arguments of `CaptionGAN`: text_shape, text_encoder, backbone, and those of all games. The paper's
            networks have ``FusionBackbone(width=32)`` for 256 pixels, which is 18 million weights.

    Raises:
        UsageError: if the penalty is negative, or meets batch norm in the discriminator.

    Examples:
        >>> model = DFGAN(image_shape=(3, 32, 32), text_shape=(8, 28), backbone=FusionBackbone(width=8))
        >>> model.sample(2, seed=0).shape
        torch.Size([2, 3, 32, 32])

    Card: docs/models/dfgan.md; configuration: examples/configs/dfgan_glyphs.yaml.
    """

    default_backbone = FusionBackbone()
    discriminator_norm = "none"

    def __init__(
        self,
        *,
        penalty: float = 2.0,
        penalty_every: int = 1,
        optimizer: OptimizerCallable = AdamWithoutMomentum,
        **caption: Any,
    ) -> None:
        super().__init__(optimizer=optimizer, **caption)
        at_least(0, penalty=penalty)
        at_least(1, penalty_every=penalty_every)
        if penalty:
            self.refuse_batch_norm("the matching-aware penalty")
        self.penalty, self.penalty_every = penalty, penalty_every

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Score reals with their own sentences above the margin, all else below, and be flat where that is right."""
        right, wrong, fooled = self.judged(self.discriminator, batch, batch["image"], fake["image"])
        terms = halved(hinge_discriminator(right, fooled), hinge_discriminator(right, wrong))
        if not self.penalty or not self.is_due(self.penalty_every):
            return terms
        text = self.discriminator.read(batch["text"])  # type: ignore[operator]
        slope = matching_aware(self.discriminator, batch["image"], text)
        return {**terms, "penalty": self.penalty * self.penalty_every * slope}

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Score high with the sentence."""
        return hinge_generator(self.critic(batch)(fake["image"]))
