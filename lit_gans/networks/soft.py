"""Texts that are drawn so that a gradient flows back through every choice."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_gans.networks.generation import NEVER
from lit_gans.networks.sequences import SequenceDecoder
from lit_gans.text import BEGIN, END, PAD


def soft_draw(
    decoder: SequenceDecoder,
    n: int,
    length: int,
    temperature: float = 1.0,
    *,
    memory: Tensor | None = None,
    memory_mask: Tensor | None = None,
) -> Tensor:
    """Texts as weights of a choice: 1 for the token that was drawn, with the gradient of a softmax.

    Straight-through Gumbel-softmax, Jang et al. 2016, arXiv:1611.01144. The decoder reads the weights, so that the
    gradient goes through the whole text.

    Args:
        decoder: draws the texts.
        n: how many.
        length: most tokens of a text.
        temperature: of the softmax whose gradient is taken: low ones are nearer to the choice, and noisier.
        memory: states (n, S, size) to write by.
        memory_mask: their mask (n, S).

    Returns:
        (n, T, vocabulary), T the length of the longest; rows that have ended choose ``PAD``, without a gradient.
    """
    state = decoder.start(n, length, memory, memory_mask)
    first = next(decoder.parameters())
    chosen = F.one_hot(torch.full((n,), BEGIN, device=first.device), decoder.vocabulary).to(first.dtype)
    filling = F.one_hot(torch.full((n,), PAD, device=first.device), decoder.vocabulary).to(first.dtype)
    done = torch.zeros(n, 1, dtype=torch.bool, device=first.device)
    refused, texts = torch.tensor(NEVER, device=first.device), []
    for _ in range(length):
        logits, state = decoder.step(chosen, state)
        logits = logits.float().index_fill(1, refused, float("-inf"))
        drawn = F.gumbel_softmax(logits, temperature, hard=True).to(first.dtype)
        chosen = torch.where(done, filling, drawn)
        texts.append(chosen)
        done = done | (chosen[:, END : END + 1] > 0.5)
        if bool(done.all()):
            break
    return torch.stack(texts, 1)
