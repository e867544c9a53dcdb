"""The semi-supervised game."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanMetric

from lit_gans.core.game import PLAYERS, Batch, Fake
from lit_gans.errors import UsageError, at_least
from lit_gans.families import LabelDrawing, inspect_labels, required_classes, with_whole_labels
from lit_gans.losses import Terms, labelled_cross_entropy
from lit_gans.networks import SemiSupervisedBackbone, WithFeatures
from lit_gans.networks.base import evaluating, in_parts
from lit_gans.optim import ExponentialAverage, HistoricalMean
from lit_gans.precision import full


class SGAN(LabelDrawing):
    """The discriminator is a classifier with one more class, the fakes; it learns from unlabelled images, too.

    Salimans, Goodfellow, Zaremba, Cheung, Radford & Chen 2016, *Improved Techniques for Training GANs*,
    arXiv:1606.03498, and with ``fake_class`` Odena 2016, *Semi-Supervised Learning with Generative Adversarial
    Networks*, arXiv:1606.01583.

    With class logits l(x), Z = logsumexp l and features f, the discriminator minimises
    `-E log softmax(l(x))_y + w/2 E softplus(-Z(x)) + w/2 E softplus(Z(G(z)))` over labelled, all and generated images,
    the generator `|E f(x) - E f(G(z))|^2`. K logits suffice: the logit of fakes can be held at 0, so that softplus(-Z)
    is -log p(real). With ``fake_class`` it is an output of its own, and Z minus this output takes the place of Z.

    With ``conditional`` the generator draws the class that it is given, and also minimises the cross-entropy
    `-E log softmax(l(G(z, y)))_y`. Without ``feature_matching`` its terms are then together the cross-entropy of that
    class among all K + 1. Fakes have the classes of the batch's labelled images, in random order.

    The labelled images are ``labelled`` with ``labelled_label`` in the batch, which data modules add where they show
    only some labels. Without these they are the images of ``image`` that have a label. An average of the classifier is
    kept, too, which the paper tests with: see `classify`. Validation logs ``val/accuracy`` and ``val/error`` on the
    labelled images of its split; with ``conditional`` the second alone, since ``val/accuracy`` is then that of samples.

    Good at: classifying with ten labels a class. Bad at: drawing and classifying at once; feature matching classifies
    well and draws passably, ``feature_matching=False`` with the backbone's ``minibatch`` the other way round.

    Args:
        num_classes: number of classes; the command line takes it from the data.
        conditional: whether the generator is given a class, see `sample`. A generator of your own is then
            ``generator(noise, condition)``, as `LabelGAN` has it.
        fake_class: whether the fakes' logit is an output of its own (Odena) and not 0 (Salimans et al.).
        feature_matching: whether the generator matches the mean features of the images, or wants not to be called fake.
        historical: weight of |theta - mean of theta so far|^2, for both players; 0 turns it off.
        unlabelled: weight w of the terms of unlabelled and generated images. With 0 the discriminator is a supervised
            classifier, the baseline on the same labels; the generator still plays, but has no effect on it.
        classifier_decay: share of the averaged classifier that one update keeps, at most; 0 keeps no average. The
            paper's 0.9999 is for 300 epochs.
        latent: arguments of `LatentGAN`. A discriminator of your own maps images to logits (N, num_classes), one more
            with ``fake_class``, and features (N, F); if its attribute ``independent`` is true, it judges all images in
            one pass.

    Raises:
        UsageError: if there are no classes or an argument is out of range.

    Examples:
        >>> model = SGAN(image_shape=(1, 28, 28), num_classes=10, backbone=SemiSupervisedBackbone(width=8))
        >>> model.classify(model.sample(2, seed=0)).shape
        torch.Size([2, 10])

    Card: docs/models/sgan.md; configuration: examples/configs/sgan_mnist.yaml.
    """

    default_backbone = SemiSupervisedBackbone()
    needs = ("image", "label")
    scores_have_zero = False
    num_classes: int

    def __init__(
        self,
        *,
        num_classes: int | None = None,
        conditional: bool = False,
        fake_class: bool = False,
        feature_matching: bool = True,
        historical: float = 0.0,
        unlabelled: float = 1.0,
        classifier_decay: float = 0.999,
        **latent: Any,
    ) -> None:
        at_least(0, historical=historical, unlabelled=unlabelled)
        if not 0 <= classifier_decay < 1:
            raise UsageError(f"classifier_decay must be in [0, 1), where 0 keeps no average, got {classifier_decay}")
        self.conditional, self.fake_class, self.feature_matching = conditional, fake_class, feature_matching
        self.unlabelled, self.historical = unlabelled, historical
        super().__init__(num_classes=required_classes("SGAN", num_classes), **latent)
        if conditional:
            self.count_labels_here()
        self.classifier_ema = ExponentialAverage(self.discriminator, classifier_decay) if classifier_decay else None
        self.histories = nn.ModuleDict()
        if historical:
            self.histories.update({p: HistoricalMean(getattr(self, p).parameters()) for p in PLAYERS})
        self.right = MeanMetric()
        self._labels_inspected = False

    def make_generator(self) -> nn.Module:
        """The backbone's generator; with ``conditional`` it gets the class together with its noise."""
        return self.generator_by_label() if self.conditional else super().make_generator()

    def make_discriminator(self) -> nn.Module:
        """The backbone's discriminator with a logit for each class, which also gives its features."""
        return WithFeatures(
            self.backbone.discriminator(self.shape, self.num_classes + self.fake_class, self.needed_norm)
        )

    # ---------------------------------------------------------------- the game

    def generate(self, batch: Batch) -> Fake:
        """Makes as many fakes as the batch has images; with ``conditional`` of classes that its labels have."""
        if not self.conditional:
            return super().generate(batch)
        given = self._known_labels(batch["labelled_label" if _own_labelled(batch) else "label"])
        self.count_labels(given)
        known = given[given >= 0] if bool((given >= 0).any()) else self.known_classes
        assert known is not None
        label = known[torch.randint(len(known), (len(batch[self.subject]),), device=known.device)]
        return {"image": self.drawing_part(self.noise_for(batch), self.condition(label)), "label": label}

    def verdicts(self, **images: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Logits and features of each kind of images; in one pass, if images do not influence each other."""
        network = self.discriminator
        if len(images) == 1 or not getattr(network, "independent", False):
            return {name: self._read(network(part)) for name, part in images.items()}
        sizes = [len(part) for part in images.values()]
        logits, features = self._read(network(torch.cat(list(images.values()))))
        return dict(zip(images, zip(logits.split(sizes), features.split(sizes), strict=True), strict=True))

    def realness_logit(self, logits: Tensor) -> Tensor:
        """Log-odds (N,) of being real and not fake, whatever the class."""
        logits = full(logits)
        total = logits[:, : self.num_classes].logsumexp(1)
        return total - logits[:, self.num_classes] if self.fake_class else total

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        """The log-odds of being real, which use no label."""
        return lambda image: self.realness_logit(self.discriminator(image)[0])

    def discriminator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Classify the labelled images; tell all images from the fakes."""
        own_labelled = _own_labelled(batch)
        label = self._known_labels(batch["labelled_label" if own_labelled else "label"])
        images = {"labelled": batch["labelled"]} if own_labelled else {}
        if self.unlabelled or not own_labelled:
            images["image"] = batch["image"]
        if self.unlabelled:
            images["fake"] = fake["image"] if self.conditional else fake
        verdicts = self.verdicts(**images)
        # the classes alone: the label is of an image that is known to be real
        logits = verdicts["labelled" if own_labelled else "image"][0][:, : self.num_classes]
        terms = {"labelled": labelled_cross_entropy(logits, label)}
        if self.unlabelled:
            real, fake_score = (self.realness_logit(verdicts[name][0]) for name in ("image", "fake"))
            terms["unlabelled"] = self.unlabelled / 2 * F.softplus(-real).mean()
            terms["fake"] = self.unlabelled / 2 * F.softplus(fake_score).mean()
        return terms

    def generator_loss(self, batch: Batch, fake: Fake) -> Terms:
        """Have the mean features of the images, or not be called fake; and be of the class that was given."""
        image = fake["image"] if self.conditional else fake
        if self.feature_matching:
            with torch.no_grad():
                real = self.verdicts(image=batch["image"])["image"][1]
            logits, drawn = self.verdicts(fake=image)["fake"]
            terms = {"features": (full(real).mean(0) - full(drawn).mean(0)).square().sum()}
        else:
            logits = self.verdicts(fake=image)["fake"][0]
            terms = {"fake": F.softplus(-self.realness_logit(logits)).mean()}
        if self.conditional:
            terms["class"] = F.cross_entropy(full(logits)[:, : self.num_classes], fake["label"])
        return {**terms, **self._historical("generator")}

    def discriminator_penalty(self, batch: Batch, fake: Fake) -> Terms:
        """The family's terms, and the discriminator's distance from its mean so far."""
        return {**super().discriminator_penalty(batch, fake), **self._historical("discriminator")}

    def discriminator_step(self, batch: Batch, fake: Fake) -> Terms:
        """The discriminator's turn, then the update of the averaged classifier."""
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
        """Also makes the classifier's average read its count again, which a checkpoint may have restored."""
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
        outputs = self.num_classes + self.fake_class
        if not isinstance(verdict, tuple) or len(verdict) != 2 or verdict[0].shape[1:] != (outputs,):
            got = [tuple(part.shape) for part in verdict] if isinstance(verdict, tuple) else tuple(verdict.shape)
            raise UsageError(
                f"SGAN's discriminator must return logits (N, {outputs}) and features (N, F), got shapes {got}; give "
                f"it num_classes={self.num_classes}{' and one more' if self.fake_class else ''} outputs"
            )
        return verdict

    def receive(self, batch: Any) -> Batch:
        """The batch, see `GenerativeModel.receive`, with classes as whole numbers also where the loader has floats."""
        return with_whole_labels("SGAN", super().receive(batch))

    def _known_labels(self, label: Tensor) -> Tensor:
        """Returns the labels after a check of them; on an accelerator the first batch's alone, to save waiting."""
        if not self._labels_inspected or label.device.type == "cpu":
            inspect_labels("SGAN", label, self.num_classes)
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
            logits = in_parts(lambda part: self._read(network(part))[0], images, like=self._like())
        return logits[:, : self.num_classes]

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Tensor]:
        """Draws as many fakes as the batch has images, and counts the labelled images that are classified right."""
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
        if torch.isnan(accuracy):  # no image had a label
            return
        self.log(f"{stage}/error", 1 - accuracy)
        if not self.conditional:  # the name is that of the samples' accuracy, where there are classes of samples
            self.log(f"{stage}/accuracy", accuracy)


def _own_labelled(batch: Batch) -> bool:
    """Whether the batch has labelled images beside the others."""
    return "labelled" in batch and "labelled_label" in batch
