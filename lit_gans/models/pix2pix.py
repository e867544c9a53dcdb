"""The game of pairs."""

from typing import Any

import torch
from torch import Tensor

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.errors import UsageError, finite_from
from lit_gans.families import PairedGAN, required
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.networks import Discriminator, Generator, PatchDiscriminator, UNet
from lit_gans.networks.blocks import Norm
from lit_gans.precision import full


class Pix2Pix(PairedGAN):
    """A U-Net translates, an L1 loss keeps it near the target, and a judge of patches makes it sharp.

    Isola, Zhu, Zhou & Efros 2017, *Image-to-Image Translation with Conditional Adversarial Networks*, arXiv:1611.07004.

    The discriminator sees source and image together and minimises
    `1/2 (-E log D(x, y) - E log(1 - D(x, G(x))))`, the generator `-E log D(x, G(x)) + l1 E |y - G(x)|`.

    Good at: any task of which there are some hundreds of pairs. Bad at: diversity; the dropout that serves as noise
    changes little, so an ambiguous source has about one answer.

    Args:
        generator: a network from sources to images; by default `UNet`, or a `ResNetTranslator`.
        discriminator: a network from source and image, joined along the channels, to logits of any shape; by default
            `PatchDiscriminator`.
        image_shape: (channels, height, width) of the images that are made; needed by the default networks.
        source_shape: of those that they are made from; by default the same.
        width: channels of the finest hidden maps, for the default networks.
        norm: of the default networks, ``instance`` as in the paper, whose batch norm sees one image at a time;
            ``layer`` keeps brightness and colours of small images.
        dropout: share of values that the default generator drops in its three coarsest doublings, its noise.
        l1: weight of the mean absolute error, 100 in the paper.
        adversarial: weight of the generator's other term, 1 in the paper; 0 leaves plain regression.
        translation: arguments of `TranslationGAN`.

    Raises:
        UsageError: if a weight is negative.

    Examples:
        >>> model = Pix2Pix(image_shape=(3, 32, 32), source_shape=(1, 32, 32), width=8)
        >>> model.translate(torch.zeros(2, 1, 48, 40), seed=0).shape
        torch.Size([2, 3, 48, 40])
    """

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        width: int = 64,
        norm: Norm = "instance",
        dropout: float = 0.5,
        l1: float = 100.0,
        adversarial: float = 1.0,
        **translation: Any,
    ) -> None:
        super().__init__(
            UNet(required(image_shape), source_shape, width, norm, dropout) if generator is None else generator,
            PatchDiscriminator(_joined(required(image_shape), source_shape), width, norm=norm)
            if discriminator is None
            else discriminator,
            image_shape=image_shape,
            source_shape=source_shape,
            **translation,
        )
        if not finite_from(0, l1, adversarial):
            raise UsageError(f"l1 and adversarial must not be negative, got {l1} and {adversarial}")
        self.l1, self.adversarial = l1, adversarial

    def judge(self, source: Tensor, image: Tensor) -> Tensor:
        """The discriminator's logits of images beside their sources."""
        return self.discriminator(torch.cat([source, image], 1))

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Pairs against sources with their fakes, at half the weight, which slows the discriminator down."""
        source = batch["source"]
        terms = minimax_discriminator(self.judge(source, batch["target"]), self.judge(source, fake))
        return {name: term / 2 for name, term in terms.items()}

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real beside the source, and be near the target."""
        l1 = self.l1 * (full(fake) - batch["target"]).abs().mean()
        if not self.adversarial:
            return {"l1": l1}
        game = non_saturating_generator(self.judge(batch["source"], fake))
        return {**{name: self.adversarial * term for name, term in game.items()}, "l1": l1}


def _joined(image_shape: ImageShape, source_shape: ImageShape | None) -> ImageShape:
    """The shape of a source and an image, one on top of the other."""
    return (image_shape[0] + (source_shape or image_shape)[0], *image_shape[1:])
