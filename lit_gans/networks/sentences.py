"""Frozen readers of sentences that other libraries bring."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from lit_gans.errors import UsageError, reason


class SentenceTransformers(nn.Module):
    """A model of the ``sentence-transformers`` library, which maps texts to vectors: (N, 384) for the default one.

    Reimers & Gurevych 2019, arXiv:1908.10084. It is frozen, so it reads words that the captions never had. A
    checkpoint keeps its name alone; whoever loads it needs the library and the same model.

    Args:
        name: of the model, or the folder that it is in.

    Raises:
        UsageError: at the first text, if the library or the model is not there.
    """

    def __init__(self, name: str = "all-MiniLM-L6-v2") -> None:
        super().__init__()
        self.name = name

    def forward(self, texts: Sequence[str]) -> Tensor:
        """N texts to (N, D) float32."""
        return torch.as_tensor(_loaded(self.name).encode(list(texts), show_progress_bar=False)).float()


@cache
def _loaded(name: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise UsageError(
            "SentenceTransformers needs a library that is not installed: pip install sentence-transformers, or leave "
            "text_encoder out, and a small network learns to read the captions"
        ) from None
    try:
        return SentenceTransformer(name)
    except Exception as error:  # whatever the library raises for a name, a file or a connection
        raise UsageError(
            f"sentence-transformers cannot load {name!r}: {reason(error)}; name a model that it knows, or the folder "
            "of one"
        ) from None
