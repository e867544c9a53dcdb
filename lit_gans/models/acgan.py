"""The game with an auxiliary classifier."""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import at_least
from lit_gans.families import LabelGAN
from lit_gans.losses import Terms, labelled_cross_entropy, minimax_discriminator, non_saturating_generator
from lit_gans.networks import AuxiliaryDiscriminator
from lit_gans.precision import full


class ACGAN(LabelGAN):
    """The discriminator also says which class an image belongs to, and both players want that to be right.

    Odena, Olah & Shlens 2016, *Conditional Image Synthesis With Auxiliary Classifier GANs*, arXiv:1610.09585.

    With the loss L_S of real against fake, and the cross-entropy L_C of the class, on reals and on fakes, the
    discriminator minimises `L_S + classes L_C`, the generator the non-saturating `L_S' + generator_classes L_C(fake)`.

    Good at: samples that show their class beyond doubt; images without a label help too. Bad at: diversity, since a
    fake that is typical of its class is classified best.

    Args:
        classes: weight of the cross-entropy in the discriminator's loss, 1 in the paper.
        generator_classes: weight of the cross-entropy in the generator's loss, 1 in the paper.
        label: arguments of `LabelGAN`. A discriminator of your own maps images to logits (N,) and class logits
            (N, num_classes).

    Raises:
        UsageError: if a weight is negative.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> model = ACGAN(image_shape=(1, 28, 28), num_classes=10, backbone=DCGANBackbone(width=8))
        >>> model.sample(2, seed=0, label=[3, 8]).shape
        torch.Size([2, 1, 28, 28])

    Card: docs/models/acgan.md; configuration: examples/configs/acgan_mnist.yaml.
    """

    takes_unlabelled = True

    def __init__(self, *, classes: float = 1.0, generator_classes: float = 1.0, **label: Any) -> None:
        super().__init__(**label)
        at_least(0, classes=classes, generator_classes=generator_classes)
        self.classes, self.generator_classes = classes, generator_classes

    def make_discriminator(self) -> nn.Module:
        """The backbone's discriminator, with a second head that classifies."""
        return AuxiliaryDiscriminator(super().make_discriminator(), self.num_classes)

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        """The first head alone, real against fake, which uses no label."""
        return lambda image: self.discriminator(image)[0]

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Tell reals from fakes, and the classes of both."""
        (real, guess), (fooled, fake_guess) = self.discriminator(batch["image"]), self.discriminator(fake["image"])
        return {
            **minimax_discriminator(real, fooled),
            "class_real": self.classes * self.cross_entropy(guess, batch["label"]),
            "class_fake": self.classes * self.cross_entropy(fake_guess, fake["label"]),
        }

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real, and of the right class."""
        source, guess = self.discriminator(fake["image"])
        classes = self.generator_classes * self.cross_entropy(guess, fake["label"])
        return {**non_saturating_generator(source), "class": classes}

    def cross_entropy(self, guess: Tensor, label: Tensor) -> Tensor:
        """Mean over the labelled images of the batch, of classes or of attributes; 0 if none has a label."""
        if self.multi_label:
            return F.binary_cross_entropy_with_logits(full(guess), label.to(full(guess).dtype))
        return labelled_cross_entropy(guess, label)
