"""Pairs of pictures: the sets of pix2pix, and a user's own."""

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from lit_gans.data import facts
from lit_gans.data.base import find_folder, find_root
from lit_gans.data.download import Remote, fetch, unpack
from lit_gans.data.folders import SPELLINGS, any_case, named
from lit_gans.data.image_data import Sized, height_width
from lit_gans.data.picture_data import PictureData
from lit_gans.data.samples import Samples
from lit_gans.data.sources import Source, open_source
from lit_gans.errors import UsageError

_PAGE = "http://efrosgans.eecs.berkeley.edu/pix2pix/datasets/"


class Paired(PictureData):
    """Pairs of pictures of the same thing, side by side in one file or in two folders.

    Side by side: ``train``, ``val`` and ``test`` hold files whose left half is A and whose right half is B. Two
    folders: ``trainA`` and ``trainB`` (``valA``, ...), or ``A/train`` and ``B/train``, hold files of the same names
    (endings may differ). Splits may be spelled as in `ImageFolder`. Batches have ``source`` and ``target``, cropped and
    mirrored alike.

    Args:
        root: the folder that holds the splits.
        size: side length or (height, width) in pixels.
        direction: ``AtoB`` makes A the source and B the target, ``BtoA`` the other way round.
        source_channels: of the source, if it has another number than ``channels``.
        load_size: size that training images are kept in, to take random crops of ``size`` from; pix2pix takes 256 out
            of 286.
        flip: mirror every second training pair, at random.
        batch_size: pairs a device and batch; 1 in the paper.
        pictures: arguments of `PictureData` and `ImageData`: channels, fit, skip_corrupt, cache, num_workers, seed and
            val_size.

    Raises:
        UsageError: if a folder is missing or empty, a picture has no partner or an odd width, or cannot be decoded.
    """

    #: the set's name at its official place
    official: str | None = None
    source_shape: tuple[int, int, int]

    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        direction: Literal["AtoB", "BtoA"] = "AtoB",
        source_channels: int | None = None,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        **pictures: Any,
    ) -> None:
        self.root, self.direction = root, direction
        super().__init__(root, size, load_size=load_size, flip=flip, batch_size=batch_size, **pictures)
        if direction not in ("AtoB", "BtoA"):
            raise UsageError(f"direction must be 'AtoB' or 'BtoA', got {direction!r}")
        if root is None and self.official is None:
            raise UsageError("Paired needs data.root, the folder that holds train, or trainA and trainB")
        self.source_shape = (source_channels or self.image_shape[0], *height_width(size))

    def own_pictures(self) -> list[Source]:
        """Those to learn from, of somebody's own."""
        if self.official is not None or self.root is None or (folder := self._folder()) is None:
            return []
        return [open_source(place) for place in _layout(folder, self._stand_in("train")) if place.is_dir()]

    def fetch(self) -> None:
        """Downloads an official set if it is missing."""
        if self.official is not None and self._folder() is None:
            root = find_root(self.root)
            unpack(fetch(Remote(f"{_PAGE}{self.official}.tar.gz"), root, page=_PAGE), root)

    @property
    def own_splits(self) -> tuple[str, ...]:
        """The splits that there are folders for."""
        folder = self._folder()
        return tuple(SPELLINGS) if folder is None else tuple(s for s in SPELLINGS if _layout(folder, s)) or ("train",)

    def load(self, split: str) -> Samples:
        """The pairs of a split, one group."""
        if (folder := self._folder()) is None:
            name = self.official or "train, or trainA and trainB,"
            raise self.missing(name, f"fetch a set of pairs from {_PAGE}")
        places = _layout(folder, split)
        if len(places) == 1:
            both = open_source(places[0])
            sides: list[tuple[Source, Any]] = [(both, {"half": "left"}), (both, {"half": "right"})]
        elif len(places) == 2:
            sides = [(source, {}) for source in _matched(open_source(places[0]), open_source(places[1]))]
        else:
            raise UsageError(f"{folder} has no pairs to train on: neither train, nor trainA and trainB")
        (source, how), (target, other) = sides if self.direction == "AtoB" else sides[::-1]
        first = ("source", source, {**how, "channels": self.source_shape[0]})
        return self.decode(f"{folder.name}-{split}-{self.direction}", split, first, ("target", target, other))

    def facts(self) -> dict[str, str]:
        """Also the folder of pictures of somebody's own."""
        found, folder = super().facts(), self._folder()
        if folder is not None and self.official is None:
            found["data"] += f" {folder}"
        return found

    def unread(self) -> Counter[str]:
        """The endings of the files that are no pictures."""
        folder = self._folder()
        if folder is None or self.official:
            return Counter()
        return facts.unread(folder, *(side for split in SPELLINGS for side in _layout(folder, split)))

    def _folder(self) -> Path | None:
        places, forms = [self.official] if self.official else [], ("{}", "{}A", "A/{}")
        marks = [any_case(form.format(name)) for name in SPELLINGS["train"] for form in forms]
        return find_folder(self.root, *places, marks=marks)


