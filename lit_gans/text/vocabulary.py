"""Vocabularies: texts to rows of numbers and back, by the ``tokenizers`` library."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from lit_gans.errors import UsageError, at_least, nearest

VocabularyKind = Literal["words", "subwords", "characters", "bytes"]

#: the numbers of the tokens that every vocabulary has: filling, start and end of a text, an unknown token, a hidden one
PAD, BEGIN, END, UNKNOWN, MASK = range(5)
SPECIAL = ("[PAD]", "[BEGIN]", "[END]", "[UNKNOWN]", "[MASK]")
_SAID = 12  # known tokens that an error names


class Vocabulary:
    """Maps texts to rows of numbers and back; a checkpoint and its data agree on it.

    The first five numbers are the same in every vocabulary: ``PAD`` 0 fills rows of a batch up to the longest,
    ``BEGIN`` 1 and ``END`` 2 stand around a text, ``UNKNOWN`` 3 is a token that the vocabulary does not have, ``MASK``
    4 one that a model has to guess.

    Make one by `learn`, or from a checkpoint's JSON.

    Args:
        text: the JSON of a tokenizer of the ``tokenizers`` library, whose first five tokens are those above.

    Raises:
        UsageError: if it is something else.

    Examples:
        >>> words = Vocabulary.learn(["a red seven", "a blue one"])
        >>> words.encode(["a blue seven", "a one"])
        tensor([[5, 6, 9, 2],
                [5, 7, 2, 0]])
        >>> words.decode(words.encode(["a blue seven"]))
        ['a blue seven']
    """

    def __init__(self, text: str) -> None:
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_str(text)
            tokens = tuple(self._tokenizer.id_to_token(number) for number in range(len(SPECIAL)))
        except Exception as error:  # whatever the library raises, which it does not say
            raise UsageError(f"a vocabulary is read from the JSON of a tokenizer, which this is not: {error}") from None
        if tokens != SPECIAL:
            raise UsageError(f"a vocabulary begins with the tokens {', '.join(SPECIAL)}, got {tokens}")
        self._text = json.dumps(json.loads(text), ensure_ascii=False, sort_keys=True)

    @classmethod
    def learn(
        cls,
        texts: Iterable[str],
        kind: VocabularyKind = "words",
        size: int | None = None,
        lowercase: bool = False,
    ) -> "Vocabulary":
        """A vocabulary for texts like these.

        Args:
            texts: at least one.
            kind: ``words`` are split at spaces and around punctuation; ``subwords`` are pieces of words, the
                commonest first (byte pair encoding, Sennrich et al. 2016, arXiv:1508.07909); ``characters``;
                ``bytes``, which know every text.
            size: most tokens, with the five special ones; by default 500 for subwords, no limit for the others.
            lowercase: whether capital letters are read as small ones.

        Raises:
            UsageError: if there is no text, or the kind or the size cannot be.
        """
        from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

        if kind not in get_args(VocabularyKind):
            raise UsageError(f"a vocabulary is of {', '.join(get_args(VocabularyKind))}, got {kind!r}")
        at_least(len(SPECIAL) + 1, vocabulary_size=size)
        texts = list(texts)
        if not any(text.strip() for text in texts):
            raise UsageError("a vocabulary is learned from texts, but there is none that is not empty")
        unknown, special = SPECIAL[UNKNOWN], list(SPECIAL)
        options: dict[str, Any] = {"special_tokens": special, "show_progress": False}
        if kind == "words":
            tokenizer = Tokenizer(models.WordLevel({}, unknown))
            tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
            trainer: Any = trainers.WordLevelTrainer(vocab_size=size or 2**31, **options)
        elif kind == "characters":
            tokenizer = Tokenizer(models.WordLevel({}, unknown))
            tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
            tokenizer.decoder = decoders.Fuse()
            trainer = trainers.WordLevelTrainer(vocab_size=size or 2**31, **options)
        elif kind == "subwords":
            tokenizer = Tokenizer(models.BPE(unk_token=unknown))
            tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
            tokenizer.decoder = decoders.Metaspace()
            trainer = trainers.BpeTrainer(vocab_size=size or 500, **options)
        else:
            tokenizer = Tokenizer(models.BPE(unk_token=unknown))
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
            tokenizer.decoder = decoders.ByteLevel()
            alphabet = pre_tokenizers.ByteLevel.alphabet()
            trainer = trainers.BpeTrainer(
                vocab_size=len(special) + len(alphabet), initial_alphabet=sorted(alphabet), **options
            )
        form: list[Any] = [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
        tokenizer.normalizer = normalizers.Sequence(form)
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer.to_str())

    def to_json(self) -> str:
        """The vocabulary as the constructor takes it; equal vocabularies have equal ones."""
        return self._text

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Vocabulary of {len(self)} tokens"

    def __reduce__(self) -> Any:
        return Vocabulary, (self._text,)

    @property
    def tokens(self) -> list[str]:
        """All tokens in the order of their numbers, the five special ones first."""
        return [str(self._tokenizer.id_to_token(number)) for number in range(len(self))]

    @property
    def of_characters(self) -> bool:
        """Whether every token is a single character, or byte."""
        return all(len(token) == 1 for token in self.tokens[len(SPECIAL) :])

    def rows(self, texts: Sequence[str], *, known: bool = False) -> list[list[int]]:
        """The numbers of every text's tokens, without ``BEGIN`` and ``END``.

        Args:
            texts: any number of them.
            known: whether every token must be in the vocabulary.

        Raises:
            UsageError: if ``known`` is true and a token is not.
        """
        found = [row.ids for row in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]
        if known:
            for text, row in zip(texts, found, strict=True):
                if UNKNOWN in row:
                    self._refuse(text)
        return found

    def encode(self, texts: Sequence[str], *, length: int | None = None, known: bool = False) -> Tensor:
        """Rows of numbers, each with ``END`` after its text and ``PAD`` after that.

        Args:
            texts: any number of them.
            length: most tokens of a text, with its ``END``; longer ones are refused. By default no limit.
            known: whether every token must be in the vocabulary.

        Returns:
            (N, T) int64, T that of the longest.

        Raises:
            UsageError: if a text is longer than ``length``, or ``known`` is true and a token is unknown.
        """
        found = [[*row, END] for row in self.rows(texts, known=known)]
        for text, row in zip(texts, found, strict=True):
            if length is not None and len(row) > length:
                raise UsageError(
                    f"a text may have {length - 1} tokens here, but {_shown(text)} has {len(row) - 1}; shorten it"
                )
        return padded(found)

    def decode(self, tokens: Tensor | Sequence[Sequence[int]]) -> list[str]:
        """The texts of rows of numbers (N, T), each up to its first ``END``."""
        rows = tokens.tolist() if isinstance(tokens, Tensor) else tokens
        cut = [row[: row.index(END)] if END in row else row for row in rows]
        kept = [[number for number in row if number not in (PAD, BEGIN)] for row in cut]
        return list(self._tokenizer.decode_batch(kept, skip_special_tokens=False))

    def _refuse(self, text: str) -> None:
        """Raises the error that names the first unknown token of a text."""
        row = self._tokenizer.encode(text, add_special_tokens=False)
        start, end = row.offsets[row.ids.index(UNKNOWN)]
        word, known = text[start:end], self.tokens[len(SPECIAL) :]
        some = ", ".join(known[:_SAID]) + (", ..." if len(known) > _SAID else "")
        hint = nearest(word, known).partition(" choose from")[0]  # "; did you mean ...?" or ";"
        raise UsageError(f"{word!r} in {_shown(text)} is not in the vocabulary{hint} it has {len(known)}: {some}")


def _shown(text: str, most: int = 60) -> str:
    return repr(text if len(text) <= most else f"{text[: most - 3]}...")


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of numbers as one tensor (N, T) int64, T that of the longest, with ``PAD`` at their ends."""
    longest = max(map(len, rows), default=0)
    return torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows], dtype=torch.long).view(
        len(rows), longest
    )


def padding_mask(tokens: Tensor) -> Tensor:
    """Whether there is a token, and no filling, at each place of (N, T) tokens: (N, T) bool."""
    return tokens != PAD


def lengths(tokens: Tensor) -> Tensor:
    """The number of tokens, without filling, of each row of (N, T): (N,) int64."""
    return padding_mask(tokens).sum(1)


def ended(tokens: Tensor) -> Tensor:
    """Replaces everything behind the first ``END`` of each row of (N, T) by ``PAD``."""
    behind = (tokens == END).cumsum(1) - (tokens == END).long() > 0
    return tokens.masked_fill(behind, PAD)
