"""A model that translates texts."""

from typing import Any

from lit_gans.core.text_model import TextModel
from lit_gans.errors import at_least
from lit_gans.families import Translating
from lit_gans.networks import TransformerBackbone


class Seq2Seq(Translating, TextModel):
    """Translates a text into another one: an encoder reads the source, a decoder writes the target, token by token.

    Sutskever, Vinyals & Le 2014, *Sequence to Sequence Learning with Neural Networks*, arXiv:1409.3215. Which paper's
    networks it has is up to the backbone: Cho et al. 2014, arXiv:1406.1078 (``RecurrentBackbone(attention=False)``),
    Bahdanau, Cho & Bengio 2014, arXiv:1409.0473 (``RecurrentBackbone()``), or Vaswani et al. 2017, arXiv:1706.03762
    (``TransformerBackbone()``, the default).

    It minimises `-E sum_t log p(y_t | y_1 ... y_{t-1}, x)` for the pairs of a source x and its target y, as a mean over
    tokens. After a validation there are ``val/nll`` and ``val/perplexity`` of a token, and of some sentences, which
    are translated, ``val/bleu`` (Papineni et al. 2002, doi:10.3115/1073083.1073135), ``val/chrf`` (Popović 2015,
    doi:10.18653/v1/W15-3049), both as sacrebleu has them (Post 2018, arXiv:1804.08771), and ``val/exact``, the
    percentage that is right in every character.

    Good at: pairs of which there are many thousands; a likelihood that is stable to train. Bad at: few pairs; choosing
    among several right translations, whose mean it learns.

    Args:
        scored: how many held-out sentences a validation translates.
        model: arguments of `TextModel`: backbone, label_smoothing, optimizer and so on. A network of your own is a
            `SequenceTranslator`.

    Raises:
        UsageError: if an argument is out of range.

    Examples:
        >>> import torch
        >>> backbone = TransformerBackbone(width=8, layers=1, heads=2)
        >>> model = Seq2Seq(source_text_shape=(6, 20), text_shape=(7, 30), backbone=backbone)
        >>> model.translate_tokens(torch.tensor([[5, 6, 2]])).shape
        torch.Size([1, 7])

    Card: docs/models/seq2seq.md; configuration: examples/configs/seq2seq_numbers.yaml.
    """

    default_backbone = TransformerBackbone()

    def __init__(self, *, scored: int = 500, **model: Any) -> None:
        at_least(0, scored=scored)
        super().__init__(**model)
        self.scored = scored
