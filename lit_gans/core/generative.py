"""The part that all models share: an averaged generator to sample from, exact resume, self-describing checkpoints."""

from typing import Any, ClassVar
from uuid import uuid4

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from lit_gans import checkpoints
from lit_gans.checkpoints.recording import Recorded
from lit_gans.core.batches import checked_columns, named, refuse_batch
from lit_gans.core.checks import shape_of
from lit_gans.core.fitting import refuse_data, refuse_folders, refuse_options
from lit_gans.core.gradients import Watched
from lit_gans.core.hooks import keep_hooks
from lit_gans.core.saving import Saving
from lit_gans.errors import UsageError

Batch = dict[str, Tensor]
ImageShape = tuple[int, ...]


class GenerativeModel(Saving, metaclass=Recorded):
    """A generator, its average, and all that models share however they are trained.

    Batches are inspected once, losses that are not finite stop the run, checkpoints describe themselves, and a resumed
    run goes on bit for bit. `BaseGAN` adds the game, `JointModel` one objective for all networks.

    A subclass makes its networks after it has called ``super().__init__()``; plain values may be set before.

    Args:
        image_shape: (channels, height, width) of the images, or the shape of whatever a sample is.
        source_shape: shape of the images that are translated; by default ``image_shape``.
        num_classes: number of classes.
        text_shape: (length, size of the vocabulary) of texts; the length is that of the longest, with its end.
        source_text_shape: the same of texts that are translated.
        clip_norm: largest norm of an optimizer's gradient. Longer ones are scaled down to it.
        ema_decay: share of the averaged generator that one update keeps; 0 keeps no average.
        columns: what a loader of your own calls the parts of a batch: ``{"image": "pixel_values", "label": "labels"}``.

    The command line takes all shapes and ``num_classes`` from the data; a model ignores those that it does not need.

    Raises:
        UsageError: if an argument is out of range or a factory cannot be named in a checkpoint.
    """

    #: names that a batch must have
    needs: ClassVar[tuple[str, ...]] = ()
    #: the name, in a batch, of the real samples, which the generator imitates
    subject: ClassVar[str] = "image"
    #: least and largest value of images; None for data that are not images, say texts, whose values are not checked
    value_range: ClassVar[tuple[float, float] | None] = (-1.0, 1.0)

    def __init__(
        self,
        *,
        image_shape: ImageShape | None = None,
        source_shape: ImageShape | None = None,
        num_classes: int | None = None,
        text_shape: tuple[int, int] | None = None,
        source_text_shape: tuple[int, int] | None = None,
        clip_norm: float | None = None,
        ema_decay: float = 0.999,
        columns: dict[str, str] | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= ema_decay < 1:
            raise UsageError(f"ema_decay must be in [0, 1), where 0 keeps no average, got {ema_decay}")
        if clip_norm is not None and not clip_norm > 0:  # nor NaN
            raise UsageError(f"clip_norm must be positive, or None not to clip, got {clip_norm}")
        self.given_networks = checkpoints.save_hyperparameters(self)
        self.image_shape = shape_of("image_shape", image_shape)
        self.source_shape = shape_of("source_shape", source_shape) or self.image_shape
        self.text_shape = shape_of("text_shape", text_shape)
        self.source_text_shape = shape_of("source_text_shape", source_text_shape)
        self.vocabularies = {}
        self.num_classes = num_classes
        #: what a user's loader calls the parts of a batch
        self.batch_columns = checked_columns(self, columns)
        self.generator_ema = None
        self._mark = uuid4().hex
        self.clip_norm, self.ema_decay = clip_norm, ema_decay
        self._inspected, self._shown = set(), {}
        self._watched = Watched()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        keep_hooks(cls, GenerativeModel)

    def __setattr__(self, name: str, value: Any) -> None:
        """PyTorch's, but for a name that Lightning sets about 40 times a batch."""
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def trainer(self) -> Any:
        """The Trainer that trains this model.

        Raises:
            UsageError: if there is none.
        """
        if self._trainer is None and self._fabric is None:
            raise UsageError(
                f"this {type(self).__name__} is in no Trainer, which has the optimizers and counts the batches: call "
                "lit_gans.Trainer().fit(model, data); without one there are sample() and the losses of a batch"
            )
        return super().trainer

    @trainer.setter
    def trainer(self, trainer: Any) -> None:
        LightningModule.trainer.fset(self, trainer)  # type: ignore[attr-defined]

    def receive(self, batch: Any) -> Batch:
        """Turns a batch of any loader into the dict of the contract, on the model's device and in its number type.

        A loader may give bare images, a tuple in the order of what the model ``needs``, (images, labels) for most, a
        dict, or an object with attributes. Images of bytes (uint8) are brought into ``value_range``. The first batch of
        every stage of every run is inspected: of training, of validation, of a test.

        Raises:
            UsageError: if the batch is none of these, lacks what the model ``needs``, or has images that are not
                in ``value_range`` or not of ``image_shape``.
        """
        entries = named(self, batch)
        stage = "" if self._trainer is None else str(self.trainer.state.stage)
        if stage not in self._inspected:
            refuse_batch(self, entries, batch)
            self._inspected.add(stage)
        return entries

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Draws as many samples as the batch has entries."""
        entry = next(iter(self.receive(batch).values()))
        return self.sample(len(entry), seed=self.number(batch_idx))

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Draws as many samples as the batch has entries, the same ones at every validation, if the model `draws`."""
        entry = next(iter(self.receive(batch).values()))
        return {"fake": self.sample(len(entry), seed=self.number(batch_idx))} if self.draws else {}

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Any:
        """The same as a validation step."""
        return self.validation_step(batch, batch_idx)

    def bfloat16(self) -> "GenerativeModel":
        """Converts all weights to bfloat16; Lightning tracks the number type of ``half()`` and ``double()`` only."""
        return self.to(torch.bfloat16)

    def to(self, *arguments: Any, **named: Any) -> "GenerativeModel":
        """PyTorch's; a `UsageError` names the device where there is none of that name."""
        try:
            return super().to(*arguments, **named)
        except RuntimeError as error:
            if "device type at start of device string" not in str(error):
                raise
            raise UsageError(
                f"there is no device {arguments[0] if arguments else named.get('device')!r}; give 'cpu', 'cuda' or "
                "'cuda:1' for example"
            ) from None

    def configure_callbacks(self) -> list[Any]:
        """Refuses data and trainer options before Lightning does, whose words would not help here."""
        if self.trainer.state.fn == "fit":
            refuse_options(self.trainer)
            refuse_folders(self.trainer)
        refuse_data(self.trainer, self)
        return []
