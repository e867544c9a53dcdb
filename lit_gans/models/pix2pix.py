"""The game of pairs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import at_least
from lit_gans.families import PairedGAN
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.precision import full


class Pix2Pix(PairedGAN):
    """A U-Net translates, an L1 loss keeps it near the target, and a discriminator of patches makes it sharp.

    Isola, Zhu, Zhou & Efros 2017, *Image-to-Image Translation with Conditional Adversarial Networks*, arXiv:1611.07004.

    The discriminator sees source and image together and minimises
    `1/2 (-E log D(x, y) - E log(1 - D(x, G(x))))`, the generator `-E log D(x, G(x)) + l1 E |y - G(x)|`.

    Good at: any task for which there are some hundreds of pairs. Bad at: diversity; the dropout that serves as noise
    changes little, so an ambiguous source has about one answer.

    The backbone's dropout is the game's noise. Instance norm is the paper's: batch norm over one
    image at a time. ``norm="layer"`` keeps brightness and colours of small images.

    Args:
        l1: weight of the mean absolute error, 100 in the paper.
        adversarial: weight of the generator's adversarial term, 1 in the paper; 0 leaves plain regression.
        translation: arguments of `PairedGAN`. A discriminator of your own maps source and image, joined along the
            channels, to logits of any shape.

    Raises:
        UsageError: if a weight is negative.

    Examples:
        >>> from lit_gans.networks import UNetTranslation
        >>> model = Pix2Pix(image_shape=(3, 32, 32), source_shape=(1, 32, 32), backbone=UNetTranslation(width=8))
        >>> model.translate(torch.zeros(2, 1, 48, 40), seed=0).shape
        torch.Size([2, 3, 48, 40])

    Card: docs/models/pix2pix.md; configuration: examples/configs/pix2pix_facades.yaml.
    """

    def __init__(self, *, l1: float = 100.0, adversarial: float = 1.0, **translation: Any) -> None:
        super().__init__(**translation)
        at_least(0, l1=l1, adversarial=adversarial)
        self.l1, self.adversarial = l1, adversarial

    def make_discriminator(self) -> nn.Module:
        """The backbone's discriminator, for source and image joined along the channels."""
        channels, *sides = self.shape
        return self.backbone.discriminator((self.source[0] + channels, *sides))

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        """The discriminator as a function of images, with the batch's own sources filled in."""
        return lambda image: self.judge(batch["source"], image)

    def judge(self, source: Tensor, image: Tensor) -> Tensor:
        """The discriminator's logits of images together with their sources."""
        return self.discriminator(torch.cat([source, image], 1))

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """True pairs against sources with their fakes, at half the weight, which slows the discriminator down."""
        source = batch["source"]
        terms = minimax_discriminator(self.judge(source, batch["target"]), self.judge(source, fake))
        return {name: term / 2 for name, term in terms.items()}

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real together with the source, and be near the target."""
        l1 = self.l1 * (full(fake) - batch["target"]).abs().mean()
        if not self.adversarial:
            return {"l1": l1}
        game = non_saturating_generator(self.judge(batch["source"], fake))
        return {**{name: self.adversarial * term for name, term in game.items()}, "l1": l1}
