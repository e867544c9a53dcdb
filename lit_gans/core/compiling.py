"""Players that are compiled, and CUDA graphs of them."""

from collections.abc import Iterable
from typing import Any, Literal

import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn

from lit_gans.errors import UsageError

GRAPHS = "reduce-overhead"  # torch.compile's name for CUDA graphs
Compiled = bool | Literal["reduce-overhead"]


def checked(compiled: Any) -> Compiled:
    """The argument ``compiled``.

    Raises:
        UsageError: if it is neither true, false nor ``reduce-overhead``.
    """
    if isinstance(compiled, bool) or compiled == GRAPHS:
        return compiled
    raise UsageError(f"compiled must be true, false or {GRAPHS}, which is for CUDA graphs, got {compiled!r}")


def compile_players(players: Iterable[nn.Module], compiled: Compiled, device: torch.device) -> None:
    """Compiles every network of some players.

    Args:
        players: networks; of an ``nn.ModuleDict`` each.
        compiled: how.
        device: that they are on.

    Raises:
        UsageError: if CUDA graphs are wanted on another device.
    """
    if compiled == GRAPHS and device.type != "cuda":
        raise UsageError(
            f"compiled: {GRAPHS} records CUDA graphs, and this run computes on {device.type}; say compiled: true, or "
            "leave it out, which is mostly faster on a CPU"
        )
    # a graph is of one shape: no attempt at code for any
    options: dict[str, Any] = {"mode": GRAPHS, "dynamic": False} if compiled == GRAPHS else {}
    for player in players if compiled else ():
        for part in player.values() if isinstance(player, nn.ModuleDict) else (player,):
            part.compile(**options)


def begin_batch(compiled: Compiled) -> None:
    """Tells CUDA graphs that they may write over what they gave for the batch before."""
    if compiled == GRAPHS:
        torch.compiler.cudagraph_mark_step_begin()


def detached(fake: Any, compiled: Compiled) -> Any:
    """Fakes without their graph: views, but of a CUDA graph's memory copies, since a game may keep them longer."""
    copies = compiled == GRAPHS
    return apply_to_collection(fake, Tensor, lambda each: each.detach().clone() if copies else each.detach())
