"""Texts in files: reading them, and splits of those that come without."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_gans.data.base import SPLIT_SEED
from lit_gans.data.folders import SPELLINGS
from lit_gans.data.text import TextData
from lit_gans.errors import UsageError, at_least

_SHARE, _MOST = 0.05, 1_000  # of the texts held out for validation, and as many again for the test


class TextLines(TextData):
    r"""Texts in files, one a line, for models that write texts or guess their words.

    Batches have ``tokens``. Empty lines are skipped. Without files of their own, validation and test get a twentieth of
    the different lines each, at most 1,000: the same for every seed, and none of them is trained on.

    Args:
        path: a text file in UTF-8, several, or a folder of ``.txt`` files. In a folder, files named ``train.txt``,
            ``val.txt`` (or ``valid``, ``validation``) and ``test.txt`` are the splits.
        val_path: a file of texts for validation.
        test_path: a file of texts for the test.
        val_size: texts held out for validation; by default as above if no split but training has a file, else 0.
        test_size: texts held out for the test; by default likewise.
        texts: arguments of `TextData`: tokens, vocabulary_size, length, by_length, batch_size, num_workers and seed.

    Raises:
        UsageError: if a file is missing, is empty or is not UTF-8, or there are too few lines.

    Examples:
        >>> folder = getfixture("tmp_path")
        >>> _ = (folder / "colours.txt").write_text("a red seven\na blue one\na red one\n")
        >>> data = TextLines(str(folder / "colours.txt"), batch_size=1)
        >>> len(data.samples("train")), len(data.samples("val")), data.text_shape[0]
        (1, 1, 4)
    """

    def __init__(
        self,
        path: str | list[str],
        val_path: str | None = None,
        test_path: str | None = None,
        val_size: int | None = None,
        test_size: int | None = None,
        **texts: Any,
    ) -> None:
        super().__init__(**texts)
        self.files = files_of_splits(path, {"val": val_path, "test": test_path})
        self.shares = shares(self.files, val_size, test_size)

    @property
    def own_splits(self) -> tuple[str, ...]:
        """Training, and the splits that have a file or a share of the training texts."""
        return tuple(s for s in SPELLINGS if s in self.files or self.shares[s] != 0)

    def read(self, split: str) -> dict[str, list[str]]:
        """The lines of a split."""
        if split in self.files and split != "train":
            return {"tokens": _lines(self.files[split])}
        lines = _lines(self.files["train"])
        left = {name: size for name, size in self.shares.items() if name not in self.files}
        rows = hold_out(lines, left, self.files["train"][0])
        self._texts |= {name: {"tokens": [lines[row] for row in chosen.tolist()]} for name, chosen in rows.items()}
        return self._texts[split]

    def facts(self) -> dict[str, str]:
        """Also where the texts are."""
        found = super().facts()
        found["data"] += f" {', '.join(map(str, self.files['train'][:3]))}"
        return found


def files_of_splits(path: str | Path | Sequence[str], more: dict[str, str | None]) -> dict[str, list[Path]]:
    """The files of every split, from those that were given and from the names in a folder.

    Raises:
        UsageError: if one is missing, or a folder has no ``.txt`` file.
    """
    given = [Path(each).expanduser() for each in ([path] if isinstance(path, (str, Path)) else path)]
    if not given:
        raise UsageError("data.path names no file: give a text file, several, or a folder of .txt files")
    found: dict[str, list[Path]] = {}
    for place in given:
        if not place.is_dir():
            found.setdefault("train", []).append(place)
            continue
        inside = sorted(each for each in place.iterdir() if each.suffix.lower() == ".txt" and each.is_file())
        if not inside:
            raise UsageError(f"the folder {place} has no .txt file; give one, or another path")
        means = {each: next((s for s in SPELLINGS if each.stem.lower() in SPELLINGS[s]), None) for each in inside}
        by_split = "train" in means.values()
        for each in inside:
            found.setdefault((means[each] or "none") if by_split else "train", []).append(each)
    for split, other in more.items():
        if other is not None:
            found[split] = [Path(other).expanduser()]
    for each in (each for files in found.values() for each in files):
        refuse_no_file(each)
    return found


def refuse_no_file(place: Path) -> None:
    """Refuses a place where no file is.

    Raises:
        UsageError: if it is a folder, or nothing is there.
    """
    if place.is_dir():
        raise UsageError(f"{place} is a folder; name a text file in it")
    if not place.is_file():
        raise UsageError(f"there is no file {place}")


def shares(files: dict[str, list[Path]], val_size: int | None, test_size: int | None) -> dict[str, int | None]:
    """The number of texts to hold out for each split; None for the usual one.

    Raises:
        UsageError: if one is negative, or held out for a split that has a file.
    """
    at_least(0, val_size=val_size, test_size=test_size)
    found: dict[str, int | None] = {}
    for split, size in (("val", val_size), ("test", test_size)):
        if size and split in files:
            raise UsageError(f"{files[split][0]} has the texts of {split}: leave data.{split}_size out")
        found[split] = 0 if size is None and {"val", "test"} & files.keys() else size
    return found


def read_lines(path: Path) -> list[str]:
    """The lines of a text file; empty ones are kept.

    Raises:
        UsageError: if it cannot be read, is not UTF-8, or has no text.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UsageError(f"{path} is not text in UTF-8 (line {line}); save it as UTF-8") from None
    if not text.strip():
        raise UsageError(f"{path} has no text; write one on every line of it")
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _lines(files: list[Path]) -> list[str]:
    return [line.strip() for each in files for line in read_lines(each) if line.strip()]


def hold_out(keys: Sequence[Hashable], sizes: dict[str, int | None], place: Path) -> dict[str, Tensor]:
    """Splits samples by their keys: the rows of ``train`` and of every split that holds some out.

    A key that is held out is in no training sample, and comes once where it is held out. Which ones depends on the keys
    alone.

    Args:
        keys: one for each sample; samples with the same key belong together.
        sizes: different keys to hold out by split; None for a twentieth, at most 1,000.
        place: named in the error.

    Raises:
        UsageError: if nothing is left to train on.
    """
    first: dict[Hashable, int] = {}
    for row, key in enumerate(keys):
        first.setdefault(key, row)
    usual = max(1, min(_MOST, int(_SHARE * len(first))))
    counts = {split: usual if size is None else size for split, size in sizes.items()}
    if sum(counts.values()) >= len(first):
        raise UsageError(
            f"{place} has {len(first):,} different text{'s' * (len(first) != 1)}, too few to hold "
            f"{sum(counts.values()):,} out and to train on the rest; add texts, or lower data.val_size and "
            "data.test_size"
        )
    order = torch.randperm(len(first), generator=torch.Generator().manual_seed(SPLIT_SEED)).tolist()
    rows, found, start = list(first.values()), {}, 0
    for split, count in counts.items():
        found[split] = torch.tensor(sorted(rows[place] for place in order[start : start + count]), dtype=torch.long)
        start += count
    out = {keys[row] for chosen in found.values() for row in chosen.tolist()}
    return {"train": torch.tensor([row for row, key in enumerate(keys) if key not in out]), **found}
