"""Vocabularies: texts to numbers and back."""

import pickle

import pytest
import torch

from lit_gans.errors import UsageError
from lit_gans.text import BEGIN, END, MASK, PAD, SPECIAL, UNKNOWN, Vocabulary, ended, lengths, padded, padding_mask

TEXTS = ["zweiundzwanzig tausend und eins", "이십이 사만", "dreißig, Tausend."]


@pytest.mark.parametrize("kind", ["subwords", "characters", "bytes"])
def test_new_texts_of_known_characters_come_back_as_they_were(kind):
    words = Vocabulary.learn(TEXTS, kind)
    new = ["zwei und 이사, Taus.", "Tausend"]
    tokens = words.encode(new, known=True)
    assert words.decode(tokens) == new
    assert tokens.dtype == torch.long and tokens[0, -1] == END and tokens[1, -1] == PAD


def test_every_text_has_bytes():
    words = Vocabulary.learn(["a"], "bytes")
    assert len(words) == 256 + len(SPECIAL)
    assert words.decode(words.encode(["日本 ☃"], known=True)) == ["日本 ☃"]


@pytest.mark.parametrize("kind", ["words", "subwords", "characters", "bytes"])
def test_the_same_texts_give_the_same_vocabulary_and_json_gives_it_back(kind):
    words = Vocabulary.learn(TEXTS, kind)
    assert words == Vocabulary.learn(TEXTS, kind) == Vocabulary(words.to_json()) == pickle.loads(pickle.dumps(words))
    assert words.tokens[:5] == list(SPECIAL) and words != Vocabulary.learn(["b"], kind, lowercase=True)


def test_an_unknown_token_is_counted_or_named():
    words = Vocabulary.learn(["a red seven on blue"])
    assert words.encode(["a green seven"])[0].tolist()[1] == UNKNOWN
    with pytest.raises(
        UsageError, match="'rad' in 'a rad seven' is not in the vocabulary; did you mean red\\? it has 5"
    ):
        words.encode(["a rad seven"], known=True)


def test_capital_letters_can_be_read_as_small_ones():
    words = Vocabulary.learn(["A red Seven"], lowercase=True)
    assert words.decode(words.encode(["a RED seven"], known=True)) == ["a red seven"]


def test_a_text_that_is_too_long_is_refused():
    words = Vocabulary.learn(["a red seven"])
    assert words.encode(["a red seven"], length=4).shape == (1, 4)
    with pytest.raises(UsageError, match="may have 2 tokens here, but 'a red seven' has 3"):
        words.encode(["a red seven"], length=3)


def test_subwords_are_as_many_as_asked():
    texts = [f"{a}{b}" for a in ("zwei", "drei", "vier") for b in ("undzwanzig", "unddreißig", "hundert")]
    assert len(Vocabulary.learn(texts, "subwords", 40)) == 40


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Vocabulary.learn([]), "there is none that is not empty"),
        (lambda: Vocabulary.learn(["  "]), "there is none that is not empty"),
        (lambda: Vocabulary.learn(["a"], "letters"), "is of words, subwords, characters, bytes, got 'letters'"),
        (lambda: Vocabulary.learn(["a"], size=5), "vocabulary_size must be at least 6, got 5"),
        (lambda: Vocabulary("{}"), "is read from the JSON of a tokenizer"),
    ],
)
def test_a_vocabulary_that_cannot_be_is_refused(call, says):
    with pytest.raises(UsageError, match=says):
        call()


def test_padding_is_at_the_end_of_rows():
    tokens = padded([[5, 6, END], [7, END]])
    assert tokens.tolist() == [[5, 6, END], [7, END, PAD]]
    assert lengths(tokens).tolist() == [3, 2] and not padding_mask(tokens)[1, 2]
    assert ended(torch.tensor([[5, END, 7, END], [5, 6, 7, 8]])).tolist() == [[5, END, PAD, PAD], [5, 6, 7, 8]]
    assert padded([]).shape == (0, 0) and {PAD, BEGIN, END, UNKNOWN, MASK} == set(range(5))
