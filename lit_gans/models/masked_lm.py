"""The masked language model."""

from typing import Any

from torch import Tensor, nn

from lit_gans.core.checks import refuse_backbone, refuse_no_network
from lit_gans.core.generative import Batch
from lit_gans.families.masking import SHOWN, MaskingModel
from lit_gans.losses import Terms
from lit_gans.networks.masked import TokenGuesser
from lit_gans.networks.sequences import SequenceBackbone
from lit_gans.text import draw_tokens, gaps


class MaskedLM(MaskingModel):
    """Hides some tokens of a text and guesses them from all others: features of texts, without labels.

    Devlin, Chang, Lee & Toutanova 2018, *BERT: Pre-training of Deep Bidirectional Transformers for Language
    Understanding*, arXiv:1810.04805: its masked language model, without the task on pairs of sentences.

    A share of the tokens of a text x is chosen. The network minimises `-E log p(x_i | x')` over the chosen places i,
    where x' is the text with most of them hidden.

    Good at: features of texts (`encode_texts`) for a classifier with few labels. Bad at: learning fast, since it learns
    from a seventh of the tokens (`ELECTRA` from all); writing texts (`LanguageModel`).

    Args:
        generator: maps tokens (N, T) and places (N, K) to logits (N, K, vocabulary), and has an ``encoder``.
        backbone: makes the encoder where no generator is given.
        masking: arguments of `MaskingModel`: masked, hidden, text_shape, optimizer and so on.

    Raises:
        UsageError: if a share is not in (0, 1], or there is no ``text_shape`` to make a network by.

    Examples:
        >>> from lit_gans.text import Vocabulary
        >>> words = Vocabulary.learn(["the keys are here", "the key is here"])
        >>> model = MaskedLM(text_shape=(6, len(words)))
        >>> model.vocabularies["tokens"] = words
        >>> model.encode_texts(["the key is here", "the keys"]).shape
        torch.Size([2, 128])

    Card: docs/models/masked_lm.md; configuration: examples/configs/masked_lm_grammar.yaml.
    """

    def __init__(
        self, *, generator: nn.Module | None = None, backbone: SequenceBackbone | None = None, **masking: Any
    ) -> None:
        super().__init__(backbone=backbone, **masking)
        refuse_backbone(self, backbone, SequenceBackbone, generator=generator)
        refuse_no_network("generator", generator)
        self.set_generator(self.make_generator() if generator is None else generator)

    def make_generator(self) -> nn.Module:
        """The backbone's encoder with a head that guesses tokens."""
        length, vocabulary = self.sizes()
        return TokenGuesser(self.backbone.encoder(vocabulary, length))

    def loss(self, batch: Batch) -> Terms:
        """The cross-entropy of the guesses."""
        chosen = gaps(batch["tokens"], self.masked, self.hidden)
        return {"guess": self.guessing(self.generator(chosen.tokens, chosen.places), batch["tokens"], chosen)}

    def text_states(self, tokens: Tensor) -> Tensor:
        """States (N, T, width) of texts (N, T), by the averaged encoder."""
        with self.inference_generator() as generator:
            encoder: Any = generator.encoder
            return encoder(tokens)

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Logs how often the best guess of a hidden token is right, and the cross-entropy.

        Returns:
            As ``texts``, for the first batch, texts with their gaps and with the guesses.
        """
        tokens = self.receive(batch)["tokens"]
        chosen, logits = self.held_out_guesses(tokens, batch_idx)
        if batch_idx or "tokens" not in self.vocabularies:
            return {}
        filled = chosen.filled(tokens, draw_tokens(logits, temperature=0))
        shown = {"text": tokens, "with gaps": chosen.tokens, "guessed": filled}
        return {"texts": {name: self.decode_text(rows[:SHOWN]) for name, rows in shown.items()}}
