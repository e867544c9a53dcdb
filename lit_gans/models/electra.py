"""Replaced tokens, which a discriminator finds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.core.checks import refuse_backbone, refuse_no_network
from lit_gans.core.generative import Batch
from lit_gans.errors import UsageError, finite_from
from lit_gans.families.masking import SHOWN, MaskingModel
from lit_gans.losses import Terms
from lit_gans.networks.base import evaluating
from lit_gans.networks.masked import NarrowedEmbedding, TokenGuesser, TokenJudge, reader_of_tokens
from lit_gans.networks.sequences import SequenceBackbone
from lit_gans.optim import ExponentialAverage
from lit_gans.precision import full
from lit_gans.text import draw_tokens, gaps, padding_mask

_BINS, _LARGEST = 2**16, 20.0  # of the histogram of scores; a larger score is as good as certain


class ELECTRA(MaskingModel):
    """A small generator guesses hidden tokens, and a discriminator finds which tokens of the text were replaced.

    Clark, Luong, Le & Manning 2020, *ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators*,
    arXiv:2003.10555.

    As in `MaskedLM` the generator G minimises `-E log G(x_i | x')` over the chosen places of a text x with gaps x'. A
    draw from G at these places gives the text y. The discriminator D says of every token whether it is the original's,
    and minimises `-E 1/T sum_t [y_t = x_t] log D(y, t) + [y_t != x_t] log(1 - D(y, t))`, with the weight 50: over all
    tokens, and a guess that is right counts as original.

    It is like a GAN, but no game: the draw has no gradient, and G is trained to be right, not to deceive D. G is a
    quarter as wide as D; both share the embedding of the tokens. After training D alone is used.

    Good at: features of texts (`encode_texts`), learned from all tokens; which tokens of a text are odd (`realness`).
    Bad at: writing texts.

    Args:
        generator: maps tokens (N, T) and places (N, K) to logits (N, K, vocabulary).
        discriminator: maps tokens (N, T) to scores (N, T), and has an ``encoder``.
        backbone: makes the encoders where networks are not given: the discriminator's, and a narrow one.
        generator_share: width of the generator's encoder, as a share of the discriminator's.
        detection: weight of the discriminator's term.
        temperature: divides the generator's logits before a token is drawn.
        masking: arguments of `MaskingModel`: masked, hidden, text_shape, optimizer and so on.

    Raises:
        UsageError: if a number is out of range, or there is no ``text_shape`` to make networks by.

    Examples:
        >>> from lit_gans.text import Vocabulary
        >>> words = Vocabulary.learn(["the keys are here", "the key is here"])
        >>> model = ELECTRA(text_shape=(6, len(words)))
        >>> model.vocabularies["tokens"] = words
        >>> model.encode_texts(["the key is here", "the keys"]).shape
        torch.Size([2, 128])
        >>> model.realness(model.encode_text("the keys is here")).shape  # with the end of the text
        torch.Size([1, 5])

    Card: docs/models/electra.md; configuration: examples/configs/electra_grammar.yaml.
    """

    players: ClassVar[tuple[str, ...]] = ("generator", "discriminator")
    # the area under the curve falls while the generator learns
    best_score: ClassVar[tuple[str, str] | None] = ("val/rtd_accuracy", "max")

    def __init__(
        self,
        *,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        backbone: SequenceBackbone | None = None,
        generator_share: float = 0.25,
        detection: float = 50.0,
        temperature: float = 1.0,
        **masking: Any,
    ) -> None:
        super().__init__(backbone=backbone, **masking)
        refuse_backbone(self, backbone, SequenceBackbone, generator=generator, discriminator=discriminator)
        refuse_no_network("generator", generator)
        refuse_no_network("discriminator", discriminator)
        if not 0 < generator_share <= 1:
            raise UsageError(f"generator_share must be in (0, 1], got {generator_share}")
        if not finite_from(0, detection, temperature):
            raise UsageError(
                f"detection and temperature must not be negative, got detection={detection} and "
                f"temperature={temperature}"
            )
        self.generator_share, self.detection, self.temperature = generator_share, detection, temperature
        self.discriminator = self.make_discriminator() if discriminator is None else discriminator
        self.set_generator(self.make_generator() if generator is None else generator)
        self.discriminator_ema = ExponentialAverage(self.discriminator, self.ema_decay) if self.ema_decay else None

    def make_discriminator(self) -> nn.Module:
        """The backbone's encoder with a head that gives every token a score."""
        length, vocabulary = self.sizes()
        return TokenJudge(self.backbone.encoder(vocabulary, length))

    def make_generator(self) -> nn.Module:
        """A narrow encoder with a head that guesses tokens, by the embedding of the discriminator."""
        length, vocabulary = self.sizes()
        encoder = narrowed(self.backbone, self.generator_share).encoder(vocabulary, length)
        shared, own = reader_of_tokens(self.discriminator).tokens, reader_of_tokens(encoder)
        own.tokens = NarrowedEmbedding(shared, own.tokens.embedding_dim)
        return TokenGuesser(encoder, shared)

    # ---------------------------------------------------------------- training

    def loss(self, batch: Batch) -> Terms:
        """The cross-entropy of the guesses, and that of what was replaced."""
        tokens = batch["tokens"]
        chosen = gaps(tokens, self.masked, self.hidden)
        logits = self.generator(chosen.tokens, chosen.places)
        replaced = chosen.filled(tokens, draw_tokens(logits, self.temperature))
        scores, there = full(self.discriminator(replaced)), padding_mask(tokens)
        each = F.binary_cross_entropy_with_logits(scores, (replaced == tokens).to(scores), reduction="none")  # (N, T)
        found = (each * there).sum() / there.sum()
        return {"guess": self.guessing(logits, tokens, chosen), "detection": self.detection * found}

    def averages(self) -> list[tuple[ExponentialAverage, nn.Module]]:
        """The averages of the generator and of the discriminator, with the networks that they follow."""
        own = [] if self.discriminator_ema is None else [(self.discriminator_ema, self.discriminator)]
        return super().averages() + own

    # ---------------------------------------------------------------- what it learned

    @contextmanager
    def inference_discriminator(self) -> Iterator[Any]:
        """The averaged discriminator (the plain one if there is none) in evaluation mode, put back afterwards."""
        average = self.discriminator_ema
        network = self.discriminator if average is None else average.following(self.discriminator)
        with evaluating(network):
            yield network

    def text_states(self, tokens: Tensor) -> Tensor:
        """States (N, T, width) of texts (N, T), by the averaged discriminator's encoder."""
        with self.inference_discriminator() as discriminator:
            return discriminator.encoder(tokens)

    @torch.no_grad()
    def realness(self, tokens: Tensor) -> Tensor:
        """Scores (N, T) of texts (N, T), by the averaged discriminator: above 0 where a token seems to be original.

        Logits, in float32; 0 where there is filling.
        """
        with self.inference_discriminator() as discriminator:
            return full(discriminator(tokens)) * padding_mask(tokens)

    # ---------------------------------------------------------------- validation

    def on_validation_epoch_start(self) -> None:
        """Begins to count the scores of tokens."""
        super().on_validation_epoch_start()
        self._counts = torch.zeros(2, _BINS, dtype=torch.long, device=self.device)

    def on_test_epoch_start(self) -> None:
        """The same as for a validation."""
        super().on_test_epoch_start()
        self._counts = torch.zeros(2, _BINS, dtype=torch.long, device=self.device)

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Logs how well held-out tokens are guessed, and how well those that were replaced are found.

        ``val/mlm_accuracy`` is the share of the generator's best guesses that are right, ``val/copied`` that of its
        draws; ``val/rtd_accuracy`` the share of all tokens of which the discriminator knows whether they are the
        original's, ``val/rtd_auc`` how often it gives an original token a higher score than a replaced one.

        Returns:
            As ``texts``, for the first batch, texts, what became of them, and what the discriminator finds odd.
        """
        tokens = self.receive(batch)["tokens"]
        chosen, logits = self.held_out_guesses(tokens, batch_idx)
        rng = torch.Generator().manual_seed(self.number(batch_idx))
        drawn, there = draw_tokens(logits, self.temperature, rng), padding_mask(tokens)
        replaced = chosen.filled(tokens, drawn)
        original, scores = replaced == tokens, self.realness(replaced)
        self.log_mean("copied", drawn == tokens.gather(1, chosen.places), chosen.used)
        self.log_mean("rtd_accuracy", (scores > 0) == original, there)
        if not self.repeats:
            for row, which in enumerate((~original, original)):
                self._counts[row] += histogram(scores[which & there])
        if batch_idx or "tokens" not in self.vocabularies:
            return {}
        shown = {"text": tokens[:SHOWN], "replaced": replaced[:SHOWN]}
        odd = self.marked(replaced[:SHOWN], scores[:SHOWN] < 0)
        return {"texts": {**{name: self.decode_text(rows) for name, rows in shown.items()}, "found": odd}}

    def marked(self, tokens: Tensor, odd: Tensor) -> list[str]:
        """Tokens (N, T) with spaces between, those in ``odd`` (N, T) in brackets."""
        names = self.vocabulary().tokens
        rows = zip(tokens.tolist(), odd.tolist(), padding_mask(tokens).sum(1).tolist(), strict=True)
        return [
            " ".join(f"[{names[n]}]" if o else names[n] for n, o in zip(row[: size - 1], marks, strict=False))
            for row, marks, size in rows
        ]

    def on_validation_epoch_end(self) -> None:
        """Logs the area under the curve of all devices' tokens."""
        super().on_validation_epoch_end()
        counts = self.trainer.strategy.reduce(self._counts, reduce_op="sum")
        self.log(f"{self.stage_name}/rtd_auc", area(counts).float(), sync_dist=True)

    def on_test_epoch_end(self) -> None:
        """The same as for a validation."""
        self.on_validation_epoch_end()


