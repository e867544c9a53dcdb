"""The semi-supervised game."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanMetric

from lit_gans.core.game import PLAYERS, Batch, Fake
from lit_gans.core.generative import ImageShape
from lit_gans.errors import UsageError, finite_from
from lit_gans.families import LatentGAN, inspect_labels, required, required_classes
from lit_gans.losses import Terms, labelled_cross_entropy
from lit_gans.networks import (
    DCGANGenerator,
    Discriminator,
    Generator,
    SemiSupervisedConvDiscriminator,
    SemiSupervisedMLPDiscriminator,
    SemiSupervisedMLPGenerator,
)
from lit_gans.networks.base import evaluating
from lit_gans.networks.blocks import Norm, Upsampling
from lit_gans.optim import ExponentialAverage, HistoricalMean
from lit_gans.precision import full

_CHUNK = 500  # images classified at once


class SGAN(LatentGAN):
    """The discriminator is a classifier with one class more, the fakes: unlabelled images teach it, a few are labelled.

    Salimans, Goodfellow, Zaremba, Cheung, Radford & Chen 2016, *Improved Techniques for Training GANs*,
    arXiv:1606.03498, and with ``fake_class`` Odena 2016, *Semi-Supervised Learning with Generative Adversarial
    Networks*, arXiv:1606.01583.

    With class logits l(x), Z = logsumexp l and features f, the discriminator minimises
    `-E log softmax(l(x))_y + w/2 E softplus(-Z(x)) + w/2 E softplus(Z(G(z)))` over labelled, all and generated images,
    the generator `|E f(x) - E f(G(z))|^2`. K logits suffice: the last of K + 1 can be held at 0, so that softplus(-Z)
    is -log p(real). With ``fake_class`` it is an output of its own, and Z minus it takes Z's place.

    Labelled images are ``labelled`` with ``labelled_label`` in the batch, which data modules add where they show only
    some labels; without them those of ``image`` that have a label. Beside the generator's average one of the classifier
    is kept, which the paper tests with: see `classify`. Validation logs ``val/accuracy`` and ``val/error`` on the
    labelled images of its split.

    Good at: classifying with ten labels a class. Bad at: drawing and classifying at once; feature matching classifies
    well and draws passably, ``feature_matching=False`` with ``minibatch`` the other way round.

    Args:
        generator: a network from noise to images; by default an MLP below 32 pixels, from there on DCGAN's.
        discriminator: a network from images to logits (N, num_classes), one more with ``fake_class``, and features
            (N, F). By default `SemiSupervisedMLPDiscriminator` below 32 pixels, `SemiSupervisedConvDiscriminator` from
            there on. One with an attribute ``independent`` that is true judges all images in one pass.
        num_classes: number of classes; the command line takes it from the data.
        image_shape: (channels, height, width); needed by the default networks.
        width: of the default networks; 64 is the paper's size.
        discriminator_norm: the default discriminator has weight norm with fixed lengths and takes no other.
        fake_class: whether the fakes' logit is an output of its own (Odena) and not 0 (Salimans et al.).
        feature_matching: whether the generator matches the mean features of the images, or wants not to be called fake.
        historical: weight of |theta - mean of theta so far|^2, for both players; 0 is none.
        minibatch: kernels of `MinibatchDiscrimination` in the default discriminator, 5 dimensions each; 0 is none, 100
            in the paper. It is for better samples: the classifier's outputs then depend on the batch.
        unlabelled: weight w of what is learned from unlabelled and generated images. With 0 the discriminator is a
            supervised classifier, the baseline on the same labels; the generator still plays, without an effect on it.
        classifier_decay: share of the averaged classifier that one update keeps, at most; 0 keeps no average. The
            paper's 0.9999 is for 300 epochs.
        latent: arguments of `LatentGAN`.

    Raises:
        UsageError: if there are no classes, an argument is out of range, or options of default networks come with
            networks.

    Examples:
        >>> model = SGAN(image_shape=(1, 28, 28), num_classes=10, width=8)
        >>> model.classify(model.sample(2, seed=0)).shape
        torch.Size([2, 10])
    """

    needs = ("image", "label")
    mlp_below: ClassVar[int] = 32
    scores_have_zero: ClassVar[bool] = False

    def __init__(
        self,
        generator: Generator | None = None,
        discriminator: Discriminator | None = None,
        *,
        num_classes: int | None = None,
        image_shape: ImageShape | None = None,
        width: int | None = None,
        discriminator_norm: Norm | None = None,
        fake_class: bool = False,
        feature_matching: bool = True,
        historical: float = 0.0,
        minibatch: int = 0,
        unlabelled: float = 1.0,
        classifier_decay: float = 0.999,
        **latent: Any,
    ) -> None:
        # the arguments keep their names and values: checkpoints read them from this call
        classes, given = _checked(num_classes, historical, unlabelled, classifier_decay), discriminator is not None
        if given and minibatch:
            raise UsageError(
                "minibatch would shape the default discriminator, which SGAN does not use here; put "
                "MinibatchDiscrimination into your own"
            )
        judge = discriminator
        if judge is None:
            judge = _default_judge(required(image_shape), classes + fake_class, width, discriminator_norm, minibatch)
        # copied before augmentation hooks this model into the discriminator, or the copy would hold a copy of it all
        average = ExponentialAverage(judge, classifier_decay) if classifier_decay else None
        super().__init__(
            generator,
            judge,
            num_classes=num_classes,
            image_shape=image_shape,
            width=width if given or generator is None else None,  # used up by the judge, else there to be refused
            discriminator_norm=discriminator_norm if given else None,
            **latent,
        )
        self.classes, self.fake_class = classes, fake_class
        self.feature_matching, self.unlabelled, self.historical = feature_matching, unlabelled, historical
        self.classifier_ema = average
        self.histories = nn.ModuleDict()
        if historical:
            self.histories.update({p: HistoricalMean(getattr(self, p).parameters()) for p in PLAYERS})
        self.right = MeanMetric()
        self._labels_inspected = False

    @classmethod
    def _default_generator(
        cls,
        image_shape: ImageShape,
        latent_dim: int,
        width: int,
        upsampling: Upsampling | None,
        norm: Norm | None,
        num_classes: int | None = None,
    ) -> Generator:
        if min(image_shape[1:]) < cls.mlp_below:
            return SemiSupervisedMLPGenerator(image_shape, latent_dim, width, norm or "batch")
        return DCGANGenerator(image_shape, latent_dim, width, upsampling or "transposed", norm or "batch")

    # ---------------------------------------------------------------- the game

    def verdicts(self, **images: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Logits and features of each kind of images, in one pass if they do not influence each other."""
        network = self.discriminator
        if len(images) == 1 or not getattr(network, "independent", False):
            return {name: self._read(network(part)) for name, part in images.items()}
        sizes = [len(part) for part in images.values()]
        logits, features = self._read(network(torch.cat(list(images.values()))))
        return dict(zip(images, zip(logits.split(sizes), features.split(sizes), strict=True), strict=True))

    def realness_logit(self, logits: Tensor) -> Tensor:
        """Log-odds of being real and not fake (N,), of whichever class."""
        logits = full(logits)
        total = logits[:, : self.classes].logsumexp(1)
        return total - logits[:, self.classes] if self.fake_class else total

    def realness(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        """The log-odds, which know of no label."""
        return lambda image: self.realness_logit(self.discriminator(image)[0])

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Classify what is labelled; tell what is not from the fakes."""
        beside = "labelled" in batch and "labelled_label" in batch
        label = self._known_labels(batch["labelled_label" if beside else "label"])
        images = {"labelled": batch["labelled"]} if beside else {}
        if self.unlabelled or not beside:
            images["image"] = batch["image"]
        if self.unlabelled:
            images["fake"] = fake
        judged = self.verdicts(**images)
        # over the classes alone, given that the image is real
        logits = judged["labelled" if beside else "image"][0][:, : self.classes]
        terms = {"labelled": labelled_cross_entropy(logits, label)}
        if self.unlabelled:
            real, made = (self.realness_logit(judged[name][0]) for name in ("image", "fake"))
            terms["unlabelled"] = self.unlabelled / 2 * F.softplus(-real).mean()
            terms["fake"] = self.unlabelled / 2 * F.softplus(made).mean()
        return terms

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Have the mean features of the images, or not be called fake."""
        if self.feature_matching:
            with torch.no_grad():
                real = self.verdicts(image=batch["image"])["image"][1]
            made = self.verdicts(fake=fake)["fake"][1]
            terms = {"features": (full(real).mean(0) - full(made).mean(0)).square().sum()}
        else:
            terms = {"fake": F.softplus(-self.realness_logit(self.verdicts(fake=fake)["fake"][0])).mean()}
        return {**terms, **self._historical("generator")}

    def discriminator_penalty(self, batch: Batch, fake: Fake) -> Terms:
        """What the family adds, and how far the discriminator is from its mean so far."""
        return {**super().discriminator_penalty(batch, fake), **self._historical("discriminator")}

    def discriminator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The discriminator's turn, after which the averaged classifier follows it."""
        self._remember("discriminator")
        terms = super().discriminator_step(batch, fake)
        if self.classifier_ema is not None:
            self.classifier_ema.update_parameters(self.discriminator)
        return terms

    def generator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The generator's turn."""
        self._remember("generator")
        return super().generator_step(batch, fake)

    def on_train_start(self) -> None:
        """Restores the random states; the classifier's average reads its count from what a checkpoint has restored."""
        super().on_train_start()
        if self.classifier_ema is not None:
            self.classifier_ema.updates = None

    def _remember(self, player: str) -> None:
        if self.historical:
            self._history(player).update(getattr(self, player).parameters())

    def _historical(self, player: str) -> Terms:
        if not self.historical:
            return {}
        distance = self._history(player).distance(getattr(self, player).parameters())
        return {"historical": self.historical * distance}

    def _history(self, player: str) -> HistoricalMean:
        history = self.histories[player]
        assert isinstance(history, HistoricalMean)
        return history

    def _read(self, verdict: Any) -> tuple[Tensor, Tensor]:
        outputs = self.classes + self.fake_class
        if not isinstance(verdict, tuple) or len(verdict) != 2 or verdict[0].shape[1:] != (outputs,):
            got = [tuple(part.shape) for part in verdict] if isinstance(verdict, tuple) else tuple(verdict.shape)
            raise UsageError(
                f"SGAN's discriminator must return logits (N, {outputs}) and features (N, F), got shapes {got}; give "
                f"it num_classes={self.classes}{' and one more' if self.fake_class else ''} outputs"
            )
        return verdict

    def _known_labels(self, label: Tensor) -> Tensor:
        """The labels, if they are classes; on an accelerator only the first, to save syncs."""
        if not self._labels_inspected or label.device.type == "cpu":
            inspect_labels("SGAN", label, self.classes)
            self._labels_inspected = True
        return label

    # ---------------------------------------------------------------- the classifier

    @torch.no_grad()
    def classify(self, images: Tensor) -> Tensor:
        """Class logits from the averaged discriminator (the plain one if ``classifier_decay=0``) in evaluation mode.

        Args:
            images: (N, C, H, W) in [-1, 1].

        Returns:
            (N, num_classes) float32; their softmax is p(class | x, x is real).
        """
        network = self.discriminator if self.classifier_ema is None else self.classifier_ema.module
        with evaluating(network):
            parts = [self._read(network(part.to(self.device, self.dtype)))[0] for part in images.split(_CHUNK)]
        return torch.cat(parts)[:, : self.classes].float()

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """As many fakes as the batch has images; beside that, how many of the labelled images are classified right."""
        batch = self.receive(batch)
        label = self._known_labels(batch["label"])
        right = self.classify(batch["image"]).argmax(1) == label
        if not self.repeats:
            self.right.update(right.float(), (label >= 0).float())
        return super().validation_step(batch, batch_idx)

    def on_validation_epoch_end(self) -> None:
        """Logs ``val/accuracy`` and ``val/error``."""
        self._log_accuracy("val")

    def on_test_epoch_end(self) -> None:
        """Logs ``test/accuracy`` and ``test/error``."""
        self._log_accuracy("test")

    def _log_accuracy(self, stage: str) -> None:
        accuracy = self.right.compute()
        self.right.reset()
        if not torch.isnan(accuracy):  # nothing was labelled
            self.log_dict({f"{stage}/accuracy": accuracy, f"{stage}/error": 1 - accuracy})


def _checked(num_classes: int | None, historical: float, unlabelled: float, classifier_decay: float) -> int:
    """The number of classes, if all of these are in range."""
    if not finite_from(0, historical, unlabelled):
        raise UsageError(f"historical and unlabelled must not be negative, got {historical} and {unlabelled}")
    if not 0 <= classifier_decay < 1:
        raise UsageError(f"classifier_decay must be in [0, 1), where 0 keeps no average, got {classifier_decay}")
    return required_classes("SGAN", num_classes)


def _default_judge(
    image_shape: ImageShape, outputs: int, width: int | None, norm: Norm | None, minibatch: int
) -> Discriminator:
    if norm not in (None, "weight"):
        raise UsageError(
            f"SGAN's default discriminator has weight norm and discriminator_norm must be 'weight' or left away, got "
            f"{norm!r}; pass a discriminator of your own"
        )
    small = min(image_shape[1:]) < SGAN.mlp_below
    network = SemiSupervisedMLPDiscriminator if small else SemiSupervisedConvDiscriminator
    return network(image_shape, outputs, 64 if width is None else width, minibatch)
