"""Texts as rows of numbers: vocabularies, padding and its mask, gaps to guess."""

from lit_gans.text.masking import Gaps, draw_tokens, gaps
from lit_gans.text.scores import translation_scores
from lit_gans.text.self_bleu import self_bleu
from lit_gans.text.vocabulary import (
    BEGIN,
    END,
    MASK,
    PAD,
    SPECIAL,
    UNKNOWN,
    Vocabulary,
    VocabularyKind,
    ended,
    lengths,
    padded,
    padding_mask,
)

__all__ = [
    "BEGIN",
    "END",
    "MASK",
    "PAD",
    "SPECIAL",
    "UNKNOWN",
    "Gaps",
    "Vocabulary",
    "VocabularyKind",
    "draw_tokens",
    "ended",
    "gaps",
    "lengths",
    "padded",
    "padding_mask",
    "self_bleu",
    "translation_scores",
]
