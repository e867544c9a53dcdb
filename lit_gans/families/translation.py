"""Games in which a fake is made from an image: of pairs, and of two domains without pairs."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lit_gans.core.checks import refuse_backbone
from lit_gans.core.exporting import port_of_image, refuse_truncation
from lit_gans.core.game import BaseGAN, Batch, Fake
from lit_gans.errors import UsageError, one, reason
from lit_gans.images.shape import as_float
from lit_gans.networks.base import TranslationBackbone, in_parts
from lit_gans.networks.exported import Exported, FromImage
from lit_gans.networks.tiles import in_tiles
from lit_gans.networks.translators import ResNetTranslation, UNetTranslation

_CHUNK = 64  # images translated at once


class TranslationGAN(BaseGAN):
    """A game in which a fake is made from an image.

    Args:
        backbone: makes the networks that are not given, for example ``UNetTranslation(width=32)``; by default the
            paper's.
        game: arguments of `BaseGAN` and `GenerativeModel`. ``image_shape`` is the shape of the images that are made,
            ``source_shape`` that of the images that they are made from, by default the same; the command line takes
            both from the data.
    """

    #: the backbone of the paper's networks
    default_backbone: ClassVar[TranslationBackbone]
    domains: ClassVar[tuple[str, ...]] = ("b",)

    def __init__(self, *, backbone: TranslationBackbone | None = None, **game: Any) -> None:
        self.backbone = self.default_backbone if backbone is None else backbone
        refuse_backbone(
            self,
            backbone,
            TranslationBackbone,
            generator=game.get("generator"),
            discriminator=game.get("discriminator"),
        )
        super().__init__(**game)

    @property
    def source(self) -> tuple[int, ...]:
        """The shape of the images that translations are made from.

        Raises:
            UsageError: if nobody has said it.
        """
        return self.source_shape or self.shape

    def make_generator(self) -> nn.Module:
        """The backbone's generator."""
        return self.backbone.generator(self.shape, self.source)

    def make_discriminator(self) -> nn.Module:
        """The backbone's discriminator."""
        return self.backbone.discriminator(self.shape)

    def translate(self, images: Tensor, *, to: str | None = None, seed: int | None = None) -> Tensor:
        """Translations of images in [-1, 1] by the averaged generator.

        Args:
            images: (N, C, H, W) in [-1, 1], of any height and width.
            to: one of ``domains``; by default the first.
            seed: makes the noise repeatable, where the generator has any.

        Returns:
            (N, C', H, W) float32 in [-1, 1].

        Raises:
            UsageError: if there is no such domain.
        """
        to = self.domain(to)
        return self._through(lambda generator: self.towards(generator, to), images, seed)

    def domain(self, to: str | None) -> str:
        """The domain to translate to.

        Raises:
            UsageError: if it is not one of ``domains``.
        """
        if to is not None and to not in self.domains:
            raise UsageError(f"{type(self).__name__} translates to {' or '.join(self.domains)}, got to={to!r}")
        return self.domains[0] if to is None else to

    def forward(self, *inputs: Any, **options: Any) -> Tensor:
        """Calls `translate`."""
        return self.translate(*inputs, **options)

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Translations of a batch's first images."""
        return self.translate(next(iter(self.receive(batch).values())), seed=self.number(batch_idx))

    def exported(self, *, to: str | None = None, truncation: float = 1.0) -> Exported:
        """The translator to one domain, as a function of images of any size."""
        to = self.domain(to)
        refuse_truncation(self, truncation)
        made, given = (self.source, self.shape) if to == "a" else (self.shape, self.source)
        ports = (port_of_image("translation", made[0]), port_of_image("image", given[0]))
        return FromImage(self.towards(self.exported_part(), to), *ports, sides=given[1:])

    def towards(self, generator: Any, to: str) -> nn.Module:
        """The network of a generator that translates to one of ``domains``."""
        return generator

    @torch.no_grad()
    def translate_large(self, picture: Tensor, *, to: str | None = None, tile: int = 512) -> Tensor:
        """A translation of one picture of any size, in overlapping tiles that leave no seams, see `in_tiles`.

        Instance norm takes its statistics from the whole picture made as small as a tile, so that the translation is
        not quite that of `translate`.

        Args:
            picture: (C, H, W) as data keep images: uint8, int16 for 16 bits, or float in [-1, 1].
            to: one of ``domains``; by default the first.
            tile: side, in pixels, of what is made at once.

        Returns:
            (C', H, W) on the CPU: uint8 if the picture is, else float in [-1, 1].

        Raises:
            UsageError: if there is no such domain, or the network looks at the whole picture or draws noise.
        """
        picture = picture if picture.dtype == torch.uint8 else as_float(picture)
        with self.inference_generator() as generator:
            return in_tiles(self.towards(generator, self.domain(to)), picture, tile, self._like())

    @torch.no_grad()
    def _through(self, choose: Callable[[Any], nn.Module], images: Tensor, seed: int | None) -> Tensor:
        """Runs images through the network that ``choose`` takes from the averaged generator, in parts."""
        images = self.usable_images(images, f"{one(self)} translates")
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices, enabled=seed is not None), self.inference_generator() as generator:
            if seed is not None:
                torch.manual_seed(seed)
            try:
                return in_parts(choose(generator), images, like=self._like(), size=_CHUNK)
            except RuntimeError as error:
                if "channels" not in str(error):
                    raise
                raise UsageError(
                    f"this {type(self).__name__} does not translate images of shape {tuple(images.shape[1:])} "
                    f"(channels, height, width): {reason(error)}"
                ) from error


