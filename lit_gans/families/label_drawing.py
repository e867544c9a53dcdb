"""Samples by label: what a game's users may ask for, by number, by name or as mixtures."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.checkpoints.class_names import numbered, told
from lit_gans.core.checks import refuse_inputs
from lit_gans.errors import UsageError
from lit_gans.families.latent import LatentGAN
from lit_gans.networks.exported import ROWS, Exported, FromAttributes, FromLabel, Port
from lit_gans.networks.wrappers import ConditionalGenerator, Conditioning

_REMEMBERED = 64  # rows of attributes from training, which `sample` takes without a label

Label = int | str | Sequence[int | str] | Tensor


class LabelDrawing(LatentGAN):
    """A game whose generator can take a label beside the noise: ``generator(noise, condition)``.

    A label is a condition (N, num_classes) to the networks: a row of zeros with a one for its class, or of zeros and
    ones for attributes. Once `count_labels_here` has been called, the model counts the classes that training shows it,
    and `sample` draws by these; before, and in a game that never calls it, samples are those of `LatentGAN`.
    """

    num_classes: int
    label_counts: Tensor
    recent_attributes: Tensor

    def count_labels_here(self, multi_label: bool = False) -> None:
        """Makes the buffers by which the model knows what it may draw; refuses a generator that takes no label."""
        classes, self.multi_label = self.num_classes, multi_label
        self.register_buffer("label_counts", torch.zeros(classes, dtype=torch.long))
        #: the last 64 rows of attributes; `sample()` without a label takes turns through them
        self.register_buffer("recent_attributes", torch.zeros(_REMEMBERED if multi_label else 0, classes))
        refuse_inputs(
            self.drawing_part,
            "generator",
            ("noise (N, latent_dim)", "a condition (N, num_classes)"),
            f"ConditionalGenerator(network, {classes}) of lit_gans.networks joins them for a network whose latent_dim "
            f"is longer by {classes}",
        )

    @property
    def by_label(self) -> bool:
        """Whether the generator takes a label; also while the model is made, which may draw a sample for its shape."""
        return "label_counts" in self._buffers

    def generator_by_label(self, conditioning: Conditioning = "input") -> nn.Module:
        """The backbone's generator, which gets the condition together with its noise or by its norm layers."""
        more = self.num_classes if conditioning == "input" else 0
        return ConditionalGenerator(self.drawing_from(self.noise_size + more), self.num_classes, conditioning)

    def condition(self, label: Tensor) -> Tensor:
        """Turns classes (N,), attributes or mixtures (N, num_classes) into the networks' condition (N, num_classes)."""
        return (label if label.ndim == 2 else F.one_hot(label.long(), self.num_classes)).to(self.dtype)

    def count_labels(self, label: Tensor) -> None:
        """Counts classes (N,) that training has shown, on all devices; -1 is none."""
        seen = torch.bincount(label[label >= 0], minlength=self.num_classes)
        if dist.is_available() and dist.is_initialized():  # a class that another device has seen is known too
            dist.all_reduce(seen)
        self.label_counts += seen

    def remember_attributes(self, label: Tensor) -> None:
        """Keeps the last rows of attributes (N, num_classes), by which `sample` draws without a label."""
        self.recent_attributes = torch.cat([label.float(), self.recent_attributes])[:_REMEMBERED]

    # ---------------------------------------------------------------- samples

    def _asked(self, batch: Any) -> dict[str, Any]:
        """The labels to draw by, if the batch gives one for every sample."""
        if not self.by_label:
            return {}
        label = batch[1] if isinstance(batch, (tuple, list)) and len(batch) > 1 else None
        label = batch.get("label") if isinstance(batch, dict) else label
        return {} if label is None or int(label.min()) < 0 else {"label": label}

    def forward(self, noise: Tensor, label: Label | None = None) -> Tensor:
        """Images (N, C, H, W) by the averaged generator in evaluation mode, with a gradient.

        Args:
            noise: (N, latent_dim).
            label: as in `sample`; conditions (N, num_classes) are taken as they are.
        """
        if self.by_label and isinstance(label, Tensor) and label.ndim == 2 and len(label) == len(noise):
            return super().forward(noise, label)
        return super().forward(noise, *self._given(label, len(noise)))

    @property
    def columns(self) -> int:
        """The columns of a grid of samples that show one class each; 0 for attributes."""
        classes = self.known_classes
        return 0 if self.multi_label or classes is None else len(classes)

    @property
    def known_classes(self) -> Tensor | None:
        """The classes that training has shown; all classes before the first batch; None without labels."""
        if not self.by_label:
            return None
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
        return self.draw(n, seed, noise, *self._given(label, n), truncation=truncation)

    def rows(
        self, n: int, *, seed: int | None = None, noise: Tensor | None = None, label: Label | None = None
    ) -> dict[str, Tensor]:
        """The inputs of n samples, with a label also their conditions (n, num_classes) as ``label``."""
        n, noise = self.counted(n, noise)
        drawn, given = super().rows(n, seed=seed, noise=noise), self._given(label, n)
        return {**drawn, "label": given[0]} if given else drawn

    def exported(self, *, to: str | None = None, truncation: float = 1.0) -> Exported:
        """The generator as a function of noise and a label; of a mixture of classes it is none."""
        known = self.known_classes
        if known is None:
            return super().exported(to=to, truncation=truncation)
        image, noise = self.ports_to_draw(to, truncation)
        part, classes, size = self.exported_part(), self.num_classes, ("batch", self.num_classes)
        if self.multi_label:
            rows = (torch.rand(ROWS, classes, generator=torch.Generator().manual_seed(0)) < 0.5).float()
            says = f"1 where an attribute holds, else 0; the attributes are numbered {self.told_classes()}"
            return FromAttributes(part, image, noise, Port("attributes", size, says, rows), truncation=truncation)
        label = Port(
            "label",
            ("batch",),
            f"a class, {self.told_classes()}",
            known.cpu()[torch.arange(ROWS) % len(known)],
            "int64",
        )
        return FromLabel(part, image, noise, label, classes=classes, truncation=truncation)

    def _given(self, label: Label | None, n: int) -> tuple[Tensor, ...]:
        """What the generator gets beside n rows of noise: their conditions, or nothing."""
        conditions = self.conditions(label, n)
        return () if conditions is None else (conditions,)

    def conditions(self, label: Label | None, n: int) -> Tensor | None:
        """Turns a label, as `sample` takes it, into ``n`` conditions (n, num_classes); None without labels."""
        if not self.by_label:
            return super().conditions(label, n)
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
        shown = self.known_classes
        assert shown is not None
        classes, known = self.num_classes, shown.tolist()
        there = told(known, self.class_names)
        for row in dict.fromkeys(rows.tolist()):
            if not 0 <= row < classes or row != int(row):
                raise UsageError(f"label must be a class from 0 to {classes - 1}, got {row}; there are {there}")
            if row not in known:
                raise UsageError(f"class {row} had no example in training, so it cannot be drawn; there are {there}")
        if not len(rows):
            raise UsageError(f"label names no class; there are {there}")
        return rows
