"""Transformers that read and write texts, and the blocks that they are made of."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.errors import UsageError, at_least
from lit_gans.networks.sequences import (
    SequenceBackbone,
    SequenceDecoder,
    SequenceEncoder,
    State,
    embedded,
    mask_of,
    refuse_dropout,
)

_SPREAD = 0.02  # of the first embeddings, as in GPT-2 and BERT


class Attention(nn.Module):
    """Several heads of scaled dot products between places.

    Args:
        width: size of the states that ask.
        heads: number of heads, which share the width.
        memory: size of the states that answer; by default ``width``.
        dropout: share of the weights that training leaves out.
    """

    def __init__(self, width: int, heads: int, memory: int | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width)
        self.answer = nn.Linear(memory or width, 2 * width)
        self.out = nn.Linear(width, width)

    def answers(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (N, heads, T, size) of states (N, T, memory)."""
        keys, values = self.answer(states).chunk(2, 2)
        return self._split(keys), self._split(values)

    def forward(
        self, states: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """States (N, T, width) to the values that they ask for, (N, T, width).

        Args:
            states: what asks.
            keys: (N, heads, S, size).
            values: (N, heads, S, size).
            mask: what may be asked, broadcast to (N, heads, T, S).
            causal: whether a place asks only itself and those before it.
        """
        dropout = self.dropout if self.training else 0.0
        query = self._split(self.query(states))
        found = F.scaled_dot_product_attention(query, keys, values, mask, dropout, is_causal=causal)
        return self.out(found.transpose(1, 2).flatten(2))

    def _split(self, states: Tensor) -> Tensor:
        return states.unflatten(2, (self.heads, -1)).transpose(1, 2)


class TransformerBlock(nn.Module):
    """Attention among the places of a text, then to a memory if there is one, then two layers at every place.

    Vaswani et al. 2017, *Attention Is All You Need*, arXiv:1706.03762, with the norms before each part (Xiong et al.
    2020, arXiv:2002.04745), which trains without a warm-up of thousands of steps.

    Args:
        width: size of a state.
        heads: heads of attention.
        dropout: share of every part's output, and of its attention, that training leaves out.
        memory: size of the states of a memory; None for a block without one.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0, memory: int | None = None) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(width), Attention(width, heads, dropout=dropout)
        self.across = None if memory is None else Attention(width, heads, memory, dropout)
        self.norm_across = nn.Identity() if memory is None else nn.LayerNorm(width)
        self.norm_inner = nn.LayerNorm(width)
        self.inner = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        states: Tensor,
        mask: Tensor | None = None,
        causal: bool = False,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """States (N, T, width) to the same shape.

        Args:
            states: of all places.
            mask: places that may be attended to, (N, 1, 1, T) as `places` makes it; by default all.
            causal: whether a place attends only to itself and those before it; then there is no ``mask``.
            memory: states (N, S, memory) of what is read beside.
            memory_mask: its places that may be attended to, (N, 1, 1, S).
        """
        asked = self.norm(states)
        states = states + self.dropout(self.attention(asked, *self.attention.answers(asked), mask, causal))
        return self._rest(states, None if memory is None else self.remembered(memory), memory_mask)

    def remembered(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """The keys and values (N, heads, S, size) of a memory (N, S, memory)."""
        assert self.across is not None
        return self.across.answers(memory)

    def step(
        self,
        states: Tensor,
        cache: tuple[Tensor, Tensor],
        position: Tensor,
        memory: tuple[Tensor, Tensor] | None = None,
        memory_mask: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What `forward` gives for the next place: states (N, 1, width), and the cache with its keys and values.

        Args:
            states: of the next place, (N, 1, width).
            cache: keys and values (N, heads, length, size), written in place where there is no gradient.
            position: number of the place, (1,) int64.
            memory: what `remembered` gives.
            memory_mask: as in `forward`.
        """
        asked = self.norm(states)
        keys, values = (
            old.index_copy(2, position, new.to(old.dtype))
            if torch.is_grad_enabled()  # the step before needs the old ones for its gradient
            else old.index_copy_(2, position, new.to(old.dtype))
            for old, new in zip(cache, self.attention.answers(asked), strict=True)
        )
        written = (torch.arange(keys.shape[2], device=keys.device) <= position)[None, None, None]  # (1, 1, 1, length)
        states = states + self.dropout(self.attention(asked, keys, values, written))
        return self._rest(states, memory, memory_mask), (keys, values)

    def _rest(self, states: Tensor, memory: tuple[Tensor, Tensor] | None, mask: Tensor | None) -> Tensor:
        if self.across is not None and memory is not None:
            states = states + self.dropout(self.across(self.norm_across(states), *memory, mask))
        return states + self.dropout(self.inner(self.norm_inner(states)))


def places(mask: Tensor) -> Tensor:
    """A mask (N, T) as attention takes it, (N, 1, 1, T); a row of nothing but filling may attend to all of it."""
    return (mask | ~mask.any(1, keepdim=True))[:, None, None]


class _Places(nn.Module):
    """Adds learned positions to the embeddings of tokens."""

    def __init__(self, vocabulary: int, length: int, width: int, dropout: float) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.dropout = nn.Dropout(dropout)
        for table in (self.tokens, self.positions):
            nn.init.normal_(table.weight, std=_SPREAD)

    def forward(self, tokens: Tensor, positions: Tensor | None = None) -> Tensor:
        """(N, T), or weights (N, T, vocabulary), to states (N, T, width)."""
        if positions is None:
            self.refuse_longer(tokens.shape[1])
            positions = torch.arange(tokens.shape[1], device=tokens.device)
        return self.dropout(embedded(self.tokens, tokens) + self.positions(positions))

    def refuse_longer(self, length: int) -> None:
        if length > (most := self.positions.num_embeddings):
            raise UsageError(
                f"this Transformer was made for texts of at most {most} tokens, got {length}; shorten them, or make "
                "the model with a greater length in its text_shape"
            )


class TransformerEncoder(SequenceEncoder):
    """Reads texts with attention among all their places.

    Args:
        vocabulary: number of tokens.
        length: most tokens of a text.
        width: size of a state.
        layers: number of blocks.
        heads: heads of attention.
        dropout: share that training leaves out.

    Examples:
        >>> TransformerEncoder(20, length=8, width=16, layers=1, heads=2)(torch.tensor([[5, 6, 2, 0]])).shape
        torch.Size([1, 4, 16])
    """

    def __init__(self, vocabulary: int, length: int, width: int, layers: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.width = width
        self.places = _Places(vocabulary, length, width, dropout)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, T) to states (N, T, width)."""
        allowed, states = places(mask_of(tokens, mask)), self.places(tokens)
        for block in self.blocks:
            states = block(states, allowed)
        return self.norm(states)


class TransformerDecoder(SequenceDecoder):
    """Writes texts with attention to the places before, and to a memory.

    Args:
        vocabulary: number of tokens.
        length: most tokens of a text.
        width: size of a state.
        layers: number of blocks.
        heads: heads of attention.
        dropout: share that training leaves out.
        memory: size of the states that it writes by; None if it writes by itself.
    """

    def __init__(
        self,
        vocabulary: int,
        length: int,
        width: int,
        layers: int,
        heads: int,
        dropout: float = 0.0,
        memory: int | None = None,
    ) -> None:
        super().__init__()
        self.vocabulary, self.heads, self.size = vocabulary, heads, width // heads
        self.places = _Places(vocabulary, length, width, dropout)
        self.blocks: Any = nn.ModuleList(TransformerBlock(width, heads, dropout, memory) for _ in range(layers))
        self.norm, self.judge = nn.LayerNorm(width), nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor, memory: Tensor | None = None, memory_mask: Tensor | None = None) -> Tensor:
        """(N, T), the first of which are ``BEGIN``, to logits (N, T, vocabulary) for the tokens after them."""
        allowed, states = None if memory_mask is None else places(memory_mask), self.places(tokens)
        for block in self.blocks:  # filling is at the end, where nothing before it attends to it
            states = block(states, None, True, memory, allowed)
        return self.judge(self.norm(states))

    def start(self, n: int, length: int, memory: Tensor | None = None, memory_mask: Tensor | None = None) -> State:
        """Empty keys and values (N, heads, length, size) of every block, and those of the memory."""
        self.places.refuse_longer(length)
        weight = self.judge.weight
        state = {"position": torch.zeros(n, dtype=torch.long, device=weight.device)}
        for number, block in enumerate(self.blocks):
            for name in ("keys", "values"):
                state[f"{name}_{number}"] = weight.new_zeros(n, self.heads, length, self.size)
            if memory is not None:
                state[f"memory_keys_{number}"], state[f"memory_values_{number}"] = block.remembered(memory)
        if memory_mask is not None:
            state["memory_mask"] = places(memory_mask)
        return state

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """(N,) to logits (N, vocabulary) for the tokens after them, and the state with their keys and values."""
        position, mask = state["position"], state.get("memory_mask")
        states, new = self.places(tokens.unsqueeze(1), position.unsqueeze(1)), dict(state)
        for number, block in enumerate(self.blocks):
            keys, values, remembered = f"keys_{number}", f"values_{number}", f"memory_keys_{number}"
            memory = (state[remembered], state[f"memory_values_{number}"]) if remembered in state else None
            states, cache = block.step(states, (state[keys], state[values]), position[:1], memory, mask)
            new[keys], new[values] = cache
        new["position"] = position + 1
        return self.judge(self.norm(states)).squeeze(1), new


@dataclass(frozen=True)
class TransformerBackbone(SequenceBackbone):
    """Transformers with learned positions. See `TransformerEncoder` and `TransformerDecoder`.

    Vaswani et al. 2017, arXiv:1706.03762.

    Args:
        width: size of a state.
        layers: blocks of the encoder, and of the decoder.
        heads: heads of attention, which share the width.
        dropout: share of the states that training leaves out.

    Raises:
        UsageError: if an option is out of range.

    Examples:
        >>> decoder = TransformerBackbone(width=16, layers=1, heads=2).decoder(20, length=8)
        >>> decoder(torch.tensor([[1, 5, 6]])).shape
        torch.Size([1, 3, 20])
    """

    width: int = 128
    layers: int = 3
    heads: int = 4
    dropout: float = 0.1

    def __post_init__(self) -> None:
        at_least(1, width=self.width, layers=self.layers, heads=self.heads)
        refuse_dropout(self.dropout)
        if self.width % self.heads:
            raise UsageError(f"heads must share the width equally, got width={self.width} and heads={self.heads}")

    def encoder(self, vocabulary: int, length: int) -> TransformerEncoder:
        """An encoder of texts of at most ``length`` tokens."""
        return TransformerEncoder(vocabulary, length, self.width, self.layers, self.heads, self.dropout)

    def decoder(self, vocabulary: int, length: int, memory: int | None = None) -> TransformerDecoder:
        """A decoder of texts of at most ``length`` tokens."""
        return TransformerDecoder(vocabulary, length, self.width, self.layers, self.heads, self.dropout, memory)
