"""Resumes a run from a checkpoint: refuses another model or optimizers, and notes all other differences."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from itertools import zip_longest
from typing import Any

from lightning.pytorch.callbacks import Timer
from lightning.pytorch.utilities import rank_zero_only

from lit_gans import checkpoints
from lit_gans.checkpoints import changes, place
from lit_gans.devices import take_threads
from lit_gans.errors import UsageError, with_article


def begin(model: Any, checkpoint: dict[str, Any]) -> place.Place:
    """Finds the place of the checkpoint's run, writes it into Lightning's counters and prints the differences.

    Raises:
        UsageError: if the checkpoint has no optimizers.
    """
    trainer, path = model.trainer, model.trainer.ckpt_path
    if "optimizer_states" not in checkpoint:
        raise UsageError(
            f"{path} has the weights alone (save_weights_only), so training cannot go on from it; use another "
            "checkpoint, or begin anew from its weights (lit_gans.take)"
        )
    length = checkpoint.get(place.RUN, {}).get("epoch")
    found, now = place.rewind(checkpoint, trainer)
    notes = changes.argument_notes(model, checkpoint.get("hyper_parameters", {}), path)
    if place.RUN in checkpoint:
        if trainer.strategy.root_device.type == "cpu":
            take_threads(checkpoint[place.RUN].get("threads", 0))
        notes += changes.notes(checkpoint[place.RUN], changes.describe(trainer), path)
    if None not in (length, now) and length != now:
        rest = 0 if found.over else found.batch
        notes.append(
            f"an epoch had {length} batches in {path} and has {now} now, so the run goes on with {found.epochs} epochs "
            f"and {rest} batches done"
        )
    timer = next((callback for callback in trainer.callbacks if isinstance(callback, Timer)), None)
    done = nothing_left(found, checkpoint, trainer.max_steps, trainer.max_epochs, timer, path)
    too_few = trainer.max_epochs is not None and -1 < trainer.max_epochs < found.epochs
    tell(notes if too_few else notes + done)
    if too_few:
        raise UsageError(*done)  # Lightning would speak of a wrong checkpoint
    return found


def nothing_left(
    found: place.Place, checkpoint: dict[str, Any], steps: int, epochs: int | None, timer: Timer | None, path: Any
) -> list[str]:
    """A sentence if a run that goes on from a checkpoint has reached one of its limits already."""
    step, limit = checkpoint["global_step"], None
    spent = checkpoint.get("callbacks", {}).get("Timer", {}).get("time_elapsed", {}).get("train", 0)
    left = None if timer is None else timer.time_remaining()
    if -1 < steps <= step:
        limit = f"max_steps={steps}"
    elif epochs is not None and -1 < epochs <= found.epochs:
        limit = f"max_epochs={epochs}"
    elif left is not None and left <= spent:
        limit = f"max_time={timedelta(seconds=left)}"
    if limit is None:
        return []
    return [
        f"nothing is left to do: {path} is from batch {step}, with {found.epochs} epochs done, and {limit} ends there; "
        f"raise {limit.partition('=')[0]} to go on"
    ]


def refuse_class(model: Any, checkpoint: dict[str, Any], path: Any) -> None:
    """Raises a `UsageError` for a checkpoint of another model, as the command line does.

    A class of the running script (``__main__``) counts as the class of the same name in a module, and the reverse.
    """
    held = checkpoint.get(checkpoints.KEY, {}).get("class_path")
    own = checkpoints.class_path(type(model))
    if held is None or held == own:
        return
    module, _, name = held.rpartition(".")
    if name == own.rpartition(".")[2] and "__main__" in (module, type(model).__module__):
        return
    raise UsageError(
        f"{path} holds {with_article(name)}, which cannot go on as {own.rpartition('.')[2]}; resume it with "
        f"{with_article(name)}, or begin anew from its weights alone (lit_gans.take)"
    )


def refuse_optimizers(optimizers: Sequence[Any], states: Sequence[dict[str, Any]], path: Any) -> None:
    """Raises a `UsageError` for saved states of other optimizers or other parameters."""
    for optimizer, state in zip_longest(optimizers, states):
        groups, saved = [] if optimizer is None else optimizer.param_groups, (state or {}).get("param_groups", [])
        sizes = [[len(group["params"]) for group in each] for each in (groups, saved)]
        if sizes[0] != sizes[1] or any(optimizer.defaults.keys() - group.keys() for group in saved):
            raise UsageError(
                f"{path} holds the state of another optimizer than {type(optimizer).__name__}, or of one for other "
                "parameters, so training cannot go on from it; keep the optimizers and the frozen layers as they were, "
                "or begin anew from its weights alone (lit_gans.take)"
            )


@rank_zero_only
def tell(said: list[str]) -> None:
    """Prints notes to standard error."""
    for note in said:
        print(f"note: {note}", file=sys.stderr, flush=True)
