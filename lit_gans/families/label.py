"""Games in which a fake is made from noise and a label."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.checkpoints.class_names import numbered, told
from lit_gans.core.checks import refuse_inputs
from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError
from lit_gans.families.latent import LatentGAN
from lit_gans.networks.exported import ROWS, Exported, FromAttributes, FromLabel, Port
from lit_gans.networks.wrappers import ConditionalGenerator, Conditioning

_REMEMBERED = 64  # rows of attributes from training, which `sample` takes without a label

Label = int | str | Sequence[int | str] | Tensor


class LabelGAN(LatentGAN):
    """A game in which a fake is made from noise and a label: ``generator(noise, condition)``.

    The networks get a label as a condition (N, num_classes): a row of zeros with a one for its class, or of zeros and
    ones for attributes. A mixture of several rows is a condition too, which `sample` takes.

    A fake has the label of the real image at its place in the batch, so that labels are as frequent among fakes as
    among reals. Where the real image has no label, the fake has a random class. A `Fake` is
    ``{"image": (N, C, H, W), "label": (N,)}``.

    Args:
        num_classes: number of classes, or of attributes; the command line takes it from the data.
        multi_label: whether labels are attributes (N, num_classes), any of which may hold at once, not classes (N,).
        latent: arguments of `LatentGAN`. A generator of your own maps noise (N, latent_dim) and a condition
            (N, num_classes) to (N, C, H, W) in [-1, 1]; a discriminator is what the variant says.

    Raises:
        UsageError: if there are no classes, or an argument is out of range.
    """

    needs: ClassVar[tuple[str, ...]] = ("image", "label")
    #: whether the game can use images without a label, which have the label -1
    takes_unlabelled: ClassVar[bool] = False
    #: the way by which the default generator gets the condition
    conditioning: ClassVar[Conditioning] = "input"

    num_classes: int
    label_counts: Tensor
    recent_attributes: Tensor

    def __init__(self, *, num_classes: int | None = None, multi_label: bool = False, **latent: Any) -> None:
        classes = required_classes(type(self).__name__, num_classes)
        super().__init__(num_classes=classes, **latent)
        self.multi_label = multi_label
        self.register_buffer("label_counts", torch.zeros(classes, dtype=torch.long))
        #: the last 64 rows of attributes; `sample()` without a label takes turns through them
        self.register_buffer("recent_attributes", torch.zeros(_REMEMBERED if multi_label else 0, classes))
        self._labels_inspected = False
        condition = "a condition (N, num_classes)"
        refuse_inputs(
            self.drawing_part,
            "generator",
            ("noise (N, latent_dim)", condition),
            f"ConditionalGenerator(network, {classes}) of lit_gans.networks joins them for a network whose latent_dim "
            f"is longer by {classes}",
        )
        ours = type(self).discriminator_loss.__module__.startswith("lit_gans.")
        if ours and type(self).critic is LabelGAN.critic:
            refuse_inputs(
                self.discriminator,
                "discriminator",
                ("images (N, C, H, W)", condition),
                f"ConditionalDiscriminator(network) of lit_gans.networks joins them for a network with {classes} more "
                "channels",
            )

    def make_generator(self) -> nn.Module:
        """The backbone's generator, which gets the condition together with its noise or by its norm layers."""
        more = self.num_classes if self.conditioning == "input" else 0
        return ConditionalGenerator(self.drawing_from(self.noise_size + more), self.num_classes, self.conditioning)

    # ---------------------------------------------------------------- labels

    def receive(self, batch: Any) -> Batch:
        """The batch, see `GenerativeModel.receive`, with classes as whole numbers also where the loader has floats."""
        batch = super().receive(batch)
        return batch if self.multi_label else with_whole_labels(type(self).__name__, batch)

    def condition(self, label: Tensor) -> Tensor:
        """Turns classes (N,), attributes or mixtures (N, num_classes) into the networks' condition (N, num_classes)."""
        return (label if label.ndim == 2 else F.one_hot(label.long(), self.num_classes)).to(self.dtype)

    def generate(self, batch: Batch) -> Fake:
        """One fake for every label in the batch."""
        label = self._known_labels(batch["label"])
        if self.multi_label:
            self.recent_attributes = torch.cat([label.float(), self.recent_attributes])[:_REMEMBERED]
        else:
            seen = torch.bincount(label[label >= 0], minlength=self.num_classes)
            if dist.is_available() and dist.is_initialized():  # a class that another device has seen is known too
                dist.all_reduce(seen)
            self.label_counts += seen
            if self.takes_unlabelled:
                label = torch.where(label >= 0, label, torch.randint_like(label, self.num_classes))
        return {"image": self.drawing_part(self.noise_for(batch), self.condition(label)), "label": label}

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        """The discriminator as a function of images, with the batch's own labels filled in."""
        condition = self.condition(batch["label"])
        return lambda image: self.discriminator(image, condition)

    def _known_labels(self, label: Tensor) -> Tensor:
        """Returns the labels after a check of them; on an accelerator the first batch's alone, to save waiting."""
        if not self._labels_inspected or label.device.type == "cpu":
            name, classes = type(self).__name__, self.num_classes
            inspect_labels(name, label, classes, self.multi_label, self.takes_unlabelled)
            self._labels_inspected = True
        return label

    # ---------------------------------------------------------------- samples

    def _asked(self, batch: Any) -> dict[str, Any]:
        """The labels to draw by, if the batch gives one for every sample."""
        label = batch[1] if isinstance(batch, (tuple, list)) and len(batch) > 1 else None
        label = batch.get("label") if isinstance(batch, dict) else label
        return {} if label is None or int(label.min()) < 0 else {"label": label}

    def forward(self, noise: Tensor, label: Label | None = None) -> Tensor:
        """Images (N, C, H, W) by the averaged generator in evaluation mode, with a gradient.

        Args:
            noise: (N, latent_dim).
            label: as in `sample`; conditions (N, num_classes) are taken as they are.
        """
        given = isinstance(label, Tensor) and label.ndim == 2 and len(label) == len(noise)
        return super().forward(noise, label if given else self.conditions(label, len(noise)))

    @property
    def columns(self) -> int:
        """The columns of a grid of samples that show one class each; 0 for attributes."""
        return 0 if self.multi_label else len(self.known_classes)

    @property
    def known_classes(self) -> Tensor:
        """The classes that training has shown; all classes before the first batch."""
        known = self.label_counts.nonzero()[:, 0]
        return known if len(known) else torch.arange(self.num_classes, device=known.device)

    @torch.no_grad()
    def sample(
        self,
        n: int = 64,
        *,
        seed: int | None = None,
        noise: Tensor | None = None,
        label: Label | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """Draws images from the averaged generator (the plain one if ``ema_decay=0``).

        Args:
            n: how many images.
            seed: makes the draw repeatable, on any device; without it the global random state is used.
            noise: (n, latent_dim) noise to use in place of a draw; ``n`` and ``seed`` are then ignored.
            label: a class, classes that take turns, by number or name, or conditions (n, num_classes), which may be
                mixtures. By default all classes that training has shown take turns, or the last rows of attributes.
            truncation: below 1 images are more typical and less varied: a factor on the distance of the styles from
                their mean where the generator has styles, and on the noise elsewhere.

        Returns:
            (n, C, H, W) float32 in [-1, 1].

        Raises:
            UsageError: if a class is unknown, or had no example in training.
        """
        n, noise = self.counted(n, noise)
        return self.draw(n, seed, noise, self.conditions(label, n), truncation=truncation)

    def rows(
        self, n: int, *, seed: int | None = None, noise: Tensor | None = None, label: Label | None = None
    ) -> dict[str, Tensor]:
        """The inputs of n samples, also their conditions (n, num_classes) as ``label``."""
        n, noise = self.counted(n, noise)
        return {**super().rows(n, seed=seed, noise=noise), "label": self.conditions(label, n)}

    def exported(self, *, to: str | None = None, truncation: float = 1.0) -> Exported:
        """The generator as a function of noise and a label; of a mixture of classes it is none."""
        image, noise = self.ports_to_draw(to, truncation)
        part, classes, size = self.exported_part(), self.num_classes, ("batch", self.num_classes)
        if self.multi_label:
            rows = (torch.rand(ROWS, classes, generator=torch.Generator().manual_seed(0)) < 0.5).float()
            told = f"1 where an attribute holds, else 0; the attributes are numbered {self.told_classes()}"
            return FromAttributes(part, image, noise, Port("attributes", size, told, rows), truncation=truncation)
        rows = self.known_classes.cpu()[torch.arange(ROWS) % len(self.known_classes)]
        label = Port("label", ("batch",), f"a class, {self.told_classes()}", rows, "int64")
        return FromLabel(part, image, noise, label, classes=classes, truncation=truncation)

    def conditions(self, label: Label | None, n: int) -> Tensor:
        """Turns a label, as `sample` takes it, into ``n`` conditions (n, num_classes)."""
        if label is None:
            label = self.recent_attributes if self.multi_label else self.known_classes
        classes = self.num_classes
        label = label if self.multi_label else numbered(label, self.class_names, classes)
        try:
            rows = torch.as_tensor(label, device=self.label_counts.device)
        except (TypeError, ValueError, RuntimeError):
            raise UsageError(
                f"label must be a class from 0 to {classes - 1}, or a list of them, got {label!r:.60}"
            ) from None
        if rows.ndim == 2 or (self.multi_label and rows.ndim == 1 and len(rows) == classes):
            rows = rows.view(-1, rows.shape[-1])  # (rows, num_classes), also for one row
            if rows.shape[1] != classes or not len(rows):
                raise UsageError(f"a label must have num_classes={classes} values a row, got {tuple(rows.shape)}")
        elif self.multi_label:
            raise UsageError(f"a label must be rows of num_classes={classes} zeros and ones, got {label!r}")
        else:
            rows = self._refuse_unknown(rows.view(-1))
        return self.condition(rows[torch.arange(n, device=rows.device) % len(rows)])

    def _refuse_unknown(self, rows: Tensor) -> Tensor:
        classes, known = self.num_classes, self.known_classes.tolist()
        there = told(known, self.class_names)
        for row in dict.fromkeys(rows.tolist()):
            if not 0 <= row < classes or row != int(row):
                raise UsageError(f"label must be a class from 0 to {classes - 1}, got {row}; there are {there}")
            if row not in known:
                raise UsageError(f"class {row} had no example in training, so it cannot be drawn; there are {there}")
        if not len(rows):
            raise UsageError(f"label names no class; there are {there}")
        return rows


def required_classes(name: str, num_classes: int | None) -> int:
    """The number of classes of a model that learns from labels.

    Raises:
        UsageError: if there are none.
    """
    if num_classes is None or num_classes < 1:
        raise UsageError(
            f"{name} learns from labels and needs num_classes, the number of classes, got {num_classes}; pass it, or "
            "use a data set that has labels"
        )
    return num_classes


def with_whole_labels(name: str, batch: Batch) -> Batch:
    """A batch whose classes (N,) are int64.

    Raises:
        UsageError: if they are no numbers, or none that are whole.
    """
    label = batch.get("label")
    if label is None:
        return batch
    if not isinstance(label, Tensor):
        raise UsageError(
            f"{name} needs labels as a tensor of whole numbers, but the batch has a {type(label).__name__} of "
            f"{type(label[0]).__name__ if label else 'nothing'}; number the classes from 0"
        )
    if label.ndim != 1:
        return batch
    if label.is_floating_point() and label.device.type == "cpu" and bool((label != label.round()).any()):
        raise UsageError(
            f"{name} needs classes in whole numbers, but the batch has the label {label[label != label.round()][0]:g}; "
            "number the classes from 0, or give attributes of zeros and ones to a model with multi_label=True"
        )
    return {**batch, "label": label.long()}


def inspect_labels(
    name: str, label: Tensor, classes: int, multi_label: bool = False, takes_unlabelled: bool = True
) -> None:
    """Raises a `UsageError` for labels that are not what the model of that name was built for."""
    if label.ndim != 1 + multi_label or (multi_label and label.shape[1] != classes):
        wanted = f"(N, {classes}), since multi_label is true" if multi_label else "(N,), one class each"
        cure = ""
        if not multi_label and label.ndim == 2:
            one = label.shape[1] == 1
            cure = "; give label.squeeze(1)" if one else "; if they are one-hot rows, give label.argmax(1)"
        elif multi_label and label.ndim == 1:
            cure = "; for one class each leave out multi_label"
        raise UsageError(f"{name} needs labels of shape {wanted}, but the batch has {tuple(label.shape)}{cure}")
    if multi_label and bool(((label != 0) & (label != 1)).any()):
        odd = label[(label != 0) & (label != 1)][0].item()
        raise UsageError(
            f"{name} needs attributes of 0 or 1, but the batch has {odd:g}; if they are -1 and 1, give (label + 1) / 2"
        )
    least, most = int(label.min()), int(label.max())
    if least == -1 and not takes_unlabelled:
        raise UsageError(
            f"{name} needs a label for every image, but some have -1, which means none; leave out labels_per_class and "
            "label_fraction, or use a model that learns from unlabelled images too: ACGAN or SGAN"
        )
    if not -1 <= least <= most <= classes - 1:
        wanted = f"0 to {classes - 1} (num_classes={classes}), or -1 for none"
        raise UsageError(f"{name} needs labels of {wanted}, but the batch has {least} to {most}")
