"""Checks of the first batches, of a variant's terms and of a trainer's options, before they can do harm."""

from collections.abc import Sequence
from typing import Any

from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from lit_gans.errors import UsageError
from lit_gans.losses import Terms

_FEW_BITS = (
    "keeps the weights themselves in few bits, where the small steps of Adam and of the averaged generator are rounded "
    "to nothing; train with bf16-mixed, 16-mixed, 32-true or 64-true"
)
_IMAGES = ("image", "source", "target", "a", "b")
_ROUNDING = 0.001  # share of a value range; the data clamp what a resizing filter overshoots by more


def refuse_batch(model: Any, batch: dict[str, Any]) -> None:
    """Checks the first batch of a run.

    Args:
        model: its ``needs``, ``subject``, ``value_range`` and ``image_shape`` say how a batch must be.
        batch: tensors by name.

    Raises:
        UsageError: if the batch lacks what the model needs, or has images of another kind.
    """
    if missing := [name for name in model.needs if name not in batch]:
        raise UsageError(
            f"{type(model).__name__} needs batches with {', '.join(missing)}, but the data gives {', '.join(batch)}; "
            "use another data set, or a model that is made for this one"
        )
    for name in dict.fromkeys((*_IMAGES, model.subject)):
        if isinstance(batch.get(name), Tensor):
            if model.value_range is not None:
                _refuse_values(name, batch[name], model.value_range)
            if name in ("image", model.subject) and model.image_shape is not None:
                _refuse_shape(batch[name], model.image_shape)


def _refuse_values(name: str, images: Tensor, value_range: tuple[float, float]) -> None:
    """Refuses images with values that the generator cannot draw."""
    (least, most), (low, high) = value_range, (float(images.min()), float(images.max()))
    slack = _ROUNDING * (most - least) / 2
    if not images.is_floating_point() or low < least - slack or high > most + slack:
        wanted = f"[{least:g}, {most:g}]"
        raise UsageError(
            f"'{name}' must be float images in {wanted}, as the generator draws them, got {images.dtype} in "
            f"[{low:g}, {high:g}]; normalise them with image / 127.5 - 1 if they are in [0, 255] or image * 2 - 1 if "
            "they are in [0, 1], or set value_range = None in your model's class if they are not images"
        )
    if low >= 0 > least:
        rank_zero_warn(
            f"no value of the first '{name}' batch is below 0 (range [{low:g}, {high:g}]): images in [0, 1] must be "
            "normalised with image * 2 - 1"
        )


def _refuse_shape(images: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(images.shape[1:]) != shape:
        raise UsageError(
            f"the model was built for images of shape {shape} (channels, height, width), but the data gives "
            f"{tuple(images.shape[1:])}; set image_shape to what the data gives"
        )


def shape_of(name: str, given: Sequence[int] | None) -> tuple[int, ...] | None:
    """A shape as a tuple.

    Raises:
        UsageError: if it is not a sequence of whole numbers from 1.
    """
    if given is None:
        return None
    if not isinstance(given, Sequence) or not given or not all(isinstance(n, int) and n > 0 for n in given):
        raise UsageError(
            f"{name} must be (channels, height, width), or the shape of whatever a sample is, in whole numbers from 1, "
            f"got {given!r}"
        )
    return tuple(given)


def refuse_backbone(model: Any, backbone: Any, kind: type, **networks: nn.Module | None) -> None:
    """Raises a `UsageError` for a backbone of another kind, or one beside networks that leave it none to make."""
    if backbone is not None and not isinstance(backbone, kind):
        raise UsageError(
            f"the backbone of a {type(model).__name__} must be a {kind.__name__}, such as "
            f"{type(model.default_backbone).__name__}(), got {backbone!r}"
        )
    if backbone is not None and all(network is not None for network in networks.values()):
        raise UsageError(
            f"a backbone makes default networks, and {type(model).__name__} was given all of its own; leave out "
            f"backbone, or one of {' and '.join(networks)}"
        )


def checked_terms(player: str, terms: Any) -> Terms:
    """The terms that a variant's loss has returned.

    Raises:
        UsageError: if they are not a dict of tensors of one number each, or depend on no weight that trains.
    """
    if not isinstance(terms, dict) or not terms:
        given = "an empty dict" if isinstance(terms, dict) else f"a {type(terms).__name__}"
        raise UsageError(
            f"the {player}'s loss must be a dict of named terms, such as {{'fake': loss}}, got {given}; return one "
            "term at least"
        )
    for name, term in terms.items():
        if not isinstance(term, Tensor) or term.ndim:
            given = f"shape {tuple(term.shape)}" if isinstance(term, Tensor) else f"a {type(term).__name__}"
            raise UsageError(
                f"the {player}'s term {name!r} must be a tensor of one number, such as loss.mean(), got {given}"
            )
    if not any(term.requires_grad for term in terms.values()):
        raise UsageError(
            f"the {player}'s terms {', '.join(map(str, terms))} depend on no weight that trains; let them use the "
            "player's network, and do not detach them"
        )
    return terms


def refuse_idle(model: nn.Module, moved: Sequence[Tensor], players: str) -> None:
    """Raises a `UsageError` for parameters that require a gradient and that no optimizer moves."""
    known = set(map(id, moved))
    idle = [name for name, p in model.named_parameters() if p.requires_grad and id(p) not in known]
    if idle:
        where = dict.fromkeys(name.split(".")[0] for name in idle)
        raise UsageError(
            f"{', '.join(where)} has parameters that require a gradient, {idle[0]} for one, but no optimizer that "
            f"moves them; make it a part of {players}, or freeze it with requires_grad_(False)"
        )


def refuse_strategy(strategy: Any) -> None:
    """Raises a `UsageError` for a strategy that two players in one module cannot be trained with."""
    popen = getattr(strategy, "_start_method", "popen") == "popen"  # spawned and forked processes share no launcher
    if not isinstance(strategy, (SingleDeviceStrategy, DDPStrategy)) or not popen:
        name = f"{type(strategy).__name__}{'' if popen else ' with spawned processes'}"
        raise UsageError(
            f"a model trains on one device or with 'ddp' on several, each in a process of its own, got {name}; leave "
            "trainer.strategy at 'auto'"
        )


def refuse_precision(precision: str) -> None:
    """Raises a `UsageError` for number types in which small steps of the weights are lost."""
    if precision not in ("32-true", "64-true", "16-mixed", "bf16-mixed"):
        raise UsageError(f"precision {precision} {_FEW_BITS}")


def refuse_few_bits(model: nn.Module) -> None:
    """Raises a `UsageError` for a model that was converted to few bits; frozen weights may have any number type."""
    learned = (weight for weight in model.parameters() if weight.requires_grad and weight.is_floating_point())
    if few := next((weight.dtype for weight in learned if weight.element_size() < 4), None):
        name = str(few).removeprefix("torch.")
        raise UsageError(f"a model converted to {name} {_FEW_BITS}, and call float() on the model first")


def refuse_options(trainer: Any) -> None:
    """Raises a `UsageError` for the trainer's own clipping and accumulation, which models do not use."""
    if trainer.gradient_clip_val:
        raise UsageError("a model clips by itself: use its clip_norm, not the trainer's gradient_clip_val")
    if trainer.accumulate_grad_batches != 1:
        raise UsageError("a batch is a step here: use data with a larger batch_size, do not accumulate_grad_batches")
