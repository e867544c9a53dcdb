"""Makes shards of a folder of pictures."""

import shutil
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from lit_gans.data.base import SPLIT_SEED
from lit_gans.data.cache import worker_options
from lit_gans.data.decoded_file import TYPES
from lit_gans.data.image_folder import ImageFolder
from lit_gans.data.shard_files import LABELS, About, litdata
from lit_gans.data.sources import Source
from lit_gans.errors import UsageError
from lit_gans.files import replacing
from lit_gans.images.frame import CorruptPicture, Frame


@dataclass(frozen=True)
class Made:
    """What has been made of a split: its pictures, its shards, and the names of the pictures that were left out."""

    split: str
    pictures: int
    shards: int
    left_out: list[str]


def write_shards(data: ImageFolder, output: Path, shard_bytes: int) -> list[Made]:
    """Decodes, cuts and resizes all pictures of a folder into shards; the output appears when all of them are written.

    The pictures of a split are put into a random order, always the same, so that the classes are mixed in each shard.

    Args:
        data: the pictures, and how they are cut.
        output: the folder that is made.
        shard_bytes: the most bytes of pixels in a shard; one that holds a single picture may be larger.

    Raises:
        UsageError: if a picture cannot be decoded, the disk is full, or LitData is not installed.
    """
    litdata()
    needed = sum(map(len, data.parts.values())) * data.image_shape[0] * data.load_size[0] * data.load_size[1]
    needed = needed * data.image_kind.bits // 8
    try:
        with replacing(output) as place:
            free = shutil.disk_usage(place.parent).free
            if free < needed:
                raise UsageError(
                    f"the shards take {needed / 1e9:.2f} GB, but the disk of {output} has {free / 1e9:.2f} GB left; "
                    "free some, name an output on another disk, or lower the size"
                )
            return [_write_split(data, split, place / split, shard_bytes) for split in data.own_splits]
    except OSError as error:
        raise UsageError(f"no shards can be written into {output} ({error.strerror or error})") from None


def _write_split(data: ImageFolder, split: str, folder: Path, shard_bytes: int) -> Made:
    pictures = data.parts[split]
    rng = torch.Generator().manual_seed(SPLIT_SEED)
    pictures = [pictures[row] for row in torch.randperm(len(pictures), generator=rng).tolist()]
    source = data.source.select([whole for _, whole in pictures])
    size = data.load_size if split == "train" else data.image_shape[1:]
    frame = Frame(**data.frame(size))
    bad: list[str] = []

    def blocks() -> Iterator[Tensor]:
        for images, corrupt in _decoded(source, frame, shard_bytes, split):
            if corrupt and not data.skip_corrupt:
                name, why = corrupt[0]
                raise UsageError(
                    f"{name} cannot be used ({why}); replace or delete it, or leave such pictures out: --skip_corrupt"
                )
            bad.extend(name for name, _ in corrupt)
            yield images

    sizes, checksums = write_images(folder, blocks())
    if not sizes:
        raise UsageError(f"no picture of {split} in {data.place} can be decoded, {bad[0]} for one; name other pictures")
    if data.classes:
        left = {*bad}
        kept = [pair for row, pair in enumerate(pictures) if source.where(row) not in left] if left else pictures
        write_labels(folder, data.describe(kept)["label"])
    shape = [data.image_shape[0], *size]
    kind = data.image_kind
    about = [*data.own_splits], shape, [*data.image_shape[1:]], data.classes, sizes, checksums, kind.bits, kind.limits
    About(*about).write(folder)
    return Made(split, sum(sizes), len(sizes), bad)


def write_images(folder: Path, blocks: Iterable[Tensor]) -> tuple[list[int], list[int]]:
    """Writes each block of images, (n, C, H, W) as data keep them, into a shard of its own; empty ones are passed over.

    Returns:
        The number of images in each shard, and the checksum of each, as `About` wants them.
    """
    sizes: list[int] = []
    checksums: list[int] = []
    writer = _writer(folder)
    for images in blocks:
        if len(images):
            writer[len(sizes)] = {"image": images}
            sizes.append(len(images))
            checksums.append(zlib.crc32(images.contiguous().numpy().view("u1").data))
    writer.done()
    if sizes:
        writer.merge()
    return sizes, checksums


def write_labels(folder: Path, label: Tensor) -> None:
    """Writes the labels (N,) int64 of a split's images, in their order."""
    writer = _writer(folder / LABELS)
    writer[0] = {"label": label}
    writer.done()
    writer.merge()


def _writer(folder: Path) -> Any:
    """LitData's writer; each thing that it gets becomes a file of its own."""
    from litdata.streaming import Cache

    folder.mkdir(parents=True)
    return Cache(str(folder), chunk_size=1)


def _decoded(source: Source, frame: Frame, shard_bytes: int, split: str) -> Iterator[Any]:
    """Yields the pictures of one shard after another, and the names and reasons of those that cannot be decoded."""
    count = max(1, shard_bytes // (frame.channels * frame.size[0] * frame.size[1] * frame.bits // 8))
    blocks = _Blocks(source, frame, count)
    source.close()
    rng = torch.Generator()
    loader = DataLoader(blocks, None, generator=rng, **worker_options(len(blocks)))
    bar = tqdm(total=len(source), desc=f"sharding {split}", unit=" pictures", disable=None)
    try:
        for images, corrupt in loader:
            bar.update(len(images) + len(corrupt))
            yield images, corrupt
    finally:
        bar.close()
        source.close()


class _Blocks(Dataset[Any]):
    """The pictures of one shard each, decoded."""

    def __init__(self, source: Source, frame: Frame, count: int) -> None:
        self.source, self.frame, self.count = source, frame, count

    def __len__(self) -> int:
        return -(-len(self.source) // self.count)

    def __getitem__(self, number: int) -> tuple[Tensor, list[tuple[str, str]]]:
        images, corrupt = [], []
        for row in range(number * self.count, min((number + 1) * self.count, len(self.source))):
            try:
                images.append(self.frame(self.source.read(row)))
            except (CorruptPicture, OSError) as error:
                corrupt.append((self.source.where(row), str(error)))
        empty = torch.empty(0, self.frame.channels, *self.frame.size, dtype=TYPES[self.frame.bits])
        return torch.stack(images) if images else empty, corrupt
