"""Several scores of a generator from one pass of a feature network over real and generated images."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from lit_gans.errors import UsageError
from lit_gans.images.shape import to_float, to_uint8
from lit_gans.metrics.base import AT_ONCE, Features, features_of
from lit_gans.metrics.checkerboard import Checkerboard
from lit_gans.metrics.classification import ConditionalAccuracy
from lit_gans.metrics.features import Classifier
from lit_gans.metrics.frechet import FrechetDistances, PassThrough
from lit_gans.metrics.manifold import DensityCoverage, PrecisionRecall
from lit_gans.metrics.memorisation import Memorisation
from lit_gans.metrics.sharpness import Sharpness
from lit_gans.metrics.sliced_wasserstein import SlicedWasserstein

OF_PIXELS = ("swd", "sharpness", "checkerboard")  # these need no network
#: Frechet distances by features that have a name of their own, see `Features.distances`
OF_PHOTOGRAPHS = ("fd_imagenet", "fd_imagenet_head", "fd_nsfw")
#: the names of the values that each score may log, see `values_of`
VALUES = {
    "fid": ("fid", "fid_normalised", *OF_PHOTOGRAPHS),
    "kid": ("kid",),
    "is": ("is",),
    "precision_recall": ("precision", "recall"),
    "density_coverage": ("density", "coverage"),
    "memorisation": ("memorisation", "memorisation_ratio"),
    "swd": ("swd",),
    "sharpness": ("sharpness", "sharpness_real"),
    "checkerboard": ("checkerboard", "checkerboard_real"),
    "accuracy": ("accuracy", "accuracy_worst", "accuracy_real"),
}
SCORES = tuple(VALUES)
OF_TEXTS = ("nll", "perplexity", "nll_oracle", "self_bleu", "mlm")  # that models of texts measure, and less is better
UNCOPIED = {"memorisation": "0.01", "memorisation_ratio": "1"}  # the values of real images that were not trained on
OF_COVERAGE = ("modes", "kl", "high_quality", "confidence")
LOWER_IS_BETTER = ("fid", "fid_normalised", *OF_PHOTOGRAPHS, "kid", "swd", "ppl", "kl", *OF_TEXTS)
_MANIFOLD = 5_000  # samples of each kind that precision and the like look at: their cost grows with its square
_NEAREST = 2_000  # samples, and real images, whose nearest real image among all is looked for
_LEAST_KID = 10  # images; with fewer its error is many times its value


class Part(NamedTuple):
    """Features, images as uint8 (if a score is of pixels) and classes of some images, on the CPU."""

    features: Tensor | None
    images: Tensor | None
    label: Tensor
    size: int


class Scoring:
    """Gathers what some scores need; `reset` keeps the real features, so that they are computed once.

    Images are rounded to uint8 first, as a picture file would, so that a score of files is the same. On several devices
    each calls `look` for its share of the images, and all call `take` for all parts: the metrics themselves exchange
    nothing, and their values are those of one device.

    Args:
        scores: which of `SCORES`.
        features: the network; None for scores of pixels alone: `OF_PIXELS`.
        strict: refuse a Frechet distance of fewer samples than features, and all scores if one cannot be computed.

    Raises:
        UsageError: if a score is unknown or the network does not suit it.
    """

    def __init__(self, scores: Sequence[str], features: Features | None, strict: bool = True) -> None:
        refuse_unknown(scores)
        if features is None and (needing := [name for name in scores if name not in OF_PIXELS]):
            raise UsageError(f"{needing[0]} needs a feature network; without one there are {', '.join(OF_PIXELS)}")
        for name in scores:
            if name in ("is", "accuracy") and not isinstance(features, Classifier):
                raise UsageError(
                    f"{name!r} needs the classes that a classifier tells apart; train one with 'lit-gans features'"
                )
        # this layout and parts of `AT_ONCE` images take a quarter of the time on a CPU
        self.features = None if features is None else features.to(memory_format=torch.channels_last)
        self.strict = strict
        self.metrics: dict[str, Any] = {name: self._make(name) for name in scores}
        # classes are asked of the real images too
        self.of_real = {name: self._make(name) for name in scores if name == "accuracy"}
        self.counts = {True: 0, False: 0}
        #: the reasons for scores that could not be computed, by name
        self.missing: dict[str, str] = {}

    def _make(self, name: str) -> Any:
        alone: dict[str, Any] = {"sync_on_compute": False}  # every device has everything
        if name == "sharpness":
            return Sharpness(reset_real=False, **alone)
        if name == "checkerboard":
            return Checkerboard(reset_real=False, **alone)
        if name == "swd" or self.features is None:
            return SlicedWasserstein(reset_real=False, **alone)
        width = self.features.num_features
        if name == "fid":
            return FrechetDistances(self.features.distances, self.strict, reset_real_features=False, **alone)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*will save all extracted features")  # as they must
            if name == "kid":
                return KernelInceptionDistance(feature=PassThrough(width), reset_real_features=False, **alone)
            if name == "is":
                assert isinstance(self.features, Classifier)
                return InceptionScore(feature=PassThrough(self.features.num_classes), **alone)
            if name == "accuracy":
                assert isinstance(self.features, Classifier)
                return ConditionalAccuracy(cast(Classifier, _Head(self.features)), **alone)
        if name == "memorisation":
            return Memorisation(held_out=False, count=_NEAREST, reset_real=False, **alone)
        return (PrecisionRecall if name == "precision_recall" else DensityCoverage)(reset_real=False, **alone)

    def to(self, device: torch.device) -> "Scoring":
        """Moves the network and the metrics."""
        for part in (self.features, *self.metrics.values(), *self.of_real.values()):
            if part is not None:
                part.to(device)
        return self

    def add(self, images: Tensor, real: bool, label: Tensor | None = None) -> None:
        """Adds (N, C, H, W) images in [-1, 1], for ``accuracy`` with their classes (N,), -1 where there is none.

        Raises:
            UsageError: if a value is not finite, or the network does not take such images.
        """
        self.take(self.look(images, real, label), real)

    @torch.no_grad()
    def look(self, images: Tensor, real: bool, label: Tensor | None = None) -> Part:
        """Computes the part that `take` needs of images, given as to `add`; it can be sent to other devices."""
        kind = "real" if real else "generated"
        refuse_shape(images.shape)
        if not bool(torch.isfinite(images).all()):
            raise UsageError(f"the {kind} images hold NaN or infinity; nothing was scored")
        label = label if label is not None and label.ndim == 1 else torch.full((len(images),), -1)
        bytes_, features = to_uint8(images), None
        if self.features is not None:
            features = features_of(self.features, bytes_, wide="fid" in self.metrics).cpu()
            if not bool(torch.isfinite(features).all()):
                raise UsageError(
                    f"features {self.features.name!r} of the {kind} images are not finite, so nothing was scored; use "
                    "another network"
                )
        of_pixels = any(name in OF_PIXELS for name in self.metrics)
        return Part(features, bytes_.cpu() if of_pixels else None, label.cpu(), len(images))

    @torch.no_grad()
    def take(self, part: Part, real: bool) -> None:
        """Adds a part that `look` computed."""
        for start in range(0, part.size, AT_ONCE):
            features, images, label = (
                None if rows is None else rows[start : start + AT_ONCE].to(self._device)
                for rows in (part.features, part.images, part.label)
            )
            images = None if images is None else to_float(images)
            assert label is not None
            for name, metric in self.metrics.items():
                if name != "accuracy":
                    self._update(name, metric, images, features, real)
                elif features is not None and bool((known := label >= 0).any()):
                    (self.of_real[name] if real else metric).update(features[known], label[known])
            self.counts[real] += len(label)

    @property
    def _device(self) -> torch.device:
        return next(iter(self.metrics.values())).device if self.metrics else torch.device("cpu")

    def _update(self, name: str, metric: Any, images: Tensor | None, features: Tensor | None, real: bool) -> None:
        if name in OF_PIXELS:
            metric.update(images, real)
            return
        assert features is not None and self.features is not None
        if name == "fid":
            metric.update(features, real)
            return
        # behind these are those of further distances; a network of one's own does not say how many it gives
        features = features[:, : self.features.num_features or None]
        if name == "is":
            if not real:
                assert isinstance(self.features, Classifier)
                metric.update(self.features.head(features))
        elif name in ("precision_recall", "density_coverage"):
            metric.update(features[: max(0, _MANIFOLD - self.counts[real])], real)
        elif name == "memorisation":
            metric.update(features if real else features[: max(0, _NEAREST - self.counts[real])], real)
        else:
            metric.update(features, real)

    def compute(self) -> dict[str, Tensor]:
        """All values by name, 0-dim; some scores have several, see `VALUES`.

        Raises:
            UsageError: if there are too few images; unless ``strict``, the reason is in ``missing`` instead.
        """
        values: dict[str, Tensor] = {}
        self.missing = {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # KID and IS draw subsets
            for name in self.metrics:
                try:
                    values |= self._compute(name)
                except UsageError as error:
                    if self.strict:
                        raise
                    self.missing[name] = str(error)
        return values

    def _compute(self, name: str) -> dict[str, Tensor]:
        """The values of one score."""
        metric, fewest = self.metrics[name], min(self.counts.values())
        if name == "accuracy":
            return self._accuracy()
        if name == "kid":
            if fewest < _LEAST_KID:
                raise UsageError(f"kid of fewer than {_LEAST_KID} images says nothing, got {fewest}; take more")
            metric.subset_size = min(1000, fewest)
        if name == "is":
            metric.splits = self._splits()
        with warnings.catch_warnings():  # the deviation of one part's score, which nobody asks for
            warnings.filterwarnings("ignore", message=r"std\(\): degrees of freedom")
            result = metric.compute()
        if name in ("kid", "is"):
            result = result[0]
        values = result if isinstance(result, dict) else {name: result}
        if name == "fid":
            self.missing |= metric.missing
        if name == "memorisation":
            values = {name: values["share_closer"], f"{name}_ratio": values["ratio"]}
        if name in ("sharpness", "checkerboard"):
            values[f"{name}_real"] = metric.compute_real()
        return values

    def _splits(self) -> int:
        """The number of parts that the Inception Score is a mean over: ten if each has ten images a class, else fewer.

        The score of n images is n at most, so that small parts would limit it.
        """
        assert isinstance(self.features, Classifier)
        classes, count = self.features.num_classes, self.counts[False]
        if count < classes:
            raise UsageError(f"is of {count} images is at most {count}, and there are {classes} classes; take more")
        return max(1, min(10, count // (10 * classes)))

    def _accuracy(self) -> dict[str, Tensor]:
        """The shares of images that show their class: of samples, of the worst class, and of real ones, if labelled."""
        found = self.metrics["accuracy"].compute()
        values = {"accuracy": found["accuracy"], "accuracy_worst": found["worst_class"]}
        real = self.of_real["accuracy"]
        return {**values, "accuracy_real": real.compute()["accuracy"]} if real.update_called else values

    def reset(self) -> None:
        """Forgets the generated images."""
        for metric in self.metrics.values():
            metric.reset()
        self.counts[False] = 0


class _Head(nn.Module):
    """The last layer of a classifier, which maps its features to logits."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.num_classes, self.head = classifier.num_classes, classifier.head

    def logits(self, features: Tensor) -> Tensor:
        return self.head(features)


def values_of(score: str, features: Features | None) -> tuple[str, ...]:
    """The names of the values that a score logs by these features."""
    if score != "fid" or features is None:
        return VALUES[score]
    names = tuple(features.distances)
    return (*names, "fid_normalised") if "fid" in names else names


def refuse_unknown(scores: Sequence[str]) -> None:
    """Refuses names that are not those of scores.

    Raises:
        UsageError: with the names that there are.
    """
    if named := next((name for name in scores if name in OF_PHOTOGRAPHS), None):
        raise UsageError(
            f"{named} is a value of the score fid; ask for fid, and for features {named.split('_')[1]!r} if they are "
            "not those of the run"
        )
    if unknown := [name for name in scores if name not in SCORES]:
        raise UsageError(f"there is no score {unknown[0]!r}; choose from {', '.join(SCORES)}")


def refuse_shape(shape: Sequence[int]) -> None:
    """Refuses a batch that is not of images.

    Raises:
        UsageError: if it is not (N, C, H, W).
    """
    if len(shape) != 4:
        raise UsageError(f"scores compare images (channels, height, width), and the data has {tuple(shape[1:])}")
