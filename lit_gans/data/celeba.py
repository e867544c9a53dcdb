"""CelebA: aligned faces with forty attributes."""

import csv
import difflib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lit_gans.data.array_data import whole_numbers
from lit_gans.data.base import find_folder, find_root
from lit_gans.data.download import Remote, fetch
from lit_gans.data.image_data import Sized
from lit_gans.data.picture_data import PictureData
from lit_gans.data.samples import Samples
from lit_gans.data.sentences import Sentences
from lit_gans.data.sources import open_source
from lit_gans.data.tokens import TokenRows, Tokens
from lit_gans.errors import UsageError

_PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
_DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
_FILES = [
    Remote(f"{_DRIVE}{identifier}", digest, name)
    for identifier, digest, name in (
        ("0B7EVK8r0v71pZjFTYXZWM3FlRnM", "00d2c5bc6d35e252742224ab0c1e8fcb", "img_align_celeba.zip"),
        ("0B7EVK8r0v71pblRyaVFSWGxPY0U", "75e246fa4810816ffd6ee81facbd244c", "list_attr_celeba.txt"),
        ("0B7EVK8r0v71pY0NSMzRuSXJEVkk", "d32c9cbf5e040fd4025c592c306e6668", "list_eval_partition.txt"),
    )
]
_PICTURES = ("img_align_celeba", "img_align_celeba.zip")
_SPLITS = ("train", "val", "test")
_HAIR = ("Black", "Blond", "Brown", "Gray")
#: what captions say; of forty attributes those that are seen in 64 pixels
_SAID = {
    "sex": ("woman", "man"),
    "smile": ("no smile", "smiling"),
    "age": ("old", "young"),
    "glasses": ("no glasses", "glasses"),
    "hair": ("not said", "black", "blond", "brown", "grey"),
}


