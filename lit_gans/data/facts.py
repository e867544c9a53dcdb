"""Says in words what a data set holds: pictures by split and by class, and the files that are left out."""

import os
import zipfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from lit_gans.data.samples import Samples
from lit_gans.images.formats import are_pictures, cure

_NAMED = 8  # classes that are named one by one
_KINDS = 6  # endings that are named one by one
_TO = {"train": "to train on", "val": "to validate", "test": "to test"}


def sizes(samples: Samples) -> str:
    """The number of samples, of each domain if there are several.

    Examples:
        >>> sizes(Samples({"image": torch.zeros(1200, 1, 1, 1)}))
        '1,200'
        >>> sizes(Samples({"a": torch.zeros(3, 1)}, {"b": torch.zeros(4, 1)}))
        '3 a and 4 b'
    """
    groups = [group for group in samples.groups if "labelled" not in group]
    found = [samples.size(next(iter(group))) for group in groups]
    if len(groups) == 1:
        return f"{found[0]:,}{' pairs' if {'source', 'target'} <= groups[0].keys() else ''}"
    return " and ".join(f"{size:,} {next(iter(group))}" for group, size in zip(groups, found, strict=True))


def split_sizes(splits: dict[str, Samples], stands_for: dict[str, str]) -> str:
    """The sizes of the splits that are loaded.

    Args:
        splits: the samples by split.
        stands_for: for each split the one whose samples it has, if the set has no such split of its own.
    """
    said = []
    for split, samples in splits.items():
        other = stands_for.get(split, split)
        said.append(f"{sizes(samples)} {_TO[split]}{'' if other == split else f' (those of {other})'}")
    return ", ".join(said)


def class_counts(label: Any, classes: Sequence[Any] | None, number: int | None) -> str:
    """The classes by name, each with its number of samples; of many classes the range of these numbers.

    Args:
        label: (N,) classes, -1 for samples whose label is hidden.
        classes: their names; by default their numbers.
        number: how many there are.

    Examples:
        >>> class_counts(torch.tensor([0, 1, 1, -1]), ["cat", "dog"], 2)
        '2: cat (1), dog (2); 1 without a label'
    """
    counts = torch.bincount(label[label >= 0], minlength=number or 0).tolist()
    if classes is None or len(classes) != len(counts):
        classes = range(len(counts))
    names = [str(name) for name in classes]
    hidden = int((label < 0).sum())
    rest = f"; {hidden:,} without a label" if hidden else ""
    if len(counts) <= _NAMED:
        return f"{len(counts)}: {', '.join(f'{n} ({c:,})' for n, c in zip(names, counts, strict=True))}{rest}"
    shown = f"{', '.join(names[:3])}, ... {names[-1]}"
    span = f"{min(counts):,} to {max(counts):,}" if min(counts) < max(counts) else f"{counts[0]:,}"
    return f"{len(counts)}: {shown}; {span} of each{rest}"


def unread(place: Path, *sides: Path) -> Counter[str]:
    """The endings of the files in a folder or a zip that are not read as pictures, and how many there are of each.

    Files that are hidden, or in a hidden folder, are ``hidden``. ``sides`` are folders in it that are read each for
    itself, so that one may hold photographs and another arrays.
    """
    if place.is_file():
        with zipfile.ZipFile(place) as file:
            names = [info.filename for info in file.infolist() if not info.is_dir()]
    else:
        walk = ((Path(folder).relative_to(place), files) for folder, _, files in os.walk(place))
        names = [(folder / name).as_posix() for folder, files in walk for name in files]
    kinds: Counter[str] = Counter()
    groups: defaultdict[Path | None, list[str]] = defaultdict(list)
    for name in names:
        groups[next((side for side in sides if (place / name).is_relative_to(side)), None)].append(name)
    read = {name for group in groups.values() for name in are_pictures(group)}
    for path in map(PurePosixPath, names):
        picture = str(path) in read
        if any(part.startswith((".", "__")) for part in path.parts):
            kinds["hidden"] += picture
        elif not picture:
            kinds[path.suffix.lower() or "without ending"] += 1
    return +kinds


def left_out(kinds: Counter[str], corrupt: Sequence[str]) -> str:
    """A sentence about the files that are left out; empty if there are none.

    Examples:
        >>> left_out(Counter({".psd": 2, ".txt": 1}), ["a/b.jpg"])
        '3 files that are not read as pictures (2 .psd, 1 .txt); 1 that cannot be decoded (a/b.jpg)'
    """
    said = []
    if kinds:
        shown = [f"{count:,} {kind}" for kind, count in kinds.most_common(_KINDS)]
        more = ", ..." if len(kinds) > _KINDS else ""
        files = "1 file that is" if (count := sum(kinds.values())) == 1 else f"{count:,} files that are"
        remedies = "".join(f"; {kind}: {remedy}" for kind in sorted(kinds) if (remedy := cure(kind)))
        said.append(f"{files} not read as pictures ({', '.join(shown)}{more}{remedies})")
    if corrupt:
        first = corrupt[0] if len(corrupt) == 1 else f"{corrupt[0]} for one"
        said.append(f"{len(corrupt):,} that cannot be decoded ({first})")
    return "; ".join(said)
