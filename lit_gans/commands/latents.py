"""The space that a generator draws from: ways between two of its points."""

import inspect
from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from lit_gans.errors import UsageError

Mode = Literal["spherical", "linear"]
_PARALLEL = 1e-4  # radians: below, the arc divides by almost nothing and is a line anyway


def load_latent(checkpoint: str, device: str = "cpu", trust: Sequence[str] = ()) -> Any:
    """The model of a checkpoint, if it draws from points of a latent space.

    Raises:
        UsageError: if the file is no checkpoint, the device is none, or the model draws from something else.
    """
    from lit_gans.checkpoints import load
    from lit_gans.metrics.conditional import has_latent_points

    model = load(checkpoint, usable(device), trust=trust)
    if not has_latent_points(model):
        raise UsageError(
            f"{checkpoint} holds a {type(model).__name__}, which does not draw from points of a latent space alone; "
            "use a checkpoint of a model that draws from noise, say a DCGAN"
        )
    return model.eval()


def usable(device: str) -> str:
    """``device``, if it can be computed on.

    Raises:
        UsageError: if it is unknown or not there.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device {device!r} cannot be used ({reason}); use cpu, or cuda if there is a GPU") from None
    return device


def labels(model: Any, label: list[int] | None) -> dict[str, Any]:
    """A label of the command line as an argument of `sample`: classes that take turns, or one row of attributes.

    Raises:
        UsageError: if the model draws without labels, or has no such attribute.
    """
    if label is None:
        return {}
    if "label" not in inspect.signature(model.sample).parameters:
        raise UsageError(f"{type(model).__name__} draws without labels: leave --label out")
    if not getattr(model, "multi_label", False):
        return {"label": label}
    return {"label": rows(model, label).sum(0, keepdim=True).clamp(max=1)}


def rows(model: Any, label: list[int]) -> Tensor:
    """The conditions (len(label), num_classes) of classes, or of attributes one by one.

    Raises:
        UsageError: if there is no such class or attribute, or training had no example of the class.
    """
    if not model.multi_label:
        return model.conditions(label, len(label))
    last = len(model.label_counts) - 1
    if wrong := next((number for number in label if not 0 <= number <= last), None):
        raise UsageError(f"label must be numbers of attributes from 0 to {last}, got {wrong}")
    return model.condition(torch.tensor(label, dtype=torch.long, device=model.device))


def draw(n: int, latent_dim: int, seed: int | None = None) -> Tensor:
    """(n, latent_dim) from N(0, I), on the CPU; without a seed from the global random state."""
    rng = None if seed is None else torch.Generator().manual_seed(seed)
    return torch.randn(n, latent_dim, generator=rng)


def path(start: Tensor, end: Tensor, steps: int, mode: Mode = "spherical") -> Tensor:
    """Points on the way between pairs of points, both ends included.

    ``linear`` takes the chord; in many dimensions its middle is much nearer to the origin than any point that N(0, I)
    draws. ``spherical`` turns from one direction to the other (White 2016, arXiv:1609.04468), by equal angles:

    ``sin((1 - t) a) / sin(a) start + sin(t a) / sin(a) end``, with a the angle between the two. Where they are nearly
    parallel or opposite this is 0 / 0, or any of many arcs, and the chord is taken instead.

    Args:
        start: (N, D).
        end: (N, D).
        steps: points a pair, at least 2.
        mode: ``spherical`` or ``linear``.

    Returns:
        (N, steps, D).

    Raises:
        UsageError: if there are fewer than 2 steps or the mode is unknown.

    Examples:
        >>> path(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 3)[0, 1]
        tensor([0.7071, 0.7071])
    """
    if steps < 2:
        raise UsageError(f"steps counts the points from end to end and must be at least 2, got {steps}")
    if mode not in get_args(Mode):
        raise UsageError(f"mode must be 'spherical' or 'linear', got {mode!r}")
    t = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device).view(1, -1, 1)
    first, last = start.unsqueeze(1), end.unsqueeze(1)
    chord = (1 - t) * first + t * last
    if mode == "linear":
        return chord
    u, v = (torch.nn.functional.normalize(x.double(), dim=1) for x in (start, end))
    angle = 2 * torch.atan2((u - v).norm(dim=1), (u + v).norm(dim=1)).view(-1, 1, 1)  # exact where acos is not
    sine = angle.sin()
    degenerate = (sine < _PARALLEL) | (start.norm(dim=1) * end.norm(dim=1) == 0).view(-1, 1, 1)
    safe = sine.masked_fill(degenerate, 1)
    t = t.double()
    arc = ((1 - t) * angle).sin() / safe * first + (t * angle).sin() / safe * last
    return torch.where(degenerate, chord, arc.to(chord.dtype))
