"""Sets of texts that are made on the spot: numbers in words, and sentences of a grammar."""

import pytest
import torch
from conftest import refused
from num2words import num2words

from lit_gans.data import GrammarLines, NumberPairs
from lit_gans.data.grammar import _links, _violated
from lit_gans.data.number_pairs import spelled

# -------------------------------------------------------------------- numbers


@pytest.mark.parametrize("language", ["en", "de", "ko"])
def test_words_are_those_of_num2words(language):
    numbers = [*range(1, 130), 1000, 1001, 9999, 10_000, 98_765, 123_456, 999_999]
    for number in numbers:
        assert spelled("cardinal", number, 0, language) == num2words(number, lang=language)
    for year in (1100, 1905, 1984, 2005, 2099):
        assert spelled("year", year, 0, language) == num2words(year, lang=language, to="year")
    ordinals = numbers if language != "ko" else [n for n in range(1, 100) if n != 20]
    for number in ordinals:
        assert spelled("ordinal", number, 0, language) == num2words(number, lang=language, to="ordinal")
    assert spelled("dollars", 12, 34, language) == num2words("12.34", lang=language, to="currency", currency="USD")


def test_what_num2words_gets_wrong():
    """101,000 in German; in Korean the 20th, the 100th, and most of those above."""
    assert spelled("cardinal", 101_101, 0, "de") == "einhunderteintausendeinhunderteins"
    korean = {20: "스무 번째", 100: "백 번째", 101: "백한 번째", 120: "백스무 번째", 2005: "이천다섯 번째"}
    korean |= {10_000: "만 번째", 10_001: "만 한 번째", 98_765: "구만 팔천칠백예순다섯 번째", 100_000: "십만 번째"}
    assert {number: spelled("ordinal", number, 0, "ko") for number in korean} == korean


@pytest.mark.parametrize(("source", "target"), [("en", "de"), ("de", "ko"), ("digits", "en"), ("ko", "digits")])
def test_every_source_has_one_answer_and_no_number_is_in_two_splits(source, target):
    data = NumberPairs(source, target, count=200, held_out=0.3)
    numbers = {}
    for split, count in (("train", 200), ("val", 20), ("test", 20)):
        texts = data.texts(split)
        assert len(texts["source"]) == len({*texts["source"]}) == count
        assert data.correct(texts["source"], texts["target"]) == [True] * count
        digits = texts["source"] if source == "digits" else texts["target"] if target == "digits" else []
        numbers[split] = {int(text.removeprefix("AD ").strip("$.").partition(".")[0]) for text in digits}
    assert not numbers["train"] & (numbers["val"] | numbers["test"]) and not numbers["val"] & numbers["test"]
    again = NumberPairs(source, target, count=200, held_out=0.3)
    assert again.texts("test") == data.texts("test") and again.vocabularies == data.vocabularies
    other = NumberPairs(source, target, count=200, held_out=0.3, seed=1)
    assert other.texts("train") != data.texts("train")
    assert not {*other.texts("train")["source"]} & {*data.texts("test")["source"]}


def test_a_year_that_reads_as_the_plain_number_has_two_answers_and_does_not_occur():
    data = NumberPairs("en", "ko", count=300, kinds=["year"], held_out=0.2)
    sources = [text for split in data.own_splits for text in data.texts(split)["source"]]
    assert any(text.startswith("nineteen ") for text in sources)
    assert not any("thousand" in text for text in sources)


def test_kinds_and_shares():
    data = NumberPairs("digits", "en", count=400, held_out=0.2)
    texts = data.texts("train")["source"]
    for mark in ("AD ", "$"):
        assert 60 < sum(text.startswith(mark) for text in texts) < 160
    assert 60 < sum(text.endswith(".") for text in texts) < 160
    held_out = [data._split_of(number) for number in range(1, 20_000)]
    assert [round(held_out.count(split) / 20_000, 1) for split in ("train", "val", "test")] == [0.8, 0.1, 0.1]
    assert {len(text) for text in texts if text.isdigit()} == {1, 2, 3, 4, 5}
    subwords = NumberPairs("en", "de", count=100, tokens="subwords", vocabulary_size=120)
    assert subwords.text_shape[1] == 120 and subwords.text_shape[0] < 40


@pytest.mark.parametrize("make", [NumberPairs, GrammarLines])
def test_vocabulary_and_length_depend_on_neither_seed_nor_count(make):
    few, other = make(count=20), make(count=100, seed=5)
    assert few.vocabularies == other.vocabularies
    assert few.text_shape == other.text_shape and few.source_text_shape == other.source_text_shape
    for data in (few, other):
        for split in data.own_splits:
            assert not any((values == 3).any() for values in data.samples(split)[:].values() if torch.is_tensor(values))


def test_answers():
    data = NumberPairs(count=20)
    source, target = (data.texts("test")[name] for name in ("source", "target"))
    assert data.correct(source, [f" {target[0]} ", "falsch"]) == [True, False]
    refused(lambda: data.correct(source[:1], []), "1 sources and 0 translations")
    refused(lambda: data.correct(["a dog"], ["ein Hund"]), "'a dog' is no source of this NumberPairs")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"source": "fr"}, "source must be one of digits, en, de, ko, got 'fr'"),
        ({"source": "de"}, "must be two languages, got 'de' twice"),
        ({"count": 5}, "count must be at least 10"),
        ({"largest": 10**6}, "largest must be at most 999,999"),
        ({"held_out": 0}, "held_out must be a share between 0 and 1"),
        ({"kinds": ["cardinal", "fraction"]}, "kinds must be some of cardinal, ordinal, year, dollars"),
        ({"kinds": []}, "kinds must be some of"),
    ],
)
def test_numbers_that_cannot_be(arguments, says):
    refused(lambda: NumberPairs(**arguments), says)


