"""Trains classifiers: for features of your own, and to test generated images as training data."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.classification import multiclass_accuracy
from tqdm import tqdm

from lit_gans.errors import UsageError
from lit_gans.images.shape import as_float
from lit_gans.metrics.features import Classifier
from lit_gans.networks.base import in_parts


def train_classifier(
    images: Tensor,
    targets: Tensor,
    num_classes: int,
    epochs: int = 4,
    seed: int = 0,
    name: str = "classifier",
    batch_size: int = 256,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Classifier:
    """Trains a `Classifier` with Adam and one cycle of the learning rate (Smith & Topin 2017, arXiv:1708.07120).

    Args:
        images: (N, C, H, W) uint8, or float in [-1, 1].
        targets: (N,) int64 classes, of which those below 0 are left out; or (N, K) bool attributes.
        num_classes: number of classes or attributes.
        epochs: passes over the images.
        seed: of the weights, the order and the dropout.
        name: of the network, for the protocol of a score.
        batch_size: images a step.
        loss: of logits and targets, where it is not the cross-entropy of classes or attributes.

    Raises:
        UsageError: if there are no labelled images or no epochs.
    """
    if epochs < 1:
        raise UsageError(f"epochs must be at least 1, got {epochs}")
    known = (targets >= 0).nonzero()[:, 0] if targets.ndim == 1 else torch.arange(len(targets))
    if len(known) < 2:
        raise UsageError(f"a classifier needs labelled images to learn from, but there are {len(known)}")
    batch = min(batch_size, len(known))
    device = images.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        network = Classifier((images.shape[1], images.shape[2], images.shape[3]), num_classes, name).to(device)
        rate = 4e-3 * (batch / 256) ** 0.5
        optimizer = torch.optim.Adam(network.parameters(), rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, epochs * (len(known) // batch))
        for _ in tqdm(range(epochs), desc=f"training {name}", unit=" epochs", disable=None):
            for rows in known[torch.randperm(len(known))].split(batch):
                if len(rows) < batch:
                    continue
                with torch.autocast(device.type, torch.bfloat16):
                    logits = network.logits(_floats(images[rows]))
                optimizer.zero_grad()
                (loss or _loss)(logits.float(), targets[rows]).backward()
                optimizer.step()
                schedule.step()
    return network.eval().requires_grad_(False)


@torch.no_grad()
def accuracy(network: Classifier, images: Tensor, label: Tensor) -> float:
    """The share of images whose class a classifier finds."""
    guesses = in_parts(lambda part: network.logits(_floats(part)), images, like=images).argmax(1)
    return float(multiclass_accuracy(guesses, label, network.num_classes, average="micro"))


def _loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy: over classes, or for every attribute by itself."""
    if targets.ndim == 1:
        return F.cross_entropy(logits, targets)
    return F.binary_cross_entropy_with_logits(logits, targets.float())


def _floats(images: Tensor) -> Tensor:
    return as_float(images)
