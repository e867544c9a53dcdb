"""Keeps the scores of ``lit-gans evaluate`` beside those that were measured earlier, never in their place."""

from dataclasses import replace
from itertools import count
from pathlib import Path

from lit_gans.errors import UsageError
from lit_gans.metrics.protocol import Scores


def keep_scores(scores: Scores, target: Path, force: bool = False) -> str:
    """Writes scores without losing others.

    If the file has scores of the same checkpoint by the same protocol, these are added to them. If it has anything
    else, a new file gets the next free name: ``best.json``, ``best-2.json`` and so on.

    Args:
        scores: what to keep.
        target: a .json file.
        force: replace ``target`` whatever it holds.

    Returns:
        Where they are now, in words.

    Raises:
        OSError: if it cannot be written.
    """
    names = (target if n == 1 else target.with_stem(f"{target.stem}-{n}") for n in count(1))
    for path in names:
        if force or not path.exists():
            scores.save(path)
            return f"{path}{f', since {target} holds others' * (path != target)}"
        earlier = _read(path)
        if earlier is not None and _alike(earlier, scores):
            merged = replace(scores, values={**earlier.values, **scores.values})
            merged.save(path)
            added = len(merged.values) > len(scores.values)
            return f"{path}{', beside earlier ones of the same protocol' * added}"
    raise AssertionError("there is always another number")


def _read(path: Path) -> Scores | None:
    """The scores in a file, or None if it is something else."""
    try:
        return Scores.load(path)
    except UsageError:
        return None


def _alike(earlier: Scores, scores: Scores) -> bool:
    """Whether both are scores of one step of one checkpoint, by the same protocol."""
    places = [Path(each.checkpoint).resolve() for each in (earlier, scores)]
    same = (earlier.model, earlier.step, earlier.protocol) == (scores.model, scores.step, scores.protocol)
    return same and places[0] == places[1]
