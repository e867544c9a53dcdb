"""Weights that fit, from a file or another network, for fine-tuning: another size, another game, a new head."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn

from lit_gans.checkpoints import ported
from lit_gans.checkpoints.file import from_elsewhere, located, plain_key, unpack
from lit_gans.errors import UsageError

_AVERAGES = ("generator_ema.", "encoder_ema.", "classifier_ema.")
# a network inside a wrapper that gives it a label, say, or the one of a game's several that goes this way
_INSIDE = ("generator.", "discriminator.", "network.", "a_to_b.")
_LISTED = 4  # names in a message


@dataclass(frozen=True)
class Taken:
    """The names of the weights of a network by what became of them.

    Args:
        fitted: taken over.
        reshaped: there, but of another shape; left as they were.
        missing: not there; left as they were.
        unused: names in the source that the network does not have.
    """

    fitted: list[str]
    reshaped: list[str]
    missing: list[str]
    unused: list[str]

    def __str__(self) -> str:
        """In words, with the first names of what was not taken."""
        total = len(self.fitted) + len(self.reshaped) + len(self.missing)
        said = [f"{len(self.fitted)} of {total} weights were taken"]
        for names, what in (
            (self.reshaped, "have another shape and keep their start"),
            (self.missing, "are not there and keep their start"),
            (self.unused, "of the source have no place here"),
        ):
            if names:
                more = ", ..." if len(names) > _LISTED else ""
                said.append(f"{len(names)} {what} ({', '.join(names[:_LISTED])}{more})")
        return "; ".join(said)


def take(model: nn.Module, source: Any) -> Taken:
    """Gives a model, or one network, the weights of a source that fit by name and shape, and says which did not.

    Where the source has averages, which draw better, the networks begin at these; the model's own averages begin anew
    at its networks. What else a checkpoint holds, optimizers and counters, is left alone.

    Args:
        model: the model or network to fill.
        source: a checkpoint of any library, a file of weights (``torch.save(network.state_dict(), path)`` or
            ``.safetensors``), the folder of a run, a dict of weights, or a network.

    Raises:
        UsageError: if the file cannot be read without running code, or no weight fits.

    Examples:
        >>> new, old = (nn.Sequential(nn.Linear(2, 3), nn.Linear(3, n)) for n in (9, 1))
        >>> str(take(new, old))
        '2 of 4 weights were taken; 2 have another shape and keep their start (1.weight, 1.bias)'
    """
    if not isinstance(source, (nn.Module, Mapping)):
        source = located(source)
    label = f"a {type(source).__name__}" if isinstance(source, (nn.Module, Mapping)) else str(source)
    weights = weights_of(source)
    if (carried := from_elsewhere(weights, source)) is not None:
        weights = ported.fitting(model, carried["state_dict"])
    return take_from(model, weights, label)


def take_from(model: nn.Module, weights: Mapping[str, Tensor], label: str) -> Taken:
    """The same from weights by name; ``label`` is what messages call their source."""
    taken = fill_from(model, weights, label)
    rank_zero_info(f"{type(model).__name__} from {label}: {taken}")
    return taken


def fill_from(model: nn.Module, weights: Mapping[str, Tensor], label: str) -> Taken:
    """The same without a message."""
    given = _with_averages({plain_key(name): value for name, value in weights.items()})
    own = {plain_key(name): value for name, value in model.state_dict().items()}
    own = {name: value for name, value in own.items() if not name.startswith(_AVERAGES)}
    pairs = _paired(own, given)
    fitting = {name: key for name, key in pairs.items() if own[name].shape == given[key].shape}
    used = set(pairs.values())
    taken = Taken(
        fitted=list(fitting),
        reshaped=[name for name in pairs if name not in fitting],
        missing=[name for name in own if name not in pairs],
        unused=[key for key in given if key not in used],
    )
    if not fitting:
        raise UsageError(
            f"no weight of {label} fits this {type(model).__name__}{_part_that_fits(model, given)}: {taken}"
        )
    with torch.no_grad():
        for name, key in fitting.items():
            own[name].copy_(given[key])
    if (restart := getattr(model, "reset_average", None)) is not None:
        restart()
    return taken


def _part_that_fits(model: nn.Module, given: Mapping[str, Tensor]) -> str:
    """A hint at the network of a model that weights are of, if they are of one."""
    for name, network in model.named_children():
        if given.keys() & network.state_dict().keys():
            return f", but they are like its {name}'s: take(model.{name}, ...)"
    return ""


def weights_of(source: Any) -> dict[str, Tensor]:
    """The weights in a file, a dict or a network.

    Raises:
        UsageError: if there are none.
    """
    if isinstance(source, nn.Module):
        return dict(source.state_dict())
    content = source if isinstance(source, Mapping) else unpack(source)
    for key in ("state_dict", "model", "params_ema", "params", "g_ema", "generator", "netG", "G"):
        if isinstance(content.get(key), Mapping):
            content = content[key]
            break
    weights = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not weights:
        held = ", ".join(map(str, [*content][:_LISTED])) or "nothing"
        raise UsageError(f"{_label(source)} holds no weights by name, but {held}")
    return weights


def _label(source: Any) -> str:
    return f"this {type(source).__name__}" if isinstance(source, Mapping) else str(getattr(source, "name", source))


def _with_averages(given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights with those of averages in place of the networks' own."""
    plain = {name: value for name, value in given.items() if not name.startswith(_AVERAGES)}
    for name, value in given.items():
        network, _, rest = name.partition("_ema.module.")
        if name.startswith(_AVERAGES) and f"{network}.{rest}" in plain:
            plain[f"{network}.{rest}"] = value
    return plain


def _paired(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, str]:
    """The name in the source for every own name: the same, or the same but for a wrapper around the network."""
    pairs = {name: name for name in own if name in given}
    inner = {_unwrapped(key): key for key in given if key not in pairs}
    for name in own:
        if name not in pairs and (key := inner.get(_unwrapped(name))) is not None:
            pairs[name] = key
    return pairs


def _unwrapped(name: str) -> str:
    """A weight's name with the player's alone, and without those of wrappers: generator.generator.x is generator.x."""
    player, _, rest = name.partition(".")
    while rest.startswith(_INSIDE):
        rest = rest.partition(".")[2]
    return f"{player}.{rest}"
