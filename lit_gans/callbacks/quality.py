"""Scores samples while a run goes on, and records how they were measured."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor, nn

from lit_gans.callbacks import loggers
from lit_gans.callbacks.length import validate_at_end
from lit_gans.callbacks.pace import Pace
from lit_gans.callbacks.run_folder import run_of
from lit_gans.callbacks.strangers import refuse_without_samples, seen
from lit_gans.data.base import BaseData
from lit_gans.data.order import repeated
from lit_gans.errors import UsageError
from lit_gans.metrics.base import Features, told
from lit_gans.metrics.by_class import classes_in_turn, drop_unreliable_accuracy, refuse_unlabelled, tells_classes
from lit_gans.metrics.coverage import measure_coverage, mode_coverage
from lit_gans.metrics.features import feature_network
from lit_gans.metrics.material import drawn, is_points, own_batches, real_batches, sentences, why_not_read
from lit_gans.metrics.protocol import Protocol, Scores, describe_data
from lit_gans.metrics.scoring import (
    LOWER_IS_BETTER,
    OF_COVERAGE,
    OF_PIXELS,
    Part,
    Scoring,
    refuse_unknown,
    values_of,
)
from lit_gans.metrics.suited import AUTO, NONE, WHY_NONE, suited
from lit_gans.metrics.together import shared
from lit_gans.runs import Run

_TIMES = 10  # as many samples as real images if these are few, but a tenth of the usual number at least
_SOME = 64  # samples by which the time is guessed


class Quality(Callback):
    """Scores samples after validations, as ``val/fid`` and so on, and after a test, as ``test/fid`` and so on.

    Grey images are compared by ``digits``, a small classifier of MNIST, coloured ones by ``imagenet``, if its weights
    are installed (the extra of that name): ``val/fd_imagenet`` is the Frechet distance of its 112 features of texture,
    ``val/fd_imagenet_head`` that of its 1,280 of what is shown. Without these weights coloured images are scored by
    ``val/swd``, and the run says what to install.

    Real features are computed once. The samples are those of the averaged generator from the same noise each time. Each
    scoring adds a line to ``<run>/scores.jsonl``: the values and the protocol that they were measured by. Several
    devices share the work, and the scores are those of one device.

    The first scoring is timed. After it, one of every n validations is scored, so that scores take a tenth of the run's
    time at most, and the last one; where drawing alone takes longer, the first scoring waits, too. If a callback other
    than `Best` watches a score, say Lightning's ``EarlyStopping``, every validation is scored.

    Models that translate are scored by their translations of all validation images, which are compared with the
    validation images of the target domain.

    A model of texts is passed over: it measures itself, by ``val/nll`` or ``val/bleu``.

    It scores any LightningModule that has ``sample(n)``, which gives (n, channels, height, width) in [-1, 1].

    Points in the plane have no features: only ``swd``, the sliced Wasserstein distance, is measured. If the modes of
    the data are known, as those of `Gaussians` and `StackedMNIST` are, their coverage is measured besides,
    ``val/modes``, ``val/kl`` and so on, from the first 2,500 or 26,000 samples, or from all if there are fewer.

    For a model that draws by class, ``val/accuracy`` is measured besides, if the features are those of a classifier
    that knows the classes: the share of samples in which it sees the class that they were drawn for.

    Args:
        scores: some of ``fid``, ``kid``, ``is``, ``precision_recall``, ``density_coverage``, ``memorisation`` (of
            samples, beside training images), ``swd``, ``sharpness``, ``checkerboard`` and ``accuracy``.
        features: ``digits`` (shipped), ``imagenet``, ``nsfw`` (extras), ``inception``, ``dinov2``, a file that
            'lit-gans features' wrote, a network, see `feature_network`, or ``none``: scores of pixels alone; by default
            those that suit the images, see `suited`.
        count: samples to draw, by default 10,000 (2,500 by ``imagenet``, 1,500 by ``nsfw``), or ten times as many as
            there are real images if these are few (but a tenth of that number at least); fewer if the trainer limits
            the validation batches.
        reference: the split that the real images are from; in a test it is always ``test``. With loaders of one's own,
            ``train`` are the images of the training loader, if they can be read twice, else those of validation.
        real_count: most real images to compare with, by default 60,000 (5,000 by ``imagenet``, 1,500 by ``nsfw``).
        seed: of the samples' noise.
        every: score one of every so many validations, of which there is one an epoch unless the trainer says otherwise;
            by default the time that the first scoring takes decides.

    Raises:
        UsageError: if a number or a score is wrong; by ``setup``, if the network cannot be had or does not suit the
            scores or the model.
    """

    def __init__(
        self,
        scores: Sequence[str] = ("fid", "density_coverage", "precision_recall", "memorisation"),
        features: str | Features | nn.Module = AUTO,
        count: int | None = None,
        reference: str = "train",
        real_count: int | None = None,
        seed: int = 0,
        every: int | None = None,
    ) -> None:
        if min(2 if number is None else number for number in (count, real_count)) < 2:
            raise UsageError(f"Quality compares at least 2 images, got count={count}, real_count={real_count}")
        if reference not in ("train", "val", "test"):
            raise UsageError(f"reference must be 'train', 'val' or 'test', got {reference!r}")
        if every is not None and every < 1:
            raise UsageError(f"every counts validations and must be at least 1, got {every}")
        refuse_unknown(scores)
        self.scores, self.features = tuple(scores), features
        self.count, self.reference, self.real_count, self.seed = count, reference, real_count, seed
        self.pace = Pace(every)
        self.scorings: dict[str, Scoring] = {}
        # splits whose real images have all been taken in: a scoring that failed half way takes them in again
        self.complete: set[str] = set()
        self.run = Run(Path())
        self.due = True  # whether this validation is to be scored
        self.fresh = False  # whether it has been
        #: what it has done, how many of how many; a progress bar sets it
        self.watcher: Callable[[str, float, float], None] = _nobody
        #: whether scores are written to the run's folder
        self.records = True
        self._network: Features | None = None
        self._drawn: tuple[int, ...] | None = None  # the shape of a sample, where nothing else says it
        # of the translations of this validation, real and fake
        self._parts: dict[bool, list[Part]] = {True: [], False: []}
        self._failed = ""
        self._said: set[str] = set()

    def monitor(self, image_shape: Sequence[int] | None) -> str:
        """The score by which the best checkpoint is chosen: the first of which less is better.

        Raises:
            UsageError: if there is none.
        """
        scores = self._suited(image_shape)
        chosen = next((name for name in self._values(scores, image_shape) if name in LOWER_IS_BETTER), None)
        if chosen is None:
            named = f"more is better of {', '.join(map(repr, scores))}" if scores else "it is empty"
            raise UsageError(
                f"quality.scores has no score of which less is better, to choose the best checkpoint by ({named}): add "
                "fid, or set best.monitor and best.mode"
            )
        return f"val/{chosen}"

    @property
    def network_name(self) -> str | None:
        """The feature network, once a run has begun; None if no score needs one."""
        return None if self._network is None else self._network.name

    def told_network(self, data: Any, model: Any) -> str:
        """The same, and what it sees of the images, if that is not all."""
        return told(self._network, self.shape(data, model))

    def names(self, trainer: Trainer, pl_module: Any) -> list[str]:
        """The names of the values that a validation may log."""
        pl_module = seen(pl_module)
        if pl_module.of_texts:
            return []
        shape = self.shape(trainer.datamodule, pl_module)  # type: ignore[attr-defined]
        known = pl_module.draws and mode_coverage(trainer.datamodule) is not None  # type: ignore[attr-defined]
        values = self._values(self._chosen(pl_module, shape, self.reference), shape)
        return [f"val/{name}" for name in (*values, *(OF_COVERAGE if known else ()))]

    # ---------------------------------------------------------------- a run

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Finds the run's folder (on every device, since they have to agree on it) and refuses scores that do not suit.

        An epoch may take hours, so that this is not left to the first scoring.
        """
        refuse_without_samples(pl_module, type(self).__name__)
        self.run = run_of(trainer) if self.records else Run(Path())
        pl_module = seen(pl_module)
        shape = self.shape(trainer.datamodule, pl_module)  # type: ignore[attr-defined]
        unused = trainer.limit_test_batches == 0 if stage == "test" else trainer.limit_val_batches == 0
        if stage not in ("fit", "validate", "test") or unused or pl_module.of_texts:
            return
        split = "test" if stage == "test" else self.reference
        Scoring(self._chosen(pl_module, shape, split), self._features(shape), strict=False)
        if self._lacks(shape) and self.features == AUTO:
            self._say(f"scored by {', '.join(self._suited(shape))}, for {WHY_NONE}")
        if stage == "fit":
            self._refuse_gaps(trainer, self.names(trainer, pl_module))

    def _refuse_gaps(self, trainer: Trainer, names: Sequence[str]) -> None:
        """Makes every validation a scored one if another callback looks at a score.

        Raises:
            UsageError: if ``every`` was given and leaves some out.
        """
        callbacks: Sequence[Any] = trainer.callbacks  # type: ignore[attr-defined]
        others = [c for c in callbacks if getattr(c, "monitor", None) in names and not hasattr(c, "waits")]
        if others and (self.pace.given or 1) > 1:
            raise UsageError(
                f"{type(others[0]).__name__} looks at {others[0].monitor} after every validation, but "
                f"quality.every={self.pace.given} leaves some without; leave quality.every out"
            )
        if others:
            self.pace.given = self.pace.fixed = 1

    def state_dict(self) -> dict[str, Any]:
        """The pace of the scorings, for a resumed run."""
        return self.pace.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on at the same pace."""
        self.pace.load_state_dict(state_dict)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self.pace.train(trainer)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Has the weights that a run ends with scored, also where it ends within an epoch."""
        validate_at_end(trainer)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Decides whether this validation is scored."""
        fitting, images = trainer.state.fn == "fit", not seen(pl_module).of_texts
        self.due = (images and not trainer.sanity_checking) and (
            not fitting or self.pace.validate(trainer, lambda: self._guess(seen(pl_module)))
        )
        self._begin()

    def _guess(self, model: Any) -> float:
        """The seconds that it takes to draw the samples, from the time that a few take."""
        if not model.draws:
            return 0.0
        began, count = monotonic(), self.count or self._most("most_samples")
        try:
            model.sample(some := min(count, _SOME), seed=0)
        except UsageError:
            return 0.0  # the scoring says so
        return (monotonic() - began) * count / some

    def _wanted(self, scoring: Scoring) -> int:
        """The number of samples to draw."""
        if self.count is not None:
            return self.count
        most = self._most("most_samples")
        return min(most, max(most // 10, _TIMES * scoring.counts[True]))

    def _most(self, kind: str) -> int:
        """The most images of a kind that are taken if nobody says how many; without a network as with the fastest."""
        return int(getattr(self._network or Features, kind))

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets what an interrupted test has left."""
        self._begin()

    def _begin(self) -> None:
        self._parts, self._failed, self.fresh = {True: [], False: []}, "", False

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Takes in the translations of a batch, and the real images to compare them with."""
        if self.due and not seen(pl_module).draws:
            self._compare(pl_module, outputs, "val")

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """The same in a test."""
        if not seen(pl_module).draws and not seen(pl_module).of_texts:
            self._compare(pl_module, outputs, "test")

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Measures and logs."""
        if self.due and not trainer.sanity_checking:
            model = seen(pl_module)
            self.measure(trainer, model, "val", self._split(trainer, "val") if model.draws else "val")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes that training goes on."""
        if trainer.state.fn == "fit":
            self.pace.train(trainer)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measures and logs."""
        if not seen(pl_module).of_texts:
            self.measure(trainer, seen(pl_module), "test", "test")

    # ---------------------------------------------------------------- measuring, on all devices or on none

    def measure(self, trainer: Trainer, pl_module: Any, stage: str, split: str) -> None:
        """Scores the model as it is and logs the scores as ``<stage>/<name>``."""
        try:
            scoring = self._scoring(trainer, pl_module, split)
            self._take_real(scoring, trainer, pl_module, split)
            if pl_module.draws and not scoring.counts[True]:
                raise UsageError("there are no real images")
            began = monotonic()
            scoring.reset()
            count = min(self._wanted(scoring), _limit(trainer, stage))
            for part in shared(self._fakes(scoring, trainer, pl_module, count, split)):
                scoring.take(part, real=False)
                self.watcher("scoring", scoring.counts[False], count if pl_module.draws else 0)
            self.watcher("comparing", 0, 0)
            if not min(scoring.counts.values()):
                return  # a translator whose validation gives nothing to compare
            values = scoring.compute()
        except UsageError as error:
            self._say(f"not scored: {error}")
            return
        self._doubt(scoring, stage)
        values = values if "accuracy" in self.scores else drop_unreliable_accuracy(values)
        if pl_module.draws:
            data = trainer.datamodule  # type: ignore[attr-defined]
            values |= measure_coverage(pl_module, data, self.seed, count, trainer.global_rank, trainer.world_size)
        pl_module.log_dict({f"{stage}/{name}": value for name, value in values.items()})
        self.fresh = bool(values)
        self._record(trainer, pl_module, scoring, split, values)
        self.pace.seconds = monotonic() - began
        if trainer.state.fn == "fit" and self.pace.fixed is None:
            rank_zero_info(self.pace.fix(trainer, self.pace.seconds))

    def _compare(self, model: Any, outputs: Any, split: str) -> None:
        """Gathers the features of a batch of translations and, in the first pass, of the real images beside them."""
        if model.repeats or self._failed or not isinstance(outputs, dict) or not {"fake", "real"} <= outputs.keys():
            return
        try:
            scoring = self._scoring(model.trainer, model, split)
            for real, images in ((True, outputs["real"]), (False, outputs["fake"])):
                if not real or split not in self.complete:
                    self._parts[real].append(scoring.look(images.to(model.device), real))
        except UsageError as error:
            self._failed = str(error)

    def _kept(self, real: bool) -> Iterator[Part]:
        """The parts that `_compare` has gathered.

        Raises:
            UsageError: if one of them could not be; `shared` raises it on all devices.
        """
        yield from self._parts[real]
        if self._failed:
            raise UsageError(self._failed)

    def _take_real(self, scoring: Scoring, trainer: Trainer, pl_module: Any, split: str) -> None:
        """Takes in the real images that fakes are compared with, once for a split."""
        if split in self.complete:
            return
        device = pl_module.device
        looked = (scoring.look(images.to(device), True, label) for images, label in self._images(trainer, split))
        try:
            for part in shared(looked if pl_module.draws else self._kept(True)):
                scoring.take(part, real=True)
                self.watcher("reading real images", scoring.counts[True], 0)
        except UsageError:
            del self.scorings[split]  # it has only some of them
            raise
        if scoring.counts[True]:
            self.complete.add(split)

    def _fakes(self, scoring: Scoring, trainer: Trainer, pl_module: Any, count: int, split: str) -> Iterator[Part]:
        """This device's share of the samples or translations."""
        if not pl_module.draws:
            yield from self._kept(False)
            return
        text = sentences(pl_module, trainer.datamodule, split, count)  # type: ignore[attr-defined]
        for images in drawn(pl_module, count, self.seed, trainer.global_rank, trainer.world_size, text=text):
            yield scoring.look(images, False, classes_in_turn(pl_module, len(images)))

    def _images(self, trainer: Trainer, split: str) -> Iterator[tuple[Tensor, Tensor | None]]:
        """This device's share of the real images in [-1, 1], with their classes if they have any."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        count = self.real_count or self._most("most_real")
        if isinstance(data, BaseData):
            for batch in real_batches(data, split, count, trainer.global_rank, trainer.world_size):
                yield batch["image"], batch.get("label")
            return
        for batch in self._own_batches(trainer, split, count):
            yield batch["image"], batch.get("label")

    def _own_batches(self, trainer: Trainer, split: str, count: int) -> Iterator[dict[str, Any]]:
        """This device's share of the batches of a user's own loader."""
        model, hooks = seen(trainer.lightning_module), trainer.datamodule or trainer.lightning_module  # type: ignore[attr-defined]
        if split == "train":
            for batch in own_batches(trainer.train_dataloader, count, trainer.global_rank, trainer.world_size):
                yield model.receive(hooks.on_after_batch_transfer(batch, 0))
            return
        loaders = trainer.test_dataloaders if trainer.testing else trainer.val_dataloaders
        for loader in loaders if isinstance(loaders, (list, tuple)) else [loaders] if loaders else []:
            for number, batch in enumerate(loader):
                whole, twice = model.receive(hooks.on_after_batch_transfer(batch, 0)), repeated(loader, number)
                own = 0 if twice is None else len(whole["image"]) - twice
                if own:
                    yield {name: value[:own] for name, value in whole.items() if name in ("image", "label")}

    def _split(self, trainer: Trainer, stage: str) -> str:
        """The split that the real images are from: in training ``reference``, where it can be had.

        The training images of a user's own loader are read once more, so the loader must be one that can be: one of a
        data set with a length and rows. Otherwise they are those of the validation loader.
        """
        data = trainer.datamodule  # type: ignore[attr-defined]
        if stage == "test" or isinstance(data, BaseData):
            return "test" if stage == "test" else self.reference
        if self.reference == "train" and (why := why_not_read(trainer.train_dataloader)):
            self._say(f"scores compare with the validation images, not with those of training: {why}")
            return "val"
        return "train" if self.reference == "train" else "val"

    # ---------------------------------------------------------------- which scores, by which network

    def _scoring(self, trainer: Trainer, model: Any, split: str) -> Scoring:
        """The scores against a split; made at the first measurement."""
        if split not in self.scorings:
            shape = self.shape(trainer.datamodule, model)  # type: ignore[attr-defined]
            self.scorings[split] = Scoring(self._chosen(model, shape, split), self._features(shape), strict=False)
        return self.scorings[split].to(model.device)

    def _chosen(self, model: Any, shape: Sequence[int] | None, split: str) -> tuple[str, ...]:
        """The scores that suit the data, the model and the split that the real images are from."""
        scores, network = self._suited(shape), self._features(shape)
        refuse_unlabelled(scores, model, network)
        by_class = ("accuracy",) if tells_classes(network, model) else ()
        seen_by_it = model.draws and split == "train"  # only images that a model has seen can it remember
        return tuple(dict.fromkeys((*(name for name in scores if name != "memorisation" or seen_by_it), *by_class)))

    def _suited(self, shape: Sequence[int] | None) -> tuple[str, ...]:
        """The scores that suit the data: without features those that need none, and the first is ``swd``."""
        if shape is not None and is_points(shape):
            return ("swd",)
        if self._lacks(shape):
            return tuple(dict.fromkeys(("swd", *(name for name in self.scores if name in OF_PIXELS))))
        return self.scores

    def _looks(self, shape: Sequence[int] | None) -> bool:
        """Whether a score needs features."""
        return not set(self.scores) <= set(OF_PIXELS) and (shape is None or not is_points(shape))

    def _lacks(self, shape: Sequence[int] | None) -> bool:
        """Whether a score needs features, and there are none for such images."""
        return self._looks(shape) and suited(self.features, shape) is None

    def _values(self, scores: Sequence[str], shape: Sequence[int] | None) -> list[str]:
        """The names of the values that scores log."""
        return [value for name in scores for value in values_of(name, self._features(shape))]

    def shape(self, data: Any, model: Any) -> tuple[int, ...] | None:
        """(channels, height, width) of the images before there are any: as the data or the model says, or draws one."""
        model = seen(model)
        said = getattr(data, "image_shape", None) or model.image_shape or self._drawn
        if said is None and model.draws and not model.of_texts:
            try:
                said = self._drawn = tuple(model.sample(1, seed=0).shape[1:])
            except Exception:  # whatever a module that is not on its device yet raises: the scoring says it again
                return None
        return None if said is None else tuple(said)

    def settle(self, data: Any, model: Any) -> str:
        """The features by their word or file: what ``auto`` has become, so that a resumed run has the same ones."""
        chosen = suited(self.features, self.shape(data, model)) or NONE
        return chosen if isinstance(chosen, str) else AUTO

    def _features(self, shape: Sequence[int] | None) -> Features | None:
        """The feature network; None if no score needs one."""
        if not self._looks(shape) or self._lacks(shape):
            return None
        if self._network is None:
            self._network = feature_network(suited(self.features, shape))
        return self._network

    # ---------------------------------------------------------------- messages and records

    def _doubt(self, scoring: Scoring, stage: str) -> None:
        """Warns of scores that are not measured, and of a FID of too few images."""
        for name, reason in scoring.missing.items():
            self._say(f"{stage}/{name} is not measured: {reason}")
        fewest = min(scoring.counts.values())
        features = scoring.features
        if features is None or "fid" not in scoring.metrics:
            return
        for name, known in features.distances.items():
            if fewest <= (size := known or features.num_features):
                self._say(
                    f"{stage}/{name} compares {fewest} images by {size} features, so it is far too large; it still "
                    "tells better from worse within this run, and kid needs fewer images"
                )
                return  # what is too many for the first is too many for the others

    def _say(self, message: str) -> None:
        """Warns, once in a run."""
        if message not in self._said:
            self._said.add(message)
            rank_zero_warn(message)

    def _record(
        self, trainer: Trainer, pl_module: Any, scoring: Scoring, split: str, values: dict[str, Tensor]
    ) -> None:
        """Adds a line with the scores and their protocol to the run's ``scores.jsonl``."""
        if not self.records or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        known = isinstance(data, BaseData)
        card = Protocol(
            data=describe_data(data) if known else "a loader of the user",
            split=split,
            real=scoring.counts[True],
            fake=scoring.counts[False],
            features=told(scoring.features, self.shape(data, pl_module)),
            averaged=pl_module.generator_ema is not None,
            seed=self.seed,
        )
        numbers = {name: float(value) for name, value in values.items()}
        record = Scores(numbers, card, type(trainer.lightning_module).__name__, step=trainer.global_step)
        path = self.run.scores
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps(asdict(record)) + "\n")
        loggers.tell_protocol(trainer, asdict(card))


def _nobody(what: str, done: float, whole: float) -> None:
    """Watches nothing."""


def _limit(trainer: Trainer, stage: str) -> int:
    """The most samples to draw: if the trainer limits the validation batches, as many as these hold."""
    limit = trainer.limit_test_batches if stage == "test" else trainer.limit_val_batches
    if limit == 1.0 and not isinstance(limit, int):
        return 2**31
    data = trainer.datamodule  # type: ignore[attr-defined]
    batches = int(sum(trainer.num_test_batches if stage == "test" else trainer.num_val_batches)) * trainer.world_size
    return max(2, (min(limit, batches) if isinstance(limit, int) else batches) * getattr(data, "batch_size", 64))
