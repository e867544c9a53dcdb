"""The style-based GAN."""

from collections.abc import Iterable
from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor

from lit_gans.core.game import Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.errors import UsageError, finite_from
from lit_gans.families import LatentGAN, draw, required
from lit_gans.losses import Terms, minimax_discriminator, non_saturating_generator
from lit_gans.networks import Discriminator, Generator, StyleDiscriminator, StyleGenerator
from lit_gans.optim import Adam

_PATH_DECAY = 0.01  # share of a new mean path length in the running one


class StyleAdam(Adam):
    """`Adam` with StyleGAN2's betas (0, 0.99) and a learning rate for weights that are near 1.

    Weights with an equalised learning rate want ten times the usual one: 0.002 in Karras et al. 2020
    (arXiv:1912.04958), 0.0025 below 1024 pixels in their next paper (arXiv:2006.06676), which is the default.

    Args:
        params: parameters or parameter groups.
        lr: learning rate.
        betas: decay of the first and second moment.
        eps: added to the denominator.
        weight_decay: L2 penalty.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2.5e-3,
        betas: tuple[float, float] = (0.0, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


class StyleGAN2(LatentGAN):
    """A mapped latent steers every layer of the generator as a style, and a lazy R1 penalty holds the discriminator.

    Karras, Laine, Aittala, Hellsten, Lehtinen & Aila 2020, *Analyzing and Improving the Image Quality of StyleGAN*,
    arXiv:1912.04958, with the later small-image settings by default: 2 mapping layers, no mixing, no path length.

    The discriminator minimises `-E log D(x) - E log(1 - D(G(z))) + gamma/2 E |grad D(x)|^2`, the generator
    `-E log D(G(z)) + weight E (|J^T y| - a)^2`, where J is the Jacobian of the image by its style, y is noise, and a
    follows the mean of `|J^T y|`.

    Good at: image quality, and styles that can be truncated, mixed and moved along. Bad at: the price of a step,
    several times DCGAN's, and few images, which it memorises without ``augment``.

    Args:
        generator: a network from noise to images; by default `StyleGenerator`.
        discriminator: a network from images to logits without batch norm; by default `StyleDiscriminator`.
        image_shape: (channels, height, width), both sides at least 8; needed by the default networks.
        latent_dim: size of the noise, for the default generator.
        width: channels of the finest maps, for the default networks.
        style_dim: size of a style, for the default generator.
        mapping_layers: layers from noise to style, for the default generator; 8 in the paper.
        mixing: share of fakes made from two styles while training, for the default generator; 0.9 in the paper.
        r1: gamma. The paper's 10 is for 1024 pixels; it should fall with the number of pixels and the batch, about
            0.0002 * height * width / batch (Karras et al. 2020, arXiv:2006.06676): 0.003 for 32 pixels, batch 64.
        r1_every: R1 is due on every so many batches, and counts as many times.
        path_length: weight of the path length penalty, 2 in the paper; 0 is none. Taken on half a batch of styles.
        path_length_every: it is due on every so many of the generator's moves, and counts as many times.
        generator_optimizer: Adam with learning rate 2.5e-3 and betas (0, 0.99), see `StyleAdam`.
        discriminator_optimizer: the same for the discriminator.
        latent: arguments of `LatentGAN`.

    Raises:
        UsageError: if an argument is out of range, or path length is wanted of a generator without styles.

    Examples:
        >>> model = StyleGAN2(image_shape=(3, 24, 32), width=8)
        >>> model.sample(2, seed=0, truncation=0.7).shape
        torch.Size([2, 3, 24, 32])
    """

    path_mean: Tensor

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        latent_dim: int = 128,
        width: int = 32,
        style_dim: int = 128,
        mapping_layers: int = 2,
        mixing: float = 0.0,
        r1: float = 10.0,
        r1_every: int = 16,
        path_length: float = 0.0,
        path_length_every: int = 4,
        generator_optimizer: OptimizerCallable = StyleAdam,
        discriminator_optimizer: OptimizerCallable = StyleAdam,
        **latent: Any,
    ) -> None:
        styles = (latent_dim, width, style_dim, mapping_layers, mixing)
        super().__init__(
            StyleGenerator(required(image_shape), *styles) if generator is None else generator,
            StyleDiscriminator(required(image_shape), width) if discriminator is None else discriminator,
            image_shape=image_shape,
            r1=r1,
            r1_every=r1_every,
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
            **latent,
        )
        if not finite_from(0, path_length) or path_length_every < 1:
            raise UsageError(
                "path_length must not be negative and path_length_every at least 1 move, got "
                f"{path_length} and {path_length_every}"
            )
        if path_length and not isinstance(self.generator, StyleGenerator):
            raise UsageError(
                f"path_length measures how an image follows its style, but {type(self.generator).__name__} is no "
                "StyleGenerator; use one, or path_length=0"
            )
        self.path_length, self.path_length_every = path_length, path_length_every
        self.register_buffer("path_mean", torch.zeros(()))

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Real against fake; the family adds R1."""
        return minimax_discriminator(self.discriminator(batch["image"]), self.discriminator(fake))

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Be called real; where it is due, answer to every small step of a style with an equally large one."""
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

        J is the Jacobian of the image by the one style that all layers share; y is noise whose length does not depend
        on the number of pixels.
        """
        network = self.generator
        assert isinstance(network, StyleGenerator)
        with torch.autocast(self.device.type, enabled=False), torch.enable_grad():
            style = network.mapping(torch.randn(n, self.latent_dim, device=self.device))
            image = network.synthesis(style)
            y = torch.randn_like(image) / (image.shape[2] * image.shape[3]) ** 0.5
            (slope,) = torch.autograd.grad((image * y).sum(), style, create_graph=True)
        return slope.norm(dim=1)

    @torch.no_grad()
    def sample(
        self, n: int = 64, *, seed: int | None = None, noise: Tensor | None = None, truncation: float = 1.0
    ) -> Tensor:
        """Draws images from the averaged generator (the plain one if ``ema_decay=0``).

        The generator's per-pixel noise is fixed here, so that an image is a function of its noise.

        Args:
            n: how many images.
            seed: makes the draw repeatable, on any device; without it the global random state is used.
            noise: (n, latent_dim) noise to use in place of a draw; ``n`` and ``seed`` are then ignored.
            truncation: how far styles may be from their mean, as a share of their distance: below 1 images are better
                and more alike, at 0 all are the same.

        Returns:
            (n, C, H, W) float32 in [-1, 1].

        Raises:
            UsageError: if a generator without styles is to truncate them.
        """
        if truncation == 1:
            return super().sample(n, seed=seed, noise=noise)
        if not isinstance(self.generator, StyleGenerator):
            raise UsageError(
                f"truncation moves styles towards their mean, but {type(self.generator).__name__} is no "
                "StyleGenerator; use one, or truncation=1"
            )
        return draw(self, self.latent_dim, n, seed, noise, truncation=truncation)
