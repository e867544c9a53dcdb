"""Checkpoints of what samples are made with alone: averaged networks, without the discriminator."""

from typing import Any

from lit_gans.checkpoints.file import KEY, plain_key
from lit_gans.errors import UsageError, one

_LEFT_OUT = "left_out"  # the entry of a description that names the networks that the file does not have


def reduce(model: Any, content: dict[str, Any]) -> None:
    """Takes out of a checkpoint what no sample is made with, and puts averages in the place of their networks.

    Args:
        model: whose checkpoint it is.
        content: the checkpoint, which is changed.

    Raises:
        UsageError: if the model neither draws nor translates, so that its discriminator may be what it is for.
    """
    if not (model.draws or model.domains or model.translates_texts):
        raise UsageError(f"sampling_only is for models that draw or translate, got {one(model)}; leave it out")
    state = content["state_dict"]
    averages = [player for player in model.players if any(name.startswith(f"{player}_ema.module.") for name in state)]
    left = [player for player in model.players if player != "generator" and player not in averages]
    left += [name for name, part in model.named_children() if getattr(part, "each_device_its_own", False)]
    gone = {*left, *averages, *(f"{player}_ema" for player in averages)}
    kept = {name: value for name, value in state.items() if name.partition(".")[0] not in gone}
    for player in averages:
        prefix = f"{player}_ema.module."
        kept |= {f"{player}.{name.removeprefix(prefix)}": v for name, v in state.items() if name.startswith(prefix)}
    content["state_dict"] = kept
    content[KEY][_LEFT_OUT] = left


def complete(model: Any, checkpoint: dict[str, Any]) -> None:
    """Gives a checkpoint that was reduced the model's own weights for the networks that were left out."""
    left = checkpoint.get(KEY, {}).get(_LEFT_OUT)
    if not isinstance(left, list):
        return
    saved = checkpoint["state_dict"]
    own = {plain_key(name): value for name, value in model.state_dict().items()}
    saved.update({n: value for n, value in own.items() if n.partition(".")[0] in left and n not in saved})
