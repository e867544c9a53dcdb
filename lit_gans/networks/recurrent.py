"""Recurrent networks that read and write texts, with and without attention."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from lit_gans.errors import UsageError, at_least
from lit_gans.networks.sequences import (
    SequenceBackbone,
    SequenceDecoder,
    SequenceEncoder,
    State,
    embedded,
    last_state,
    mask_of,
    refuse_dropout,
)

Cell = Literal["gru", "lstm"]
_CELLS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentEncoder(SequenceEncoder):
    """Reads texts from both ends; a state is a linear map of what both readings know at its place.

    Filling must be at the ends of rows. It changes nothing: the second reading begins at the last token of each row.

    Args:
        vocabulary: number of tokens.
        width: size of a state, of an embedding, and of each reading.
        layers: layers of each reading.
        cell: ``gru`` or ``lstm``.
        dropout: share of the states between layers that training leaves out.

    Examples:
        >>> RecurrentEncoder(20, width=16)(torch.tensor([[5, 6, 2, 0]])).shape
        torch.Size([1, 4, 16])
    """

    def __init__(self, vocabulary: int, width: int, layers: int = 1, cell: Cell = "gru", dropout: float = 0.0) -> None:
        super().__init__()
        self.width = width
        self.tokens, self.dropout = nn.Embedding(vocabulary, width), nn.Dropout(dropout)
        sizes = [width, *[2 * width] * (layers - 1)]
        self.onward = nn.ModuleList(_CELLS[cell](size, width, batch_first=True) for size in sizes)
        self.backward_ = nn.ModuleList(_CELLS[cell](size, width, batch_first=True) for size in sizes)
        self.joined = nn.Linear(2 * width, width)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, T) to states (N, T, width)."""
        turned = _turned(mask_of(tokens, mask)).unsqueeze(2)  # (N, T, 1)
        states = embedded(self.tokens, tokens)
        for onward, backward in zip(self.onward, self.backward_, strict=True):
            states = self.dropout(states)
            read = _taken(backward(_taken(states, turned))[0], turned)
            states = torch.cat([onward(states)[0], read], 2)
        return self.joined(self.dropout(states))


def _taken(states: Tensor, places: Tensor) -> Tensor:
    """The states (N, T, width) of other places (N, T, 1); torch.export follows no ``take_along_dim``."""
    return states.gather(1, places.expand(-1, -1, states.shape[2]))


def _turned(mask: Tensor) -> Tensor:
    """The places (N, T) of each row in reverse, with the filling left at its end."""
    places = torch.arange(mask.shape[1], device=mask.device).expand(mask.shape)
    return torch.where(mask, mask.sum(1, keepdim=True) - 1 - places, places).clamp(min=0)


