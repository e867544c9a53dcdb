"""Texts and their translations in files: side by side, in two files, or in a dictionary."""

import re
from pathlib import Path
from typing import Any, Literal

from lit_gans.data.folders import SPELLINGS
from lit_gans.data.text import TextData
from lit_gans.data.text_files import hold_out, read_lines, refuse_no_file, shares
from lit_gans.errors import UsageError

Pairs = tuple[list[str], list[str]]
_WORDS = range(3, 13)  # of the sentences of a dictionary
_REMARKS = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\([^)]*\)|<[^>]*>")


class TextPairs(TextData):
    r"""Texts and their translations, for models that translate.

    Batches have ``source`` and ``target``, the tokens, and ``source_text`` and ``target_text``, lists of strings. The
    pairs, in UTF-8, are

    - two files of as many lines, ``path`` and ``target_path``;
    - one file of lines with a tab between the two texts (what is behind a second tab is not read);
    - a folder with ``train.de`` and ``train.en``, say, or ``train.tsv``, and likewise ``val`` and ``test``. A is the
      ending that comes first in the alphabet;
    - a dictionary of the form ``german | more :: english | more``, Debian's ``trans-de-en`` for one. Its sentences are
      taken: the parts between bars, of each the first variant before a semicolon, without remarks in {}, [], () and <>,
      if both texts have 3 to 12 words and end with a full stop, an exclamation or a question mark (17,581 pairs of
      version 1.9).

    Without files of their own, validation and test get a twentieth of the different texts each, at most 1,000: the same
    for every seed, and no training pair has one of their texts in either language. Pairs with an empty text are left
    out.

    Args:
        path: the file or the folder.
        target_path: the file of the translations, if they are in another one.
        direction: ``AtoB`` translates the first text into the second, ``BtoA`` the second into the first.
        val_size: pairs held out for validation; by default as above if no split but training has a file, else 0.
        test_size: pairs held out for the test; by default likewise.
        texts: arguments of `TextData`: tokens, vocabulary_size, length, by_length, batch_size, num_workers and seed.

    Raises:
        UsageError: if a file is missing, is empty or is not UTF-8, the files have different numbers of lines, or a line
            has no translation.

    Examples:
        >>> folder = getfixture("tmp_path")
        >>> _ = (folder / "pairs.tsv").write_text("one\teins\ntwo\tzwei\nthree\tdrei\n")
        >>> data = TextPairs(str(folder / "pairs.tsv"), val_size=1, test_size=0)
        >>> sorted(data.samples("train")[:])
        ['source', 'source_text', 'target', 'target_text']
    """

    names = ("source", "target")

    def __init__(
        self,
        path: str,
        target_path: str | None = None,
        direction: Literal["AtoB", "BtoA"] = "AtoB",
        val_size: int | None = None,
        test_size: int | None = None,
        **texts: Any,
    ) -> None:
        super().__init__(**texts)
        if direction not in ("AtoB", "BtoA"):
            raise UsageError(f"direction must be 'AtoB' or 'BtoA', got {direction!r}")
        self.direction = direction
        self.files = _files(Path(path).expanduser(), None if target_path is None else Path(target_path).expanduser())
        self.shares = shares(self.files, val_size, test_size)
        self._empty = 0

    @property
    def own_splits(self) -> tuple[str, ...]:
        """Training, and the splits that have a file or a share of the training pairs."""
        return tuple(s for s in SPELLINGS if s in self.files or self.shares[s] != 0)

    def read(self, split: str) -> dict[str, list[str]]:
        """The pairs of a split."""
        if split in self.files and split != "train":
            return self._turned(self._pairs(split))
        first, second = self._pairs("train")
        left = {name: size for name, size in self.shares.items() if name not in self.files}
        rows = {name: chosen.tolist() for name, chosen in hold_out(first, left, self.files["train"][0]).items()}
        out = {second[row] for name in left for row in rows[name]}
        rows["train"] = [row for row in rows["train"] if second[row] not in out]
        for name, chosen in rows.items():
            self._texts[name] = self._turned(([first[row] for row in chosen], [second[row] for row in chosen]))
        return self._texts[split]

    def beside(self, split: str) -> dict[str, Any]:
        """The texts."""
        texts = self.texts(split)
        return {f"{name}_text": texts[name] for name in self.names}

    def facts(self) -> dict[str, str]:
        """Also where the pairs are, and how many are left out."""
        found = super().facts()
        found["data"] += f" {' and '.join(map(str, self.files['train']))}"
        if self._empty:
            found["left out"] = f"{self._empty:,} pairs with an empty text"
        return found

    def _turned(self, pairs: Pairs) -> dict[str, list[str]]:
        return dict(zip(self.names, pairs if self.direction == "AtoB" else pairs[::-1], strict=True))

    def _pairs(self, split: str) -> Pairs:
        files = self.files[split]
        first, second = _two_files(*files) if len(files) == 2 else _one_file(files[0])
        first, second = ([text.strip() for text in side] for side in (first, second))
        kept = [row for row, pair in enumerate(zip(first, second, strict=True)) if all(pair)]
        self._empty += len(first) - len(kept) - sum(not (a or b) for a, b in zip(first, second, strict=True))
        if not kept:
            raise UsageError(f"{' and '.join(map(str, files))} {'have' if len(files) == 2 else 'has'} no pair of texts")
        return [first[row] for row in kept], [second[row] for row in kept]


