"""Measures, while a run goes on, how near the generator comes to held-out images."""

from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from lit_gans.devices import gathered
from lit_gans.errors import UsageError
from lit_gans.latents.inversion import XIANG_LI, invert_images
from lit_gans.metrics.together import shared


class Reconstruction(Callback):
    """After a validation logs ``val/reconstruction``: the mean error with which the generator draws held-out images.

    The running measure of Xiang & Li 2017 (arXiv:1704.03971): for each image, gradient descent on the noise from z = 0,
    by RMSprop with learning rate 0.01. The error is the mean over pixels of (G(z) - x)^2 at the best point on the way,
    of values in [-1, 1], which is four times that of values in [0, 1]. Under a steady gradient fifty such steps move a
    coordinate by 0.6, so that z stays where training draws it. A mode that the generator has dropped raises the error.

    The images are the first of the validation set, the generator is the averaged one; training is not affected. Use it
    with ``--trainer.callbacks+=Reconstruction``. To choose checkpoints by it add ``--best.monitor val/reconstruction``.

    Args:
        images: how many, over all devices; each costs ``steps`` passes through the generator, forward and back.
        steps: gradient steps of every latent point; 50 in the paper while it trains, 2,000 at the end.
        every_n_epochs: epochs between two measurements.

    Raises:
        UsageError: if a number is below 1, or the model draws from anything but noise.
    """

    def __init__(self, images: int = 64, steps: int = 50, every_n_epochs: int = 1) -> None:
        if min(images, steps, every_n_epochs) < 1:
            raise UsageError(
                "Reconstruction inverts at least one image by one step after every so many epochs, got "
                f"images={images}, steps={steps}, every_n_epochs={every_n_epochs}"
            )
        self.images, self.steps, self.every_n_epochs = images, steps, every_n_epochs
        self.real: list[Tensor] = []
        self.labels: list[Tensor] = []

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Refuses a model without noise before anything is trained."""
        if not pl_module.draws_from_latents:
            raise UsageError(
                f"Reconstruction looks for the noise that draws an image, but {type(pl_module).__name__} does not draw "
                "from noise alone; leave the callback out, or use a model that does"
            )

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Forgets the images of the last time."""
        self.real, self.labels = [], []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps this device's first images; together, the devices have the first of the validation set."""
        left = self.images - sum(map(len, self.real))
        if left > 0 and self._due(trainer) and not pl_module.repeats:
            received = pl_module.receive(batch)
            if "image" not in received:
                raise UsageError(
                    f"Reconstruction inverts images, but the data gives {', '.join(received)}; leave the callback out"
                )
            self.real.append(received["image"][:left].cpu())
            if "label" in received:
                self.labels.append(received["label"][:left].cpu())

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Inverts the images, each device its share of those that one device would take, and logs the mean error."""
        if not self._due(trainer):
            return
        images = list(shared(self.real))
        labels = list(shared(self.labels))
        self.real, self.labels = [], []
        if not images:
            return
        own = torch.arange(min(self.images, sum(map(len, images))))[trainer.global_rank :: trainer.world_size]
        errors = self._errors(pl_module, torch.cat(images)[own], torch.cat(labels)[own] if labels else None)
        pl_module.log("val/reconstruction", torch.cat(gathered(errors)).mean())

    def _errors(self, pl_module: Any, images: Tensor, label: Tensor | None) -> Tensor:
        """The errors (N,) of this device's images; N may be 0."""
        if not len(images):
            return torch.zeros(0)
        settings: dict[str, Any] = XIANG_LI | {"steps": self.steps}
        with pl_module.inference_generator() as generator:
            if label is not None and pl_module.known_classes is not None:
                settings["label"] = pl_module.condition(label.to(pl_module.device))
            network, size = pl_module.drawing(generator), pl_module.latent_dim
            found = invert_images(network, images.to(pl_module.device), size, **settings)
        return found.errors.detach().cpu()

    def _due(self, trainer: Trainer) -> bool:
        if trainer.sanity_checking:
            return False
        return trainer.state.fn != "fit" or (trainer.current_epoch + 1) % self.every_n_epochs == 0
