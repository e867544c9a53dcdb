"""Games in which a fake is made from noise and a label."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lit_gans.core.checks import refuse_inputs
from lit_gans.core.game import Batch, Fake
from lit_gans.errors import UsageError
from lit_gans.families.label_drawing import LabelDrawing
from lit_gans.networks.wrappers import Conditioning


class LabelGAN(LabelDrawing):
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

    def __init__(self, *, num_classes: int | None = None, multi_label: bool = False, **latent: Any) -> None:
        classes = required_classes(type(self).__name__, num_classes)
        super().__init__(num_classes=classes, **latent)
        self.count_labels_here(multi_label)
        self._labels_inspected = False
        ours = type(self).discriminator_loss.__module__.startswith("lit_gans.")
        if ours and type(self).critic is LabelGAN.critic:
            refuse_inputs(
                self.discriminator,
                "discriminator",
                ("images (N, C, H, W)", "a condition (N, num_classes)"),
                f"ConditionalDiscriminator(network) of lit_gans.networks joins them for a network with {classes} more "
                "channels",
            )

    def make_generator(self) -> nn.Module:
        """The backbone's generator, which gets the condition together with its noise or by its norm layers."""
        return self.generator_by_label(self.conditioning)

    # ---------------------------------------------------------------- labels

    def receive(self, batch: Any) -> Batch:
        """The batch, see `GenerativeModel.receive`, with classes as whole numbers also where the loader has floats."""
        batch = super().receive(batch)
        return batch if self.multi_label else with_whole_labels(type(self).__name__, batch)

    def generate(self, batch: Batch) -> Fake:
        """One fake for every label in the batch."""
        label = self._known_labels(batch["label"])
        if self.multi_label:
            self.remember_attributes(label)
        else:
            self.count_labels(label)
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
