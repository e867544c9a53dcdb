"""Games in which a fake is made from noise."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lit_gans.augment import Augment
from lit_gans.core.game import BaseGAN, Batch, Fake
from lit_gans.core.generative import GenerativeModel, ImageShape
from lit_gans.errors import UsageError, finite_from
from lit_gans.losses import Terms
from lit_gans.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    Discriminator,
    Generator,
    MLPDiscriminator,
    MLPGenerator,
)
from lit_gans.networks.blocks import Norm, Upsampling
from lit_gans.penalties import zero_centered

_CHUNK = 500  # samples drawn at once: enough to be fast, few enough for any memory


class LatentGAN(BaseGAN):
    """A game in which a fake is made from noise alone: ``generator(noise)`` with noise (N, latent_dim) from N(0, I).

    Every such game can be helped where data are few: `r1` is the zero-centred penalty on reals, `augment` changes what
    the discriminator sees, real and fake alike.

    Args:
        generator: any module that maps (N, latent_dim) to (N, C, H, W) in [-1, 1] and has an int ``latent_dim``; by
            default the DCGAN one, or an MLP of three layers if a side is below 8 pixels.
        discriminator: any module that maps (N, C, H, W) to what the variant's losses expect, mostly logits (N,); by
            default the generator's counterpart.
        image_shape: (channels, height, width); needed by the default networks.
        num_classes: number of classes of the data; the command line takes it from there.
        latent_dim: size of the noise, for the default generator.
        width: channels of the finest hidden maps (units of an MLP's layers), for the default networks; 64.
        upsampling: how the default generator doubles a map: ``transposed`` convolutions (the default), ``resize`` or
            ``bilinear`` resizing and a convolution (no checkerboards), or ``subpixel``.
        generator_norm: what normalises the default generator: ``batch`` (the default), ``layer``, ``weight``,
            ``spectral`` or ``none``.
        discriminator_norm: the same for the default discriminator, whose own default is the paper's.
        r1: gamma of the penalty gamma/2 E |grad D(x)|^2 on reals (Mescheder et al. 2018, arXiv:1801.04406); 0 is none.
        r1_every: the penalty is due on every so many batches, and then counts as many times (lazy regularisation,
            Karras et al. 2020, arXiv:1912.04958, appendix B).
        augment: names of `Augment`'s policies, DiffAugment's or ADA's; none by default.
        augment_p: how likely each is applied to an image; 1, or what it begins with if ``augment_target`` is given: 0.
        augment_target: the mean sign of D(x) on reals that adaptive augmentation steers ``augment_p`` to; 0.6 in the
            paper (Karras et al. 2020, arXiv:2006.06676). Only for games whose logits are positive for reals.
        base: arguments of `BaseGAN`.

    Raises:
        UsageError: if the default networks have no ``image_shape``, the generator does not say how large its noise is,
            options of default networks come with networks, ``r1`` meets batch norm in the discriminator, or adaptive
            augmentation a game whose scores have no zero.
    """

    needs: tuple[str, ...] = ("image",)
    #: what normalises the default discriminator
    default_norm: ClassVar[Norm] = "batch"
    #: units of a fully connected layer in DCGAN's networks, for each of the width
    dense: ClassVar[int] = 0
    #: images with a side below so many pixels get MLPs by default
    mlp_below: ClassVar[int] = 8
    #: whether D(x) > 0 says "real", which adaptive augmentation needs
    scores_have_zero: ClassVar[bool] = True

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        image_shape: ImageShape | None = None,
        num_classes: int | None = None,
        latent_dim: int = 100,
        width: int | None = None,
        upsampling: Upsampling | None = None,
        generator_norm: Norm | None = None,
        discriminator_norm: Norm | None = None,
        r1: float = 0.0,
        r1_every: int = 16,
        augment: Sequence[str] | str = (),
        augment_p: float | None = None,
        augment_target: float | None = None,
        **base: Any,
    ) -> None:
        options = {
            "width": width,
            "upsampling": upsampling,
            "generator_norm": generator_norm,
            "discriminator_norm": discriminator_norm,
        }
        given = [name for name, value in options.items() if value is not None]
        if generator is not None and discriminator is not None and given:
            raise UsageError(
                f"{', '.join(given)} would shape default networks, which {type(self).__name__} has none of here; give "
                "the networks themselves what they should know"
            )
        # the arguments are not rebound, because a checkpoint reads them from this call
        units = 64 if width is None else width
        super().__init__(
            self._default_generator(required(image_shape), latent_dim, units, upsampling, generator_norm, num_classes)
            if generator is None
            else generator,
            self._default_discriminator(required(image_shape), units, discriminator_norm, num_classes)
            if discriminator is None
            else discriminator,
            image_shape=image_shape,
            num_classes=num_classes,
            **base,
        )
        self.latent_dim = noise_size(self.generator)
        if not finite_from(0, r1) or r1_every < 1:
            raise UsageError(f"r1 must not be negative and r1_every at least 1 batch, got {r1} and {r1_every}")
        self.r1, self.r1_every = r1, r1_every
        if r1:
            self.refuse_batch_norm("r1")
        self.augment = self._augmentation(augment, augment_p, augment_target)
        self._reals: Tensor | None = None

    @classmethod
    def _default_generator(
        cls,
        image_shape: ImageShape,
        latent_dim: int,
        width: int,
        upsampling: Upsampling | None,
        norm: Norm | None,
        num_classes: int | None = None,
    ) -> Generator:
        if min(image_shape[1:]) < cls.mlp_below:
            return MLPGenerator(image_shape, latent_dim, (width,) * 3, norm or "none")
        return DCGANGenerator(
            image_shape, latent_dim, width, upsampling or "transposed", norm or "batch", cls.dense * width
        )

    @classmethod
    def _default_discriminator(
        cls, image_shape: ImageShape, width: int, norm: Norm | None, num_classes: int | None = None
    ) -> Discriminator:
        norm = cls._discriminator_norm(image_shape, norm)
        if min(image_shape[1:]) < cls.mlp_below:
            return MLPDiscriminator(image_shape, (width,) * 3, norm=norm)
        return DCGANDiscriminator(image_shape, width, norm, cls.dense * width)

    @classmethod
    def _discriminator_norm(cls, image_shape: ImageShape, norm: Norm | None) -> Norm:
        """What normalises the default discriminator, if a norm is asked for and if none is."""
        # what bounds a paper's discriminator bounds its MLP too, but points have no use for batch norm
        points = min(image_shape[1:]) < cls.mlp_below
        return norm or ("none" if points and cls.default_norm == "batch" else cls.default_norm)

    def generate(self, batch: Batch) -> Fake:
        """As many fakes as the batch has images."""
        image = batch["image"]
        return self.generator(torch.randn(len(image), self.latent_dim, device=image.device).to(self.dtype))

    def discriminator_penalty(self, batch: Batch, fake: Fake) -> Terms:
        """R1 where it is due."""
        if not self.r1 or self.batch_number % self.r1_every:
            return {}
        return {"r1": self.r1 / 2 * self.r1_every * zero_centered(self.realness(batch), batch["image"])}

    def realness(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        """What maps images, one for each of the batch, to how real they look, which penalties keep flat."""
        return self.discriminator

    def discriminator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The discriminator's turn; adaptive augmentation looks at its verdict on the reals."""
        if self.augment is None or not self.augment.adaptive:
            return super().discriminator_step(batch, fake)
        self._reals = batch["image"]
        terms = super().discriminator_step(batch, fake)
        if self._reals is not None:
            raise UsageError(
                f"adaptive augmentation never saw {type(self).__name__} judge the reals by themselves: its "
                'discriminator_loss must call self.discriminator(batch["image"]); or leave augment_target away'
            )
        return {**terms, "state/augment_p": self.augment.p.detach().clone()}

    def refuse_batch_norm(self, penalty: str) -> None:
        """Raises a `UsageError` if the discriminator has batch norm, which makes a gradient penalty meaningless."""
        if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in self.discriminator.modules()):
            raise UsageError(
                f"{penalty} is a penalty on each image's own gradient, which batch norm in the discriminator mixes "
                "with the others'; use discriminator_norm='none', 'layer' or 'spectral'"
            )

    def _augmentation(self, policies: Sequence[str] | str, p: float | None, target: float | None) -> Augment | None:
        if not policies:
            if p is not None or target is not None:
                raise UsageError("augment_p and augment_target need augment, the names of what to apply")
            return None
        if target is not None and not self.scores_have_zero:
            raise UsageError(
                f"augment_target watches the sign of D(x), which means nothing in {type(self).__name__}, where no zero "
                "parts real from fake; set augment_p, without augment_target"
            )
        augment = Augment(policies, p, target)
        # hooks rather than a method: a user's discriminator_loss calls self.discriminator and need not know
        self.discriminator.register_forward_pre_hook(self._before_judging)
        if augment.adaptive:
            self.discriminator.register_forward_hook(self._after_judging)
        return augment

    def _before_judging(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        if not module.training:
            return inputs
        assert self.augment is not None
        self._judges_reals = inputs[0] is self._reals
        return (self.augment(inputs[0]), *inputs[1:])

    def _after_judging(self, module: nn.Module, inputs: tuple[Any, ...], verdict: Tensor | tuple[Tensor, ...]) -> None:
        if module.training and self._judges_reals:
            assert self.augment is not None
            self.augment.update(verdict if isinstance(verdict, Tensor) else verdict[0])
            self._reals = None

    @torch.no_grad()
    def sample(self, n: int = 64, *, seed: int | None = None, noise: Tensor | None = None) -> Tensor:
        """Draws images from the averaged generator (the plain one if ``ema_decay=0``).

        Args:
            n: how many images.
            seed: makes the draw repeatable, on any device; without it the global random state is used.
            noise: (n, latent_dim) noise to use in place of a draw; ``n`` and ``seed`` are then ignored.

        Returns:
            (n, C, H, W) float32 in [-1, 1].
        """
        return draw(self, self.latent_dim, n, seed, noise)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """As many fakes as the batch has images, the same ones at every validation."""
        return {"fake": self.sample(len(self.receive(batch)["image"]), seed=self.number(batch_idx))}


@torch.no_grad()
def draw(
    model: GenerativeModel,
    latent_dim: int,
    n: int,
    seed: int | None,
    noise: Tensor | None,
    *inputs: Tensor,
    **options: Any,
) -> Tensor:
    """Images of a model's averaged generator from noise (n, latent_dim), a draw from N(0, I) where there is none.

    ``inputs`` go to the generator beside the noise, a row for each of its rows; ``options`` are further arguments of
    its forward.
    """
    if noise is None:
        rng = None if seed is None else torch.Generator().manual_seed(seed)
        noise = torch.randn(n, latent_dim, generator=rng)
    chunks = zip(*(rows.split(_CHUNK) for rows in (noise, *inputs)), strict=True)
    with model.inference_generator() as generator:
        parts = [[rows.to(model.device, model.dtype) for rows in chunk] for chunk in chunks]
        return torch.cat([generator(*part, **options).float() for part in parts])


def noise_size(generator: nn.Module) -> int:
    """How many dimensions a generator's noise has.

    Raises:
        UsageError: if it does not say.
    """
    size = getattr(generator, "latent_dim", None)
    if not isinstance(size, int):
        raise UsageError(
            f"the generator {type(generator).__name__} has no latent_dim; give it an int attribute latent_dim, the "
            "size of the noise that its forward takes"
        )
    return size


def required(image_shape: ImageShape | None, both: str = "a generator and a discriminator") -> ImageShape:
    """The shape that default networks are built for, where a model takes ``both`` players.

    Raises:
        UsageError: if there is none.
    """
    if image_shape is None:
        raise UsageError(
            f"the default networks need image_shape=(channels, height, width); pass it, or pass both {both} of your own"
        )
    return image_shape
