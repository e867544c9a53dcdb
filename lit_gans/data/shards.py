"""Pictures in shards: for sets that are larger than the memory, or than the disk."""

import torch
from torch import Tensor

from lit_gans.data.cache_folder import cache_folder
from lit_gans.data.image_data import ImageData, Sized, height_width
from lit_gans.data.order import BatchStream, Position
from lit_gans.data.samples import Samples
from lit_gans.data.shard_files import ShardedImages
from lit_gans.data.shard_order import ShardStream
from lit_gans.errors import UsageError, finite_from


class Shards(ImageData):
    """Pictures in shards that ``lit-gans shard FOLDER --output SHARDS`` has made, read by LitData as they are needed.

    Batches are as those of `ImageFolder`: ``image``, and ``label`` if the folder had classes. Only a few shards are in
    memory at a time, and 8 bytes a sample for its label. They are read from a folder, or from an object store; then
    those that were read last are kept on the disk, up to a limit.

    The order is that of `ShardStream`: a random one of the shards, and of the samples of those that are read together.
    It depends on the seed and the position alone, so that a run is resumed exactly, with any number of workers.

    Args:
        root: the folder of the shards, or its address: ``s3://``, ``gs://``, ``r2://`` or ``azure://``.
        size: side length or (height, width) in pixels; less than the shards have takes random crops. By default as
            large as they were made for.
        cache: folder for shards from an object store, by default ``$LIT_GANS_CACHE``, else the user's cache folder.
        cache_gb: gigabytes (1e9 bytes) that these may take on the disk; the ones read first are deleted.
        batch_size: samples a device and batch.
        num_workers: worker processes; each has a few shards in memory.
        seed: of the order of the samples, and of their flips and crops.
        flip: mirror every second training image, at random.
        val_size: training samples held out for validation, if the shards have no such split. With 0, validation looks
            at the test split (without one, at the training samples).

    Raises:
        UsageError: if there are no shards, one is damaged, or LitData is not installed (``pip install
            'lit_gans[shards]'``).
    """

    def __init__(
        self,
        root: str,
        size: Sized | None = None,
        cache: str | None = None,
        cache_gb: float = 50.0,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed, flip, val_size)
        if not finite_from(0, cache_gb) or cache_gb == 0:
            raise UsageError(f"cache_gb must be a positive number of gigabytes, got {cache_gb!r}")
        self.place, self.cache, self.most = root.rstrip("/"), cache_folder(cache) / "shards", int(cache_gb * 1e9)
        self.images = {"train": self._images("train")}
        about, room = self.images["train"].about, self.images["train"].room(num_workers)
        if self.images["train"].remote and self.most < room:
            raise UsageError(
                f"cache_gb={cache_gb} is less than the {room / 1e9:.2g} GB of shards that are read at a time with "
                f"num_workers={num_workers}; give more, take fewer workers, or make smaller shards with --shard_mb"
            )
        channels, *kept = about.shape
        self.image_shape = (channels, *height_width((about.size[0], about.size[1]) if size is None else size))
        self.image_kind = about.kind
        if min(a - b for a, b in zip(kept, self.image_shape[1:], strict=True)) < 0:
            raise UsageError(
                f"size {size} is more than the {kept[0]}x{kept[1]} pixels of the shards in {root}; make shards of this "
                "size with 'lit-gans shard', or give a smaller one"
            )
        self.classes, self.parts = about.classes, tuple(about.splits)
        self.num_classes = len(self.classes) or None

    @property
    def own_splits(self) -> tuple[str, ...]:
        """The splits that the shards were made of."""
        return self.parts

    @property
    def class_names(self) -> list[str]:
        """The names of the folders that the pictures were in."""
        return self.classes

    @property
    def augmented(self) -> bool:
        """Whether training images are changed at random."""
        return self.flip or tuple(self.images["train"].about.shape) != self.image_shape

    def facts(self) -> dict[str, str]:
        """Also where the shards are, and how many."""
        found = super().facts()
        about = self.images["train"].about
        found["data"] += f" {self.place}"
        found["shards"] = f"{len(about.sizes):,} to train on, of at most {max(about.sizes):,} pictures"
        if tuple(about.shape[1:]) != self.image_shape[1:]:
            found["size"] += f"; random crops of {'x'.join(map(str, about.shape[1:]))}"
        return found

    def load(self, split: str) -> Samples:
        """The pictures of a split, none of which is read yet, and their labels."""
        if split not in self.images:
            self.images[split] = self._images(split)
        images = self.images[split]
        return Samples({"image": images, **({"label": images.labels()} if self.classes else {})})

    def some(self, split: str, count: int) -> Tensor:
        """The first rows, which are a random choice: the pictures were shuffled when the shards were made."""
        return torch.arange(min(count, len(self.samples(split))))

    def stream(self, samples: Samples, position: Position) -> BatchStream:
        """The order in which each shard is read once an epoch."""
        images, rows = self.images[self._stand_in("train")], samples.rows[0]
        shards = images.shards if rows is None else images.count(rows)
        return ShardStream(shards, self.batch_size, self.seed, position, *self._share(), augmented=self.augmented)

    def _images(self, split: str) -> ShardedImages:
        return ShardedImages(self.place, split, self.cache, self.most)