def _files(path: Path, target: Path | None) -> dict[str, list[Path]]:
    """The one or two files of every split."""
    if not path.is_dir():
        files = [path] if target is None else [path, target]
        for file in files:
            refuse_no_file(file)
        return {"train": files}
    if target is not None:
        raise UsageError(f"{path} is a folder, which holds the translations, too: leave data.target_path out")
    inside = sorted(file for file in path.iterdir() if file.is_file())
    found = {}
    for split, spellings in SPELLINGS.items():
        files = [file for file in inside if file.stem.lower() in spellings]
        if len(files) > 2:
            raise UsageError(f"{path} has {', '.join(f.name for f in files)}, which are more than two languages")
        if files:
            found[split] = files
    if "train" not in found:
        raise UsageError(
            f"{path} has no pairs to train on: neither train.tsv, nor two files such as train.de, train.en"
        )
    return found


def _two_files(first: Path, second: Path) -> Pairs:
    a, b = read_lines(first), read_lines(second)
    if len(a) != len(b):
        raise UsageError(
            f"{first} has {len(a):,} lines and {second} has {len(b):,}; every line must be the translation of the same "
            "line of the other file"
        )
    return a, b


def _one_file(path: Path) -> Pairs:
    """Pairs with a tab between them, or the sentences of a dictionary."""
    lines = read_lines(path)
    if not any("\t" in line for line in lines):
        if any(" :: " in line for line in lines):
            return _dictionary(path, lines)
        raise UsageError(
            f"{path} has no tab between texts and translations; if these are in another file, give data.target_path"
        )
    pairs = [line.split("\t") for line in lines]
    if (
        alone := next((row for row, parts in enumerate(pairs) if len(parts) < 2 and lines[row].strip()), None)
    ) is not None:
        raise UsageError(f"line {alone + 1} of {path} has no tab and so no translation: {lines[alone]!r:.60}")
    return [parts[0] for parts in pairs], [parts[1] if len(parts) > 1 else "" for parts in pairs]


def _dictionary(path: Path, lines: list[str]) -> Pairs:
    first, second = [], []
    for row, line in enumerate(lines):
        if line.startswith("#") or not line.strip():
            continue
        sides = [side.split("|") for side in line.split(" :: ")]
        if len(sides) != 2 or len(sides[0]) != len(sides[1]):
            raise UsageError(f"line {row + 1} of {path} is no entry 'one | two :: eins | zwei': {line!r:.60}")
        for pair in zip(*sides, strict=True):
            a, b = (" ".join(_REMARKS.sub(" ", text.split(";")[0]).split()) for text in pair)
            if all(len(text.split()) in _WORDS and text.endswith((".", "!", "?")) for text in (a, b)):
                first.append(a)
                second.append(b)
    return first, second
