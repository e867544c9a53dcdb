"""Numbers in digits and in words of three languages: translations that need no download and have one answer."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, get_args
from zlib import crc32

import torch

from lit_gans.data import drawing
from lit_gans.data.text import TextData
from lit_gans.errors import UsageError, at_least
from lit_gans.text import VocabularyKind

Language = Literal["digits", "en", "de", "ko"]
Kind = Literal["cardinal", "ordinal", "year", "dollars"]
_LARGEST = 999_999
_YEARS = range(1100, 2100)  # others read as cardinal numbers, or num2words misspells them in German
_TO = {"train": "train on", "val": "validate", "test": "test"}
_TRIES = 200  # draws for each pair that is wanted, before the numbers have run out


class NumberPairs(TextData):
    """Numbers, years, ordinals and sums of dollars in two languages, in words or in digits.

    Batches have ``source`` and ``target``, the tokens, and ``source_text`` and ``target_text``, lists of strings. Every
    source has one right translation, so `correct` can check an answer. The order of words differs: German says units
    before tens and writes a number as one word, Korean counts in ten thousands and in two kinds of numerals. Words are
    those of the ``num2words`` library.

    Every language has every kind:

    - cardinal: 98765; ninety-eight thousand, seven hundred and sixty-five; 구만 팔천칠백육십오
    - ordinal: 21.; twenty-first; einundzwanzigste; 스물한 번째
    - year: AD 1984; nineteen eighty-four; neunzehnhundertvierundachtzig; 천구백팔십사년
    - dollars: $12.34; twelve dollars, thirty-four cents; zwölf Dollar und vierunddreißig Cent; 십이달러 삼십사센트

    Years are 1100 to 2099. Those that read as the plain number in the source and not in the target (2005 in English)
    would have two answers, and do not occur. Numbers have 1 to 5 digits, each length as often until its numbers have
    run out. A number belongs to one split, whatever its kind, so that none of validation and test is in any training
    pair; a sum of dollars counts by its dollars.

    Args:
        source: the language to translate from.
        target: the language to translate to.
        count: training pairs; validation and test have a tenth each.
        held_out: the share of the numbers that training never sees: half of them are validation's, half are the
            test's. Which ones is the same for every seed.
        largest: the largest number, at most 999,999.
        kinds: the kinds of numbers, each as often.
        tokens: what a text is cut into, see `TextData`.
        texts: arguments of `TextData`: vocabulary_size, length, by_length, batch_size, num_workers and seed.

    Raises:
        UsageError: if the languages are the same, a number is out of range, or there are not as many pairs.

    Examples:
        >>> data = NumberPairs("en", "de", count=50)
        >>> pairs = data.samples("test")[:]
        >>> sorted(pairs)
        ['source', 'source_text', 'target', 'target_text']
        >>> data.correct(pairs["source_text"], pairs["target_text"])
        [True, True, True, True, True]
    """

    names = ("source", "target")
    drawn = True

    def __init__(
        self,
        source: Language = "en",
        target: Language = "de",
        count: int = 10_000,
        held_out: float = 0.1,
        largest: int = 99_999,
        kinds: Sequence[Kind] = ("cardinal", "ordinal", "year", "dollars"),
        tokens: VocabularyKind = "characters",
        **texts: Any,
    ) -> None:
        super().__init__(tokens=tokens, **texts)
        for name, value in (("source", source), ("target", target)):
            if value not in get_args(Language):
                raise UsageError(f"{name} must be one of {', '.join(get_args(Language))}, got {value!r}")
        if source == target:
            raise UsageError(f"source and target must be two languages, got {source!r} twice")
        at_least(10, count=count)
        at_least(9, largest=largest)
        if largest > _LARGEST:
            raise UsageError(f"largest must be at most {_LARGEST:,}, got {largest}")
        if not 0 < held_out < 1:
            raise UsageError(f"held_out must be a share between 0 and 1, got {held_out}")
        self.kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        if not self.kinds or (wrong := [kind for kind in self.kinds if kind not in get_args(Kind)]):
            raise UsageError(
                f"kinds must be some of {', '.join(get_args(Kind))}, got {wrong[0] if self.kinds else []!r}"
            )
        self.source, self.target, self.count, self.held_out = source, target, count, held_out
        self.largest = largest
        self._answers: dict[str, str] = {}

    def read(self, split: str) -> dict[str, list[str]]:
        """The pairs of a split, which depend on the arguments and the split alone."""
        count, rng = drawing.start(self.count, self.seed, split)
        pairs: dict[str, str] = {}
        seen = set()
        for _ in range(_TRIES):
            for drawn in self._draw(count, rng):
                if drawn in seen or self._split_of(drawn[1]) != split:
                    continue
                seen.add(drawn)
                if pair := self._pair(*drawn):
                    pairs[pair[0]] = pair[1]
                if len(pairs) == count:
                    self._answers |= pairs
                    return {"source": list(pairs), "target": list(pairs.values())}
        raise UsageError(
            f"there are not {count:,} different pairs to {_TO[split]} with numbers up to {self.largest:,} and "
            f"held_out={self.held_out}; lower data.count or raise data.largest"
        )

    def _draw(self, count: int, rng: torch.Generator) -> Iterator[tuple[Kind, int, int]]:
        """Kinds, numbers and cents, of which some belong to other splits."""
        kinds = torch.randint(len(self.kinds), (count,), generator=rng)
        digits = torch.randint(len(str(self.largest)), (count,), generator=rng)
        share = torch.rand(count, generator=rng, dtype=torch.float64)
        cents = torch.randint(100, (count,), generator=rng)
        for place, length, part, rest in zip(*(v.tolist() for v in (kinds, digits, share, cents)), strict=True):
            kind: Kind = self.kinds[place]
            low, high = 10**length, min(10 ** (length + 1), self.largest + 1)
            if kind == "year":
                low, high = _YEARS.start, _YEARS.stop
            yield kind, low + int(part * (high - low)), rest if kind == "dollars" else 0

    def _split_of(self, number: int) -> str:
        place = crc32(str(number).encode()) / 2**32
        return "train" if place >= self.held_out else "test" if 2 * place >= self.held_out else "val"

    def _pair(self, kind: Kind, number: int, cents: int) -> tuple[str, str] | None:
        """The two texts; None if the source would have two answers."""
        first, second = (spelled(kind, number, cents, language) for language in (self.source, self.target))
        if kind == "year" and first == spelled("cardinal", number, 0, self.source):
            return None
        return first, second

    def beside(self, split: str) -> dict[str, Any]:
        """The texts."""
        texts = self.texts(split)
        return {f"{name}_text": texts[name] for name in self.names}

    def correct(self, sources: Sequence[str], translations: Sequence[str]) -> list[bool]:
        """Whether each translation is the right one, letter by letter.

        Args:
            sources: texts of this set.
            translations: as many, into the target language.

        Raises:
            UsageError: if a source is none of this set's, or the numbers of texts differ.
        """
        if len(sources) != len(translations):
            raise UsageError(f"there are {len(sources)} sources and {len(translations)} translations, not as many")
        for split in self.own_splits:
            self.texts(split)
        if unknown := next((text for text in sources if text not in self._answers), None):
            raise UsageError(f"{unknown!r} is no source of this {type(self).__name__}, so its answer is not known")
        return [self._answers[s] == t.strip() for s, t in zip(sources, translations, strict=True)]


def spelled(kind: Kind, number: int, cents: int, language: Language) -> str:
    """A number in words or digits.

    Args:
        kind: of the number.
        number: 1 to 999,999; of a year 1100 to 2099.
        cents: 0 to 99, of a sum of dollars.
        language: of the words.

    Examples:
        >>> spelled("ordinal", 120, 0, "ko"), spelled("dollars", 101_000, 5, "de")
        ('백스무 번째', 'einhunderteintausend Dollar und fünf Cent')
    """
    if language == "digits":
        forms = {"cardinal": f"{number}", "ordinal": f"{number}.", "year": f"AD {number}"}
        return forms.get(kind, f"${number}.{cents:02}")
    if language == "ko" and kind == "ordinal":
        return _korean_ordinal(number)
    speller = _speller(language)
    if kind == "dollars":
        words = str(speller.to_currency(Decimal(f"{number}.{cents:02}"), currency="USD"))
    else:
        words = str(getattr(speller, f"to_{kind}")(number))
    return words.replace("einstausend", "eintausend")  # num2words' 101,000 in German


def _korean_ordinal(number: int) -> str:
    """Native numerals for the last two digits; num2words fails above 99, and says 20th without its short form."""
    rest = number % 100
    head = str(_speller("ko").to_cardinal(number - rest)) if number > rest else ""
    if rest == 0:
        return f"{head} 번째"
    native = "스무 번째" if rest == 20 else str(_speller("ko").to_ordinal(rest))
    space = " " if number >= 10**4 and number % 10**4 == rest else ""  # between groups of four digits
    return f"{head}{space}{native.replace('첫', '한')}" if head else native


@lru_cache
def _speller(language: Language) -> Any:
    """The converter of num2words, without the names of numbers that do not occur.

    It tries all of them, up to 10^600, for every number, which takes most of its time.
    """
    from num2words import CONVERTER_CLASSES

    speller = type(CONVERTER_CLASSES[language])()
    for value in [value for value in speller.cards if value > 10**6]:
        del speller.cards[value]
    return speller
