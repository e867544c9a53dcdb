"""The captions that a model which draws by texts takes where it gets none: the first ones of its training."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from lit_gans.core.generative import GenerativeModel

_REMEMBERED = 1_000  # captions of training, which `sample` takes without a text
_AT_ONCE = 100  # of a batch

Text = str | Sequence[str] | Tensor


class FirstCaptions(GenerativeModel):
    """A model that keeps the first captions of its training, also in its checkpoints.

    A model calls `_make_captions` once, and `_remember` for every batch of training.
    """

    #: the tokens of the first captions of training; `sample` without a text takes turns through them
    captions_seen: Tensor

    def _make_captions(self, length: int) -> None:
        """Makes room for captions of so many tokens."""
        self.register_buffer("captions_seen", torch.zeros(_REMEMBERED, length, dtype=torch.long))

    def _remember(self, tokens: Tensor) -> None:
        """Keeps the first captions that training shows; of several devices the first one's, on all of them."""
        if self.captions_seen[-1].any():
            return
        rows, length = self.captions_seen.shape
        some = self.captions_seen.new_zeros(_AT_ONCE, length)  # of one shape on all devices
        known = int(self.captions_seen.any(1).sum())
        part = tokens[:_AT_ONCE, :length]
        some[: len(part), : part.shape[1]] = part
        if dist.is_available() and dist.is_initialized():
            dist.broadcast(some, 0)
        some = some[some.any(1)][: rows - known]
        self.captions_seen[known : known + len(some)] = some

    def captions(self, n: int) -> list[str]:
        """The captions that ``sample(n)`` draws by, without a text: those of training take turns."""
        seen = self._seen(n)
        if not seen.any() or "tokens" not in self.vocabularies:
            return []
        return self.decode_text(seen[torch.arange(n) % len(seen)])

    def _seen(self, n: int) -> Tensor:
        """The tokens of the first captions of training, n at most; before training one that says nothing."""
        seen = self.captions_seen[self.captions_seen.any(1)]
        return seen[: max(1, n)] if len(seen) else self.captions_seen[:1]


def wanted(n: int | None, text: Text | None) -> int:
    """The number of images: 64 unless it was said, or one for each of several texts."""
    if n is not None:
        return n
    return 64 if text is None or isinstance(text, str) else len(text)
