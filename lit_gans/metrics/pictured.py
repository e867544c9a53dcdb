"""The base of the measures that look at pixels and compare nothing: one sum for samples, one for real images."""

from typing import Any

from torch import Tensor
from torchmetrics import Metric

from lit_gans.errors import UsageError


class OfPixels(Metric):
    """Sums over generated and over real images, in rows 0 and 1 of every state.

    Args:
        reset_real: whether `reset` forgets the real images too.
        kwargs: arguments of `Metric`.
    """

    is_differentiable = False
    full_state_update = False
    count: Tensor

    def __init__(self, reset_real: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reset_real = reset_real

    def reset(self) -> None:
        """Forgets the images: all, or with ``reset_real=False`` only the generator's."""
        kept = {} if self.reset_real else {name: getattr(self, name)[1].clone() for name in self._defaults}
        super().reset()
        for name, row in kept.items():
            getattr(self, name)[1] = row

    def plus(self, state: Tensor, value: Tensor | int, real: bool) -> Tensor:
        """A state (2, ...) with a value (...) added to the row of its kind."""
        added = state.clone()
        added[int(real)] += value
        return added

    def refuse_none(self, real: bool = False) -> None:
        """Refuses to measure nothing.

        Raises:
            UsageError: if there are no images of a kind.
        """
        if not self.count[int(real)]:
            raise UsageError(
                f"{type(self).__name__} needs images, got none{' that are real' if real else ''}: call "
                f"update(images, real={real}) before"
            )
