"""The images that scores compare: real ones of a split, and those that a model draws or translates."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from lit_gans.data.base import BaseData
from lit_gans.data.samples import Batch, Samples
from lit_gans.errors import UsageError
from lit_gans.networks.base import CHUNK


def is_points(shape: Sequence[int]) -> bool:
    """Whether images of (channels, height, width) are too small for a feature network; ``swd`` still suits them."""
    return len(shape) == 3 and min(shape[1:]) < 8


def samples_of(data: BaseData, split: str) -> Samples:
    """The samples of a split; loads them on first use."""
    if split not in data.splits:
        data.setup({"train": "fit", "val": "validate"}.get(split, "test"))
    return data.splits[split]


def shuffled(n: int) -> Tensor:
    """A fixed random order of n rows, since the first ones of a file need not be like the others."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))


def rows_of(data: BaseData, split: str, rows: Tensor, rank: int = 0, world: int = 1) -> Iterator[Batch]:
    """Yields the samples of some rows of a split in parts, with images in [-1, 1]; devices take turns."""
    samples = samples_of(data, split)
    for part in rows.split(CHUNK)[rank::world]:
        yield data.on_after_batch_transfer(samples[part], 0)


def real_batches(data: BaseData, split: str, count: int, rank: int = 0, world: int = 1) -> Iterator[Batch]:
    """Yields at most ``count`` real samples of a split in parts, with labels if the data has them.

    They are a fixed random choice; devices take turns.

    Raises:
        UsageError: if the data has pairs or two domains instead of single images.
    """
    rows = data.some(split, min(count, len(samples_of(data, split))))
    for batch in rows_of(data, split, rows, rank, world):
        if "image" not in batch:
            raise UsageError(
                f"{type(data).__name__} has {' and '.join(batch)} instead of single images, which scores compare; name "
                "other data"
            )
        yield batch


def real_images(data: BaseData, split: str, count: int) -> Iterator[Tensor]:
    """Yields at most ``count`` real images of a split in [-1, 1], in parts."""
    for batch in real_batches(data, split, count):
        yield batch["image"]


def why_not_read(loader: Any) -> str:
    """The reason why a training loader's images cannot be read once more, in its order; empty if they can be."""
    if loader is None:
        return "there is no training loader here"
    dataset = getattr(loader, "dataset", None)
    if not isinstance(loader, DataLoader) or isinstance(dataset, IterableDataset) or not hasattr(dataset, "__len__"):
        return (
            "only a torch DataLoader of a data set with a length and rows can be read once more; Quality(reference="
            "'val') compares with those of validation without this note"
        )
    return ""


def own_batches(loader: Any, count: int, rank: int = 0, world: int = 1) -> Iterator[Any]:
    """Yields batches of at most ``count`` samples of a user's own loader, as its ``collate_fn`` makes them.

    They are a fixed random choice; devices take turns. Whatever random numbers the data set draws, the global random
    states stay as they were.

    Args:
        loader: a torch DataLoader, see `why_not_read`.
        count: the most samples.
        rank: this device's number.
        world: number of devices.
    """
    for part in list(shuffled(len(loader.dataset))[:count].split(CHUNK))[rank::world]:
        with isolate_rng():
            batch = loader.collate_fn([loader.dataset[row] for row in part.tolist()])
        yield batch


def drawn(
    model: Any,
    count: int,
    seed: int,
    rank: int = 0,
    world: int = 1,
    label: Tensor | None = None,
    text: Tensor | None = None,
) -> Iterator[Tensor]:
    """Yields ``count`` samples of a model in parts; devices take turns and together draw what one device would.

    ``label`` (count,) is the class of each, ``text`` (count, T) the tokens of its sentence.
    """
    for number, start in list(enumerate(range(0, count, CHUNK)))[rank::world]:
        n = min(CHUNK, count - start)
        told = {"label": label, "text": text}
        given = {name: rows[start : start + n] for name, rows in told.items() if rows is not None}
        yield model.sample(n, seed=1_000 * seed + number, **given)


def sentences(model: Any, data: Any, split: str, count: int) -> Tensor | None:
    """The tokens (count, T) of a split's captions, in the order in which its images are compared, over and over.

    None for a model that draws without a sentence, and for data without tokens: such samples are drawn by captions that
    the model remembers.
    """
    if not model.draws_by_text or not hasattr(data, "splits"):
        return None
    tokens = samples_of(data, split).values("tokens")
    if tokens is None or not len(tokens):
        return None
    rows = shuffled(len(tokens))
    return tokens.index_select(0, rows[torch.arange(count) % len(rows)])


def translated(
    model: Any, data: BaseData, split: str, count: int, seed: int = 0, to: str | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields translations of a split's first ``count`` sources, and as many real images of the target domain, in parts.

    No image comes twice: once the smaller domain has ended, parts hold images of the other one alone.

    Args:
        model: translates.
        data: has the names that the model needs.
        split: of the data.
        count: the most images of each.
        seed: of the noise, if the model draws any.
        to: one of the model's ``domains``; by default the first.

    Raises:
        UsageError: if the data has no such domains.
    """
    names = [model.needs[0], model.needs[-1]]
    source, target = names if to in (None, model.domains[0]) else reversed(names)
    samples = samples_of(data, split)
    for number, batch in enumerate(rows_of(data, split, torch.arange(min(count, len(samples))))):
        if missing := [name for name in names if name not in batch]:
            raise UsageError(
                f"{type(model).__name__} translates images named {missing[0]}, but {type(data).__name__} has "
                f"{' and '.join(batch)}; name other data"
            )
        sources, targets = (batch[name][: max(0, samples.size(name) - number * CHUNK)] for name in (source, target))
        yield model.translate(sources, to=to, seed=1_000 * seed + number) if len(sources) else sources, targets
