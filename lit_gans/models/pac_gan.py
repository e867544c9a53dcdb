"""The game on packs of samples."""

from typing import Any

from torch import nn

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import at_least
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.networks import Discriminator, PackedDiscriminator


class PacGAN(LatentGAN):
    """The discriminator judges several images at once, so that it sees when a generator repeats itself.

    Lin, Khetan, Fanti & Oh 2018, *PacGAN: The power of two samples in generative adversarial networks*,
    arXiv:1712.04086.

    With m images a pack, x_1, ..., x_m joined along the channels, the discriminator minimises
    `-E log D(x_1, ..., x_m) - E log(1 - D(G(z_1), ..., G(z_m)))`, the generator `-E log D(G(z_1), ..., G(z_m))`.

    A generator that has lost modes can draw samples that all look real one by one; pairs of them are too often alike.

    Good at: more modes, nothing to tune, little cost. Bad at: the discriminator has only N / m packs of a batch to
    learn from. `PackedDiscriminator` packs any other game.

    Args:
        discriminator: a network from packs, images of ``packing`` times as many channels, to logits; it is wrapped into
            a `PackedDiscriminator`. By default the backbone's for that shape.
        packing: m, the images of a pack; 2 to 4 in the paper.
        latent: arguments of `LatentGAN`.

    Raises:
        UsageError: if ``packing`` is below 1, and where `LatentGAN` raises one.

    Examples:
        >>> from lit_gans.networks import DCGANBackbone
        >>> model = PacGAN(image_shape=(1, 28, 28), packing=3, backbone=DCGANBackbone(width=8))
        >>> model.discriminator.discriminator.layers[0].in_channels
        3
        >>> model.sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])

    Card: docs/models/pac_gan.md; configuration: examples/configs/pac_gan_mnist.yaml.
    """

    def __init__(self, *, discriminator: Discriminator | None = None, packing: int = 2, **latent: Any) -> None:
        at_least(1, packing=packing)
        self.packing = packing
        packed = None if discriminator is None else PackedDiscriminator(discriminator, packing)
        super().__init__(discriminator=packed, **latent)

    def make_discriminator(self) -> nn.Module:
        """The backbone's discriminator for packs, which have ``packing`` times as many channels."""
        channels, *sides = self.shape
        plain = self.backbone.discriminator((self.packing * channels, *sides), norm=self.needed_norm)
        return PackedDiscriminator(plain, self.packing)

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Packs of reals against packs of fakes."""
        return minimax_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real, as packs."""
        return non_saturating_generator(self.discriminator(fake))
