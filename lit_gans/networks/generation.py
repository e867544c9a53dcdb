"""Texts out of decoders: drawn, the likeliest token at every place, or the likeliest text of a beam."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lit_gans.errors import UsageError, at_least, usable_seed
from lit_gans.networks.sequences import SequenceDecoder, State, reordered
from lit_gans.text import BEGIN, END, MASK, PAD, UNKNOWN

#: tokens that no text has
NEVER = (PAD, BEGIN, UNKNOWN, MASK)
#: changes logits (rows, vocabulary) before a token is chosen
Guide = Callable[[Tensor], Tensor]
_LEAST = 1e-7  # temperature below which the likeliest token is taken


def uniform(n: int, length: int, seed: int | None = None) -> Tensor:
    """The numbers (n, length) in [0, 1) that texts are drawn by, on the CPU: the same ones on every device.

    Raises:
        UsageError: if there can be no such seed.
    """
    usable_seed(seed=seed)
    return torch.rand(n, length, generator=None if seed is None else torch.Generator().manual_seed(int(seed)))


def draw(
    decoder: SequenceDecoder,
    noise: Tensor,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    memory: Tensor | None = None,
    memory_mask: Tensor | None = None,
    prefix: Tensor | None = None,
    guide: Guide | None = None,
    never: Sequence[int] = NEVER,
    end: int | None = END,
) -> Tensor:
    """Texts that are drawn token by token from the decoder's distribution.

    Each number of the noise chooses a token: the first one up to which the probabilities sum to more than it. So a row
    depends on its own noise alone, and the same noise gives the same text on every device.

    Args:
        decoder: in evaluation mode, as a rule.
        noise: numbers (N, length) in [0, 1), as `uniform` gives them.
        temperature: divides the logits: below 1 texts are likelier and less varied; 0 takes the likeliest token.
        top_k: how many of the likeliest tokens may be drawn; by default all.
        memory: states (N, S, size) to write by.
        memory_mask: their mask (N, S).
        prefix: tokens (N, P) that the texts begin with, none of which is filling.
        guide: changes the logits first. The prefix and the memory may have k N rows; the guide then makes (N,
            vocabulary) of logits (k N, vocabulary), as classifier-free guidance does with k = 2.
        never: tokens that are not written.
        end: the token that ends a text; None if texts have no end.

    Returns:
        (N, length) int64, the prefix among them, with ``PAD`` after the end. A text may have no end.

    Raises:
        UsageError: if an option is out of range.
    """
    at_least(0, temperature=temperature)
    at_least(1, top_k=top_k)

    def choose(logits: Tensor, place: int) -> Tensor:
        if temperature < _LEAST:
            return logits.argmax(1)
        logits = logits / temperature
        if top_k is not None and top_k < logits.shape[1]:
            logits = logits.masked_fill(logits < logits.topk(top_k).values[:, -1:], float("-inf"))
        return _chosen(logits, noise[:, place])

    n, length = noise.shape
    return _written(decoder, n, length, choose, memory, memory_mask, prefix, guide, never, end)


def greedy(
    decoder: SequenceDecoder,
    n: int,
    length: int,
    *,
    memory: Tensor | None = None,
    memory_mask: Tensor | None = None,
    prefix: Tensor | None = None,
    guide: Guide | None = None,
    never: Sequence[int] = NEVER,
    end: int | None = END,
) -> Tensor:
    """Texts (n, length) with the likeliest token at every place; the arguments are those of `draw`."""
    return _written(
        decoder, n, length, lambda logits, _: logits.argmax(1), memory, memory_mask, prefix, guide, never, end
    )


def beam(
    decoder: SequenceDecoder,
    n: int,
    length: int,
    beams: int = 4,
    *,
    length_penalty: float = 1.0,
    memory: Tensor | None = None,
    memory_mask: Tensor | None = None,
    never: Sequence[int] = NEVER,
) -> Tensor:
    """The best texts that are found where at every place the ``beams`` best beginnings are kept.

    A text is as good as its log-probability divided by the power ``length_penalty`` of its number of tokens.

    Args:
        decoder: in evaluation mode, as a rule.
        n: how many texts.
        length: most tokens of a text.
        beams: beginnings that are kept of each text; 1 is what `greedy` does.
        length_penalty: 0 prefers short texts, 1 takes the mean of the tokens' log-probabilities.
        memory: states (N, S, size) to write by.
        memory_mask: their mask (N, S).
        never: tokens that are not written.

    Returns:
        (n, length) int64 with ``PAD`` after the end.

    Raises:
        UsageError: if there are no beams, or the penalty is not finite.
    """
    at_least(1, beams=beams)
    at_least(0, length_penalty=length_penalty)
    state = decoder.start(n, length, memory, memory_mask)
    rows = torch.arange(n, device=_device(decoder))
    state = reordered(state, rows.repeat_interleave(beams))
    refused, first = rows.new_tensor(list(never)), rows.unsqueeze(1) * beams  # the number of each text's first row
    tokens = first.new_full((n * beams,), BEGIN)
    texts = first.new_full((n, beams, length), PAD)
    scores = torch.full((n, beams), float("-inf"), device=rows.device)
    scores[:, 0] = 0  # all beams begin alike: one of them counts
    done, lengths = torch.zeros_like(scores, dtype=torch.bool), torch.zeros_like(scores)
    for place in range(length):
        logits, state = decoder.step(tokens, state)
        steps = _without(logits, refused).float().log_softmax(1).unflatten(0, (n, beams))
        only = torch.full_like(steps, float("-inf"))
        only[..., PAD] = 0  # a text that has ended goes on as it is
        sums = scores.unsqueeze(2) + torch.where(done.unsqueeze(2), only, steps)  # (n, beams, vocabulary)
        grown = (lengths + (~done)).clamp(min=1).pow(length_penalty).unsqueeze(2)
        chosen = (sums / grown).flatten(1).topk(beams).indices  # (n, beams)
        parent, token = chosen // logits.shape[1], chosen % logits.shape[1]
        scores, done = sums.flatten(1).gather(1, chosen), done.gather(1, parent)
        lengths = lengths.gather(1, parent) + (~done)
        texts = texts.gather(1, parent.unsqueeze(2).expand_as(texts))
        texts[:, :, place] = token
        done = done | (token == END)
        if bool(done.all()):
            break
        state, tokens = reordered(state, (first + parent).flatten()), token.flatten()
    return texts[:, 0]


def _written(
    decoder: SequenceDecoder,
    n: int,
    length: int,
    choose: Callable[[Tensor, int], Tensor],
    memory: Tensor | None,
    memory_mask: Tensor | None,
    prefix: Tensor | None,
    guide: Guide | None,
    never: Sequence[int],
    end: int | None,
) -> Tensor:
    """Texts (n, length) of tokens that are chosen by logits (n, vocabulary) and the number of a place."""
    rows = len(memory) if memory is not None else len(prefix) if prefix is not None else n
    given = 0 if prefix is None else prefix.shape[1]
    if given > length:
        raise UsageError(f"the texts begin with {given} tokens, but they may have at most {length}; shorten that")
    state = decoder.start(rows, length, memory, memory_mask)
    tokens = torch.full((rows,), BEGIN, device=_device(decoder))
    refused = tokens.new_tensor(list(never))
    texts, done = tokens.new_full((n, length), PAD), tokens.new_zeros(n, dtype=torch.bool)
    for place in range(length):
        logits, state = decoder.step(tokens, state)
        if prefix is not None and place < given:
            tokens = prefix[:, place].to(tokens.device)
            texts[:, place] = tokens[:n]
            continue
        logits = _without(logits if guide is None else guide(logits), refused).float()
        new = choose(logits, place).masked_fill(done, PAD)
        texts[:, place] = new
        if end is not None:
            done = done | (new == end)
            if _all(done, place):
                break
        tokens = new.repeat(rows // n) if n else new
    return texts


def _all(done: Tensor, place: int) -> bool:
    """Whether all texts have ended; an accelerator, which a question holds up, is asked at every eighth place."""
    return (done.device.type == "cpu" or place % 8 == 7) and bool(done.all())


def _chosen(logits: Tensor, noise: Tensor) -> Tensor:
    """The tokens (N,) that numbers (N,) in [0, 1) choose by logits (N, vocabulary)."""
    sums = logits.softmax(1).double().cumsum(1) if logits.device.type != "mps" else logits.softmax(1).cumsum(1)
    at = noise.to(sums).unsqueeze(1).clamp(max=1 - 1e-6) * sums[:, -1:]
    return torch.searchsorted(sums, at, right=True).squeeze(1)


def _without(logits: Tensor, refused: Tensor) -> Tensor:
    """Logits by which these tokens cannot be chosen."""
    return logits.index_fill(1, refused, float("-inf"))


def _device(decoder: SequenceDecoder) -> torch.device:
    return next(decoder.parameters()).device


class WithoutCache(SequenceDecoder):
    """A decoder that computes all that it has written anew at every step: as slow as one without a cache.

    It serves to measure what the cache is worth, and gives the same tokens.

    Args:
        decoder: any; it writes by itself.
    """

    def __init__(self, decoder: SequenceDecoder) -> None:
        super().__init__()
        self.decoder, self.vocabulary = decoder, decoder.vocabulary

    def start(self, n: int, length: int, memory: Tensor | None = None, memory_mask: Tensor | None = None) -> State:
        """No tokens yet."""
        return {"tokens": torch.zeros(n, 0, dtype=torch.long, device=_device(self))}

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """The last of the logits for all tokens so far."""
        line = torch.cat([state["tokens"], tokens.unsqueeze(1)], 1)
        return self.decoder(line)[:, -1], {"tokens": line}
