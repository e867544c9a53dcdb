"""The light game for few images, whose discriminator has to draw what it judges."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError, at_least
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, hinge_generator
from lit_gans.networks import FastGANBackbone
from lit_gans.networks.fastgan import FastGANDiscriminator, Reconstructing
from lit_gans.precision import full

_SOFTEST = 0.2  # labels are drawn from U(1 - this, 1)


class FastGAN(LatentGAN):
    """Light networks and a discriminator that has to draw what it judges, so that few images are not learned by heart.

    Liu, Zhu, Song & Elgammal 2021, *Towards Faster and Stabilized GAN Training for High-fidelity Few-shot Image
    Synthesis*, arXiv:2101.04775. The generator's fine maps are scaled by what its coarse ones say, a shortcut for
    gradients. Two small decoders draw the real image from the discriminator's last map, and one quarter of it from a
    quarter of the map before.

    With labels t from U(0.8, 1) the discriminator minimises `E max(0, t - D(x)) + E max(0, t + D(G(z)))` plus
    ``reconstruction`` times the distance of both drawings from a real image, the generator `-E D(G(z))`.

    Four things differ from the paper. The distance is the mean absolute difference at three resolutions, where the
    paper has LPIPS, whose weights (VGG) have to be fetched from a site; the discriminator sees one resolution and
    gives one score; the generator adds no noise; and the networks are half as wide.

    Good at: hundreds or a few thousand images, in minutes; add ``augment`` as the paper does. Bad at: large and varied
    sets, where its light networks are soon at their end.

    Args:
        reconstruction: weight of the two distances; 1 in the paper.
        latent: arguments of `LatentGAN`.

    Raises:
        UsageError: if the discriminator's maps cannot be decoded, since it is another than a `FastGANBackbone`'s.

    Examples:
        >>> FastGAN(image_shape=(3, 32, 32), backbone=FastGANBackbone(width=4)).sample(2, seed=0).shape
        torch.Size([2, 3, 32, 32])

    Card: docs/models/fast_gan.md; configuration: examples/configs/fast_gan_celeba.yaml.
    """

    default_backbone = FastGANBackbone()

    def __init__(self, *, reconstruction: float = 1.0, **latent: Any) -> None:
        at_least(0, reconstruction=reconstruction)
        self.reconstruction = reconstruction
        super().__init__(**latent)

    def make_discriminator(self) -> nn.Module:
        """The backbone's discriminator with two decoders."""
        network = super().make_discriminator()
        if not isinstance(network, FastGANDiscriminator):
            raise UsageError(
                f"FastGAN's discriminator draws the image from its own maps, which {type(network).__name__} does not "
                "give; use FastGANBackbone, or HingeGAN, the same game without the drawing"
            )
        return Reconstructing(network, self.shape[0])

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals above a soft margin, fakes below it; reals can be drawn from the maps."""
        real, distance = self.discriminator(batch["image"], reconstruct=True)
        real, drawn = full(real), full(self.discriminator(fake))
        return {
            "real": F.relu(_soft(real) - real).mean(),
            "fake": F.relu(_soft(drawn) + drawn).mean(),
            "reconstruction": self.reconstruction * distance,
        }

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Score high."""
        return hinge_generator(self.discriminator(fake))


def _soft(scores: Tensor) -> Tensor:
    """Labels for scores, from U(0.8, 1)."""
    return 1 - _SOFTEST * torch.rand_like(scores)