def test_more_pairs_than_there_are():
    data = NumberPairs(count=1000, largest=99, kinds=["cardinal"])
    refused(lambda: data.setup(), "there are not 1,000 different pairs to train on", "lower data.count")


# -------------------------------------------------------------------- a grammar


@pytest.fixture(scope="module")
def grammar():
    data = GrammarLines(count=3000, label="tense")
    data.setup()
    return data


def test_sentences_of_the_grammar_break_nothing(grammar):
    for split in ("train", "val", "test"):
        for text in grammar.texts(split)["tokens"]:
            words = text.split()
            assert not any(_violated(link, words, words) for link in _links(words)), text
    assert 150 <= grammar.text_shape[1] <= 300
    texts = {split: {*grammar.texts(split)["tokens"]} for split in ("train", "val", "test")}
    assert not texts["train"] & (texts["val"] | texts["test"])
    tokens = grammar.samples("test")[:]["tokens"]
    assert not (tokens == 3).any() and not grammar.breaks(tokens, tokens).any()


@pytest.mark.parametrize(
    ("before", "after", "broken"),
    [
        ("the keys near the cabinet are red", "the key near the cabinet are red", [1]),
        ("the keys near the cabinet are red", "the keys near the cabinet is red", [5]),
        ("the keys near the cabinet are red", "the key near the cabinet is red", []),
        ("the keys near the cabinet are red", "the lamps near the table are green", []),
        ("the keys near the cabinet are red", "the keys near the cabinets are red", []),
        ("the keys near a cabinet are red", "the keys near a cabinets are red", [4]),
        ("the keys near a cabinet are red", "the keys near two cabinets are red", []),
        ("the keys near a cabinet are red", "the keys near two tables is red", [5]),
        ("yesterday the boys walked", "tomorrow the boys walked", [0]),
        ("yesterday the boys walked", "yesterday the boys walk", [3]),
        ("yesterday the boys walked", "recently the boys waited", []),
        ("yesterday the boys walked", "yesterday the boy walked", []),
        ("yesterday the boys walked", "soon the boys walks", [0, 3]),
        ("the boy will walk soon", "the boy will walked soon", [3]),
        ("the boy will walk soon", "the boys will wait soon", []),
        ("the boy will walk soon", "the boy will walk now", [4]),
        ("the boy who likes the dogs walks", "the boy who like the dogs walks", [3]),
        ("the boy who likes the dogs walks", "the boys who likes the dogs walks", [1]),
        ("the boy who likes the dogs walks", "the red who likes green dogs who", []),
        ("the boy walks", "the boy boy", []),
    ],
)
def test_what_breaks_agreement_or_tense(grammar, before, after, broken):
    words = grammar.vocabularies["tokens"]
    first, second = words.encode([before], known=True), words.encode([after], known=True)
    assert grammar.breaks(first, second)[0].nonzero()[:, 0].tolist() == broken


def test_words_that_may_stand_in_the_same_place(grammar):
    words = grammar.vocabularies["tokens"]
    first, second = (words.encode([text]) for text in ("the keys near a cabinet", "many lamps red the clocks"))
    assert grammar.alike(first, second).tolist() == [[False, True, False, False, False, True]]
    assert grammar.alike(first, first).all()


def test_labels_of_the_grammar(grammar):
    samples = grammar.samples("train")
    past, future = {"was", "were"}, {"will"}
    for text, label in zip(grammar.texts("train")["tokens"], samples.values("label").tolist(), strict=True):
        words = {*text.split()}
        assert label == 2 if words & future else label in (0, 1)
        assert label == 0 if words & (past | {"yesterday", "recently"}) else True
    assert grammar.num_classes == 3 and grammar.facts()["classes"].startswith("3: past (")
    data = GrammarLines(count=200, label="number")
    labels = data.samples("train").values("label").tolist()
    for text, label in zip(data.texts("train")["tokens"], labels, strict=True):
        assert {"is", "was"} & {*text.split()} <= ({"is", "was"} if label == 0 else set())
    assert set(labels) == {0, 1} and data.num_classes == 2
    plain = GrammarLines(count=20)
    assert plain.num_classes is None and sorted(plain.samples("train")[:]) == ["tokens"]


def test_the_grammar_refuses_what_it_cannot_judge(grammar):
    refused(lambda: GrammarLines(label="mood"), "label must be 'tense' or 'number', got 'mood'")
    refused(lambda: GrammarLines(count=3), "count must be at least 10")
    characters = GrammarLines(count=20, tokens="characters")
    row = torch.tensor([[5, 6, 2]])
    refused(lambda: characters.breaks(row, row), "make the data with tokens='words'")
    other = grammar.vocabularies["tokens"].encode(["red red red"])
    refused(lambda: grammar.breaks(other, other), "'red red red [END]' is no sentence of this grammar")