def narrowed(backbone: SequenceBackbone, share: float) -> SequenceBackbone:
    """A backbone with a share of the width, and heads that are as wide as before, as far as that can be."""
    heads = max(1, round(share * getattr(backbone, "heads", 1)))
    width = max(1, round(share * backbone.width / heads)) * heads
    own = {field.name for field in fields(backbone)}  # type: ignore[arg-type]
    sizes = {"width": width, "heads": heads}
    return replace(backbone, **{name: size for name, size in sizes.items() if name in own})  # type: ignore[type-var]


def histogram(scores: Tensor) -> Tensor:
    """How many scores there are in each bin, from the smallest to the largest, int64."""
    place = ((scores.clamp(-_LARGEST, _LARGEST) + _LARGEST) * (_BINS / (2 * _LARGEST))).long().clamp(max=_BINS - 1)
    return torch.bincount(place, minlength=_BINS)


def area(counts: Tensor) -> Tensor:
    """The probability that the second kind has a larger score than the first; equal ones count half.

    That is the area under the curve of true against false alarms.

    Args:
        counts: (2, bins), how many of each kind there are in each bin; smaller scores first.

    Returns:
        A number in float64; NaN if there are none of a kind.
    """
    low, high = counts.double()
    below = low.cumsum(0) - low / 2
    return (below * high).sum() / (low.sum() * high.sum())
