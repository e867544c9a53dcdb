"""Models that translate texts, however they were trained."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lit_gans.core.generative import Batch
from lit_gans.core.held_out_texts import HeldOutTexts
from lit_gans.devices import gathered
from lit_gans.errors import at_least
from lit_gans.networks import SequenceTranslator
from lit_gans.networks.base import portion
from lit_gans.networks.generation import beam, greedy
from lit_gans.networks.sequences import SequenceBackbone, begun
from lit_gans.text import translation_scores


class Translating(HeldOutTexts):
    """A generator that is a `SequenceTranslator`, from ``source`` to ``target``.

    A validation translates some sentences: ``val/bleu``, ``val/chrf`` and ``val/exact``, see `translation_scores`.
    """

    needs: ClassVar[tuple[str, ...]] = ("source", "target")
    subject: ClassVar[str] = "target"
    backbone: SequenceBackbone

    #: how many held-out sentences a validation translates
    scored: int
    _translated: list[tuple[str, str]] | None = None
    _rows = 0  # of the largest batch of this validation

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
        self._translated = [*(self._translated or []), *zip(shown["translation"], shown["target"], strict=True)]
        return shown

    def on_validation_epoch_end(self) -> None:
        """Logs the perplexity, and the scores of all devices' translations."""
        super().on_validation_epoch_end()
        pairs = [pair for each in gathered(self._translated or []) for pair in each]
        self._translated, self._rows = None, 0
        if pairs and not self.trainer.sanity_checking:
            translations, targets = ([pair[i] for pair in pairs] for i in range(2))
            scores = translation_scores(translations, targets, self.vocabulary("target").of_characters)
            self.log_dict({f"{self.stage_name}/{name}": score for name, score in scores.items()})