def _layout(folder: Path, split: str) -> list[Path]:
    """The one or two folders that a split's pairs are in; none if there are no pairs."""
    for forms in (("{}",), ("{}A", "{}B"), ("A/{}", "B/{}")):
        places = [named(folder, map(form.format, SPELLINGS[split])) for form in forms]
        if places[0] is not None and places[0].is_dir():
            return [place or folder / form.format(split) for place, form in zip(places, forms, strict=True)]
    return []


def _matched(a: Source, b: Source) -> tuple[Source, Source]:
    """Puts two sources into the same order, name by name."""
    names_a, names_b = ({str(PurePosixPath(name).with_suffix("")): name for name in s.names} for s in (a, b))
    for source, names in ((a, names_a), (b, names_b)):
        if twice := sorted({*source.names} - {*names.values()}):
            raise UsageError(
                f"{source.place / twice[0]} has the same name as another picture there but for the ending, so its "
                "partner is not known; rename or delete one of them"
            )
    if alone := sorted(names_a.keys() ^ names_b.keys()):
        side, other = (a, b) if alone[0] in names_a else (b, a)
        raise UsageError(
            f"{side.place / alone[0]} has no partner of the same name in {other.place}; every picture of one folder "
            "needs one in the other"
        )
    return a, b.select([names_b[str(PurePosixPath(name).with_suffix(""))] for name in a.names])


class _FromLabels(Paired):
    """Pairs that the paper translates from labels, B, to photographs, A."""

    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        direction: Literal["AtoB", "BtoA"] = "BtoA",
        **pairs: Any,
    ) -> None:
        super().__init__(root, size, direction, **pairs)


class Facades(_FromLabels):
    """Photographs of facades (A) and their labels (B): 400 training, 100 validation and 106 test pairs.

    From ``<root>/facades``: the CMP facades of Tylecek & Sara 2013, doi:10.1007/978-3-642-40602-7_39, as Isola et al.
    2017, arXiv:1611.07004, use them; downloaded if missing. The arguments are `Paired`'s; the paper goes from labels to
    photographs.
    """

    official = "facades"


class Cityscapes(_FromLabels):
    """Street scenes (A) and their labels (B), from ``<root>/cityscapes``.

    The scenes of Cordts et al. 2016, arXiv:1604.01685, as Isola et al. 2017, arXiv:1611.07004, use them. The arguments
    are `Paired`'s; the paper goes from labels to photographs.
    """

    official = "cityscapes"


class Maps(Paired):
    """Aerial photographs (A) and maps (B), from ``<root>/maps``; the arguments are `Paired`'s.

    A set of Isola et al. 2017, arXiv:1611.07004.
    """

    official = "maps"


class Edges2Shoes(Paired):
    """Edges (A) and photographs of shoes (B), from ``<root>/edges2shoes``; the arguments are `Paired`'s.

    A set of Isola et al. 2017, arXiv:1611.07004.
    """

    official = "edges2shoes"


class Edges2Handbags(Paired):
    """Edges (A) and photographs of handbags (B), from ``<root>/edges2handbags``; the arguments are `Paired`'s.

    A set of Isola et al. 2017, arXiv:1611.07004.
    """

    official = "edges2handbags"


class Night2Day(Paired):
    """The same places by night (A) and by day (B), from ``<root>/night2day``; the arguments are `Paired`'s.

    A set of Isola et al. 2017, arXiv:1611.07004.
    """

    official = "night2day"
