"""Keeps the scores of ``lit-gans evaluate`` beside those that were measured earlier, never in their place."""

import json
from dataclasses import replace
from itertools import count
from pathlib import Path

from lit_gans.errors import UsageError
from lit_gans.metrics.protocol import Scores
from lit_gans.runs import KINDS, Run, find_checkpoint, is_shipped, named_folder


class NoScores(UsageError):
    """Says that a checkpoint has not been measured."""


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


def scores_of(place: Path) -> Scores:
    """The scores that a name stands for.

    Args:
        place: a .json file of scores. Or a checkpoint, or the folder of a run: the .json file beside the checkpoint,
            else, of a folder, the run's ``scores.jsonl``. Or that file itself, whose best validation counts. ``last``
            and ``best``, and names of runs, stand for what they do in other commands.

    Raises:
        UsageError: if there are none.
    """
    if is_shipped(place):  # what was measured of it is here, see `Checkpoint`
        if (measured := Path(f"{place}.json")).is_file():
            return Scores.load(measured)
        raise NoScores(f"{place} has no scores here yet; 'lit-gans evaluate {place}' measures them")
    place = named_folder(place)
    if str(place) in KINDS and not place.exists():
        place = find_checkpoint(place).parents[1]
    if not place.exists() and place.suffix != ".ckpt":
        raise UsageError(f"there is no file or folder {place}; name what 'lit-gans evaluate' wrote, or a run's folder")
    if place.suffix in (".png", ".webp"):  # runs/* also names what 'lit-gans plot' has drawn there
        raise NoScores(f"{place} is a picture and holds no scores of 'lit-gans evaluate'")
    if place.suffix == ".jsonl":
        return _best(place)
    if not place.is_dir() and place.suffix != ".ckpt":
        return Scores.load(place)
    try:
        checkpoint = find_checkpoint(place)
    except UsageError as error:  # a folder without one
        raise NoScores(str(error)) from None
    if not checkpoint.is_file():
        raise UsageError(f"there is no file {place}; name a checkpoint or what 'lit-gans evaluate' wrote")
    if (measured := checkpoint.with_suffix(".json")).is_file():
        return Scores.load(measured)
    if place.is_dir() and (of_run := Run.of(checkpoint).scores).is_file():
        return _best(of_run)
    raise NoScores(f"{checkpoint} has no scores yet; 'lit-gans evaluate {checkpoint}' measures them")


def _best(path: Path) -> Scores:
    """The scores of a run's best validation: of its first score, the least or the most, as is better."""
    from lit_gans.metrics.scoring import LOWER_IS_BETTER

    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} holds no scores of a run ({error})") from None
    found = [scores for line in lines if line.strip() and (scores := _line(line, path)) and scores.values]
    if not found:
        raise UsageError(f"{path} holds no scores of a run; 'lit-gans evaluate' measures a checkpoint")
    name = next(iter(found[-1].values))
    sign = 1 if name in LOWER_IS_BETTER else -1
    return min((scores for scores in found if name in scores.values), key=lambda each: sign * each.values[name])


def _line(line: str, path: Path) -> Scores | None:
    """The scores in a line; None if it was cut."""
    try:
        scores = Scores.made_of(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return scores if scores.checkpoint else replace(scores, checkpoint=str(path))


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
