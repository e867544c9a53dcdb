"""A user's own pictures: a folder or a zip of them, flat or by class."""

from collections import Counter
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn

from lit_gans.data import facts
from lit_gans.data.folders import SPELLINGS, only
from lit_gans.data.frames import Frames
from lit_gans.data.picture_data import PictureData
from lit_gans.data.samples import Samples
from lit_gans.data.sources import Lmdb, Source, open_source
from lit_gans.errors import UsageError, at_least


class ImageFolder(PictureData):
    """Pictures in a folder or a zip.

    Folders named ``train`` (or ``training``), ``val`` (``valid``, ``validation``) and ``test`` (``testing``), in upper
    or lower case, are the splits; without ``train`` all pictures train. If every training picture is in the folder of a
    class, and there are at least two classes, ``label`` is the place of the folder in ``classes``.

    Args:
        root: the folder, or a zip (one without compression is read fastest).
        frames: takes every so-many-th frame of animations (.gif, .webp) and of videos (.mp4, .mov, .mkv, .webm, .avi,
            which need ``pip install 'lit_gans[video]'``) as a picture of its own; 1 takes all. By default videos are
            left out, and of an animation the first frame is taken.
        pictures: arguments of `PictureData` and `ImageData`: size, channels, bits, fit, load_size, skip_corrupt,
            cache, file_range, max_megapixels, batch_size, num_workers, seed, flip, val_size, labels_per_class and
            label_fraction.

    Raises:
        UsageError: if there is no picture, or one cannot be decoded.
    """

    def __init__(self, root: str, frames: int | None = None, **pictures: Any) -> None:
        at_least(1, frames=frames)
        self.place = Path(root).expanduser()
        self.source = open_source(self.place, frames is not None)
        if frames is not None:
            self.source = Frames(self.source, frames)
        super().__init__(root, **pictures)
        self.parts = _split(self.place, self.source.names)
        found = sorted({_kind(name) for name, _ in self.parts["train"]} - {""})
        flat = any(not _kind(name) for name, _ in self.parts["train"])
        self.classes = found if len(found) > 1 and not flat else []
        self.num_classes = len(self.classes) or None

    def own_pictures(self) -> list[Source]:
        """All of them."""
        return [self.source]

    @property
    def own_splits(self) -> tuple[str, ...]:
        """The splits that there are folders for."""
        return tuple(self.parts)

    @property
    def class_names(self) -> list[str]:
        """The names of the folders."""
        return self.classes

    def facts(self) -> dict[str, str]:
        """Also where the pictures are."""
        return {name: f"{said} {self.place}" if name == "data" else said for name, said in super().facts().items()}

    def _classes_in_words(self) -> str:
        """Also why there are no classes."""
        if self.classes:
            return super()._classes_in_words()
        names = [name for name, _ in self.parts["train"]]
        loose = [name for name in names if not _kind(name)]
        if len(loose) == len(names):
            return "none, since no picture is in a folder of a class"
        if loose:
            return f"none, since {loose[0]} is in no folder (as {len(loose):,} of {len(names):,} pictures)"
        return f"none, since all pictures are in one folder, {_kind(names[0])}"

    def unread(self) -> Counter[str]:
        """The endings of the files that are no pictures."""
        return Counter() if isinstance(self.source, Lmdb) else facts.unread(self.place)

    def load(self, split: str) -> Samples:
        """The pictures of a split."""
        pictures = self.parts[split]
        source = self.source.select([whole for _, whole in pictures])
        return self.decode(f"{self.place.stem}-{split}", split, ("image", source, {}), **self.describe(pictures))

    def describe(self, pictures: list[tuple[str, str]]) -> dict[str, Any]:
        """The values that a batch has beside images.

        Args:
            pictures: for each one the name within its split, and the whole name.
        """
        if not self.classes:
            return {}
        if unknown := next((whole for name, whole in pictures if _kind(name) not in self.classes), None):
            raise UsageError(
                f"{self.place / unknown} is in no class of the training images ({', '.join(self.classes)})"
            )
        return {"label": torch.tensor([self.classes.index(_kind(name)) for name, _ in pictures])}


def _split(place: Path, names: list[str]) -> dict[str, list[tuple[str, str]]]:
    """The pictures of every split: names without the split's folder, and whole names."""
    means = {spelling: split for split, spellings in SPELLINGS.items() for spelling in spellings}
    tops = {_kind(name) for name in names}
    inside = "" not in tops and len(tops) == 1 and not {top.lower() for top in tops} & means.keys()
    below = {name: name.split("/", 1)[1] if inside else name for name in names}  # a zip often has all in one folder
    folders: dict[str, list[Path]] = {}
    for top in sorted({_kind(name) for name in below.values()}):
        if top.lower() in means:
            folders.setdefault(means[top.lower()], []).append(place / top)
    if "train" not in folders:
        if folders and len(tops) > 1:
            rank_zero_warn(
                f"{place} has {', '.join(path.name for paths in folders.values() for path in paths)} but no folder "
                "train, so all of its pictures are trained on; put those to learn from into a folder train"
            )
        return {"train": [(name, whole) for whole, name in below.items()]}
    splits = {}
    for split in SPELLINGS:
        if (folder := only(folders.get(split, []), place)) is not None:
            start = f"{folder.name}/"
            splits[split] = [(name[len(start) :], whole) for whole, name in below.items() if name.startswith(start)]
    return splits


def _kind(name: str) -> str:
    """The top folder in a picture's name; empty if there is none."""
    return name.split("/", 1)[0] if "/" in name else ""
