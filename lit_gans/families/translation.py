"""Games in which a fake is made from an image: of pairs, and of two domains without pairs."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lit_gans.core.game import BaseGAN, Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.errors import UsageError

_CHUNK = 64  # images translated at once


class TranslationGAN(BaseGAN):
    """A game in which a fake is made from an image.

    Args:
        generator: a network, or an ``nn.ModuleDict`` of several.
        discriminator: the same.
        image_shape: (channels, height, width) of the images that are made.
        source_shape: of those that they are made from; by default the same. The command line takes both from the data.
        game: arguments of `BaseGAN`.
    """

    draws: ClassVar[bool] = False

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        **game: Any,
    ) -> None:
        super().__init__(generator, discriminator, image_shape=image_shape, **game)
        shape = source_shape or image_shape
        self.source_shape = None if shape is None else tuple(shape)

    @abstractmethod
    def translate(self, images: Tensor, *, seed: int | None = None) -> Tensor:
        """What the averaged generator makes of images in [-1, 1]; a seed makes a game's noise repeatable."""

    def forward(self, *inputs: Any, **options: Any) -> Tensor:
        """`translate`."""
        return self.translate(*inputs, **options)

    def sample(self, n: int = 64, *, seed: int | None = None) -> Tensor:
        """Refused: there is nothing to draw from but images.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"a {type(self).__name__} makes images from images, not from noise; use translate(images), or "
            "'lit-gans translate'"
        )

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Translations of a batch's first images."""
        return self.translate(next(iter(self.receive(batch).values())), seed=batch_idx)

    @torch.no_grad()
    def _through(self, choose: Callable[[Any], nn.Module], images: Tensor, seed: int | None) -> Tensor:
        """Images through a network of the averaged generator, a part at a time."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices, enabled=seed is not None), self.inference_generator() as generator:
            if seed is not None:
                torch.manual_seed(seed)
            network = choose(generator)
            return torch.cat([network(part.to(self.device, self.dtype)).float() for part in images.split(_CHUNK)])


class PairedGAN(TranslationGAN):
    """A game of pairs: a fake is ``generator(source)``, to be compared with its target.

    Args:
        game: arguments of `TranslationGAN` and `BaseGAN`.
    """

    needs: tuple[str, ...] = ("source", "target")

    def generate(self, batch: Batch) -> Fake:
        """A fake of every source."""
        return self.generator(batch["source"])

    def translate(self, images: Tensor, *, seed: int | None = None) -> Tensor:
        """What the averaged generator makes of sources.

        Args:
            images: (N, C, H, W) in [-1, 1], of any height and width.
            seed: makes the noise of dropout repeatable, where the generator has any.

        Returns:
            (N, C', H, W) float32 in [-1, 1].
        """
        return self._through(lambda generator: generator, images, seed)

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Translates a batch, the same way at every validation, and logs ``val/l1``, the error of values in [-1, 1].

        Returns:
            ``fake`` and ``real``, to be compared as sets, and ``shown``, to be looked at side by side.
        """
        batch = self.receive(batch)
        source, target = batch["source"], batch["target"]
        fake = self.translate(source, seed=self.number(batch_idx))
        stage = "test" if self.trainer.testing else "val"
        l1 = (fake - target).abs().mean()
        self.log(f"{stage}/l1", l1, batch_size=len(fake), sync_dist=True)
        return {"fake": fake, "real": target, "shown": {"source": source, "fake": fake, "target": target}}


class UnpairedGAN(TranslationGAN):
    """A game of two domains without pairs; a fake is ``{"b": translations of batch["a"], ...}``.

    Domain a has ``source_shape`` and domain b ``image_shape``; only the channels may differ.

    Args:
        game: arguments of `TranslationGAN` and `BaseGAN`.
    """

    needs: tuple[str, ...] = ("a", "b")
