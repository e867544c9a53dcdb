"""English sentences of a small grammar, which knows what agrees with what: texts that need no download."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal
from zlib import crc32

import torch
from torch import Tensor

from lit_gans.data import drawing
from lit_gans.data.text import TextData
from lit_gans.errors import UsageError, at_least

#: a word's kind, its number (0 one, 1 several, None either) and its tense (0 past, 1 present, 2 future, None no matter)
Word = tuple[str, int | None, int | None]

_PEOPLE = "boy girl dog cat teacher farmer doctor singer bird horse friend neighbour sister brother soldier"
_THINGS = "key cabinet picture book letter window garden house tree river bridge road table chair lamp clock"
_ODD = {"child": "children", "woman": "women", "man": "men", "mouse": "mice"}
_PEOPLE_FORMS = [(noun, f"{noun}s") for noun in _PEOPLE.split()] + list(_ODD.items())
_THING_FORMS = [(noun, f"{noun}s") for noun in _THINGS.split()]
_REGULAR = "walk wait work play laugh cook dance rest stay arrive"
_PAST = {"sleep": "slept", "sing": "sang", "run": "ran", "speak": "spoke", "stand": "stood", "come": "came"}
_PAST |= {verb: f"{verb.removesuffix('e')}ed" for verb in _REGULAR.split()} | {"swim": "swam", "write": "wrote"}
_RELATIVE = ("like", "know", "see", "hear", "follow", "help", "find", "visit")
_OF_PEOPLE = ("small", "big", "quiet", "young", "tired", "happy", "ready", "cold", "busy", "clever")
_OF_THINGS = ("small", "big", "red", "green", "heavy", "clean", "dark", "warm", "cold", "new", "broken")
_PLACES = ("in", "on", "near", "behind", "under", "beside", "by")
_DETERMINERS = {"the": None, "a": 0, "this": 0, "every": 0, "these": 1, "many": 1, "several": 1, "two": 1}
_TIMES = {"yesterday": 0, "recently": 0, "now": 1, "currently": 1, "tomorrow": 2, "soon": 2}
_BE = {(0, 0): "was", (0, 1): "were", (1, 0): "is", (1, 1): "are"}

_WORDS: dict[str, Word] = {
    noun: ("noun", number, None) for pair in _PEOPLE_FORMS + _THING_FORMS for number, noun in enumerate(pair)
}
_WORDS |= {word: ("determiner", number, None) for word, number in _DETERMINERS.items()}
_WORDS |= {word: ("time", None, tense) for word, tense in _TIMES.items()}
_WORDS |= {f"{verb}s": ("verb", 0, 1) for verb in (*_PAST, *_RELATIVE)}
_WORDS |= dict.fromkeys((*_PAST, *_RELATIVE), ("verb", 1, 1))
_WORDS |= dict.fromkeys(_PAST.values(), ("verb", None, 0))
_WORDS |= {verb: ("verb", number, tense) for (tense, number), verb in _BE.items()}
_WORDS |= {"will": ("verb", None, 2), "be": ("verb", None, None), "who": ("relative", None, None)}
_WORDS |= dict.fromkeys((*_OF_PEOPLE, *_OF_THINGS), ("adjective", None, None))
_WORDS |= dict.fromkeys(_PLACES, ("place", None, None))
_BASE = {*_PAST, *_RELATIVE, "be"}  # what may follow "will"


class GrammarLines(TextData):
    """English sentences of a small grammar, in which verbs agree with their subjects and with words of time.

    "tomorrow the keys near the cabinet will be heavy", "these boys who like the dog walk now". Between a subject and
    its verb there may be a phrase with a noun of another number. Batches have ``tokens``, with ``label`` on request.
    The grammar knows of every word whether another in its place breaks agreement or tense, see `breaks`.

    Args:
        count: training sentences; validation and test have a tenth each, and none that is trained on.
        label: what ``label`` tells of a sentence: ``tense`` (0 past, 1 present, 2 future), or ``number`` of its subject
            (0 one, 1 several).
        texts: arguments of `TextData`: tokens, vocabulary_size, length, by_length, batch_size, num_workers and seed.

    Raises:
        UsageError: if ``count`` is below 10, or the label is none of them.

    Examples:
        >>> data = GrammarLines(count=2000)
        >>> words = data.vocabularies["tokens"]
        >>> sentence = words.encode(["the keys near the cabinet are red"])
        >>> other = words.encode(["the key near the table is green"])
        >>> changed = torch.where(torch.arange(8) == 5, other, sentence)
        >>> words.decode(changed), data.breaks(sentence, changed)[0].nonzero().tolist()
        (['the keys near the cabinet is red'], [[5]])
    """

    def __init__(self, count: int = 10_000, label: Literal["tense", "number"] | None = None, **texts: Any) -> None:
        super().__init__(**texts)
        at_least(10, count=count)
        if label not in ("tense", "number", None):
            raise UsageError(f"label must be 'tense' or 'number', got {label!r}")
        self.count, self.label = count, label
        self.num_classes = {"tense": 3, "number": 2}.get(label or "")
        self._labels: dict[str, Tensor] = {}

    @property
    def class_names(self) -> list[str] | None:
        """The names of the labels."""
        return {"tense": ["past", "present", "future"], "number": ["one", "several"]}.get(self.label or "")

    def read(self, split: str) -> dict[str, list[str]]:
        """The sentences of a split, which depend on the arguments and the split alone."""
        count, rng = drawing.start(self.count, self.seed, split)
        found: list[tuple[str, int, int]] = []
        while len(found) < count:
            for numbers in torch.rand(count, _DRAWS, generator=rng, dtype=torch.float64).tolist():
                text, tense, number = _sentence(iter(numbers))
                if _split_of(text) == split:
                    found.append((text, tense, number))
        sentences, tenses, plurals = zip(*found[:count], strict=True)
        self._labels[split] = torch.tensor(tenses if self.label == "tense" else plurals)
        return {"tokens": list(sentences)}

    def sample(self, name: str) -> list[str]:
        """All words."""
        return sorted(_WORDS)

    def longest(self, name: str) -> list[str]:
        """A sentence that has everything, and those of validation and test."""
        return [_LONGEST, *self.texts("val")[name], *self.texts("test")[name]]

    def beside(self, split: str) -> dict[str, Any]:
        """The labels, if asked for."""
        return {} if self.label is None else {"label": self._labels[split]}

    def breaks(self, tokens: Tensor, replaced: Tensor) -> Tensor:
        """Whether each word that was replaced breaks agreement or tense.

        A place counts if its word is another one and does not go with a word that it must agree with: a verb with its
        subject, a determiner with its noun, a word of time with the verb, "will" with the verb behind it. Words are
        compared within the changed sentence. A word of another kind, a verb in the place of a noun say, is wrong in
        other ways and does not count.

        Args:
            tokens: (N, T), sentences of this set.
            replaced: (N, T), the same sentences with other tokens in some places.

        Returns:
            (N, T) bool.

        Raises:
            UsageError: if the tokens are not words, or a sentence is none of this grammar.
        """
        names = self._words()
        broken = torch.zeros(tokens.shape, dtype=torch.bool)
        for row, (old, new) in enumerate(zip(tokens.tolist(), replaced.tolist(), strict=True)):
            before, after = ([names[number] for number in numbers] for numbers in (old, new))
            for link in _links(before):
                if _violated(link, before, after):
                    for place in link[1:]:
                        broken[row, place] |= before[place] != after[place]
        return broken.to(tokens.device)

    def alike(self, tokens: Tensor, others: Tensor) -> Tensor:
        """Whether words have the same kind, number and tense, so that one may stand where the other does.

        Args:
            tokens: of any shape.
            others: of the same shape.

        Returns:
            bool, of that shape.

        Raises:
            UsageError: if the tokens are not words.
        """
        kinds = [_WORDS.get(word, (word, None, None)) for word in self._words()]
        numbers = {kind: number for number, kind in enumerate(kinds)}
        of = torch.tensor([numbers[kind] for kind in kinds], device=tokens.device)
        return of[tokens] == of[others]

    def _words(self) -> list[str]:
        if self.tokens["tokens"].kind != "words":
            raise UsageError("the grammar is about words: make the data with tokens='words'")
        return self.tokens["tokens"].vocabulary.tokens


# -------------------------------------------------------------------- writing

_LONGEST = "recently several clever neighbours who follow several clever neighbours "
_LONGEST += "will be behind several broken cabinets"
_DRAWS = 32  # random numbers for a sentence, more than any needs


def _sentence(numbers: Iterator[float]) -> tuple[str, int, int]:
    """A sentence, its tense and the number of its subject."""

    def pick(choices: Iterable[Any]) -> Any:
        choices = list(choices)
        return choices[int(next(numbers) * len(choices))]

    def phrase(number: int, people: bool) -> list[str]:
        determiner = pick(["the", "the", *(word for word, n in _DETERMINERS.items() if n in (None, number))])
        adjective = [pick(_OF_PEOPLE if people else _OF_THINGS)] if next(numbers) < 0.3 else []
        return [determiner, *adjective, pick(_PEOPLE_FORMS if people else _THING_FORMS)[number]]

    def place() -> list[str]:
        return [pick(_PLACES), *phrase(pick((0, 1)), people=False)]

    number, tense, people = pick((0, 1)), pick((0, 1, 2)), pick((False, True))
    subject, between = phrase(number, people), next(numbers)
    if people and between < 0.3:
        verb = pick(_RELATIVE)
        subject += ["who", verb if number else f"{verb}s", *phrase(pick((0, 1)), pick((False, True)))]
    elif between < 0.6:
        subject += place()
    if people and next(numbers) < 0.6:
        base = pick(_PAST)
        verb = (_PAST[base], base if number else f"{base}s", base)[tense]
        rest = place() if next(numbers) < 0.4 else []
    else:
        verb = "be" if tense == 2 else _BE[tense, number]
        rest = [pick(_OF_PEOPLE if people else _OF_THINGS)] if next(numbers) < 0.7 else place()
    words = [*subject, *(["will"] if tense == 2 else []), verb, *rest]
    where = next(numbers)
    if where < 0.9:  # the rest have no word of time
        time = pick(word for word, when in _TIMES.items() if when == tense)
        words = [time, *words] if where < 0.45 else [*words, time]
    return " ".join(words), tense, number


def _split_of(text: str) -> str:
    return {0: "val", 1: "test"}.get(crc32(text.encode()) % 12, "train")


# -------------------------------------------------------------------- reading


def _links(words: list[str]) -> list[tuple[str, int, int]]:
    """The places that must agree, in number, in tense, or as "will" and the form behind it."""
    kinds = [_WORDS.get(word, ("", None, None))[0] for word in words]
    nouns = [place for place, kind in enumerate(kinds) if kind == "noun"]
    finite = [p for p, kind in enumerate(kinds) if kind == "verb" and (p == 0 or words[p - 1] != "will")]
    if not nouns or len(finite) != 1 + ("relative" in kinds):
        raise UsageError(f"{' '.join(words)!r:.80} is no sentence of this grammar")
    found = [("number", nouns[0], verb) for verb in finite]
    found += [("number", p, next(n for n in nouns if n > p)) for p, kind in enumerate(kinds) if kind == "determiner"]
    found += [("tense", place, finite[-1]) for place, kind in enumerate(kinds) if kind == "time"]
    if words[finite[-1]] == "will":
        found.append(("form", finite[-1], finite[-1] + 1))
    return found


def _violated(link: tuple[str, int, int], before: list[str], after: list[str]) -> bool:
    """Whether two places of a changed sentence do not go together, though both words are of their kinds."""
    what, first, second = link
    one, other = (_WORDS.get(after[place], ("", None, None)) for place in (first, second))
    if any(_WORDS[before[place]][0] != word[0] for place, word in ((first, one), (second, other))):
        return False
    if what == "form":
        return after[first] == "will" and after[second] not in _BASE
    if what == "tense":
        return one[2] != other[2]
    return None not in (one[1], other[1]) and one[1] != other[1]
