"""LSUN: scenes by the million, in LMDB folders."""

from pathlib import Path
from typing import Any

import torch

from lit_gans.data.base import find_folder, find_root
from lit_gans.data.download import Remote, fetch, unpack
from lit_gans.data.image_data import Sized
from lit_gans.data.picture_data import PictureData
from lit_gans.data.samples import Samples
from lit_gans.data.sources import Joined, Source, open_source
from lit_gans.errors import UsageError

_PAGE = "https://www.yf.io/p/lsun"
_SERVER = "http://dl.yf.io/lsun/scenes/"
# sha256 of the training and the validation zip
_DIGESTS = {
    "bedroom": (
        "a15644c2e7153106867f0adb3491fc41224102d1f01b24494fb47d9f5d1f174e",
        "5d022e781b241c25ec2e1f1f769afcdb8091d7fd58362667aec03137b8114b12",
    ),
    "bridge": (
        "2701b2d421bbc4d8a5e9b0652ff7c3b57cd6495da8e0e85c39533275b5a925a3",
        "83216a2974d6068c2e1d18086006e7380ff58540216f955ce87fe049b460cb0d",
    ),
    "church_outdoor": (
        "91128ae026840ac0c5982b4445ab5fc4e092d6847cca76793b2b1a0815c2e74a",
        "34635b7547a3e51a15f942a4a4082dd6bc9cca381a953515cb2275c0eed50584",
    ),
    "classroom": (
        "73a8a3e318819e1cc602f229673c3f51a68f3ece61e3764ce22df6abea4d0873",
        "5e0e9a375d94091dfe1fa3be87d4a92f41c03f1c0b8e376acc7e05651de512d7",
    ),
    "conference_room": (
        "fa0a4cf72e7acfb103392eaf33640d5508a728e971f31877b01d64e1bde6068c",
        "927c94df52e10b9b374748c2b83b28b5860e946b3186dfd587985e274834650f",
    ),
    "dining_room": (
        "e4ee24c7c309360c3bf019123ce5bbf17434b2ba33abec2b0b07cfae715a52cb",
        "bd604d4b91bb5a9611d4e0b85475efd20758390d1a4eb57b53973fcbb5aa8ab6",
    ),
    "kitchen": (
        "b1993cf639aece5d207a27eb9ff872bcca9dff6472d8227a052c79d40ee753c4",
        "329165f35ec61c4cf49f809246de300b8baad3ffcbda1ac30c27bdd32c84369a",
    ),
    "living_room": (
        "bd2c52b812c80f73ce3062a221396d13a52b5cce2f813b4cdf61937651281d7a",
        "30a23d9a3db5414e9c97865f60ffb2ee973bfa658a23dbca7188ea514c97c9fc",
    ),
    "restaurant": (
        "11a0a924b960cd0900e9b7477d684fb338bd99cc5f72db1caac592e4f497e09a",
        "efaa7bcb898ad6cb73b07b89fec3a9c670f4622912eea22fab3986c2cf9a1c20",
    ),
    "tower": (
        "440caec74c9641cb51fd235a5970c8e4931c3af875aeb044a8bcca956e106309",
        "7f5257847bc01f4e40d4a1b3e24dd8fcd37063f12ca8cf31e726c2ee0b1ae104",
    ),
}
CATEGORIES = tuple(_DIGESTS)


class LSUN(PictureData):
    """The scenes of Yu et al. 2015, arXiv:1506.03365.

    Read from ``<root>/lsun/<category>_<split>_lmdb`` as the official zips unpack, or from plain folders
    ``<category>_<split>`` or ``<category>/<split>``. With several categories, ``label`` is the position in the list.

    Args:
        root: the folder that holds the data sets, or the set's own; by default ``$LIT_GANS_DATA``, else ``./data``.
        categories: which scenes, e.g. ``church_outdoor`` or ``[bridge, tower]``.
        size: side length or (height, width) in pixels.
        download: fetch what is missing; bedroom is 46 GB, the smallest category 2.4 GB.
        pictures: arguments of `PictureData` and `ImageData`: channels, fit, load_size, skip_corrupt, cache,
            batch_size, num_workers, seed, flip, labels_per_class and label_fraction.

    Raises:
        UsageError: if a category is missing or a picture cannot be decoded.
    """

    def __init__(
        self,
        root: str | None = None,
        categories: str | list[str] = "bedroom",
        size: Sized = 64,
        download: bool = False,
        **pictures: Any,
    ) -> None:
        super().__init__(root, size, **pictures)
        self.categories, self.download = [categories] if isinstance(categories, str) else list(categories), download
        if not self.categories:
            raise UsageError(f"LSUN needs at least one category, e.g. {CATEGORIES[0]}")
        self.num_classes = len(self.categories) if len(self.categories) > 1 else None

    @property
    def own_splits(self) -> tuple[str, ...]:
        """Training and validation: the official test pictures are of no known category."""
        return ("train", "val")

    @property
    def class_names(self) -> list[str]:
        """The categories."""
        return self.categories

    def fetch(self) -> None:
        """Downloads what is missing if asked to."""
        for category in self.categories if self.download else ():
            for split in self.own_splits:
                if self._place(category, split) is None:
                    if category not in CATEGORIES:
                        raise UsageError(f"LSUN has no scenes {category!r}; it has {', '.join(CATEGORIES)}")
                    name = f"{category}_{split}_lmdb.zip"
                    folder = self._folder() or find_root(self.root) / "lsun"
                    digest = _DIGESTS[category][self.own_splits.index(split)]
                    unpack(fetch(Remote(_SERVER + name, digest), folder, page=_PAGE), folder)

    def load(self, split: str) -> Samples:
        """The scenes of a split, category by category."""
        sources = [self._source(category, split) for category in self.categories]
        source = sources[0] if len(sources) == 1 else Joined(sources)
        more = {}
        if len(sources) > 1:
            more["label"] = torch.repeat_interleave(torch.tensor([len(each) for each in sources]))
        return self.decode(f"LSUN-{'-'.join(self.categories)}-{split}", split, ("image", source, {}), **more)

    def _source(self, category: str, split: str) -> Source:
        if (place := self._place(category, split)) is not None:
            return open_source(place)
        folder = self._folder() or find_root(self.root)
        suffix = f"_{split}_lmdb"
        there = sorted(path.name.removesuffix(suffix) for path in folder.glob(f"*{suffix}"))
        has = f", which has {', '.join(there)}" if there else ""
        raise UsageError(
            f"LSUN's {category}{suffix} is not in {folder}{has}; fetch it from {_PAGE}, or with data.download=true, or "
            "set data.root to where it is"
        )

    def _place(self, category: str, split: str) -> Path | None:
        if (folder := self._folder()) is None:
            return None
        names = (f"{category}_{split}_lmdb", f"{category}_{split}", f"{category}/{split}")
        return next((folder / name for name in names if (folder / name).is_dir()), None)

    def _folder(self) -> Path | None:
        marks = [mark for category in self.categories for mark in (f"{category}_*", f"{category}/train")]
        return find_folder(self.root, "lsun", "LSUN", marks=[*marks, "*_lmdb"])
