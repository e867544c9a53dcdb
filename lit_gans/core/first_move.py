"""Mistakes that only a player's first move shows: a sigmoid at the end, shapes that broadcast, an odd optimizer."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from lit_gans.core.gradients import parameters_of
from lit_gans.errors import UsageError

# operations that only change the shape or the number type of scores
_VIEWS = ("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "ToCopy", "Select", "Slice", "Clone", "Permute")


@contextmanager
def first_move(model: Any, player: str) -> Iterator[None]:
    """While it lasts, the losses of a player are watched.

    Raises:
        UsageError: if the discriminator of one of this library's losses ends with a sigmoid, or a loss compares scores
            with targets of another shape, which PyTorch warns of.
    """
    with warnings.catch_warnings(), _verdicts_watched(model, player):
        warnings.filterwarnings("error", message="Using a (target|input) size")
        try:
            yield
        except UserWarning as warning:
            if "size" not in str(warning):
                raise
            sizes = str(warning).partition("Using a ")[2].partition(". ")[0]
            raise UsageError(
                f"the {player}'s loss compares a {sizes}, so every score would be compared with every target; bring "
                "them to one shape, scores.squeeze(1) for example"
            ) from warning


@contextmanager
def _verdicts_watched(model: Any, player: str) -> Iterator[None]:
    ours = type(model).discriminator_loss.__module__.startswith("lit_gans.") and not model.judges_by_energy
    if player != "discriminator" or not ours:
        yield
        return
    judge = model.discriminator
    networks = list(judge.children()) if isinstance(judge, nn.ModuleDict) else [judge]
    hooks = [network.register_forward_hook(_refuse_sigmoid(type(model).__name__)) for network in networks]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _refuse_sigmoid(name: str) -> Callable[..., None]:
    def look(network: nn.Module, inputs: Any, verdict: Any) -> None:
        if _made_by_sigmoid(verdict[0] if isinstance(verdict, tuple) and verdict else verdict):
            raise UsageError(
                f"the discriminator {type(network).__name__} ends with a sigmoid, but the losses of {name} take logits;"
                " leave the sigmoid out"
            )

    return look


def _made_by_sigmoid(verdict: Any) -> bool:
    """Whether a sigmoid was the last that changed the values of a tensor."""
    step = verdict.grad_fn if isinstance(verdict, Tensor) else None
    while step is not None and step.name().startswith(_VIEWS):
        step = step.next_functions[0][0]
    return step is not None and step.name().startswith("Sigmoid")


def refusing_closure(optimizer: Any) -> Callable[[], None]:
    """A closure for an optimizer that may call it once, before it moves a weight, and get nothing.

    Optimizers as SAM move the weights and call it then, for the loss at the new place; one that got none would do a
    plain step in silence.
    """
    inner = getattr(optimizer, "optimizer", optimizer)
    parameters = parameters_of(inner)
    versions, calls = [p._version for p in parameters], []

    def closure() -> None:
        calls.append(1)
        if len(calls) > 1 or versions != [p._version for p in parameters]:
            raise UsageError(
                f"{type(inner).__name__} needs the loss several times a step, and a game computes it once a move; use "
                "Adam, say, or RMSprop"
            )

    return closure
