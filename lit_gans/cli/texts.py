"""Texts that commands write: drawn by a model, or translated from others.

Slow imports are delayed until they are needed, so that help answers at once.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_gans.errors import UsageError, one

_AT_ONCE = 500  # texts that are drawn at once
_FILE = ".txt"


def text_file(output: str | None) -> bool:
    """Whether a name is that of a file of texts."""
    return output is not None and Path(output).suffix.lower() == _FILE


def refuse_no_text_file(model: Any, output: str | None) -> None:
    """Refuses to write texts to a file of pictures.

    Raises:
        UsageError: if the name has another ending than .txt.
    """
    if output is not None and not text_file(output):
        raise UsageError(f"{one(model)} writes texts: output must end in {_FILE}, got {output}")


def drawn_texts(model: Any, n: int, seeds: Sequence[int] | None, options: Mapping[str, Any]) -> Iterator[str]:
    """Yields the texts that a model draws, in parts.

    Args:
        model: a model of texts.
        n: how many, unless each of several seeds stands for one.
        seeds: of each text, or the one of all.
        options: further arguments of `sample`.
    """
    import torch

    if seeds is not None and len(seeds) > 1:
        for each in seeds:
            yield from model.write(1, seed=each, **options)
        return
    one = seeds[0] if seeds else None
    rng = None if one is None else torch.Generator().manual_seed(one)
    for start in range(0, n, _AT_ONCE):
        seed: int | None = one if not start or rng is None else int(torch.randint(2**31, (), generator=rng))
        yield from model.write(min(_AT_ONCE, n - start), seed=seed, **options)


def deliver(texts: Sequence[str], output: str | None, did: str) -> None:
    """Prints texts, one a line, or writes them to a file and says how many; empty lines are no translations."""
    lines = "".join(f"{' '.join(text.splitlines())}\n" for text in texts)
    if output is None:
        sys.stdout.write(lines)
        return
    from lit_gans.files import replacing

    with replacing(output) as temporary:
        temporary.write_text(lines, "utf-8")
    count = sum(map(bool, texts)) if did == "translated" else len(texts)
    print(f"{count} text{'s' * (count != 1)} {did} in {output}")


def texts_of(file: str) -> list[str]:
    """The lines of a text file; those between texts may be empty.

    Raises:
        UsageError: if it is a folder or no text, or has none.
    """
    from lit_gans.data.text_files import read_lines

    if Path(file).is_dir():
        raise UsageError(f"{file} is a folder; name a text file, one text a line")
    lines = read_lines(Path(file))
    return lines[:-1] if not lines[-1] else lines


def translate_texts(model: Any, texts: Sequence[str], beams: int, batch: int, lines: bool) -> list[str]:
    """Translations of texts; one that cannot be translated is named, and an empty line stands in its place.

    Args:
        model: translates by ``translate_text``.
        texts: those that are empty stay so.
        beams: of the search.
        batch: how many texts go through the networks at once.
        lines: whether texts are lines of a file, by whose number one is named; a single text is refused.

    Raises:
        UsageError: if none can be translated.
    """
    from tqdm import tqdm

    found, skipped = [""] * len(texts), []
    wanted = [number for number, text in enumerate(texts) if text.strip()] if lines else [*range(len(texts))]
    with tqdm(total=len(wanted), unit=" texts", disable=None if len(wanted) > batch else True) as bar:
        for start in range(0, len(wanted), batch):
            part = wanted[start : start + batch]
            for number, made in _translated(model, texts, part, beams):
                if isinstance(made, str):
                    found[number] = made
                else:
                    skipped.append(f"line {number + 1}: {made}" if lines else str(made))
            bar.update(len(part))
    if skipped and (not lines or len(skipped) == len(wanted)):
        raise UsageError(skipped[0] if len(skipped) == 1 else f"no text was translated; the first, {skipped[0]}")
    for reason in skipped:
        print(f"skipped {reason}", file=sys.stderr)
    return found


def _translated(
    model: Any, texts: Sequence[str], numbers: Sequence[int], beams: int
) -> Iterator[tuple[int, str | UsageError]]:
    """Yields the number of each text with its translation, or with why there is none."""
    try:
        made = model.translate_text([texts[number] for number in numbers], beams=beams)
        yield from zip(numbers, made, strict=True)
    except UsageError as error:
        if len(numbers) == 1:
            yield numbers[0], error
            return
        for number in numbers:
            yield from _translated(model, texts, [number], beams)
