"""The style-based GAN."""

from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor

from lit_gans.convolutions import CheapSecondDerivative
from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError, at_least
from lit_gans.families import LatentGAN
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.networks import StyleBackbone, StyleGenerator
from lit_gans.optim import StyleAdam

_PATH_DECAY = 0.01  # share of a new mean path length in the running mean


class StyleGAN2(LatentGAN):
    """Noise, mapped to a style, steers every layer of the generator; a lazy R1 penalty keeps the discriminator flat.

    Karras, Laine, Aittala, Hellsten, Lehtinen & Aila 2020, *Analyzing and Improving the Image Quality of StyleGAN*,
    arXiv:1912.04958, with the later small-image settings by default: 2 mapping layers, no mixing, no path length.

    The discriminator minimises `-E log D(x) - E log(1 - D(G(z))) + gamma/2 E |grad D(x)|^2`, the generator
    `-E log D(G(z)) + weight E (|J^T y| - a)^2`, where J is the Jacobian of the image with respect to its style, y is
    noise, and a follows the mean of `|J^T y|`.

    Good at: image quality, and styles that can be truncated, mixed and moved along. Bad at: the price of a step,
    several times DCGAN's, and few images, which it memorises without ``augment``.

    Args:
        r1: gamma. The paper's 10 is for 1024 pixels; it should fall with the number of pixels and the batch, about
            0.0002 * height * width / batch (Karras et al. 2020, arXiv:2006.06676): 0.003 for 32 pixels, batch 64.
        r1_every: R1 is computed once in so many batches, times that number.
        path_length: weight of the path length penalty, 2 in the paper; 0 turns it off. It is over half as many styles
            as the batch has images.
        path_length_every: it is computed once in so many of the generator's moves, times that number.
        optimizer: Adam with learning rate 2.5e-3 and betas (0, 0.99), see `StyleAdam`.
        latent: arguments of `LatentGAN`.

    Raises:
        UsageError: if an argument is out of range, or ``path_length`` is for a generator without styles.

    Examples:
        >>> model = StyleGAN2(image_shape=(3, 24, 32), backbone=StyleBackbone(width=8))
        >>> model.sample(2, seed=0, truncation=0.7).shape
        torch.Size([2, 3, 24, 32])

    Card: docs/models/stylegan2.md; configuration: examples/configs/stylegan2_mnist.yaml.
    """

    default_backbone = StyleBackbone()
    path_mean: Tensor

    def __init__(
        self,
        *,
        r1: float = 10.0,
        r1_every: int = 16,
        path_length: float = 0.0,
        path_length_every: int = 4,
        optimizer: OptimizerCallable = StyleAdam,
        **latent: Any,
    ) -> None:
        super().__init__(r1=r1, r1_every=r1_every, optimizer=optimizer, **latent)
        at_least(0, path_length=path_length)
        at_least(1, path_length_every=path_length_every)
        if path_length:
            self.styles("path_length")
        self.path_length, self.path_length_every = path_length, path_length_every
        self.register_buffer("path_mean", torch.zeros(()))

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Real against fake; the family adds R1."""
        return minimax_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real; where path length is due, also change images equally much for every small step of a style."""
        terms = non_saturating_generator(self.discriminator(fake))
        if self.path_length and self.batch_number // self.generator_every % self.path_length_every == 0:
            lengths = self.path_lengths(max(len(fake) // 2, 1))
            new = self.trainer.strategy.reduce(lengths.detach().mean(), reduce_op="mean")  # one mean on all devices
            mean = torch.lerp(self.path_mean, new, _PATH_DECAY)
            self.path_mean.copy_(mean)
            terms["path_length"] = self.path_length * self.path_length_every * (lengths - mean).square().mean()
        return terms

    def path_lengths(self, n: int) -> Tensor:
        """``|J^T y|`` of n new styles (equation 4 of the paper), (n,) in float32 with a graph.

        J is the Jacobian of the image with respect to the one style that all layers share; y is noise whose length
        does not depend on the number of pixels.
        """
        network = self.styles("path_length")
        with torch.autocast(self.device.type, enabled=False), torch.enable_grad():
            style = network.mapping(self.draw_noise(n))  # (n, style_dim)
            with CheapSecondDerivative():
                image = network.synthesis(style)  # (n, C, H, W)
            y = torch.randn_like(image) / (image.shape[2] * image.shape[3]) ** 0.5
            (slope,) = torch.autograd.grad((image * y).sum(), style, create_graph=True)
        return slope.norm(dim=1)

    def styles(self, option: str) -> StyleGenerator:
        """The generator as a `StyleGenerator`, which an option of that name needs.

        Raises:
            UsageError: if it is not a `StyleGenerator`.
        """
        if not isinstance(self.generator, StyleGenerator):
            raise UsageError(
                f"{option} is about styles, but {type(self.generator).__name__} is no StyleGenerator; use "
                f"backbone=StyleBackbone(), or leave {option} out"
            )
        return self.generator
