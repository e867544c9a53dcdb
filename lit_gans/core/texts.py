"""The vocabularies of a model's texts: taken from the data, kept in checkpoints."""

from collections.abc import Sequence

from torch import Tensor

from lit_gans.core.watching import Watching
from lit_gans.errors import UsageError
from lit_gans.text import Vocabulary


class Texts(Watching):
    """Knows the vocabularies by which the texts of its batches are read.

    They come from the data module when a run begins, or from the checkpoint; with a loader of your own set them:
    ``model.vocabularies["tokens"] = Vocabulary.learn(texts)``.
    """

    #: by the name that a batch has for the tokens: ``tokens``, or ``source`` and ``target``
    vocabularies: dict[str, Vocabulary]
    text_shape: tuple[int, ...] | None
    source_text_shape: tuple[int, ...] | None

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
                f"the networks of a {type(self).__name__} need {argument}=(length, vocabulary), the number of tokens "
                f"of the longest text with its end, and that of different tokens; pass the data's {argument}"
            )
        return shape[0], shape[1]

    def encode_text(self, texts: str | Sequence[str], name: str = "tokens") -> Tensor:
        """Tokens (N, T) of texts, on the model's device, each with ``END`` at its end.

        Raises:
            UsageError: if there is no vocabulary, or a text is empty, too long, or has a token that is unknown.
        """
        texts = [texts] if isinstance(texts, str) else list(texts)
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            raise UsageError(f"a {type(self).__name__} reads texts that are not empty, got {texts!r:.80}")
        vocabulary = self.vocabulary(name)
        return vocabulary.encode(texts, length=self.longest(name), known=True).to(self.device)

    def decode_text(self, tokens: Tensor, name: str = "tokens") -> list[str]:
        """The texts of tokens (N, T), each up to its first ``END``.

        Raises:
            UsageError: if there is no vocabulary.
        """
        return self.vocabulary(name).decode(tokens)

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
