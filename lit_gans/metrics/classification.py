"""Measures of conditional samples: do they show what was asked for, and can a classifier learn from them?"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lit_gans.errors import UsageError
from lit_gans.metrics.features import Classifier
from lit_gans.metrics.training import train_classifier
from lit_gans.networks.base import in_parts


class ConditionalAccuracy(Metric):
    """The share of samples in which a classifier of real images sees the class that was asked for.

    Also called GAN-test (Shmelkov et al. 2018, arXiv:1807.09499).

    Args:
        classifier: trained on real images.
        kwargs: arguments of `Metric`.

    Examples:
        >>> metric = ConditionalAccuracy(Classifier((1, 8, 8), num_classes=3).eval())
        >>> metric.update(torch.zeros(4, 1, 8, 8), torch.tensor([0, 1, 2, 0]))
        >>> sorted(metric.compute())
        ['accuracy', 'worst_class']
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    right: Tensor
    total: Tensor

    def __init__(self, classifier: Classifier, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classifier = classifier
        self.add_state("right", torch.zeros(classifier.num_classes), dist_reduce_fx="sum")
        self.add_state("total", torch.zeros(classifier.num_classes), dist_reduce_fx="sum")

    @torch.no_grad()
    def update(self, images: Tensor, label: Tensor) -> None:
        """Adds (N, C, H, W) samples in [-1, 1] and the (N,) classes that they were drawn for.

        Raises:
            UsageError: if the classifier does not know a class.
        """
        if len(label) and not 0 <= int(label.min()) <= int(label.max()) < len(self.total):
            raise UsageError(
                f"the classifier knows the classes 0 to {len(self.total) - 1}, but samples were drawn for "
                f"{int(label.min())} to {int(label.max())}"
            )
        seen = self.classifier.logits(images).argmax(1)
        self.total += torch.bincount(label, minlength=len(self.total))
        self.right += torch.bincount(label[seen == label], minlength=len(self.total))

    def compute(self) -> dict[str, Tensor]:
        """``accuracy`` over all samples, and ``worst_class``, the accuracy of the class with the lowest one."""
        drawn = self.total > 0
        worst = (self.right[drawn] / self.total[drawn]).min() if bool(drawn.any()) else torch.tensor(float("nan"))
        return {"accuracy": self.right.sum() / self.total.sum(), "worst_class": worst}


class ClassifierAccuracyScore(Metric):
    """The accuracy on real images of a classifier that has learnt from samples alone.

    Ravuri & Vinyals 2019, arXiv:1905.10887 (CAS), or GAN-train. It falls if samples do not look like their class, and
    if a class is not drawn in all its forms. Real images in place of the samples give the highest value to expect.

    Args:
        num_classes: how many classes there are.
        epochs: passes of the classifier over the samples.
        seed: of the classifier.
        kwargs: arguments of `Metric`.
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    images: list[Tensor]
    labels: list[Tensor]
    real_images: list[Tensor]
    real_labels: list[Tensor]

    def __init__(self, num_classes: int, epochs: int = 4, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes, self.epochs, self.seed = num_classes, epochs, seed
        for name in ("images", "labels", "real_images", "real_labels"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, images: Tensor, label: Tensor, real: bool) -> None:
        """Adds (N, C, H, W) images with their (N,) classes: samples to learn from, or real ones to test.

        Both are in [-1, 1]; samples may be uint8, which takes a quarter of the memory.
        """
        (self.real_images if real else self.images).append(images)
        (self.real_labels if real else self.labels).append(label)

    def compute(self) -> Tensor:
        """The accuracy, 0-dim; the classifier is trained now.

        Raises:
            UsageError: if there are no samples or no real images.
        """
        if not len(self.images) or not len(self.real_images):
            raise UsageError("the classifier accuracy score needs samples to learn from and real images to test on")
        images, label, real, truth = (
            torch.cat([*part]) if isinstance(part, list) else part
            for part in (self.images, self.labels, self.real_images, self.real_labels)
        )
        with torch.inference_mode(False), torch.enable_grad():
            network = train_classifier(images.clone(), label.clone(), self.num_classes, self.epochs, self.seed)
        seen = in_parts(network.logits, real, like=real).argmax(1)
        return (seen == truth).float().mean()
