"""How good the samples are, while a run goes on, and by what they were measured."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from lit_gans.data.base import ImageData
from lit_gans.errors import UsageError
from lit_gans.metrics.conditional import draws_classes, refuse_unlabelled, tells_classes, turns, without_guesses
from lit_gans.metrics.coverage import measure_coverage
from lit_gans.metrics.features import feature_network
from lit_gans.metrics.protocol import Protocol, Scores, describe_data
from lit_gans.metrics.scoring import LOWER_IS_BETTER, OF_PIXELS, Scoring, drawn, is_points, real_batches


class Quality(Callback):
    """Scores as many samples as wanted after every validation: ``val/fid`` and so on; after a test ``test/fid``.

    Real features are computed once. The samples are those of the averaged generator from the same noise each time.
    Beside the logged values, every line of ``<run>/scores.jsonl`` has the protocol that they were measured by.

    Models that translate are scored by what they make of all validation images, beside the images of the target domain
    there.

    Points in the plane have no features: they get ``swd``, the sliced Wasserstein distance, alone. Data whose modes are
    known, `Gaussians` and `StackedMNIST`, gets their coverage besides, ``val/modes``, ``val/kl`` and so on, from the
    first 2,500 or 26,000 of the samples if there are as many.

    A model that draws by class gets ``val/accuracy`` besides, if the features are those of a classifier that knows the
    classes: the share of these samples that it calls by the class they were drawn for.

    Args:
        scores: which of ``fid``, ``kid``, ``is``, ``precision_recall``, ``density_coverage``, ``swd``, ``sharpness``,
            ``checkerboard`` and ``accuracy``.
        features: ``digits`` (shipped: a small classifier of MNIST), ``inception``, ``dinov2``, or a file that
            'lit-gans features' wrote.
        count: samples to draw; fewer if the trainer limits the validation batches.
        reference: the split of the real images, which a test replaces by ``test``.
        real_count: most real images to compare with.
        seed: of the samples' noise.

    Raises:
        UsageError: if a score or network is unknown.
    """

    def __init__(
        self,
        scores: Sequence[str] = ("fid", "density_coverage"),
        features: str = "digits",
        count: int = 10_000,
        reference: str = "train",
        real_count: int = 60_000,
        seed: int = 0,
    ) -> None:
        if count < 2 or real_count < 2:
            raise UsageError(f"Quality compares at least 2 images, got count={count}, real_count={real_count}")
        if reference not in ("train", "val", "test"):
            raise UsageError(f"reference must be 'train', 'val' or 'test', got {reference!r}")
        self.scores, self.features = tuple(scores), features
        self.count, self.reference, self.real_count, self.seed = count, reference, real_count, seed
        self.scorings: dict[str, Scoring] = {}
        self.complete: set[str] = set()

    def monitor(self, image_shape: Sequence[int]) -> str:
        """What tells the best checkpoint: the first score of which less is better."""
        scores = ("swd",) if is_points(image_shape) else self.scores
        chosen = next((name for name in scores if name in LOWER_IS_BETTER), None)
        if chosen is None:
            named = f"more is better of {', '.join(map(repr, scores))}" if scores else "it is empty"
            raise UsageError(
                f"quality.scores has no score that tells the best checkpoint by being small ({named}): add fid, or set "
                "best.monitor and best.mode"
            )
        return f"val/{chosen}"

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Takes in what a translator made of a batch, and what it should look like."""
        if not pl_module.draws and not trainer.sanity_checking:
            self._compare(pl_module, outputs, "val", batch_idx)

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
        if not pl_module.draws:
            self._compare(pl_module, outputs, "test", batch_idx)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Measures and logs."""
        if not trainer.sanity_checking:
            self.measure(trainer, pl_module, "val", self.reference if pl_module.draws else "val")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measures and logs."""
        self.measure(trainer, pl_module, "test", "test")

    def measure(self, trainer: Trainer, pl_module: Any, stage: str, split: str) -> None:
        """Scores the model as it is and logs the scores as ``<stage>/<name>``."""
        scoring = self._draw(trainer, pl_module, stage, split) if pl_module.draws else self.scorings.get(split)
        if scoring is None:
            return
        self.complete.add(split)
        fewest = min(scoring.counts.values()) * trainer.world_size
        if scoring.features is not None and "fid" in self.scores and fewest <= scoring.features.num_features:
            rank_zero_warn(
                f"{stage}/fid compares {fewest} images by {scoring.features.num_features} features, so it is far too "
                "large; it still tells better from worse within this run, and kid needs fewer images"
            )
        try:
            values = scoring.compute()
            values = values if "accuracy" in self.scores else without_guesses(values)
        except UsageError as error:
            rank_zero_warn(f"not scored: {error}")
            return
        if pl_module.draws:
            count, data = min(self.count, _limit(trainer, stage)), trainer.datamodule  # type: ignore[attr-defined]
            values |= measure_coverage(pl_module, data, self.seed, count, trainer.global_rank, trainer.world_size)
        pl_module.log_dict({f"{stage}/{name}": value for name, value in values.items()})
        self._record(trainer, pl_module, scoring, split, values)

    def _compare(self, model: Any, outputs: Any, split: str, batch_idx: int) -> None:
        """Gathers a batch of translations and, in the first pass, what they are compared with, which never changes."""
        if not isinstance(outputs, dict) or not {"fake", "real"} <= outputs.keys():
            return
        scoring = self._scoring(split, outputs["real"], model).to(model.device)
        if batch_idx == 0:
            scoring.reset()
        if split not in self.complete:
            scoring.add(outputs["real"].to(model.device), real=True)
        scoring.add(outputs["fake"].to(model.device), real=False)

    def _draw(self, trainer: Trainer, pl_module: Any, stage: str, split: str) -> Scoring | None:
        """Gathers real images, once, and samples; None if there is nothing to compare with."""
        images = self._images(trainer, split)
        try:
            first, label = next(images)
        except (StopIteration, UsageError) as error:  # nothing to compare with: pairs, say, or no validation data
            rank_zero_warn(f"not scored: {error or 'there are no real images'}")
            return None
        scoring = self._scoring(split, first, pl_module)
        scoring.to(pl_module.device)
        if not scoring.counts[True]:
            scoring.add(first.to(pl_module.device), real=True, label=label)
            for part, label in images:
                scoring.add(part.to(pl_module.device), real=True, label=label)
        scoring.reset()
        count = min(self.count, _limit(trainer, stage))
        for part in drawn(pl_module, count, self.seed, trainer.global_rank, trainer.world_size):
            asked = turns(pl_module, len(part)) if draws_classes(pl_module) else None
            scoring.add(part, real=False, label=asked)
        return scoring

    def _scoring(self, split: str, images: Tensor, model: Any) -> Scoring:
        """What gathers scores against a split; made at the first measurement."""
        if split not in self.scorings:
            scores = ("swd",) if is_points(images.shape[1:]) else self.scores
            network = None if set(scores) <= set(OF_PIXELS) else feature_network(self.features)
            refuse_unlabelled(scores, model, network)
            if tells_classes(network, model):
                scores = tuple(dict.fromkeys((*scores, "accuracy")))
            self.scorings[split] = Scoring(scores, network, strict=False)
        return self.scorings[split]

    def _images(self, trainer: Trainer, split: str) -> Iterator[tuple[Tensor, Tensor | None]]:
        """This device's share of the real images in [-1, 1], with their classes if they have any."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, ImageData):
            for batch in real_batches(data, split, self.real_count, trainer.global_rank, trainer.world_size):
                yield batch["image"], batch.get("label")
            return
        loader = trainer.test_dataloaders if trainer.testing else trainer.val_dataloaders
        for batch in loader or ():
            whole = trainer.lightning_module.receive(batch)  # type: ignore[operator]
            yield whole["image"], whole.get("label")

    def _record(
        self, trainer: Trainer, pl_module: Any, scoring: Scoring, split: str, values: dict[str, Tensor]
    ) -> None:
        """Adds a line with the scores and their card to the run's record."""
        if trainer.log_dir is None or not trainer.is_global_zero:
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        known = isinstance(data, ImageData)
        card = Protocol(
            data=describe_data(data) if known else "a loader of the user",
            split=split if known else "val",
            real=scoring.counts[True] * trainer.world_size,
            fake=scoring.counts[False] * trainer.world_size,
            features="none" if scoring.features is None else scoring.features.name,
            averaged=pl_module.generator_ema is not None,
            seed=self.seed,
        )
        numbers = {name: float(value) for name, value in values.items()}
        record = Scores(numbers, card, type(pl_module).__name__, step=trainer.global_step)
        path = Path(trainer.log_dir) / "scores.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps(asdict(record)) + "\n")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.experiment.config.update({"protocol": asdict(card)}, allow_val_change=True)


def _limit(trainer: Trainer, stage: str) -> int:
    """Samples that are enough for somebody who limits the validation batches; else any number."""
    limit = trainer.limit_test_batches if stage == "test" else trainer.limit_val_batches
    if limit == 1.0 and not isinstance(limit, int):
        return 2**31
    data = trainer.datamodule  # type: ignore[attr-defined]
    batches = trainer.num_test_batches if stage == "test" else trainer.num_val_batches
    return max(2, int(sum(batches)) * getattr(data, "batch_size", 64))