class CelebA(PictureData):
    """The 202,599 faces of Liu et al. 2015, https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html.

    The aligned and cropped pictures (178x218), read from ``<root>/celeba/img_align_celeba`` or the zip of that name,
    with the official partition and attributes, as text files or as the CSV files of common re-distributions. Batches
    have ``image`` and ``attributes``, (N, 40) bool in the order of ``attribute_names``.

    Papers show more or less of a picture, and scores for different crops cannot be compared: 108 is the face alone, 140
    and 148 are usual in papers on VAEs, 178 is the whole width.

    Args:
        root: the folder that holds the data sets, or the set's own; by default ``$LIT_GANS_DATA``, else ``./data``.
        size: side length or (height, width) in pixels.
        crop: side of the middle square that is shown: 108, 140, 148 or 178.
        attribute: the attribute that ``label`` shows, e.g. ``Smiling``: 1 if a face has it, else 0. For several, in the
            order given, ``label`` is (N, A), for models with ``multi_label``.
        download: fetch the 1.4 GB if they are missing.
        captions: whether batches also have ``caption``, say "a smiling young woman with blond hair and glasses", and
            its ``tokens``, words: of the attributes Male, Smiling, Young, Eyeglasses, and the colour of the hair if
            just one is given. `read_captions` gives them back.
        pictures: arguments of `PictureData` and `ImageData`: channels, fit, load_size, skip_corrupt, cache,
            batch_size, num_workers, seed, flip, labels_per_class and label_fraction.

    Raises:
        UsageError: if the set is missing, a picture cannot be decoded, or a list does not fit the pictures.
    """

    def __init__(
        self,
        root: str | None = None,
        size: Sized = 64,
        crop: int = 178,
        attribute: Sequence[str] | str | None = None,
        download: bool = False,
        captions: bool = False,
        **pictures: Any,
    ) -> None:
        super().__init__(root, size, **pictures)
        #: what captions can say, see `Sentences`
        self.sentences = Sentences(
            _SAID, torch.cartesian_prod(*(torch.arange(len(v)) for v in _SAID.values())), _caption
        )
        self.captions = captions
        if captions:
            # of all sentences that there can be, so that a part of the set has the same vocabulary
            self.tokens["tokens"] = Tokens(self.sentences.all, lowercase=True)
        self.crop, self.attribute, self.download = crop, attribute, download
        self.num_classes = None if attribute is None else 2 if isinstance(attribute, str) else len(attribute)
        if self.num_classes == 0:
            raise UsageError("attribute is an empty list: name one, several, or leave it out")
        hidden = self.labels_per_class is not None or self.label_fraction is not None
        if hidden and not isinstance(attribute, (str, type(None))):
            raise UsageError(
                "labels_per_class and label_fraction show the labels of some images of every class, but several "
                "attributes are no classes; name one attribute, or leave them out"
            )
        if not 1 <= crop <= 178:
            raise UsageError(f"crop must fit into pictures of 178x218 pixels: 1 to 178, usually 108 to 178, got {crop}")

    @property
    def class_names(self) -> list[str] | None:
        """Whether a face has the attribute; the attributes, if there are several."""
        if isinstance(self.attribute, str):
            return [f"not {self.attribute}", self.attribute]
        return None if self.attribute is None else [*self.attribute]

    def fetch(self) -> None:
        """Downloads the pictures and lists if asked to."""
        if self._folder() is None and self.download:
            for remote in _FILES:
                fetch(remote, find_root(self.root) / "celeba", page=_PAGE)

    def load(self, split: str) -> Samples:
        """The faces of a partition."""
        if (folder := self._folder()) is None:
            raise self.missing(
                "CelebA (img_align_celeba)", f"fetch it from {_PAGE}, or with data.download=true (1.4 GB)"
            )
        place = next(folder / name for name in _PICTURES if (folder / name).exists())
        source = open_source(place)
        _, partition = read_list(folder, "list_eval_partition", (0, 2))
        self.attribute_names, attributes = read_list(folder, "list_attr_celeba", (-1, 1))
        for stem, there in (("list_eval_partition", partition), ("list_attr_celeba", attributes)):
            if unknown := next((name for name in source.names if Path(name).name not in there), None):
                raise UsageError(f"{place / unknown} is in no line of {folder}/{stem}; fetch that list anew")
        wanted = [name for name in source.names if partition[Path(name).name][0] == _SPLITS.index(split)]
        if not wanted:
            raise UsageError(f"{folder}/list_eval_partition puts none of the pictures in {place} into {split!r}")
        has = torch.from_numpy(np.array([attributes[Path(name).name] for name in wanted])) > 0
        more: dict[str, Any] = {"attributes": has}
        if self.attribute is not None:
            more["label"] = has[:, self._columns()].long()
        if self.captions:
            more["caption"] = self.sentences.write(self._said(has))
            more["tokens"] = TokenRows(self.tokens["tokens"].rows(more["caption"]))
        part = ("image", source.select(wanted), {"crop": self.crop})
        return self.decode(f"CelebA-{split}", split, part, **more)

    @property
    def caption_attributes(self) -> dict[str, tuple[str, ...]]:
        """The values of the attributes that captions say."""
        return self.sentences.attributes

    def read_captions(self, captions: Sequence[str]) -> Tensor:
        """What captions say, as numbers of the values in ``caption_attributes``: (N, 5) int64.

        Raises:
            UsageError: if one is no caption of this set.
        """
        return self.sentences.read(captions)

    def _said(self, has: Tensor) -> Tensor:
        """The attributes (N, 5) that captions say, from all forty (N, 40)."""
        male, smiling, young, glasses, *hair = (
            has[:, self.attribute_names.index(name)].long()
            for name in ("Male", "Smiling", "Young", "Eyeglasses", *(f"{colour}_Hair" for colour in _HAIR))
        )
        colours = torch.stack(hair, 1)
        colour = torch.where(colours.sum(1) == 1, colours.argmax(1) + 1, 0)
        return torch.stack([male, smiling, young, glasses, colour], 1)

    def _columns(self) -> int | list[int]:
        """The column of the attribute that ``label`` shows, or the columns of several."""
        assert self.attribute is not None
        names = [self.attribute] if isinstance(self.attribute, str) else self.attribute
        for name in names:
            if name not in self.attribute_names:
                near = difflib.get_close_matches(name.lower(), [each.lower() for each in self.attribute_names], n=1)
                hint = [f"did you mean {each}? " for each in self.attribute_names if [each.lower()] == near]
                raise UsageError(
                    f"CelebA has no attribute {name!r}; {''.join(hint)}it has {', '.join(self.attribute_names)}"
                )
        columns = [self.attribute_names.index(name) for name in names]
        return columns[0] if isinstance(self.attribute, str) else columns

    def _folder(self) -> Path | None:
        return find_folder(self.root, "celeba", "CelebA", "celeba-dataset", marks=_PICTURES)


