"""Anybody's LightningModule, as the callbacks see it: what only models of this library say has a default here."""

from contextlib import nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lit_gans.errors import UsageError, reason
from lit_gans.images.ranges import refuse_other_range
from lit_gans.images.shape import as_float
from lit_gans.networks.base import evaluating

_PLAYERS = ("generator", "discriminator")


def seen(module: Any) -> Any:
    """A model as callbacks need it: one of this library as it is, any other one as a `Stranger`."""
    return module if hasattr(module, "draws") else Stranger(module)


def refuse_without_samples(module: Any, name: str) -> None:
    """Refuses anybody's module that does not draw; ``name`` is of what looks at samples.

    Raises:
        UsageError: if it is none of this library and does not have a method ``sample``.
    """
    if not hasattr(module, "draws") and not callable(getattr(module, "sample", None)):
        raise UsageError(
            f"{name} looks at samples, but {type(module).__name__} does not have a method sample(n), which gives "
            f"images (n, channels, height, width) in [-1, 1]; write one, or leave {name} out"
        )


class Stranger:
    """A LightningModule that has ``sample(n)`` and need not say anything else about itself.

    Batches may be images, ``(images, labels)`` or a dict with ``image``, or with one tensor of images. Networks that
    are named ``generator`` and ``discriminator`` are taken for the players of a game. Everything that is not named here
    is asked of the module.

    Args:
        module: draws by ``sample(n)``, (n, C, H, W) images in [-1, 1].
    """

    draws: ClassVar[bool] = True
    of_texts: ClassVar[bool] = False
    best_score: ClassVar[None] = None
    draws_classes: ClassVar[bool] = False
    draws_from_latents: ClassVar[bool] = False
    known_classes: ClassVar[None] = None
    num_classes: ClassVar[None] = None
    draws_by_text: ClassVar[bool] = False
    domains: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[int] = 0
    repeats: ClassVar[bool] = False
    judges_by_energy: ClassVar[bool] = False
    generator_ema: ClassVar[None] = None

    def __init__(self, module: Any) -> None:
        self.module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    @property
    def stands_for(self) -> Any:
        """The module, for its name in messages."""
        return self.module

    @property
    def device(self) -> torch.device:
        """Where the module draws: what it says itself, or the place of its weights."""
        said = getattr(self.module, "device", None)
        if isinstance(said, torch.device):
            return said
        weights = self.module.parameters() if isinstance(self.module, nn.Module) else iter(())
        return next((weight.device for weight in weights), torch.device("cpu"))

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """The shape of a sample, if the module says it."""
        shape = getattr(self.module, "image_shape", None)
        return None if shape is None else tuple(shape)

    @property
    def players(self) -> tuple[str, ...]:
        """The networks that bear the names of players."""
        return tuple(name for name in _PLAYERS if isinstance(getattr(self.module, name, None), nn.Module))

    @property
    def gradient_norms(self) -> dict[str, Tensor]:
        """None: the module does not keep them."""
        return {}

    def captions(self, n: int) -> list[str]:
        """None: the module is not asked by which sentences it draws."""
        return []

    def _logs_this_batch(self) -> bool:
        trainer: Any = self.module.trainer
        every = trainer.log_every_n_steps
        return bool(trainer.fast_dev_run) or (every > 0 and (trainer.fit_loop.total_batch_idx + 1) % every == 0)

    def receive(self, batch: Any) -> dict[str, Any]:
        """A batch as a dict with ``image``, (N, C, H, W) in [-1, 1]; images of bytes (uint8) are brought there.

        Raises:
            UsageError: if there are no images in it, or they have another range.
        """
        if isinstance(batch, Tensor):
            batch = {"image": batch}
        elif isinstance(batch, (tuple, list)):
            batch = dict(zip(("image", "label"), batch, strict=False))
        if isinstance(batch, dict) and "image" not in batch:  # pixel_values, say
            pictures = [name for name, value in batch.items() if isinstance(value, Tensor) and value.ndim == 4]
            batch = {**batch, "image": batch[pictures[0]]} if len(pictures) == 1 else batch
        if not isinstance(batch, dict) or not isinstance(batch.get("image"), Tensor):
            has = ", ".join(map(str, batch)) if isinstance(batch, dict) else f"a {type(batch).__name__}"
            raise UsageError(
                "batches must be images, (images, labels) or a dict with 'image' or one other tensor (N, C, H, W), "
                f"got {has}; let collate_fn make one of these"
            )
        batch = {**batch, "image": as_float(batch["image"])}
        refuse_other_range(batch["image"], "the data's images")
        return batch

    def sample(self, n: int = 64, *, seed: int | None = None) -> Tensor:
        """Draws by the module's ``sample(n)``, in evaluation mode, without gradients, and from a seed if there is one.

        Raises:
            UsageError: if that fails for want of other arguments, or gives anything but n samples in [-1, 1].
        """
        name, device = type(self.module).__name__, self.device
        devices = [device] if device.type == "cuda" else []
        resting = evaluating(self.module) if isinstance(self.module, nn.Module) else nullcontext()
        with torch.no_grad(), resting, torch.random.fork_rng(devices, enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            try:
                samples = self.module.sample(n)
            except TypeError as error:
                if "argument" not in str(error):
                    raise
                raise UsageError(f"{name}.sample must take the number of samples alone: {reason(error)}") from error
        if not isinstance(samples, Tensor) or not samples.ndim or len(samples) != n:
            given = tuple(samples.shape) if isinstance(samples, Tensor) else f"a {type(samples).__name__}"
            raise UsageError(f"{name}.sample({n}) must give {n} samples (n, channels, height, width), got {given}")
        refuse_other_range(samples, f"the images of {name}.sample")
        return samples.float()
