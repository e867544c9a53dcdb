"""Networks that guess hidden tokens, and that judge each token of a text."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.errors import UsageError
from lit_gans.networks.sequences import SequenceEncoder


class TokenGuesser(nn.Module):
    """Guesses tokens of texts: an encoder, one layer and the embedding of the tokens, read backwards.

    Devlin et al. 2018, *BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding*,
    arXiv:1810.04805, whose output shares its weights with the embedding (Press & Wolf 2016, arXiv:1608.05859).

    Args:
        encoder: with the states that the guesses are made of.
        embedding: of the tokens; by default the encoder's own.
    """

    def __init__(self, encoder: SequenceEncoder, embedding: nn.Embedding | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.embedding: nn.Embedding = reader_of_tokens(encoder).tokens if embedding is None else embedding
        size = self.embedding.embedding_dim
        self.layer = nn.Sequential(nn.Linear(encoder.width, size), nn.GELU(), nn.LayerNorm(size))
        self.bias = nn.Parameter(self.embedding.weight.new_zeros(len(self.embedding.weight)))

    def forward(self, tokens: Tensor, places: Tensor | None = None) -> Tensor:
        """Logits (N, T, vocabulary) of every token of (N, T), or (N, K, vocabulary) of those at ``places`` (N, K)."""
        states = self.encoder(tokens)
        if places is not None:
            states = states.gather(1, places.unsqueeze(2).expand(-1, -1, states.shape[2]))  # (N, K, width)
        return F.linear(self.layer(states), self.embedding.weight, self.bias)


class TokenJudge(nn.Module):
    """Gives each token of a text a score: an encoder and two layers.

    Args:
        encoder: whose states are judged.
    """

    def __init__(self, encoder: SequenceEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.judge = nn.Sequential(nn.Linear(encoder.width, encoder.width), nn.GELU(), nn.Linear(encoder.width, 1))

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores (N, T) of tokens (N, T); those of filling mean nothing."""
        return self.judge(self.encoder(tokens)).squeeze(2)


class NarrowedEmbedding(nn.Module):
    """Another network's embedding, brought to a smaller size by one linear layer.

    Args:
        shared: the embedding, which stays the other network's too.
        size: of the vectors that come out.
    """

    def __init__(self, shared: nn.Embedding, size: int) -> None:
        super().__init__()
        self.shared = shared
        self.narrow = nn.Linear(shared.embedding_dim, size, bias=False)

    @property
    def weight(self) -> Tensor:
        """All vectors (vocabulary, size)."""
        return self.narrow(self.shared.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        """Vectors (..., size) of tokens (...)."""
        return self.narrow(self.shared(tokens))


_EMBEDDINGS = (nn.Embedding, NarrowedEmbedding)


def reader_of_tokens(encoder: nn.Module) -> Any:
    """The part of an encoder that has the embedding of its tokens, as ``tokens``: mostly itself.

    Raises:
        UsageError: if there is none.
    """
    found = next((m for m in encoder.modules() if isinstance(getattr(m, "tokens", None), _EMBEDDINGS)), None)
    if found is None:
        raise UsageError(
            f"guesses share the embedding of the encoder, but {type(encoder).__name__} does not have an nn.Embedding "
            "called 'tokens'; give it one"
        )
    return found
