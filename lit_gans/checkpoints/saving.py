"""Writes a checkpoint of a model without a Trainer."""

import os
from collections.abc import Iterable
from typing import Any

import lightning.pytorch

from lit_gans.checkpoints import sampling_only as only
from lit_gans.checkpoints import tensors
from lit_gans.checkpoints.description import prove_loadable
from lit_gans.checkpoints.file import AtomicCheckpointIO
from lit_gans.checkpoints.place import RUN
from lit_gans.checkpoints.recording import Recorded
from lit_gans.errors import UsageError
from lit_gans.files import refuse_taken, replacing
from lit_gans.networks import alone


def save(
    model: Any,
    path: str | os.PathLike[str],
    *,
    force: bool = False,
    half: bool = False,
    sampling_only: bool = False,
) -> None:
    """Writes a model, as it is, to a file that `load` and every command read.

    It holds the weights and the arguments, but no optimizers: training begins anew from it. A run's own checkpoints
    are written by its Trainer.

    Args:
        model: one of this library, or a subclass of yours.
        path: the file, mostly ``name.ckpt``; its folder is made. A ``name.safetensors`` can be read by other programs
            too, and by nobody as code.
        force: replace a file that is there.
        half: of a ``.safetensors`` keep weights as float16, in half the space; samples differ a little.
        sampling_only: keep what samples and translations are made with, averaged, and leave out the discriminator,
            which begins anew where the file is loaded.

    Raises:
        UsageError: if the model is another one or could not be loaded back, the file is there already, or with
            ``sampling_only`` the model neither draws nor translates.
        NonFiniteLoss: if a weight is not finite.
    """
    if not isinstance(type(model), Recorded) or not hasattr(model, "on_save_checkpoint"):
        raise UsageError(
            f"save writes models of lit_gans, got a {type(model).__name__}; use torch.save(network.state_dict(), path)"
        )
    if half and not tensors.is_tensors(path):
        raise UsageError(f"half is for files that end in .safetensors, got {path}")
    refuse_taken(path, force=force, word="force=True")
    model._take_over()  # networks that were replaced since the model was made
    prove_loadable(model)
    content: dict[str, Any] = {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": lightning.pytorch.__version__,
    }
    model.on_save_checkpoint(content)
    content.pop(RUN, None)  # of the run that the model was trained in, which does not go on from here
    if sampling_only:
        only.reduce(model, content)
    if tensors.is_tensors(path):
        with replacing(path) as place:
            tensors.write(content, place, half, _generators(model, content["state_dict"]))
    else:
        AtomicCheckpointIO().save_checkpoint(content, path)


def _generators(model: Any, names: Iterable[str]) -> dict[str, Any]:
    """What the header says of the networks that draw or translate, for whoever wants nothing else of the model."""
    with model.inference_generator() as network:
        towards = {to: model.towards(network, to) for to in model.domains}
        return alone.generators(model, towards or {"": model.drawing(network)}, names)