class PairedGAN(TranslationGAN):
    """A game of pairs: a fake is ``generator(source)``, to be compared with its target.

    Args:
        game: arguments of `TranslationGAN` and `BaseGAN`.
    """

    default_backbone: ClassVar[TranslationBackbone] = UNetTranslation()
    needs: ClassVar[tuple[str, ...]] = ("source", "target")
    subject: ClassVar[str] = "target"

    @property
    def judged_channels(self) -> tuple[int, ...] | None:
        """A source and its target."""
        return (self.source[0], self.shape[0])

    def generate(self, batch: Batch) -> Fake:
        """One fake for every source."""
        return self.generator(batch["source"])

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Translates a batch, the same way at every validation, and logs ``val/l1``, the error of values in [-1, 1].

        Returns:
            ``fake`` and ``real``, which metrics compare as sets, and ``shown``, for pictures side by side.
        """
        batch = self.receive(batch)
        source, target = batch["source"], batch["target"]
        fake = self.translate(source, seed=self.number(batch_idx))
        l1 = (fake - target).abs().mean()
        self.log(f"{self.stage_name}/l1", l1, batch_size=len(fake), sync_dist=True)
        return {"fake": fake, "real": target, "shown": {"source": source, "fake": fake, "target": target}}


class UnpairedGAN(TranslationGAN):
    """A game of two domains without pairs; a fake is ``{"b": translations of batch["a"], ...}``.

    Domain a has ``source_shape`` and domain b ``image_shape``; only the channels may differ.

    Args:
        game: arguments of `TranslationGAN` and `BaseGAN`.
    """

    default_backbone: ClassVar[TranslationBackbone] = ResNetTranslation()
    needs: ClassVar[tuple[str, ...]] = ("a", "b")
    subject: ClassVar[str] = "b"

    def refuse_unlike_channels(self, option: str) -> None:
        """Raises a `UsageError` where an option needs two domains with equally many channels, and they differ."""
        if self.source[0] != self.shape[0]:
            raise UsageError(
                f"{option} needs two domains with equally many channels, got {self.source[0]} and {self.shape[0]}; set "
                f"{option} to 0"
            )
