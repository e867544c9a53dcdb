"""The kinds of networks that read and write texts, and the backbones that make them."""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.errors import UsageError
from lit_gans.precision import full
from lit_gans.text import BEGIN, PAD, padding_mask

#: what a decoder remembers between two steps: tensors (N, ...) by name, a row for each text
State = dict[str, Tensor]


class SequenceEncoder(nn.Module):
    """Reads texts: maps tokens (N, T) to a state (N, T, width) for each of them.

    Tokens are whole numbers, or weights (N, T, vocabulary) of a soft choice, which have a gradient. The mask (N, T) is
    False where there is filling; by default it is read from the tokens, which soft ones do not tell.
    """

    #: the size of a state
    width: int

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, T) to states (N, T, width)."""
        raise NotImplementedError


class SequenceDecoder(nn.Module):
    """Writes texts: predicts the next token from those before it, and from a memory, if it was made for one.

    The memory is what an encoder gives for the texts to translate, (N, S, size), with its mask (N, S).
    """

    #: the number of tokens that can be written
    vocabulary: int

    def forward(self, tokens: Tensor, memory: Tensor | None = None, memory_mask: Tensor | None = None) -> Tensor:
        """Logits (N, T, vocabulary) for the token after each of the tokens (N, T), whose first is ``BEGIN``.

        Tokens may be weights (N, T, vocabulary) of a soft choice.
        """
        raise NotImplementedError

    def start(self, n: int, length: int, memory: Tensor | None = None, memory_mask: Tensor | None = None) -> State:
        """The state before the first token of ``n`` texts of at most ``length`` tokens; rows first in every tensor."""
        raise NotImplementedError

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits (N, vocabulary) for the token after these (N,), and the state after them; the first are ``BEGIN``.

        Gives what `forward` gives for the same tokens, in steps. Tokens may be weights (N, vocabulary). Without a
        gradient a step may write into the tensors of the state that it gets: go on with the one that it gives.
        """
        raise NotImplementedError


class SequenceTranslator(nn.Module):
    """An encoder that reads a text, and a decoder that writes another one by what was read.

    Args:
        encoder: reads the source.
        decoder: writes the target, made for a memory of the encoder's width.
    """

    def __init__(self, encoder: SequenceEncoder, decoder: SequenceDecoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def read(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder writes by: the states (N, S, width) of source tokens (N, S), and their mask (N, S)."""
        mask = mask_of(source)
        return self.encoder(source, mask), mask

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits (N, T, vocabulary) for the token after each of the target (N, T), whose first is ``BEGIN``."""
        return self.decoder(target, *self.read(source))


class SequenceBackbone(ABC):
    """A kind of network for texts: makes encoders and decoders for a vocabulary and a greatest length.

    Subclasses are frozen dataclasses that hold options and no weights, so that a checkpoint, a configuration and the
    command line can name them.
    """

    #: the size of a state
    width: int

    @abstractmethod
    def encoder(self, vocabulary: int, length: int) -> SequenceEncoder:
        """An encoder that reads in both directions."""

    @abstractmethod
    def decoder(self, vocabulary: int, length: int, memory: int | None = None) -> SequenceDecoder:
        """A decoder; ``memory`` is the size of the states that it writes by, None if it writes by itself."""


def embedded(embedding: nn.Embedding, tokens: Tensor) -> Tensor:
    """Vectors (..., size) of tokens (...), or of the weights (..., vocabulary) of a soft choice."""
    return tokens.to(embedding.weight.dtype) @ embedding.weight if tokens.is_floating_point() else embedding(tokens)


def begun(tokens: Tensor) -> Tensor:
    """What a decoder reads to predict tokens (N, T): ``BEGIN``, and the tokens without their last place."""
    return torch.cat([torch.full_like(tokens[:, :1], BEGIN), tokens[:, :-1]], 1)


def reordered(state: State, rows: Tensor) -> State:
    """The state of other rows: those that a beam search goes on with."""
    return {name: values.index_select(0, rows) for name, values in state.items()}


def mean_state(states: Tensor, mask: Tensor) -> Tensor:
    """The mean (N, width) of states (N, T, width) over the places that are no filling, by the mask (N, T)."""
    weights = mask.unsqueeze(2).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


def mask_of(tokens: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mask (N, T) that was given, else that of tokens (N, T); of soft tokens every place counts."""
    if mask is not None:
        return mask
    if tokens.is_floating_point():
        return torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
    return padding_mask(tokens)


def last_state(states: Tensor, mask: Tensor) -> Tensor:
    """The states (N, 2 width) of the first and of the last place that is no filling: where both readings end."""
    rows = torch.arange(len(states), device=states.device)
    last = (mask.sum(1) - 1).clamp(min=0)
    return torch.cat([states[:, 0], states[rows, last]], 1)


def refuse_dropout(dropout: float) -> None:
    """Refuses a dropout that is not in [0, 1).

    Raises:
        UsageError: naming it.
    """
    if not 0 <= dropout < 1:
        raise UsageError(f"dropout must be in [0, 1), got {dropout}")


def log_likelihoods(logits: Tensor, tokens: Tensor) -> Tensor:
    """The log-probability, in nats, of every token; that of filling is 0.

    Args:
        logits: (N, T, vocabulary).
        tokens: (N, T) int64.

    Returns:
        (N, T) float32.
    """
    flat = F.cross_entropy(full(logits).flatten(0, 1), tokens.flatten(), ignore_index=PAD, reduction="none")
    return -flat.view(tokens.shape)
