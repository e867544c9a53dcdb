"""The scores by which a model measures itself: one of texts, or one that only reconstructs."""

from typing import Any

from lit_gans.errors import UsageError, one
from lit_gans.metrics.protocol import Protocol, describe_data
from lit_gans.training.trainer import Trainer

_HOW: dict[str, Any] = {
    "folder": False,
    "scores": False,
    "monitor": False,
    "report": False,
    "enable_progress_bar": False,
}


def own_scores(model: Any, data: Any, seed: int = 0) -> tuple[dict[str, float], Protocol]:
    """The values that a model logs in a test, by their names without ``test/``, and how they were measured.

    Args:
        model: on the device to measure on.
        data: a data module, whose test split is read.
        seed: of whatever is drawn.

    Raises:
        UsageError: if the data has other vocabularies, or the model logs nothing in a test.
    """
    kind, index = model.device.type, model.device.index
    place: dict[str, Any] = {
        "accelerator": "gpu" if kind == "cuda" else kind,
        "devices": [index or 0] if kind == "cuda" else 1,
    }
    trainer = Trainer(seed=seed, **_HOW, **place)
    (found, *_) = trainer.test(model, datamodule=data, verbose=False) or [{}]
    if not found:
        raise UsageError(f"{one(model)} logs no score in a test")
    values = {name.removeprefix("test/"): float(value) for name, value in found.items()}
    count = len(data.samples("test"))
    return values, Protocol(
        data=describe_data(data),
        split="test",
        real=count,
        fake=count if model.translates_texts or not model.of_texts else 0,
        features="none",
        averaged=model.generator_ema is not None,
        seed=seed,
        resize="none",
    )
