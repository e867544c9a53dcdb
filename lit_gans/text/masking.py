"""Hides tokens of texts, and fills the gaps by guesses."""

from typing import NamedTuple

import torch
from torch import Tensor

from lit_gans.text.vocabulary import MASK, SPECIAL


class Gaps(NamedTuple):
    """Places that a model has to guess: K for each of N texts, of which short texts use fewer.

    Attributes:
        places: (N, K) int64, none twice in a row.
        used: (N, K) bool, whether the place is one to guess.
        tokens: (N, T) the texts with their gaps.
    """

    places: Tensor
    used: Tensor
    tokens: Tensor

    def filled(self, tokens: Tensor, guesses: Tensor) -> Tensor:
        """The texts ``tokens`` (N, T) with guesses (N, K) at the places to guess."""
        kept = tokens.gather(1, self.places)
        return tokens.scatter(1, self.places, torch.where(self.used, guesses, kept))


def gaps(tokens: Tensor, share: float, hidden: float = 1.0, rng: torch.Generator | None = None) -> Gaps:
    """Chooses tokens to guess, in every text the same share of them, and at least one.

    Args:
        tokens: (N, T); special tokens are never chosen.
        share: of the tokens of a text.
        hidden: probability that ``MASK`` takes the place of a chosen token; the others are left as they are.
        rng: what to draw from, on the CPU; by default the global random state of the tokens' device.

    Returns:
        The places, and the texts with their gaps.
    """
    device = tokens.device if rng is None else torch.device("cpu")
    draws = torch.rand(2, *tokens.shape, generator=rng, device=device).to(tokens.device)
    known = tokens >= len(SPECIAL)
    counts = (share * known.sum(1, keepdim=True)).round().clamp(min=1)  # (N, 1)
    most = max(1, round(share * tokens.shape[1]))
    order, places = draws[0].masked_fill(~known, -1).topk(most, 1)
    used = (torch.arange(most, device=tokens.device) < counts) & (order >= 0)  # a text may have special tokens alone
    kept = tokens.gather(1, places)
    seen = used & (draws[1].gather(1, places) < hidden)
    return Gaps(places, used, tokens.scatter(1, places, torch.where(seen, MASK, kept)))


def draw_tokens(logits: Tensor, temperature: float = 1.0, rng: torch.Generator | None = None) -> Tensor:
    """Draws a token by logits (..., vocabulary), by the maximum of logits with Gumbel noise; it has no gradient.

    Special tokens are never drawn.

    Args:
        logits: of every token.
        temperature: divides the logits; 0 gives the likeliest token.
        rng: what to draw from, on the CPU; by default the global random state of the logits' device.

    Returns:
        (...) int64.
    """
    words = logits.detach()[..., len(SPECIAL) :].float()
    if temperature > 0:
        device = words.device if rng is None else torch.device("cpu")
        uniform = torch.rand(words.shape, generator=rng, device=device).to(words.device)
        words = words / temperature - (-uniform.clamp(min=1e-20).log()).log()
    return words.argmax(-1) + len(SPECIAL)
