"""The game on packs of samples."""

from typing import Any

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.families import LatentGAN, required
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.networks import Discriminator, Generator
from lit_gans.networks.blocks import Norm
from lit_gans.networks.packing import PackedDiscriminator


class PacGAN(LatentGAN):
    """The discriminator judges several images at once, so that it sees when a generator repeats itself.

    Lin, Khetan, Fanti & Oh 2018, *PacGAN: The power of two samples in generative adversarial networks*,
    arXiv:1712.04086.

    With m images a pack, x_1, ..., x_m joined along the channels, the discriminator minimises
    `-E log D(x_1, ..., x_m) - E log(1 - D(G(z_1), ..., G(z_m)))`, the generator `-E log D(G(z_1), ..., G(z_m))`.

    A generator that has lost modes can draw samples that each look real; a pair of them is still too often alike.

    Good at: more modes, nothing to tune, hardly any cost. Bad at: the discriminator has only N / m packs of a batch to
    learn from. `PackedDiscriminator` packs any other game.

    Args:
        generator: a network from noise to images; by default `LatentGAN`'s.
        discriminator: a network from packs, images of ``packing`` times as many channels, to logits; it is wrapped into
            a `PackedDiscriminator`. By default `LatentGAN`'s for that shape.
        packing: m, the images of a pack; 2 to 4 in the paper.
        image_shape: (channels, height, width) of one image; needed by the default networks.
        width: channels of the finest hidden maps (units of an MLP's layers), for the default networks; 64.
        discriminator_norm: what normalises the default discriminator; ``batch`` by default, ``none`` for an MLP.
        base: arguments of `LatentGAN` and `BaseGAN`: noise, networks, augmentation, optimizers, ratio, average.

    Raises:
        UsageError: if ``packing`` is below 1, or what `LatentGAN` refuses.

    Examples:
        >>> model = PacGAN(image_shape=(1, 28, 28), packing=3, width=8)
        >>> model.discriminator.discriminator.layers[0].in_channels
        3
        >>> model.sample(2, seed=0).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        packing: int = 2,
        image_shape: ImageShape | None = None,
        width: int | None = None,
        discriminator_norm: Norm | None = None,
        **base: Any,
    ) -> None:
        # the arguments keep their names and values: checkpoints read them from this call
        given = discriminator is not None
        judge = (
            self._judge_of_packs(packing, required(image_shape), width, discriminator_norm)
            if discriminator is None
            else discriminator
        )
        super().__init__(
            generator,
            PackedDiscriminator(judge, packing),
            image_shape=image_shape,
            width=width if given or generator is None else None,  # used up by the judge, else there to be refused
            discriminator_norm=discriminator_norm if given else None,
            **base,
        )

    @classmethod
    def _judge_of_packs(
        cls, packing: int, image_shape: ImageShape, width: int | None, norm: Norm | None
    ) -> Discriminator:
        """What `LatentGAN` builds by default, for ``packing`` times as many channels."""
        channels, height, side = image_shape
        pack = (max(packing, 1) * channels, height, side)  # `PackedDiscriminator` refuses less than 1
        return cls._default_discriminator(pack, 64 if width is None else width, norm)

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Packs of reals against packs of fakes."""
        return minimax_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Packs that are called real."""
        return non_saturating_generator(self.discriminator(fake))
