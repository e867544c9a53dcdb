"""A network that learns from a labelled data set what images show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lit_gans.cli.run_data import open_data
from lit_gans.errors import UsageError
from lit_gans.latents.arithmetic import Recogniser
from lit_gans.metrics.training import train_classifier
from lit_gans.networks.base import in_parts

_NUMBERS = 2**27  # of all images to learn from: half a gigabyte
_HELD_OUT = 0.1
_BATCH = 64
STEPS = 600  # batches of 64: half a minute for faces of 64 pixels


@dataclass
class Labelled:
    """Images (N, C, H, W) in [-1, 1] with (N,) int64 classes or (N, K) bool attributes, and K names."""

    images: Tensor
    targets: Tensor
    names: list[str]

    @property
    def exclusive(self) -> bool:
        """Whether an image shows exactly one of the names."""
        return self.targets.ndim == 1


def labelled(
    checkpoint: str,
    data: str | None,
    root: str | None,
    shape: tuple[int, ...],
    seed: int,
    trust: Sequence[str] = (),
    options: dict[str, str] | None = None,
) -> Labelled:
    """Loads at most 10,000 training images with their labels, as large as the generator's.

    Args:
        checkpoint: says by the ``config.yaml`` of its run what it was trained on.
        data: a data set's name, or a .yaml file with a ``data`` section; by default that of the run.
        root: the folder that holds the data.
        shape: (channels, height, width) that the generator draws.
        seed: of the choice.
        trust: packages whose data sets may be imported because the configuration names them.
        options: of the data, as somebody has typed them.

    Raises:
        UsageError: if there is no such data, or it has no labels or another shape.
    """
    module = open_data(checkpoint, data, root, shape, trust, options)
    module.setup("fit")
    name = type(module).__name__
    samples = module.splits["train"]
    count = min(len(samples), 10_000, max(100, _NUMBERS // torch.Size(shape).numel()))
    rows = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed))[:count].sort().values
    batch = module.on_after_batch_transfer(samples[rows], 0)
    targets = batch.get("attributes", batch.get("label"))
    if "image" not in batch or targets is None:
        raise UsageError(f"{name} has no labels or attributes that say what an image shows; use --data of one that has")
    seen = torch.ones(len(targets), dtype=torch.bool) if targets.ndim > 1 else targets >= 0
    return Labelled(batch["image"][seen], targets[seen], _names(module, targets))


def _names(module: Any, targets: Tensor) -> list[str]:
    if targets.ndim > 1:
        own = getattr(module, "attribute_names", None)
    else:
        own = getattr(module, "classes", None) or getattr(module, "characters", None)
    count = targets.shape[1] if targets.ndim > 1 else int(module.num_classes or targets.max() + 1)
    return list(own) if own else [str(k) for k in range(count)]


def learn(
    images: Tensor, targets: Tensor, classes: int, seed: int = 0, steps: int | None = None
) -> tuple[Recogniser, Tensor]:
    """Trains a `Classifier` to tell what images show.

    Args:
        images: (N, C, H, W) in [-1, 1]; a tenth is held out.
        targets: (N,) int64 classes, or (N, K) bool attributes.
        classes: K.
        seed: of the weights, the order and what is held out.
        steps: batches of 64; `STEPS` by default.

    Returns:
        The network, which maps images to (N, K) logits, and its accuracy on what was held out: (1,) for classes, (K,)
        for attributes.

    Raises:
        UsageError: if there are too few images or they are too small.
    """
    if len(images) < 20 or min(images.shape[2:]) < 8:
        raise UsageError(
            f"learning what images show takes at least 20 labelled images of 8x8 pixels, got {len(images)} of "
            f"{images.shape[2]}x{images.shape[3]}"
        )
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    held = round(_HELD_OUT * len(images))
    rows = order[held:]
    epochs = max(1, round((steps or STEPS) * _BATCH / len(rows)))
    with torch.inference_mode(False), torch.enable_grad():
        classifier = train_classifier(images[rows], targets[rows], classes, epochs, seed, batch_size=_BATCH)
    network = classifier.logits
    logits = in_parts(network, images[order[:held]], like=images)
    truth = targets[order[:held]]
    right = (logits.argmax(1) == truth)[:, None] if truth.ndim == 1 else (logits > 0) == truth
    return network, right.float().mean(0)
