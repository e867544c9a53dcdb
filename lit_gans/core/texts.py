"""The vocabularies of a model's texts: taken from the data, kept in checkpoints."""

from collections.abc import Iterable, Sequence
from inspect import signature
from typing import Any, ClassVar

import torch
from torch import Tensor

from lit_gans.core.token_batches import TOKENS
from lit_gans.core.watching import Watching
from lit_gans.errors import UsageError, one
from lit_gans.networks.base import portion
from lit_gans.networks.exported import Exported
from lit_gans.networks.sequences import mean_state
from lit_gans.precision import full
from lit_gans.text import Vocabulary, padding_mask


class Texts(Watching):
    """Knows the vocabularies by which the texts of its batches are read.

    They come from the data module when a run begins, or from the checkpoint; with a loader of your own set them:
    ``model.vocabularies["tokens"] = Vocabulary.learn(texts)``.
    """

    #: whether samples, or translations, are texts: of models whose ``subject`` are tokens, which have no value range
    of_texts: ClassVar[bool] = False
    #: by which value the best checkpoint is chosen, and whether its ``"min"`` or its ``"max"`` is best; None leaves it
    #: to the scores of images
    best_score: ClassVar[tuple[str, str] | None] = None
    #: by the name that a batch has for the tokens: ``tokens``, or ``source`` and ``target``
    vocabularies: dict[str, Vocabulary]
    needs: ClassVar[tuple[str, ...]]
    subject: ClassVar[str]
    text_shape: tuple[int, ...] | None
    source_text_shape: tuple[int, ...] | None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "of_texts" not in vars(cls):
            cls.of_texts = getattr(cls, "subject", "") in TOKENS and cls.value_range is None

    def longest(self, name: str = "tokens") -> int | None:
        """Most tokens that a text of that name may have, with its ``END``; None if nobody has said it."""
        shape = self.source_text_shape if name == "source" else self.text_shape
        return None if shape is None else shape[0]

    def sizes(self, name: str = "tokens") -> tuple[int, int]:
        """Most tokens of a text of that name, and the size of its vocabulary.

        Raises:
            UsageError: if nobody has said it.
        """
        argument = "source_text_shape" if name == "source" else "text_shape"
        shape = self.source_text_shape if name == "source" else self.text_shape
        if shape is None:
            raise UsageError(
                f"the networks of {one(self)} need {argument}=(length, vocabulary), the number of tokens "
                f"of the longest text with its end, and that of different tokens; pass the data's {argument}, which "
                "only data of texts have"
            )
        return shape[0], shape[1]

    def encode_text(self, texts: str | Sequence[str], name: str = "tokens", *, known: bool = True) -> Tensor:
        """Tokens (N, T) of texts, on the model's device, each with ``END`` at its end.

        Raises:
            UsageError: if there is no vocabulary, or a text is empty, too long, or has a token that is unknown
                and ``known`` is true.
        """
        texts = [texts] if isinstance(texts, str) else list(texts)
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            raise UsageError(f"{one(self)} reads texts that are not empty, got {texts!r:.80}")
        vocabulary = self.vocabulary(name)
        return vocabulary.encode(texts, length=self.longest(name), known=known).to(self.device)

    def decode_text(self, tokens: Tensor, name: str = "tokens") -> list[str]:
        """The texts of tokens (N, T), each up to its first ``END``.

        Raises:
            UsageError: if there is no vocabulary.
        """
        return self.vocabulary(name).decode(tokens)

    def exported(self, *, to: str | None = None, truncation: float = 1.0) -> Exported:
        """The function that `lit_gans.export` writes, see `Exporting`; of a model of texts there is none.

        Raises:
            UsageError: if there is none, or an option does not go with the model.
        """
        if self.translates_texts:
            self.refuse_export("translates a text in a loop over its tokens")
        if self.of_texts:
            self.refuse_export("writes a text in a loop over its tokens" if self.draws else "reads texts")
        return super().exported(to=to, truncation=truncation)

    def write(self, n: int = 16, *, seed: int | None = None, **options: Any) -> list[str]:
        """Writes n texts: those of the tokens that ``sample(n, seed=seed)`` draws.

        Args:
            n: how many.
            seed: makes the draw repeatable, on any device.
            options: further arguments of `sample`: for most models ``text``, how each begins, ``temperature``, and
                ``top_k``.

        Raises:
            UsageError: if the model draws no texts, or its `sample` does not take an option.
        """
        if not self.of_texts or not self.draws:
            does = "translates texts: use translate_text()" if self.translates_texts else "does not write texts"
            raise UsageError(f"{one(self)} {does}")
        refuse_options(self, options)
        return self.decode_text(self.sample(n, seed=seed, **options), self.subject)

    def translate_text(self, texts: str | Sequence[str], *, beams: int = 1) -> list[str]:
        """Translations of texts, each the best of so many beams.

        Raises:
            UsageError: if the model does not translate texts.
        """
        raise UsageError(f"{one(self)} does not translate texts; a Seq2Seq does")

    @property
    def translates_texts(self) -> bool:
        """Whether `translate_text` translates."""
        return type(self).translate_text is not Texts.translate_text

    def text_states(self, tokens: Tensor) -> Tensor:
        """States (N, T, width) of texts (N, T), whose means are the texts' features; by default refused.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{one(self)} does not give features of texts; use a MaskedLM or an ELECTRA, which learn them")

    @torch.no_grad()
    def encode_texts(self, texts: str | Sequence[str], *, known: bool = True) -> Tensor:
        """Features (N, width) of texts, in float32: the means of the states of all tokens, by the averaged network.

        Args:
            texts: one, or any number of them.
            known: whether every token must be in the vocabulary; otherwise others are read as an unknown one.

        Raises:
            UsageError: if the model does not read texts, or a text is empty, too long, or has a token that is unknown.
        """
        if not self.reads_texts:
            self.text_states(torch.empty(0))  # refuses before anybody asks for a vocabulary
        tokens = self.encode_text(texts, "source" if "source" in self.needs else "tokens", known=known)
        parts = [mean_state(full(self.text_states(part)), padding_mask(part)) for part in tokens.split(portion())]
        return torch.cat(parts)

    @property
    def reads_texts(self) -> bool:
        """Whether `encode_texts` gives features."""
        return type(self).text_states is not Texts.text_states

    def vocabulary(self, name: str = "tokens") -> Vocabulary:
        """The vocabulary of the texts of that name in a batch.

        Raises:
            UsageError: if there is none.
        """
        if name not in self.vocabularies:
            known = ", ".join(self.vocabularies)
            raise UsageError(
                f"this {type(self).__name__} does not have a vocabulary of {name!r}"
                + (f", only of {known}" if known else "")
                + "; it gets one from the data that it is trained on, or from you: "
                f"model.vocabularies[{name!r}] = Vocabulary.learn(texts)"
            )
        return self.vocabularies[name]

    def _take_vocabularies(self, given: dict[str, Vocabulary], place: str) -> None:
        """Takes vocabularies that the model lacks; refuses others than those that it has.

        Raises:
            UsageError: if one is another than the model's, or has more tokens than the model.
        """
        for name, vocabulary in given.items():
            if not isinstance(vocabulary, Vocabulary):
                raise UsageError(f"the vocabulary of {name!r} in {place} must be a Vocabulary, got {vocabulary!r:.60}")
            own = self.vocabularies.setdefault(name, vocabulary)
            if own != vocabulary:
                raise UsageError(
                    f"{place} has another vocabulary of {name!r} ({len(vocabulary)} tokens) than this "
                    f"{type(self).__name__} ({len(own)} tokens), so its numbers would mean other words; use the data "
                    "that the model was trained on"
                )
            shape = self.source_text_shape if name == "source" else self.text_shape
            if shape is not None and len(vocabulary) > shape[1]:
                raise UsageError(
                    f"the vocabulary of {name!r} has {len(vocabulary)} tokens, but this {type(self).__name__} was made "
                    f"for {shape[1]}; make the model with the data's text_shape"
                )


def options_of_sample(model: Any) -> tuple[str, ...]:
    """The names of the options that a model's `sample` takes beside the number of samples."""
    return tuple(name for name in signature(model.sample).parameters if name != "n")


def refuse_options(model: Any, options: Iterable[str]) -> None:
    """Refuses options that a model's `sample` does not take.

    Raises:
        UsageError: with the options that it takes.
    """
    known = options_of_sample(model)
    if unknown := next((name for name in options if name not in known), None):
        raise UsageError(f"{one(model)} does not draw by {unknown}; it draws by {', '.join(known)}")