def _caption(values: Sequence[int]) -> str:
    """The sentence of a row of the attributes in ``_SAID``."""
    sex, smile, age, glasses, hair = (names[value] for names, value in zip(_SAID.values(), values, strict=True))
    worn = [f"{hair} hair"] if hair != "not said" else []
    worn += ["glasses"] if glasses == "glasses" else []
    first = f"{'a smiling' if smile == 'smiling' else 'an' if age == 'old' else 'a'} {age} {sex}"
    return f"{first} with {' and '.join(worn)}" if worn else first


def read_list(folder: Path, stem: str, limits: tuple[int, int] = (-1, 2)) -> tuple[list[str], dict[str, np.ndarray]]:
    """Reads one of CelebA's lists, ``.txt`` with its count and names on top or ``.csv`` with a line of names.

    Args:
        folder: where it is.
        stem: its name without ending.
        limits: its smallest and largest numbers.

    Returns:
        The columns' names (none for a text file without them) and every picture's numbers.

    Raises:
        UsageError: if it is missing, has another number of lines or columns than it says, a name twice, or numbers
            that it should not have.
    """
    path = next((p for p in (folder / f"{stem}.txt", folder / f"{stem}.csv") if p.exists()), None)
    if path is None:
        raise UsageError(f"{folder} has neither {stem}.txt nor {stem}.csv; fetch one of them from {_PAGE}")
    try:
        text = path.read_text("utf-8-sig")  # some editors begin a file with a mark
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}); fetch it anew from {_PAGE}") from None
    is_table = path.suffix == ".csv"
    rows = csv.reader(text.split("\n"), skipinitialspace=True) if is_table else map(str.split, text.split("\n"))
    lines = [[word.strip() for word in row] for row in rows if "".join(row).strip()]
    columns: list[str] = []
    if lines and is_table:
        columns = lines.pop(0)[1:]
    elif lines and len(lines[0]) == 1:
        count = lines.pop(0)[0]
        columns = lines.pop(0) if lines else []
        if str(len(lines)) != count:
            raise UsageError(f"{path} promises {count} lines and has {len(lines)}; fetch it anew from {_PAGE}")
    width = 1 + (len(columns) or 1)
    for number, line in enumerate(lines, 1):
        if len(line) != width:
            raise UsageError(
                f"{path} has {len(line) - 1} values for picture {line[0]} (entry {number}), not {width - 1}; fetch it "
                f"anew from {_PAGE}"
            )
    names = [line[0] for line in lines]
    for what, words in (("picture", names), ("column", columns)):
        if twice := next((word for word, times in Counter(words).items() if times > 1), None):
            raise UsageError(f"{path} has the {what} {twice} twice; fetch it anew from {_PAGE}")
    try:
        table = np.array([line[1:] for line in lines], dtype=np.int64).reshape(len(lines), width - 1)
        whole_numbers(table, *limits)
    except (ValueError, OverflowError) as error:
        wanted = f"{limits[0]} to {limits[1]}"
        raise UsageError(
            f"{path} holds something else than numbers from {wanted} ({error}); fetch it anew from {_PAGE}"
        ) from None
    return columns, dict(zip(names, table, strict=True))
