"""Arithmetic with latent points: smiling woman - neutral woman + neutral man."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.latents.concepts import Term, Wanted, weights
from lit_gans.latents.paths import draw
from lit_gans.networks.base import in_parts

Recogniser = Callable[[Tensor], Tensor]  # (N, C, H, W) images to (N, K) logits
_SURE = 0.9  # probability from which an image is an example of a concept
_TRIALS = 100  # results from other exemplars
_MOVED = 500  # the most single samples that the expression is added to
_AROUND = 0.25  # standard deviation of the noise that makes neighbours: the paper adds up to 0.25 to U(-1, 1)
_INFORMATIVE = (0.1, 0.9)  # attributes that nearly all or no samples show stay the same anyway


@dataclass
class Result:
    """The result of `calculate`; shares are in [0, 1]."""

    #: for every term (exemplars, latent_dim)
    exemplars: list[Tensor]
    #: (terms, latent_dim)
    means: Tensor
    #: (9, latent_dim): the result in the middle of its neighbours
    neighbours: Tensor
    #: how many samples are examples of each term
    found: list[int]
    #: share of the 9 that show what is wanted
    neighbours_show: float
    #: share of the results from other exemplars that show it
    results_show: float
    #: share of single samples of the last added term that show it, before and after the other terms are added
    before: float
    after: float
    #: number of those samples
    moved: int
    #: share of their other attributes that stay as they were; None if there are none
    kept: float | None
    #: number of those attributes
    others: int


def calculate(
    generate: Callable[[Tensor], Tensor],
    latent_dim: int,
    terms: Sequence[Term],
    wanted: Wanted,
    recognise: Recogniser,
    exemplars: int = 3,
    samples: int = 5000,
    seed: int = 0,
) -> Result:
    """Adds and subtracts mean latent points (Radford et al. 2015, arXiv:1511.06434, section 6.3.2).

    Draws samples, takes those that certainly show a term's concept, by the recogniser, and averages their latent
    points. As in the paper a mean is over a few exemplars: one alone is unstable, and with three the sum of three terms
    is about as long as a point of N(0, I).

    The result is measured in two ways. The first is the results from a hundred other choices of exemplars. The second
    is attribute transfer: all terms but one, as means over all samples that were found, are added to single samples of
    that one term. These should then show what is wanted, and otherwise stay as they were.

    Args:
        generate: maps noise (N, latent_dim) to images.
        latent_dim: size of the noise.
        terms: from `lit_gans.latents.concepts.parse`.
        wanted: what the result should show.
        recognise: maps images to logits.
        exemplars: samples that a mean is over.
        samples: how many to draw in the search for exemplars.
        seed: of all draws.

    Raises:
        UsageError: if a number is out of range, or too few samples show a concept.
    """
    if exemplars < 1 or samples < exemplars:
        raise UsageError(
            f"exemplars must be at least 1 and at most samples, got exemplars={exemplars} and samples={samples}"
        )

    def probabilities(noise: Tensor) -> Tensor:
        with torch.no_grad():
            logits = in_parts(lambda part: recognise(generate(part)), noise, like=noise).cpu()
        return logits.softmax(1) if wanted.exclusive else logits.sigmoid()

    def combine(points: Sequence[Tensor]) -> Tensor:
        return sum((t.sign * p for t, p in zip(terms, points, strict=True)), torch.zeros(latent_dim))

    noise = draw(samples, latent_dim, seed)
    shown = probabilities(noise)
    pools = [_examples(term, shown, exemplars) for term in terms]
    rng = torch.Generator().manual_seed(seed + 1)
    chosen = [noise[pool[:exemplars]] for pool in pools]
    means = torch.stack([points.mean(0) for points in chosen])
    neighbours = combine(list(means)) + _AROUND * torch.randn(9, latent_dim, generator=rng)
    neighbours[4] = combine(list(means))
    trials = []
    for _ in range(_TRIALS):
        picks = [pool[torch.randperm(len(pool), generator=rng)[:exemplars]] for pool in pools]
        trials.append(combine([noise[pick].mean(0) for pick in picks]))
    base = max(n for n, term in enumerate(terms) if term.sign > 0)
    direction = combine([noise[pool].mean(0) * (n != base) for n, pool in enumerate(pools)])
    starts = pools[base][:_MOVED]
    moved = probabilities(noise[starts] + direction)
    kept, others = _kept([term for n, term in enumerate(terms) if n != base], shown, shown[starts], moved, wanted)
    return Result(
        exemplars=chosen,
        means=means,
        neighbours=neighbours,
        found=[len(pool) for pool in pools],
        neighbours_show=_mean(wanted(probabilities(neighbours))),
        results_show=_mean(wanted(probabilities(torch.stack(trials)))),
        before=_mean(wanted(shown[starts])),
        after=_mean(wanted(moved)),
        moved=len(starts),
        kept=kept,
        others=others,
    )


def _examples(term: Term, shown: Tensor, exemplars: int) -> Tensor:
    """Rows of the samples that certainly show a concept; if these are too few, of all that probably do."""
    share = term.share(shown)
    sure = (share > _SURE).nonzero()[:, 0]
    if len(sure) >= exemplars:
        return sure
    likely = int((share > 0.5).sum())
    if likely < exemplars:
        raise UsageError(
            f"only {likely} of {len(shown)} samples show {term.words}, but {exemplars} exemplars are needed; draw more "
            "with --count, or choose a concept that the generator draws more often"
        )
    return share.argsort(descending=True)[:likely]


def _kept(
    added: Sequence[Term], shown: Tensor, before: Tensor, after: Tensor, wanted: Wanted
) -> tuple[float | None, int]:
    """The share of attributes that stay as they were, and their number; the added terms' own are left out."""
    frequency = (shown > 0.5).float().mean(0)
    low, high = _INFORMATIVE
    spoken = weights(added)
    others = [k for k, f in enumerate(frequency.tolist()) if low <= f <= high and k not in spoken]
    if wanted.exclusive or not others:
        return None, 0
    return _mean((before[:, others] > 0.5) == (after[:, others] > 0.5)), len(others)


def _mean(hits: Tensor) -> float:
    return float(hits.float().mean())
