"""Two domains of pictures without pairs: the sets of CycleGAN, and a user's own."""

from collections import Counter
from pathlib import Path
from typing import Any

from lit_gans.data import facts
from lit_gans.data.base import find_folder, find_root
from lit_gans.data.download import Remote, fetch, unpack
from lit_gans.data.folders import SPELLINGS, any_case, named
from lit_gans.data.image_data import Sized
from lit_gans.data.picture_data import PictureData
from lit_gans.data.samples import Samples
from lit_gans.data.sources import Source, open_source
from lit_gans.errors import UsageError

_PAGE = "https://efrosgans.eecs.berkeley.edu/cyclegan/datasets/"


class Unpaired(PictureData):
    """Pictures of two domains, in folders ``trainA``, ``trainB``, ``testA`` and ``testB`` (``valA``, ``valB``).

    The names may be in upper or lower case. Batches have ``a`` and ``b``. Every epoch pairs them anew and is as long as
    the larger domain; the images of the smaller one come again and again. Greyscale files become colour, as the
    generators expect.

    Args:
        root: the folder that holds the four folders.
        size: side length or (height, width) in pixels.
        load_size: size that training images are kept in, to take random crops of ``size`` from; CycleGAN takes 256
            out of 286.
        flip: mirror every second training image, at random.
        batch_size: pictures of each domain, a device and batch; 1 in the paper.
        pictures: arguments of `PictureData` and `ImageData`: channels, fit, skip_corrupt, cache, num_workers, seed and
            val_size.

    Raises:
        UsageError: if a folder is missing or empty, or a picture cannot be decoded.
    """

    #: the set's name at its official place, and its zip's sha256
    official: tuple[str, str] | None = None

    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        **pictures: Any,
    ) -> None:
        self.root = root
        super().__init__(root, size, load_size=load_size, flip=flip, batch_size=batch_size, **pictures)
        if root is None and self.official is None:
            raise UsageError("Unpaired needs data.root, the folder that holds trainA and trainB")

    def own_pictures(self) -> list[Source]:
        """Those to learn from, of somebody's own."""
        if self.official is not None or self.root is None or (folder := self._folder()) is None:
            return []
        places = [_place(folder, "train", domain) for domain in "AB"]
        return [open_source(place) for place in places if place is not None]

    def fetch(self) -> None:
        """Downloads an official set if it is missing."""
        if self.official is not None and self._folder() is None:
            name, digest = self.official
            root = find_root(self.root)
            archive = fetch(Remote(f"{_PAGE}{name}.zip", digest), root, page=_PAGE)
            unpack(archive, root)

    @property
    def own_splits(self) -> tuple[str, ...]:
        """The splits that there are folders for."""
        folder = self._folder()
        if folder is None:
            return ("train", "test")
        return ("train", *(split for split in ("val", "test") if any(_place(folder, split, side) for side in "AB")))

    def load(self, split: str) -> Samples:
        """The pictures of both domains, two groups."""
        if (folder := self._folder()) is None:
            if self.official is None:
                raise self._without_domains()
            raise self.missing(self.official[0], f"it has trainA and trainB; {_PAGE} has the sets of CycleGAN")
        a, b = (self._domain(folder, split, domain) for domain in "AB")
        return a.beside(b)

    def _domain(self, folder: Path, split: str, domain: str) -> Samples:
        if (place := _place(folder, split, domain)) is None:
            missing = folder / f"{split}{domain}"
            raise UsageError(f"{missing} does not exist; a set of two domains has {split}A and {split}B")
        return self.decode(f"{folder.name}-{split}", split, (domain.lower(), open_source(place), {}))

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
        places = (_place(folder, split, domain) for split in SPELLINGS for domain in "AB")
        return facts.unread(folder, *(place for place in places if place is not None))

    def _without_domains(self) -> UsageError:
        """The error for a folder of somebody's own whose two domains have other names."""
        root = find_root(self.root)
        there = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        rename = f": rename {there[0]} to trainA and {there[1]} to trainB" if len(there) == 2 else ""
        has = f", and this one has {', '.join(there[:5])}{' and more' * (len(there) > 5)}{rename}" if there else ""
        return UsageError(
            f"{root} has no trainA and trainB; a set of two domains has a folder of that name for each{has}; "
            f"{_PAGE} has the sets of CycleGAN"
        )

    def _folder(self) -> Path | None:
        places = [self.official[0]] if self.official else []
        marks = [any_case(f"{name}{side}") for name in SPELLINGS["train"] for side in "AB"]
        return find_folder(self.root, *places, marks=marks)


