"""The steps of an evaluation: choose the metrics, gather images, measure."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from lit_gans.data.base import BaseData
from lit_gans.errors import UsageError, class_name
from lit_gans.metrics import by_class
from lit_gans.metrics.base import Features, told
from lit_gans.metrics.coverage import measure_coverage, mode_coverage
from lit_gans.metrics.features import Classifier, feature_network
from lit_gans.metrics.frechet import refuse_few
from lit_gans.metrics.material import drawn, is_points, real_batches, sentences, translated
from lit_gans.metrics.protocol import Protocol, describe_data
from lit_gans.metrics.scoring import OF_PIXELS, SCORES, Scoring
from lit_gans.metrics.smoothness import path_length
from lit_gans.metrics.suited import AUTO, WHY_NONE, refuse_none, suited

_OF_TRANSLATIONS = ("fid", "kid", "swd", "sharpness")
_WITHOUT = {*OF_PIXELS, "modes", "cas"}  # these need no feature network
_BESIDE = ("class_coverage", "cas", "ppl", "modes")  # measured outside `Scoring`
_PAIRS = 2_000  # most pairs of latent vectors that a path length is a mean over


@dataclass
class Evaluation:
    """The evaluation of a model: what is measured, and on which images.

    Args:
        model: makes the images.
        data: has the real ones.
        split: of the data.
        count: images to make.
        real_count: most real images.
        seed: of the drawing.
        to: the domain that images are translated to, by a model that translates.
    """

    model: Any
    data: Any
    split: str
    count: int
    real_count: int
    seed: int
    to: str
    metrics: list[str] = field(default_factory=list)
    by_default: bool = False
    network: Features | None = None

    def choose(self, metrics: Sequence[str], features: str | Features | nn.Module, by_default: bool) -> None:
        """Finds the metrics that suit the model and the data, and the feature network that they need.

        Args:
            metrics: what was asked for.
            features: which network.
            by_default: the user did not name these metrics, so that those that do not suit are left out.

        Raises:
            UsageError: if one of the metrics that were asked for cannot be measured.
        """
        self.by_default, name = by_default, class_name(self.model)
        translates = bool(self.model.domains)
        chosen = suited(features, self.data.image_shape)
        self.metrics = [*_OF_TRANSLATIONS] if by_default and translates else self._suited(list(metrics))
        needing = [metric for metric in self.metrics if metric not in _WITHOUT]
        if chosen is None and needing:
            self._do_without(features, needing)
        alone = [metric for metric in self.metrics if metric not in SCORES or metric == "accuracy"]
        if translates and alone:
            raise UsageError(f"{alone[0]} measures what is drawn from noise, but {name} translates images")
        self.network = None if chosen is None or set(self.metrics) <= _WITHOUT else feature_network(chosen)
        if by_default and not isinstance(self.network, Classifier):
            self.metrics = [metric for metric in self.metrics if metric != "is"]
        by_class.refuse_unlabelled(self.metrics, self.model, self.network)
        if by_default and by_class.tells_classes(self.network, self.model):
            self.metrics.append("accuracy")

    def _suited(self, metrics: list[str]) -> list[str]:
        """The metrics that were asked for, or by default those that the data allows."""
        if "memorisation" in metrics and self.split != "train":
            if not self.by_default:
                raise UsageError(
                    "memorisation looks for the training images that samples are near to, so the real images must be "
                    f"those of train, got {self.split}; leave out --reference, or memorisation"
                )
            metrics = [name for name in metrics if name != "memorisation"]
        points, countable = is_points(self.data.image_shape), mode_coverage(self.data) is not None
        if self.by_default:
            return [*(["swd"] if points else metrics), *(["modes"] if countable else [])]
        choices = (*SCORES, *_BESIDE)
        if unknown := [name for name in metrics if name not in choices]:
            raise UsageError(f"there is no score {unknown[0]!r}; choose from {', '.join(choices)}")
        if points and (needing := [name for name in metrics if name not in ("swd", "modes")]):
            raise UsageError(
                f"{needing[0]} needs images of at least 8 pixels a side; for points there are swd and modes"
            )
        if "modes" in metrics and not countable:
            raise UsageError(f"the modes of {type(self.data).__name__} are not known; leave modes out of metrics")
        return metrics

    def _do_without(self, features: str | Features | nn.Module, needing: list[str]) -> None:
        """Measures what needs no network, and says so, where nobody has asked for more.

        Raises:
            UsageError: if the user has named a metric that needs one.
        """
        if not self.by_default or features != AUTO:
            refuse_none(features, needing[0])
        self.metrics = list(dict.fromkeys(["swd", *(metric for metric in self.metrics if metric in _WITHOUT)]))
        print(f"note: scored by swd, for {WHY_NONE}", file=sys.stderr)

    def gather(self) -> Scoring:
        """Adds the real images and those that the model makes to a new `Scoring`."""
        scoring = Scoring([name for name in self.metrics if name in SCORES], self.network).to(self.model.device)
        if self.model.domains:
            self._add_translations(scoring)
        else:
            self._add_samples(scoring)
        features = 0 if self.network is None else self.network.num_features
        if self.by_default and "fid" in scoring.metrics and min(scoring.counts.values()) <= features:
            del scoring.metrics["fid"]
            few = " and ".join(str(scoring.counts[kind]) for kind in (True, False))
            print(
                f"note: fid is left out: it takes more than {features} images of each kind, not {few}", file=sys.stderr
            )
        return scoring

    def _add_samples(self, scoring: Scoring) -> None:
        for batch in self._real():
            scoring.add(batch["image"].to(self.model.device), real=True, label=batch.get("label"))
        if not self.by_default and "fid" in scoring.metrics:  # now, and not after minutes of drawing
            assert self.network is not None
            refuse_few(self.network.num_features, "real", scoring.counts[True])
            refuse_few(self.network.num_features, "fake", self.count)
        text = sentences(self.model, self.data, self.split, self.count)
        for images in drawn(self.model, self.count, self.seed, text=text):
            scoring.add(images, real=False, label=by_class.classes_in_turn(self.model, len(images)))

    def _real(self) -> Iterator[dict[str, Any]]:
        """The real samples in parts: of a split of a data module, or of whatever else has ``batches``."""
        if isinstance(self.data, BaseData):
            return real_batches(self.data, self.split, self.real_count)
        return iter(self.data.batches(self.real_count))

    def _add_translations(self, scoring: Scoring) -> None:
        count = min(self.count, self.real_count)
        for fakes, real in translated(self.model, self.data, self.split, count, self.seed, self.to):
            for images, is_real in ((real, True), (fakes, False)):
                if len(images):
                    scoring.add(images.to(self.model.device), is_real)

    def protocol(self, scoring: Scoring) -> Protocol:
        """The protocol that the scores are measured by."""
        back = bool(self.model.domains) and self.to != self.model.domains[0]
        return Protocol(
            data=describe_data(self.data) + " BtoA" * back,
            split=self.split,
            real=scoring.counts[True],
            fake=scoring.counts[False],
            features=told(self.network, self.data.image_shape),
            averaged=self.model.generator_ema is not None,
            seed=self.seed,
        )

    def measure(self, scoring: Scoring) -> dict[str, float]:
        """All values by name."""
        model, seed = self.model, self.seed
        values = {name: float(value) for name, value in scoring.compute().items()}
        for name, reason in scoring.missing.items():
            print(f"note: {name} is left out: {reason}", file=sys.stderr)
        values = by_class.drop_unreliable_accuracy(values) if self.by_default else values
        if "class_coverage" in self.metrics and self.network is not None:
            values |= by_class.class_coverage(model, self.data, self.split, self.network, seed)
        if "cas" in self.metrics:
            values["cas"] = by_class.classifier_accuracy_score(model, self.data, seed)
        if "ppl" in self.metrics and self.network is not None:
            values["ppl"] = path_length(model, self.network, min(self.count, _PAIRS), seed)
        if "modes" in self.metrics:
            values |= {name: float(value) for name, value in measure_coverage(model, self.data, seed).items()}
        return values
