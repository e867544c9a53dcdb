"""Loads the models that commands use, and reads the labels and directions that they are asked for."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from lit_gans.checkpoints.class_names import numbered, told
from lit_gans.core.texts import options_of_sample
from lit_gans.errors import UsageError, one

_DRAWN_BY = ("temperature", "top_k", "guidance", "stage")  # that some models take


def load_latent(checkpoint: str, device: str = "auto", trust: Sequence[str] = ()) -> Any:
    """Loads the model of a checkpoint that draws from points of a latent space.

    Raises:
        UsageError: if the file is not a checkpoint, the device cannot be used, or the model draws from something else.
    """
    from lit_gans.checkpoints import load

    model = load(checkpoint, usable(device), trust=trust)
    if not model.draws_from_latents:
        raise UsageError(
            f"{checkpoint} holds {one(model)}, which does not draw from points of a latent space alone; "
            "use a checkpoint of a model that draws from noise, say a DCGAN"
        )
    return model.eval()


def usable(device: str) -> str:
    """The device that a word names, if it can be computed on.

    Args:
        device: as PyTorch names it, or ``auto``: the GPU if there is one, else the CPU.

    Raises:
        UsageError: if it is unknown or not there.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = f"cuda:{device}" if device.isdecimal() else "cuda" if device == "gpu" else device
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].partition(". ")[0]
        raise UsageError(
            f"device {device!r} cannot be used ({reason}); use auto, cpu, or cuda if there is a GPU"
        ) from None
    return device


def labels(model: Any, label: Sequence[int | str] | None) -> dict[str, Any]:
    """Turns a label of the command line into one for `sample`: classes that take turns, or one row of attributes.

    Raises:
        UsageError: if the model draws without labels, or has no such attribute.
    """
    if label is None:
        return {}
    if model.known_classes is None:
        raise UsageError(f"{type(model).__name__} draws without labels: leave --label out")
    if not model.multi_label:
        return {"label": label}
    return {"label": rows(model, label).sum(0, keepdim=True).clamp(max=1)}


def rows(model: Any, label: Sequence[int | str]) -> Tensor:
    """The conditions (len(label), num_classes) of classes, or of attributes one by one, by number or name.

    Raises:
        UsageError: if there is no such class or attribute, or training had no example of the class.
    """
    if not model.multi_label:
        return model.conditions(label, len(label))
    last, names = model.num_classes - 1, model.class_names
    numbers = numbered(list(label), names, last + 1)
    if wrong := next((number for number in numbers if not 0 <= number <= last), None):
        there = f"; there are {told(range(last + 1), names)}" if names else ""
        raise UsageError(f"label must be numbers of attributes from 0 to {last}, got {wrong}{there}")
    return model.condition(torch.tensor(numbers, dtype=torch.long, device=model.device))


def domain(model: Any, direction: str) -> str:
    """The domain that a model translates to by a ``--direction``: AtoB is to b, BtoA to a.

    Raises:
        UsageError: if it does not go that way.
    """
    to = direction[-1].lower()
    if model.domains and to not in model.domains:
        raise UsageError(f"{one(model)} translates one way only; leave out --direction")
    if model.translates_texts and direction != "AtoB":
        raise UsageError(f"{one(model)} translates one way only; leave out --direction")
    if not model.domains and direction != "AtoB":
        raise UsageError(f"{one(model)} translates nothing; leave out --direction")
    return to


def refuse_options(model: Any, checkpoint: str, options: Iterable[str]) -> None:
    """Refuses options of a draw that a model does not draw by.

    Raises:
        UsageError: with those that it draws by.
    """
    known = options_of_sample(model)
    if (wrong := next((name for name in options if name not in known), None)) is None:
        return
    own = [f"--{name}" for name in ("seed", "label", "text", "noise", "truncation", *_DRAWN_BY) if name in known]
    raise UsageError(
        f"{checkpoint} holds {one(model)}, which does not draw by --{wrong}: leave it out; it draws by {', '.join(own)}"
    )


def refuse_other_than_drawing(model: Any, checkpoint: str) -> None:
    """Refuses a model that does not draw from noise, and says which command it is for.

    Raises:
        UsageError: if it does not.
    """
    if model.draws:
        return
    does, command = ("draws no images", "use a checkpoint of a model that draws from noise")
    if model.domains:
        does, command = "makes pictures of pictures", f"use 'lit-gans translate {checkpoint} FOLDER'"
    elif model.translates_texts:
        does, command = "translates texts", f"use 'lit-gans translate {checkpoint} --text \"...\"'"
    elif model.of_texts:
        does, command = "reads texts", f"use 'lit-gans embed {checkpoint} LINES.txt'"
    raise UsageError(f"{checkpoint} holds {one(model)}, which {does} and does not draw from noise; {command}")
