"""Tokens in the batches of any loader: padding by the rules of this library, and the checks of the first ones."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lit_gans.errors import UsageError
from lit_gans.text import PAD

#: the names that a batch has for tokens
TOKENS = ("tokens", "source", "target")
_MASK = "attention_mask"


def tokens_of(model: Any) -> tuple[str, ...]:
    """The entries of a model's batches that are tokens: ``source`` and ``target`` may be images."""
    return TOKENS if model.of_texts else ("tokens",)


def filled(model: Any, entries: dict[str, Any]) -> dict[str, Any]:
    """Tokens (N, T) int64 whose padding is ``PAD`` and stands at the end of each row.

    Other libraries pad with any number, on either side, and say where by an ``attention_mask`` (N, T), which is that
    of ``tokens``, or of ``source``; a ``target_mask`` is that of ``target``. Numbers below 0, with which labels are
    padded, are padding too.
    """
    names = [name for name in tokens_of(model) if _is_tokens(entries.get(name))]
    for name in names:
        tokens = entries[name].long()
        mask = entries.get(f"{name}_mask", entries.get(_MASK) if name != "target" else None)
        if not isinstance(mask, Tensor) or mask.shape != tokens.shape:
            mask = None
        kept = tokens >= 0 if mask is None else (tokens >= 0) & (mask > 0).to(tokens.device)
        if mask is not None:  # moves padding to the end, wherever it was
            order = (~kept).long().argsort(dim=1, stable=True)
            tokens, kept = tokens.gather(1, order), kept.gather(1, order)
        entries = {**entries, name: tokens.masked_fill(~kept, PAD)}
    return entries


def refuse_tokens(model: Any, batch: Mapping[str, Any]) -> None:
    """Checks the tokens of the first batch of a run.

    Raises:
        UsageError: if they are no numbers (N, T), or are numbers or lengths that the model was not made for, or number
            0 is a token and no padding.
    """
    for name in {*tokens_of(model)} & {*model.needs, model.subject} & {*batch}:
        value = batch[name]
        if not _is_tokens(value):
            kind = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise UsageError(
                f"'{name}' must be the numbers of tokens, (N, T) int64, got {kind}; make them of texts by "
                "Vocabulary.learn(texts).encode(texts), or let lit_gans.TextLines read the file"
            )
        shape = model.source_text_shape if name == "source" else model.text_shape
        if shape is not None and value.shape[1] and int(value.max()) >= shape[1]:
            raise UsageError(
                f"'{name}' has the number {int(value.max())}, but this {type(model).__name__} was made for "
                f"{shape[1]} tokens, 0 to {shape[1] - 1}; give it the size of your vocabulary, "
                "text_shape=(length, size)"
            )
        if shape is not None and value.shape[1] > shape[0]:
            raise UsageError(
                f"'{name}' has texts of {value.shape[1]} tokens, but this {type(model).__name__} was made for "
                f"{shape[0]}; give it the length of the longest, text_shape=(length, size), or cut the texts"
            )
        _refuse_zeros(name, value)


def _refuse_zeros(name: str, tokens: Tensor) -> None:
    """Refuses the number 0 in the midst of a text, where it would be taken for padding."""
    padding = tokens == PAD
    if bool((padding[:, :-1] & ~padding[:, 1:]).any()):
        raise UsageError(
            f"'{name}' has the number 0 in the midst of a text, where it means padding, as 1 to 4 mean the begin, the "
            "end, an unknown and a hidden token; add 5 to all of them and end each text with 2, or use "
            "lit_gans.text.Vocabulary"
        )


def _is_tokens(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 2 and not value.is_floating_point() and value.dtype != torch.bool
