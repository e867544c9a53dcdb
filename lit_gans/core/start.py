"""The checkpoint that a model's generator begins from."""

from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import nn

from lit_gans import checkpoints
from lit_gans.errors import UsageError

_LISTED = 3  # names in a message


class Start(nn.Module):
    """Gives a generator the weights of another model's, once: a checkpoint remembers that it was done.

    So a run that goes on, or a model that was loaded to train further, does not need the file any more.

    Args:
        path: the checkpoint, or the folder of its run; None for a generator that begins from nothing.
    """

    taken: torch.Tensor

    def __init__(self, path: str | None) -> None:
        super().__init__()
        self.path = path
        self.register_buffer("taken", torch.zeros((), dtype=torch.bool))

    def take(self, model: Any) -> None:
        """Takes the weights of the averaged generator, and the vocabularies, unless that was done before.

        Raises:
            UsageError: if the file is no checkpoint, its generator is another, or it was trained on other texts.
        """
        if self.path is None or bool(self.taken):
            return
        other = checkpoints.load(self.path)
        model._take_vocabularies(other.vocabularies, self.path)
        with other.inference_generator() as network:
            given = network.state_dict()
        own = model.generator.state_dict()
        differ = sorted(
            {name for name in own if name not in given or given[name].shape != own[name].shape} | given.keys() - own
        )
        if differ:
            more = ", ..." if len(differ) > _LISTED else ""
            kept = getattr(other, "backbone", None)
            raise UsageError(
                f"the generator of the {type(other).__name__} in {self.path} is another one than this "
                f"{type(model).__name__}'s: they differ in {', '.join(differ[:_LISTED])}{more}; make this model with "
                f"its backbone, {kept}"
            )
        model.generator.load_state_dict(given)
        model.reset_average()
        self.taken.fill_(True)
        rank_zero_info(f"the generator begins from that of the {type(other).__name__} in {self.path}")
