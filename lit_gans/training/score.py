"""Scores of a model in one call."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from lit_gans.callbacks.strangers import Stranger, refuse_without_samples, seen
from lit_gans.checkpoints import load
from lit_gans.data import BaseData, ImageFolder
from lit_gans.errors import UsageError, at_least
from lit_gans.metrics.base import Features
from lit_gans.metrics.evaluation import Evaluation
from lit_gans.metrics.suited import AUTO
from lit_gans.runs import Run

_AT_ONCE = 256


def score(
    model: Any,
    data: Any,
    scores: str | Sequence[str] = ("fid",),
    *,
    count: int = 10_000,
    reference: str = "train",
    real_count: int = 60_000,
    features: str | Features | nn.Module = AUTO,
    seed: int = 0,
    to: str = "",
) -> dict[str, float]:
    """Scores a model's samples, or its translations, against real images, as ``lit-gans evaluate`` does.

    Args:
        model: one of this library, a checkpoint of one or the folder of its run, or anything with ``sample(n)``.
        data: a data module (of one of yours the training loader counts), a loader, images (N, C, H, W) in [-1, 1] or
            uint8, or the path of a folder of pictures, which are cut and resized to the model's shape.
        scores: names: ``fid``, ``kid``, ``is``, ``precision_recall``, ``density_coverage``, ``memorisation``, ``swd``,
            ``sharpness``, ``checkerboard``, ``accuracy``, ``class_coverage``, ``cas``, ``ppl`` and ``modes``.
        count: samples to draw.
        reference: the split of a data module that the real images are from: ``train``, ``val`` or ``test``.
        real_count: most real images to compare with.
        features: the network that images are compared by, see `feature_network`; by default the one that suits them,
            see `suited`. Scores by different networks cannot be compared: ``fid`` gives ``fd_imagenet`` and
            ``fd_imagenet_head`` by the features of ImageNet.
        seed: of the drawing.
        to: the domain to translate to, for a model that has several.

    Returns:
        The values by name; some scores have several.

    Raises:
        UsageError: if a score is unknown or cannot be measured on this, or the data cannot be read.

    Examples:
        >>> from lit_gans import DCGAN, Glyphs
        >>> model, data = DCGAN(image_shape=(1, 16, 16)), Glyphs(size=16, count=20)
        >>> sorted(score(model, data, ["swd", "kid"], count=20))
        ['kid', 'swd']
    """
    at_least(2, count=count, real_count=real_count)
    wanted = [scores] if isinstance(scores, str) else list(scores)
    if not wanted:
        raise UsageError("name at least one score, say fid")
    if isinstance(model, (str, Path, Run)):
        model = load(model)
    refuse_without_samples(model, "score")
    model = seen(model)
    source = _opened(data, model)
    if reference not in ("train", "val", "test"):
        raise UsageError(f"reference must be 'train', 'val' or 'test', got {reference!r}")
    evaluation = Evaluation(model, source, reference, count, real_count, seed, to or (model.domains or ("",))[0])
    evaluation.choose(wanted, features, by_default=False)
    return evaluation.measure(evaluation.gather())


def _opened(data: Any, model: Any) -> Any:
    """The data as something that has batches of real images.

    Raises:
        UsageError: if it is nothing of the kind.
    """
    if isinstance(data, (str, Path)):
        shape = model.shape if not isinstance(model, Stranger) else model.sample(1).shape[1:]
        data = ImageFolder(str(data), size=tuple(shape[1:]), channels=shape[0])
    if isinstance(data, LightningDataModule) and not isinstance(data, BaseData):
        data.prepare_data()
        data.setup("fit")
        data = data.train_dataloader()
    if isinstance(data, BaseData):
        data.prepare_data()
        return data
    if isinstance(data, Tensor):
        data = DataLoader(data, batch_size=_AT_ONCE)  # type: ignore[arg-type]  # a tensor is a data set of its rows
    if isinstance(data, Dataset):
        data = DataLoader(data, batch_size=_AT_ONCE)
    if model.domains:
        raise UsageError(
            f"{type(model).__name__} translates, and needs a data module of two kinds of images, say Paired or Unpaired"
        )
    if not hasattr(data, "__iter__"):
        raise UsageError(
            "data must be a data module of lit_gans, a loader, images (N, C, H, W) or a folder's path, got a "
            f"{type(data).__name__}"
        )
    return Loaded(data, model)


class Loaded:
    """The real images of a user's own loader, as an evaluation reads them.

    Args:
        loader: gives batches that the model's ``receive`` takes.
        model: reads them.
    """

    def __init__(self, loader: Any, model: Any) -> None:
        self.loader, self.model = loader, model
        self.image_shape = tuple(next(self.batches(1))["image"].shape[1:])

    def batches(self, count: int) -> Iterator[dict[str, Any]]:
        """At most ``count`` images, (n, C, H, W) in [-1, 1] with their classes if there are any.

        Raises:
            UsageError: if there is none.
        """
        left = count
        for batch in self.loader:
            whole = self.model.receive(batch)
            yield {name: value[:left] for name, value in whole.items() if name in ("image", "label")}
            left -= len(whole["image"])
            if left <= 0:
                return
        if left == count:
            raise UsageError("the loader gives no images")
