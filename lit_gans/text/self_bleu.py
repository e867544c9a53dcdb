"""How much the texts of a model repeat each other."""

from collections import Counter
from collections.abc import Hashable, Sequence
from math import exp, log

from torch import Tensor

from lit_gans.errors import UsageError, at_least
from lit_gans.text.vocabulary import END, PAD

_MISS = 0.1  # counted where no run of tokens is shared: method 1 of Chen & Cherry 2014


def self_bleu(texts: Tensor | Sequence[Sequence[Hashable]], order: int = 3) -> float:
    """The mean BLEU of every text with all others as its references, in [0, 1]; below that of real texts is varied.

    Zhu et al. 2018, *Texygen: A Benchmarking Platform for Text Generation Models*, arXiv:1802.01886. The geometric
    mean, over n = 1 to ``order``, of the share of a text's runs of n tokens that another text has, too: a run counts at
    most as often as in that text which has it most often. Where nothing is shared a tenth of a run counts (Chen &
    Cherry 2014, method 1). As in BLEU a text that is shorter than the text nearest in length is counted down.

    Only numbers of as many texts can be compared: among more texts each is more likely to find its like.

    Args:
        texts: tokens (N, T), each text up to its end, or N sequences of anything; two at least, a thousand by custom.
        order: the longest run.

    Raises:
        UsageError: if there are fewer than two texts, or the order is below 1.

    Examples:
        >>> round(self_bleu(["abcd", "abcd", "abce"], order=2), 3), round(self_bleu(["ab", "cd", "ef"], order=1), 3)
        (0.902, 0.05)
    """
    at_least(1, order=order)
    rows = [_without_filling(row) for row in texts.tolist()] if isinstance(texts, Tensor) else [tuple(t) for t in texts]
    if len(rows) < 2:
        raise UsageError(f"self-BLEU compares texts with each other, so it needs two at least, got {len(rows)}")
    logs = [0.0] * len(rows)
    for size in range(1, order + 1):
        for number, share in enumerate(_shared(rows, size)):
            logs[number] += log(share) / order
    penalties = _penalties([len(row) for row in rows])
    return sum(exp(value + penalty) for value, penalty in zip(logs, penalties, strict=True)) / len(rows)


def _without_filling(row: Sequence[int]) -> tuple[int, ...]:
    return tuple(token for token in row if token not in (PAD, END))


def _shared(rows: Sequence[tuple[Hashable, ...]], size: int) -> list[float]:
    """The share of each text's runs of that size which another text has, too."""
    counts = [Counter(zip(*(row[start:] for start in range(size)), strict=False)) for row in rows]
    most: dict[Hashable, tuple[int, int]] = {}  # of every run: how often the two texts that have it most often have it
    for runs in counts:
        for run, often in runs.items():
            first, second = most.get(run, (0, 0))
            most[run] = (often, first) if often > first else (first, max(second, often))
    shares = []
    for runs in counts:
        found = 0
        for run, often in runs.items():
            first, second = most[run]
            found += min(often, second if often == first else first)
        shares.append(max(found, _MISS) / max(1, sum(runs.values())))
    return shares


def _penalties(sizes: Sequence[int]) -> list[float]:
    """The logarithm of BLEU's brevity penalty of each text; the reference is another text of the nearest length."""
    kinds, found = Counter(sizes), {}
    for size, texts in kinds.items():
        others = [other for other in kinds if other != size] + [size] * (texts > 1)
        nearest = min(others, key=lambda other: (abs(other - size), other))
        found[size] = min(0.0, 1 - nearest / size) if size else 0.0
    return [found[size] for size in sizes]