class RecurrentDecoder(SequenceDecoder):
    """Writes texts with a state that every token changes.

    With a memory the state begins from what the memory says at its first and last place. With attention every step
    reads a weighted mean of the memory, ``sum_s a_s m_s`` with ``a = softmax_s(v . tanh(W h + U m_s))``, for the state
    h before the step: Bahdanau et al. 2014, *Neural Machine Translation by Jointly Learning to Align and Translate*,
    arXiv:1409.0473. Without it every step reads the same first and last place, as in Cho et al. 2014, arXiv:1406.1078.

    Args:
        vocabulary: number of tokens.
        width: size of a state and of an embedding.
        layers: recurrent layers.
        cell: ``gru`` or ``lstm``.
        dropout: share of the embeddings, and of the states between and after layers, that training leaves out.
        memory: size of the states that it writes by; None if it writes by itself.
        attention: whether it attends to all places of the memory.
    """

    def __init__(
        self,
        vocabulary: int,
        width: int,
        layers: int = 1,
        cell: Cell = "gru",
        dropout: float = 0.0,
        memory: int | None = None,
        attention: bool = True,
    ) -> None:
        super().__init__()
        self.vocabulary, self.width, self.layers = vocabulary, width, layers
        self.attends = attention and memory is not None
        self.tokens, self.dropout = nn.Embedding(vocabulary, width), nn.Dropout(dropout)
        read = 0 if memory is None else memory if attention else width
        if memory is not None:
            self.summary, self.first = nn.Linear(2 * memory, width), nn.Linear(width, layers * width)
        if self.attends:
            self.ask, self.answer = nn.Linear(width, width, bias=False), nn.Linear(memory or 0, width)
            self.weigh = nn.Linear(width, 1, bias=False)
        between = dropout if layers > 1 else 0.0
        self.cells = _CELLS[cell](width + read, width, layers, batch_first=True, dropout=between)
        self.has_cell = cell == "lstm"
        self.joined = nn.Linear(width + read, width) if read else None
        self.judge = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor, memory: Tensor | None = None, memory_mask: Tensor | None = None) -> Tensor:
        """(N, T), the first of which are ``BEGIN``, to logits (N, T, vocabulary) for the tokens after them."""
        state = self.start(len(tokens), tokens.shape[1], memory, memory_mask)
        inputs = self.dropout(embedded(self.tokens, tokens))
        if not self.attends:
            return self._run(inputs, self._same(state, tokens.shape[1]), state)[0]
        logits = []
        for place in inputs.unbind(1):  # what a step attends to depends on the state before it
            written, state = self._run(place.unsqueeze(1), self._attended(state), state, judged=False)
            logits.append(written)
        return self.judge(torch.cat(logits, 1))

    def start(self, n: int, length: int, memory: Tensor | None = None, memory_mask: Tensor | None = None) -> State:
        """The first states (N, layers, width), and what is kept of the memory."""
        if memory is None:
            hidden, state = self.judge.weight.new_zeros(n, self.layers, self.width), {}
        else:
            mask = memory.new_ones(memory.shape[:2], dtype=torch.bool) if memory_mask is None else memory_mask
            summary = self.summary(last_state(memory, mask)).tanh()
            hidden = self.first(summary).tanh().unflatten(1, (self.layers, self.width))
            state = {"summary": summary}
            if self.attends:
                state = {"memory": memory, "answers": self.answer(memory), "mask": mask}
        return {**state, "hidden": hidden, **({"cell": torch.zeros_like(hidden)} if self.has_cell else {})}

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """(N,) to logits (N, vocabulary) for the tokens after them, and the state after them."""
        inputs = self.dropout(embedded(self.tokens, tokens)).unsqueeze(1)
        logits, state = self._run(inputs, self._attended(state) if self.attends else self._same(state, 1), state)
        return logits.squeeze(1), state

    def _run(self, inputs: Tensor, read: Tensor | None, state: State, judged: bool = True) -> tuple[Tensor, State]:
        """Logits, or what they are judged by, (N, T, ...) after inputs (N, T, width) and what was read beside."""
        names = ("hidden", "cell") if self.has_cell else ("hidden",)
        before = [state[name].transpose(0, 1).contiguous() for name in names]  # (layers, N, width)
        both = inputs if read is None else torch.cat([inputs, read], 2)
        written, after = self.cells(both, tuple(before) if self.has_cell else before[0])
        after = after if self.has_cell else (after,)
        if self.joined is not None and read is not None:
            written = self.joined(torch.cat([written, read], 2)).tanh()
        written = self.dropout(written)
        new = {**state, **{name: each.transpose(0, 1) for name, each in zip(names, after, strict=True)}}
        return (self.judge(written) if judged else written), new

    def _attended(self, state: State) -> Tensor:
        """The mean (N, 1, memory) of the memory that the top state asks for."""
        asked = self.ask(state["hidden"][:, -1:])  # (N, 1, width)
        scores = self.weigh((asked + state["answers"]).tanh()).squeeze(2)  # (N, S)
        weights = scores.masked_fill(~state["mask"], torch.finfo(scores.dtype).min).softmax(1)
        return weights.unsqueeze(1) @ state["memory"]

    @staticmethod
    def _same(state: State, length: int) -> Tensor | None:
        """What every one of so many steps reads of the memory, (N, T, width)."""
        return state["summary"].unsqueeze(1).expand(-1, length, -1) if "summary" in state else None


@dataclass(frozen=True)
class RecurrentBackbone(SequenceBackbone):
    """GRUs or LSTMs. See `RecurrentEncoder` and `RecurrentDecoder`.

    Cho et al. 2014, arXiv:1406.1078; Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; with attention
    Bahdanau et al. 2014, arXiv:1409.0473.

    Args:
        cell: ``gru`` or ``lstm``.
        width: size of a state and of an embedding.
        layers: recurrent layers of the encoder, in each direction, and of the decoder.
        attention: whether a decoder attends to all places of what it writes by, rather than to its ends alone.
        dropout: share of the embeddings and states that training leaves out.

    Raises:
        UsageError: if an option is out of range.

    Examples:
        >>> RecurrentBackbone(width=16).decoder(20, length=8)(torch.tensor([[1, 5, 6]])).shape
        torch.Size([1, 3, 20])
    """

    cell: Cell = "gru"
    width: int = 128
    layers: int = 1
    attention: bool = True
    dropout: float = 0.1

    def __post_init__(self) -> None:
        at_least(1, width=self.width, layers=self.layers)
        refuse_dropout(self.dropout)
        if self.cell not in _CELLS:
            raise UsageError(f"cell must be {' or '.join(_CELLS)}, got {self.cell!r}")

    def encoder(self, vocabulary: int, length: int) -> RecurrentEncoder:
        """An encoder of texts of any length."""
        return RecurrentEncoder(vocabulary, self.width, self.layers, self.cell, self.dropout)

    def decoder(self, vocabulary: int, length: int, memory: int | None = None) -> RecurrentDecoder:
        """A decoder of texts of any length."""
        return RecurrentDecoder(vocabulary, self.width, self.layers, self.cell, self.dropout, memory, self.attention)
