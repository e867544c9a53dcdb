"""Games in which a fake is made from noise."""

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, ClassVar

from torch import Tensor, nn

from lit_gans.core.checks import refuse_backbone, refuse_inputs
from lit_gans.core.game import PLAYERS, BaseGAN, Batch, Fake
from lit_gans.core.sampling import noise_size, with_latent_dim
from lit_gans.core.steadying import Steadying
from lit_gans.errors import UsageError, at_least
from lit_gans.losses import Terms
from lit_gans.networks import DCGANBackbone, MLPBackbone
from lit_gans.networks.base import Backbone

# for points in the plane, and for other samples that a paper's networks do not fit
_POINTS = MLPBackbone((64,) * 3, (64,) * 3, generator_norm="none")


class LatentGAN(BaseGAN):
    """A game in which a fake is made from noise alone: ``generator(noise)``, by default with noise from N(0, I).

    The real samples are ``batch[subject]``, mostly images. Noise of another distribution or shape is one method,
    `draw_noise`.

    Args:
        backbone: makes the networks that are not given, say ``DCGANBackbone(width=32)``; by default the paper's,
            or an MLP of three layers for samples that are too small for it, or are not images.
        latent_dim: size of the noise; by default the given generator's own ``latent_dim``, or the backbone's.
        lecam: weight of LeCam's term, for few images; it keeps each kind's scores near the other's running mean (Tseng
            et al. 2021, arXiv:2104.03310). 0.3 in the paper, 0 turns it off. See `Steadying`.
        lecam_decay: share of its means that a batch keeps.
        consistency: weight of consistency on reals; for few images. The scores of an image and of the same, mirrored
            and shifted, shall be alike (Zhang et al. 2020, arXiv:1910.12027). 10 in the paper. See `Steadying`.
        consistency_fake: the same on fakes; 10 in the paper (Zhao et al. 2021, arXiv:2002.04724).
        game: arguments of `BaseGAN`: generator, discriminator, optimizer, scheduler, r1, augment and so on. A generator
            of your own is any module that maps (N, latent_dim) to (N, C, H, W) in [-1, 1], a discriminator one that
            maps (N, C, H, W) to what the game's losses expect, mostly scores (N,).

    Raises:
        UsageError: if the default networks have no ``image_shape``, nobody says how large the noise is, a backbone
            comes with two networks, or ``lecam`` or ``consistency`` meets a game that cannot have it.
    """

    draws: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("image",)
    #: the backbone of the paper's networks
    default_backbone: ClassVar[Backbone] = DCGANBackbone()

    def __init__(
        self,
        *,
        backbone: Backbone | None = None,
        latent_dim: int | None = None,
        lecam: float = 0.0,
        lecam_decay: float = 0.9,
        consistency: float = 0.0,
        consistency_fake: float = 0.0,
        **game: Any,
    ) -> None:
        if isinstance(latent_dim, (tuple, list)):
            raise UsageError(
                f"latent_dim is one whole number, the length of the noise (N, latent_dim), got {latent_dim}; for noise "
                "of another shape write draw_noise(), see docs/add-a-gan.md"
            )
        at_least(1, latent_dim=latent_dim)
        self._backbone, self._asked_dim = backbone, latent_dim
        refuse_backbone(
            self, backbone, Backbone, generator=game.get("generator"), discriminator=game.get("discriminator")
        )
        own = getattr(game.get("generator"), "latent_dim", None)  # draws a sample before the rest is made: its shape
        self.latent_dim = own if isinstance(own, int) else latent_dim
        super().__init__(**game)
        if type(self).generate is LatentGAN.generate and not isinstance(self.generator, nn.ModuleDict):
            cure = "use CGAN for one that takes a label, or override generate() and drawing()"
            refuse_inputs(self.generator, "generator", ("noise (N, latent_dim)",), cure)
        own_noise = type(self).draw_noise is not BaseGAN.draw_noise
        self.latent_dim = None if own_noise and latent_dim is None else noise_size(self.drawing_part, latent_dim)
        steadying = Steadying(lecam, lecam_decay, consistency, consistency_fake)
        if steadying:
            self._refuse_steadying(steadying)
        self.steadying = steadying if steadying else None

    def _refuse_steadying(self, asked: Steadying) -> None:
        """Refuses what steadies a discriminator, where the game has no such scores, or no images."""
        name = type(self).__name__
        what = "lecam" if asked.lecam else "consistency"
        if self.players != PLAYERS:
            raise UsageError(f"{what} is for games of one discriminator, and {name} has several; leave it out")
        if asked.lecam and self.judges_by_energy:
            raise UsageError(
                f"lecam keeps scores near each other that are high for reals, and {name} has energies, which its own "
                "rule keeps apart; leave lecam out"
            )
        if any(asked.weights) and self.image_shape is not None and len(self.image_shape) != 3:
            raise UsageError(
                "consistency mirrors and shifts images (channels, height, width), but a sample has the shape "
                f"{self.image_shape}; leave consistency out"
            )

    def __init_subclass__(cls, **options: Any) -> None:
        """Lets a subclass name its subject in one place: as ``subject``, or as the first of what it ``needs``."""
        super().__init_subclass__(**options)
        if "subject" in vars(cls) and "needs" not in vars(cls):
            cls.needs = tuple(cls.subject if name == "image" else name for name in cls.needs)
        elif "needs" in vars(cls) and cls.subject not in cls.needs and cls.needs:
            cls.subject = cls.needs[0]

    # ---------------------------------------------------------------- networks

    @property
    def backbone(self) -> Backbone:
        """The backbone of the default networks: the one that was given, else the paper's."""
        return self.own_backbone() if self._backbone is None else self._backbone

    def own_backbone(self) -> Backbone:
        """The paper's backbone, or an MLP for samples that are too small for it or are not images."""
        if self.default_backbone.suits(self.shape) or self.default_backbone.smallest == 1:
            return self.default_backbone
        return replace(_POINTS, latent_dim=self.default_backbone.latent_dim)

    @property
    def noise_size(self) -> int:
        """The size of the noise that default generators take."""
        return self._asked_dim or self.backbone.latent_dim

    @property
    def drawing_part(self) -> nn.Module:
        """The network that maps noise to samples."""
        part = self.drawing(self.generator)
        if isinstance(part, nn.ModuleDict):
            raise UsageError(
                f"the generator of {type(self).__name__} is an nn.ModuleDict of {', '.join(part)}; say which of them "
                "draws, in drawing(self, player)"
            )
        return part

    def make_generator(self) -> nn.Module:
        """The backbone's generator."""
        return self.drawing_from(self.noise_size)

    def drawing_from(self, inputs: int) -> Any:
        """The backbone's generator from vectors (N, inputs); its ``latent_dim`` says how long they are."""
        return with_latent_dim(self.backbone.generator(self.shape, inputs), inputs)

    def make_discriminator(self) -> nn.Module:
        """The backbone's discriminator, with the norm that the game needs."""
        return self.backbone.discriminator(self.shape, norm=self.needed_norm)

    # ---------------------------------------------------------------- the game

    def setup(self, stage: str) -> None:
        """Also listens to the discriminator, where its scores are steadied."""
        super().setup(stage)
        # what is compiled is not listened to, and judges once more
        if self.steadying is not None and stage == "fit" and not self.compiled:
            self.steadying.attach(self.discriminator, self._attached)

    def teardown(self, stage: str) -> None:
        """Also listens no longer."""
        super().teardown(stage)
        if self.steadying is not None:
            self.steadying.detach()

    def listening(self, batch: Batch, fake: Fake) -> AbstractContextManager[None]:
        """Keeps what the discriminator gives for reals and fakes, where its scores are steadied."""
        if self.steadying is None:
            return super().listening(batch, fake)
        return self.steadying.listening(batch[self.subject], self._drawn_image(fake))

    def discriminator_penalty(self, batch: Batch, fake: Fake) -> Terms:
        """R1 on the batches that it is due on, LeCam and consistency."""
        terms = super().discriminator_penalty(batch, fake)
        if self.steadying is None:
            return terms
        images = batch[self.subject], self._drawn_image(fake)
        return {**terms, **self.steadying.terms(self.critic(batch), *images)}

    def discriminator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The discriminator's turn, then the update of LeCam's running means."""
        terms = super().discriminator_step(batch, fake)
        if self.steadying is None:
            return terms
        return {**terms, **self.steadying.update(lambda means: self.trainer.strategy.reduce(means, reduce_op="mean"))}

    def _drawn_image(self, fake: Fake) -> Tensor:
        return fake[self.subject] if isinstance(fake, dict) else fake

    def generate(self, batch: Batch) -> Fake:
        """Makes as many fakes as the batch has real samples."""
        return self.drawing_part(self.noise_for(batch))

    def noise_for(self, batch: Batch) -> Tensor:
        """Noise for as many fakes as the batch has real samples, on the model's device and in its number type."""
        noise = self.draw_noise(len(batch[self.subject])).to(self.device)
        return noise.to(self.dtype) if noise.is_floating_point() else noise

    def sample(
        self, n: int = 64, *, seed: int | None = None, noise: Tensor | None = None, truncation: float = 1.0
    ) -> Tensor:
        """Draws samples from the averaged generator (the plain one if ``ema_decay=0``).

        Args:
            n: how many samples.
            seed: makes the draw repeatable, on any device; without it the global random state is used.
            noise: (n, latent_dim) noise to use in place of a draw; ``n`` and ``seed`` are then ignored.
            truncation: below 1 images are more typical and less varied: a factor on the distance of the styles from
                their mean where the generator has styles, and on the noise elsewhere.

        Returns:
            (n, C, H, W) float32 in [-1, 1], or whatever else the generator draws.
        """
        return self.draw(n, seed, noise, truncation=truncation)

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Samples: from the noise that the loader gives, rows that are no images; else as many as the batch has."""
        first = batch[0] if isinstance(batch, (tuple, list)) else batch
        rows = first.get("noise") if isinstance(first, dict) else first
        size = (self.latent_dim,)
        if isinstance(rows, Tensor) and rows.shape[1:] == size != self.image_shape:
            return self.sample(noise=rows.to(self.device), **self._asked(batch))
        batch = self.receive(batch)
        return self.sample(len(next(iter(batch.values()))), seed=self.number(batch_idx), **self._asked(batch))

    def _asked(self, batch: Any) -> dict[str, Any]:
        """The further arguments of `sample` that a batch to predict for gives."""
        return {}

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Draws as many fakes as the batch has real samples, the same ones at every validation."""
        return {"fake": self.sample(len(self.receive(batch)[self.subject]), seed=self.number(batch_idx))}
