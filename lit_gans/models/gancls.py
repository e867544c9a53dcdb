"""The conditional game whose discriminator also sees real images with wrong sentences."""

from lit_gans.core.game import Batch, Fake
from lit_gans.families.caption import CaptionGAN
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator


class GANCLS(CaptionGAN):
    """Both players are told a sentence, and the discriminator learns that it matters from real images with a wrong one.

    Reed et al. 2016, *Generative Adversarial Text to Image Synthesis*, arXiv:1605.05396, with the networks of
    Radford et al. 2015, arXiv:1511.06434. The paper's encoder of sentences was trained before; here each player's is
    trained along, unless `text_encoder` is given.

    With images x, their sentences s and wrong sentences s', the discriminator minimises
    `-E log D(x, s) - 1/2 E log(1 - D(x, s')) - 1/2 E log(1 - D(G(z, s), s))`, the generator `-E log D(G(z, s), s)`.

    Good at: a first try, and a baseline for `StackGAN` and `DFGAN`. Bad at: details of larger images, and sentences of
    several things.

    The arguments are `CaptionGAN`'s.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> model = GANCLS(image_shape=(3, 32, 32), text_shape=(8, 28), backbone=DCGANBackbone(width=8))
        >>> model.sample(2, seed=0).shape
        torch.Size([2, 3, 32, 32])

    Card: docs/models/gancls.md; configuration: examples/configs/gancls_glyphs.yaml.
    """

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Call reals with their own sentences real, and the mean of the two other kinds fake."""
        right, wrong, fooled = self.judged(self.discriminator, batch, batch["image"], fake["image"])
        return halved(minimax_discriminator(right, fooled), minimax_discriminator(right, wrong))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real with the sentence."""
        return non_saturating_generator(self.critic(batch)(fake["image"]))


def halved(fooled: Terms, wrong: Terms) -> Terms:
    """The terms of a discriminator whose fakes and whose wrong pairs count half each.

    Args:
        fooled: the terms ``real`` and ``fake`` for fakes.
        wrong: the same, with real images and wrong sentences in place of the fakes.
    """
    return {"real": fooled["real"], "fake": fooled["fake"] / 2, "wrong": wrong["fake"] / 2}
