"""Characters in colours on grounds of other colours, with sentences that say all of it."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor

from lit_gans.data import drawing
from lit_gans.data.base import SPLIT_SEED
from lit_gans.data.drawing import uniform
from lit_gans.data.glyphs import DIGITS
from lit_gans.data.image_data import Sized
from lit_gans.data.samples import Samples
from lit_gans.data.scenes import Scenes, visible
from lit_gans.data.sentences import Sentences
from lit_gans.data.tokens import TokenRows, Tokens
from lit_gans.errors import UsageError
from lit_gans.text import VocabularyKind

_SIZES = ("small", "large")
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
#: the colours that captions name
PALETTE = {
    "black": (0.05, 0.05, 0.05),
    "white": (0.95, 0.95, 0.95),
    "red": (0.85, 0.10, 0.10),
    "green": (0.12, 0.72, 0.18),
    "blue": (0.12, 0.22, 0.88),
    "yellow": (0.97, 0.85, 0.10),
    "purple": (0.58, 0.16, 0.70),
    "cyan": (0.25, 0.85, 0.90),
}


class CaptionedGlyphs(Scenes):
    """One character an image, and a sentence that says its size, its colour, what it is, and the colour of its ground.

    A ``caption`` is, say, "a small red seven on green", and ``tokens`` are its words; ``label`` is the position in
    ``characters``. With ``held_out``, models have to put together what they have only seen apart.

    Args:
        size: side length or (height, width) in pixels.
        characters: what to draw.
        count: training images; validation and test have a tenth each.
        held_out: the share of the combinations of character, size, colour and ground (1,120 with ten characters) that
            is in no training or validation image; the test then has only those. The same ones for every seed.
        tokens: what a caption is cut into, see `Vocabulary.learn`; None leaves tokens out.
        loading: arguments of `ImageData`: batch_size, num_workers, seed, flip, labels_per_class, label_fraction.

    Raises:
        UsageError: if ``count`` is below 10, there is no character or one that cannot be seen, or ``held_out`` leaves
            something out of all training images.

    Examples:
        >>> data = CaptionedGlyphs(count=100, held_out=0.2)
        >>> batch = data.samples("test")[[0]]
        >>> batch["caption"][0].split()[-2], batch["tokens"].shape
        ('on', torch.Size([1, 7]))
        >>> data.read_captions(["a small red seven on green"])
        tensor([[7, 0, 2, 3]])
    """

    def __init__(
        self,
        size: Sized = 32,
        characters: str = DIGITS,
        count: int = 4000,
        held_out: float = 0.0,
        tokens: VocabularyKind | None = "words",
        **loading: Any,
    ) -> None:
        super().__init__(size, count, **loading)
        if not characters:
            raise UsageError("CaptionedGlyphs draws at least one character, got characters=''")
        self.characters = visible(characters)
        self.num_classes = len(characters)
        words = {"a", "on", "small", "large", *PALETTE}
        self.vocabulary = sorted(words.union(*(_word(character).split() for character in characters)))
        colours = tuple(PALETTE)
        attributes = {"character": tuple(characters), "size": _SIZES, "colour": colours, "ground": colours}
        rows = product(*(range(len(values)) for values in attributes.values()))
        combinations = torch.tensor([row for row in rows if row[2] != row[3]])
        #: what captions can say, see `Sentences`
        self.sentences = Sentences(attributes, combinations, self._caption)
        #: whether each of the combinations is held out, (M,) bool
        self.held_out = self._hold_out(held_out)
        if tokens is not None:
            # of all captions that there can be: another seed or number of images has the same vocabulary
            lowercase = len({*characters.lower()}) == len({*characters})
            self.tokens["tokens"] = Tokens(self.sentences.all, tokens, lowercase=lowercase)

    def _hold_out(self, share: float) -> Tensor:
        if not 0 <= share < 1:
            raise UsageError(f"held_out must be a share of the combinations, from 0 to less than 1, got {share}")
        combinations = self.sentences.combinations
        held_out = torch.zeros(len(combinations), dtype=torch.bool)
        order = torch.randperm(len(held_out), generator=torch.Generator().manual_seed(SPLIT_SEED))
        if share and not round(share * len(order)):
            raise UsageError(
                f"held_out={share} of {len(order):,} combinations is none of them; raise it to {1 / len(order):.2g} or "
                "more, or leave it out"
            )
        held_out[order[: round(share * len(order))]] = True
        shown = combinations[~held_out]
        for column, (name, values) in enumerate(self.sentences.attributes.items()):
            if len(missing := {*range(len(values))} - {*shown[:, column].tolist()}):
                raise UsageError(
                    f"held_out={share} leaves no training image of the {name} {values[min(missing)]!r}; lower it"
                )
        return held_out

    def load(self, split: str) -> Samples:
        """The images of a split, which depend on the arguments and the split alone."""
        count, rng = drawing.start(self.count, self.seed, split)
        facts = self._facts(split, count, rng)
        images = torch.cat([self._render(part, rng) for part in facts.split(self._parts(count))])
        captions = self.sentences.write(facts)
        found: dict[str, Any] = {"image": images, "label": facts[:, 0], "caption": captions}
        if self.tokens:
            found["tokens"] = TokenRows(self.tokens["tokens"].rows(captions))
        return Samples(found)

    def facts(self) -> dict[str, str]:
        """Also how many combinations are held out."""
        found = super().facts()
        if self.held_out.any():
            found["held out"] = f"{int(self.held_out.sum()):,} of {len(self.held_out):,} combinations, for the test"
        return found

    def _facts(self, split: str, count: int, rng: torch.Generator) -> Tensor:
        """What the images show: (N, 4), which are character, size, ink and ground."""
        if self.held_out.any():
            rows = self.sentences.combinations[self.held_out == (split == "test")]
            return rows[torch.randint(len(rows), (count,), generator=rng)]
        label = torch.randint(len(self.characters), (count,), generator=rng)
        large = torch.randint(2, (count,), generator=rng)
        ink = torch.randint(len(PALETTE), (count,), generator=rng)
        ground = (ink + torch.randint(1, len(PALETTE), (count,), generator=rng)) % len(PALETTE)  # any other
        return torch.stack([label, large, ink, ground], 1)

    def _caption(self, facts: Sequence[int]) -> str:
        names, (character, size, ink, ground) = list(PALETTE), facts
        return f"a {_SIZES[size]} {names[ink]} {_word(self.characters[character])} on {names[ground]}"

    @property
    def caption_attributes(self) -> dict[str, tuple[str, ...]]:
        """The values of the attributes ``character``, ``size``, ``colour`` and ``ground``."""
        return self.sentences.attributes

    def read_captions(self, captions: Sequence[str]) -> Tensor:
        """What captions say, as numbers of the values in ``caption_attributes``: (N, 4) int64.

        Raises:
            UsageError: if one is no caption of this set.
        """
        return self.sentences.read(captions)

    def _render(self, facts: Tensor, rng: torch.Generator) -> Tensor:
        """Draws facts (N, 4), which are character, size, ink and ground, as images (N, 3, H, W) uint8."""
        count, (label, large, ink, ground) = len(facts), facts.unbind(1)
        scale = torch.where(large > 0, uniform(1.15, 1.35, count, rng), uniform(0.6, 0.75, count, rng))
        angle = uniform(-0.2, 0.2, count, rng)
        warps = drawing.place(angle, scale, self._within(0.7 * scale, rng), self._size)
        depth = drawing.warped_depths(drawing.depths(tuple(self.characters))[label], warps, self._size)
        colours = torch.tensor(list(PALETTE.values()))
        front, back = (
            (colours[c] + 0.03 * torch.randn(count, 3, generator=rng))[:, :, None, None] for c in (ink, ground)
        )
        image = back + (front - back) * drawing.filled(depth)
        return drawing.to_bytes(image + 0.015 * torch.randn(image.shape, generator=rng))


def _word(character: str) -> str:
    if character in DIGITS:
        return _WORDS[DIGITS.index(character)]
    return f"{'letter' if character.isalpha() else 'sign'} {character}"
