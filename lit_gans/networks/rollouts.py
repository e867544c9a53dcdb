"""Endings that a decoder gives to all beginnings of texts: what a token leads to, before a text is whole."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_gans.networks.generation import NEVER
from lit_gans.networks.sequences import SequenceDecoder, State
from lit_gans.text import BEGIN, END, PAD


@torch.no_grad()
def roll_outs(decoder: SequenceDecoder, tokens: Tensor, count: int, never: Sequence[int] = NEVER) -> Tensor:
    """Draws endings for every beginning of texts, all beginnings at once.

    Yu et al. 2017, arXiv:1609.05473, section 3.2. A row is added for every beginning when its last token is reached, so
    that each token is read and each ending drawn once: T^2 / 2 places a text.

    All beginnings of a text are drawn on by the same random numbers. Each ending has the decoder's distribution, but
    those of two beginnings are mostly alike, so that their difference says more about the token between them.

    Args:
        decoder: draws the endings; in evaluation mode, as a rule.
        tokens: texts (N, T).
        count: how many endings each beginning gets.
        never: tokens that are not written.

    Returns:
        (N, T - 1, count, T) int64: texts whose first 1, 2, ... T - 1 tokens are those of the row, with ``PAD`` after
        the end. A text that has ended keeps its end.
    """
    n, length = tokens.shape
    texts = tokens[:, None, None].repeat(1, length - 1, count, 1)
    refused = tokens.new_tensor(list(never))
    read: State = decoder.start(n, length)
    last = torch.full_like(tokens[:, 0], BEGIN)
    state: State = {}
    new = last  # the rows of all beginnings that are drawn on, and the token that each reads next
    for place in range(length):
        if place:
            logits, state = decoder.step(new, state)
            logits = logits.index_fill(1, refused, float("-inf")).unflatten(0, (place, n * count))
            new = _ended(drawn(logits).flatten(), new)
            texts[:, :place, :, place] = new.view(place, n, count).permute(1, 0, 2)
        if place == length - 1:
            break
        _, read = decoder.step(last, read)
        last = tokens[:, place]
        begun = {name: values.repeat_interleave(count, 0) for name, values in read.items()}
        state = {name: torch.cat([state[name], values]) for name, values in begun.items()} if place else begun
        new = torch.cat([new, last.repeat_interleave(count)]) if place else last.repeat_interleave(count)
    return texts


def drawn(logits: Tensor) -> Tensor:
    """Tokens (rows, N) drawn by logits (rows, N, vocabulary), each row by the same random numbers."""
    logits = logits.float()
    return (logits.softmax(2) / torch.empty_like(logits[0]).exponential_()).argmax(2)


def _ended(new: Tensor, before: Tensor) -> Tensor:
    """The new tokens; ``PAD`` in rows whose text has ended before."""
    return new.masked_fill((before == END) | (before == PAD), PAD)
