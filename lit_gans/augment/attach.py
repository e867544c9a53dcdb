"""Augments everything that discriminators see in training; a game's losses need not know of it."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from lit_gans.augment.pipeline import Augment


class Attached:
    """Hooks that augment what discriminators judge while they train.

    Hooks rather than a method: a user's ``discriminator_loss`` calls ``self.discriminator`` and need not know.

    Args:
        augment: the transforms.
        networks: the discriminators.
    """

    def __init__(self, augment: Augment, networks: Iterable[nn.Module]) -> None:
        self.augment = augment
        #: the real images whose scores an adaptive augmentation waits for
        self.reals: Tensor | None = None
        #: while true, images are judged as they are given
        self.paused = False
        self._judges_reals = False
        self._handles = []
        for network in networks:
            self._handles.append(network.register_forward_pre_hook(self._before))
            if augment.adaptive:
                self._handles.append(network.register_forward_hook(self._after))

    def remove(self) -> None:
        """Removes the hooks: a copy of a network copies its hooks too, and everything that they refer to."""
        for handle in self._handles:
            handle.remove()

    def _before(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        if not module.training or self.paused:
            self._judges_reals = False
            return inputs
        self._judges_reals = inputs[0] is self.reals
        return (self.augment(inputs[0]), *inputs[1:])

    def _after(self, module: nn.Module, inputs: tuple[Any, ...], scores: Tensor | tuple[Tensor, ...]) -> None:
        if module.training and self._judges_reals:
            self.augment.update(scores if isinstance(scores, Tensor) else scores[0])
            self.reals = None