def _place(folder: Path, split: str, domain: str) -> Path | None:
    """The folder of one domain's split, or None."""
    place = named(folder, (f"{name}{domain}" for name in SPELLINGS[split]))
    return place if place is not None and place.is_dir() else None


class Horse2Zebra(Unpaired):
    """Horses (a) and zebras (b): 1,067 and 1,334 training pictures from ImageNet.

    From ``<root>/horse2zebra``, of Zhu et al. 2017, arXiv:1703.10593; downloaded if missing. Its
    arguments are `Unpaired`'s.
    """

    official = ("horse2zebra", "a74d9d392eecca9966b51287a76ca126af473d9de4f3e8fc0e9cda08fa1730a1")


class Apple2Orange(Unpaired):
    """Apples (a) and oranges (b), from ImageNet.

    From ``<root>/apple2orange``, of Zhu et al. 2017, arXiv:1703.10593; downloaded if missing. Its
    arguments are `Unpaired`'s.
    """

    official = ("apple2orange", "845a191e9af8926408ea597001cd03a452e3300a1f44a79fe329b3d59f6e3eb8")


class Summer2Winter(Unpaired):
    """Yosemite in summer (a) and winter (b).

    From ``<root>/summer2winter_yosemite``, of Zhu et al. 2017, arXiv:1703.10593; downloaded if missing. Its
    arguments are `Unpaired`'s.
    """

    official = ("summer2winter_yosemite", "167fe1726807a9d22bd106b4a6c0bd7953b688af924ac1bf967439c4961e49f9")


class Monet2Photo(Unpaired):
    """Paintings by Monet (a) and photographs of landscapes (b).

    From ``<root>/monet2photo``, of Zhu et al. 2017, arXiv:1703.10593; downloaded if missing. Its
    arguments are `Unpaired`'s.
    """

    official = ("monet2photo", "88f91b00fc228f97c9411fbf1880ec1d119c98f1722e4cfcfaa2fb35fac05b04")


class Cezanne2Photo(Unpaired):
    """Paintings by Cezanne (a) and photographs of landscapes (b).

    From ``<root>/cezanne2photo``, of Zhu et al. 2017, arXiv:1703.10593; downloaded if missing. Its
    arguments are `Unpaired`'s.
    """

    official = ("cezanne2photo", "3a6c10ca21f9485862f1cbd707744b9dc258954a04631271d23a3605eeb63cff")


class Ukiyoe2Photo(Unpaired):
    """Ukiyo-e prints (a) and photographs of landscapes (b).

    From ``<root>/ukiyoe2photo``, of Zhu et al. 2017, arXiv:1703.10593; downloaded if missing. Its
    arguments are `Unpaired`'s.
    """

    official = ("ukiyoe2photo", "02a2a2fb5ecf425ca1bf86aca7304377da64a2a1d3b86df54eb65e4068bf3b08")


class VanGogh2Photo(Unpaired):
    """Paintings by van Gogh (a) and photographs of landscapes (b).

    From ``<root>/vangogh2photo``, of Zhu et al. 2017, arXiv:1703.10593; downloaded if missing. Its
    arguments are `Unpaired`'s.
    """

    official = ("vangogh2photo", "362c3473e70be0944bda08d49d660eafdc2854df55d697835b8186d1d79caaff")


class Phone2DSLR(Unpaired):
    """Flowers taken with a phone (a) and with a camera of shallow focus (b).

    From ``<root>/iphone2dslr_flower``, of Zhu et al. 2017, arXiv:1703.10593; downloaded if missing. Its
    arguments are `Unpaired`'s.
    """

    official = ("iphone2dslr_flower", "8fcb5e374d631b107e1d961b8c4cd0a186aa2a4ff3e279923f4c426128de7113")
