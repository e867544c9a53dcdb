"""A model that translates texts."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lit_gans.core.generative import Batch
from lit_gans.core.text_model import TextModel
from lit_gans.devices import gathered
from lit_gans.errors import at_least
from lit_gans.networks import SequenceTranslator, TransformerBackbone
from lit_gans.networks.base import portion
from lit_gans.networks.generation import beam, greedy
from lit_gans.networks.sequences import begun
from lit_gans.text import translation_scores


class Seq2Seq(TextModel):
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
        >>> backbone = TransformerBackbone(width=8, layers=1, heads=2)
        >>> model = Seq2Seq(source_text_shape=(6, 20), text_shape=(7, 30), backbone=backbone)
        >>> model.translate_tokens(torch.tensor([[5, 6, 2]])).shape
        torch.Size([1, 7])

    Card: docs/models/seq2seq.md; configuration: examples/configs/seq2seq_numbers.yaml.
    """

    needs: ClassVar[tuple[str, ...]] = ("source", "target")
    subject: ClassVar[str] = "target"
    default_backbone = TransformerBackbone()

    def __init__(self, *, scored: int = 500, **model: Any) -> None:
        at_least(0, scored=scored)
        super().__init__(**model)
        self.scored = scored
        self._translated: list[tuple[str, str]] = []
        self._rows = 0  # of the largest batch of this validation

    def make_generator(self) -> nn.Module:
        """The backbone's encoder and decoder."""
        (length, vocabulary), (target_length, target_vocabulary) = self.sizes("source"), self.sizes("target")
        encoder = self.backbone.encoder(vocabulary, length)
        return SequenceTranslator(encoder, self.backbone.decoder(target_vocabulary, target_length, encoder.width))

    def predicted(self, network: nn.Module, batch: Batch) -> Tensor:
        """Logits (N, T, vocabulary) for the tokens of the target."""
        return network(batch["source"], begun(batch["target"]))

    # ---------------------------------------------------------------- translating

    def translate_text(self, texts: str | Sequence[str], *, beams: int = 1, length_penalty: float = 1.0) -> list[str]:
        """Translations of texts by the averaged networks.

        Args:
            texts: one, or any number of them.
            beams: beginnings that are kept at every token; 1 takes the likeliest token at every place.
            length_penalty: of `beam`: 0 prefers short translations, 1 the likeliest by the token.

        Returns:
            One for each text.

        Raises:
            UsageError: if the model has no vocabularies, an option is out of range, or a text is empty, too long, or
                has a token that is unknown.
        """
        tokens = self.encode_text(texts, "source")
        return self.decode_text(self.translate_tokens(tokens, beams, length_penalty), "target")

    @torch.no_grad()
    def translate_tokens(self, source: Tensor, beams: int = 1, length_penalty: float = 1.0) -> Tensor:
        """Translations (N, length) of tokens (N, S) by the averaged networks, with ``PAD`` after the end."""
        at_least(1, beams=beams)
        with self.inference_generator() as network:
            parts = [
                self._written(network, part.to(self.device), beams, length_penalty)
                for part in source.split(max(portion() // beams, 1))
            ]
        return torch.cat(parts)

    def _written(self, network: Any, source: Tensor, beams: int, length_penalty: float) -> Tensor:
        memory, mask = network.read(source)
        length, given = self.sizes("target")[0], {"memory": memory, "memory_mask": mask}
        if beams == 1:
            return greedy(network.decoder, len(source), length, **given)
        return beam(network.decoder, len(source), length, beams, length_penalty=length_penalty, **given)

    def text_states(self, tokens: Tensor) -> Tensor:
        """States (N, S, width) of source texts (N, S), by the averaged encoder."""
        with self.inference_generator() as generator:
            network: Any = generator
            return network.read(tokens)[0]

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """The tokens (N, length) of translations of a batch."""
        return self.translate_tokens(self.receive(batch)["source"])

    # ---------------------------------------------------------------- held-out texts

    def texts_of(self, batch: Batch, batch_idx: int) -> dict[str, list[str]]:
        """Sources, targets and translations of the first ``scored`` sentences of a validation."""
        self._rows = max(self._rows, len(batch["source"]))
        before = self.number(batch_idx) * self._rows
        if self.repeats or before >= self.scored or not {"source", "target"} <= self.vocabularies.keys():
            return {}
        source, target = (batch[name][: self.scored - before] for name in ("source", "target"))
        shown = {
            "source": self.decode_text(source, "source"),
            "target": self.decode_text(target, "target"),
            "translation": self.decode_text(self.translate_tokens(source), "target"),
        }
        self._translated += zip(shown["translation"], shown["target"], strict=True)
        return shown

    def on_validation_epoch_end(self) -> None:
        """Logs the perplexity, and the scores of all devices' translations."""
        super().on_validation_epoch_end()
        pairs = [pair for each in gathered(self._translated) for pair in each]
        self._translated, self._rows = [], 0
        if pairs and not self.trainer.sanity_checking:
            translations, targets = ([pair[i] for pair in pairs] for i in range(2))
            scores = translation_scores(translations, targets, self.vocabulary("target").of_characters)
            self.log_dict({f"{self.stage_name}/{name}": score for name, score in scores.items()})
