"""Sentences that say a few attributes, and say them so that they can be read back."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lit_gans.errors import UsageError


class Sentences:
    """All sentences about combinations of attributes.

    Args:
        attributes: the values of each attribute, by its name.
        combinations: (M, A), those that occur, as numbers of the values.
        write: makes the sentence of one of them; different ones have different sentences.

    Examples:
        >>> shapes = Sentences(
        ...     {"colour": ("red", "blue"), "shape": ("disc", "star")},
        ...     torch.cartesian_prod(torch.arange(2), torch.arange(2)),
        ...     lambda row: f"a {('red', 'blue')[row[0]]} {('disc', 'star')[row[1]]}",
        ... )
        >>> shapes.read(["a blue disc"])
        tensor([[1, 0]])
        >>> shapes.write(torch.tensor([[0, 1]]))
        ['a red star']
    """

    def __init__(
        self,
        attributes: dict[str, tuple[str, ...]],
        combinations: Tensor,
        write: Callable[[Sequence[int]], str],
    ) -> None:
        self.attributes, self.combinations, self._write = attributes, combinations, write

    def write(self, values: Tensor) -> list[str]:
        """The sentences of (N, A) values."""
        return [self._write(row) for row in values.tolist()]

    def all(self) -> list[str]:
        """The sentences of all combinations, in their order."""
        return self.write(self.combinations)

    def read(self, sentences: Sequence[str]) -> Tensor:
        """The values (N, A) that sentences say; capital letters count only where two sentences differ by them alone.

        Raises:
            UsageError: if one is no such sentence.
        """
        known = dict(zip(self.all(), self.combinations.tolist(), strict=True))
        small = {sentence.lower(): values for sentence, values in known.items()}
        if len(small) == len(known):
            known, sentences = small, [sentence.lower() for sentence in sentences]
        if wrong := next((sentence for sentence in sentences if sentence not in known), None):
            raise UsageError(f"{wrong!r} says nothing that can be read; a sentence is such as {next(iter(known))!r}")
        return torch.tensor([known[sentence] for sentence in sentences], dtype=torch.long).view(
            -1, len(self.attributes)
        )
