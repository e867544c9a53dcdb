"""A generator from a ``.safetensors`` file, as a plain module: without its game, and without Lightning."""

import json
import os
from collections.abc import Iterable
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from lit_gans.errors import UsageError, reason
from lit_gans.networks.described import description, made_of
from lit_gans.runs import find_checkpoint, no_checkpoint

KEY = "lit_gans_generators"  # of the metadata
_CURE = "; write the file with 'lit-gans export CKPT --format safetensors'"


def load_generator(path: str | os.PathLike[str], to: str | None = None, device: Any = "cpu") -> nn.Module:
    """The averaged generator of a ``.safetensors`` file that ``lit-gans export`` or `lit_gans.save` wrote.

    Nothing else of the model is made, and Lightning is not imported. No code in the file is run: only networks of
    ``lit_gans.networks`` are made.

    Args:
        path: the file, or the name of a model that comes along.
        to: the domain to translate to, of a model that translates to several; by default the first.
        device: where the weights go.

    Returns:
        The network in evaluation mode, whose weights want no gradient. From noise it maps (N, latent_dim) to images
        (N, C, H, W) in [-1, 1]; by class it takes one-hot rows (N, num_classes) as well, and with codes their rows. A
        translator maps images (N, C, H, W) in [-1, 1] to such images.

    Raises:
        UsageError: if there is no such file, it is damaged, or it does not say how its generator is made, as for
            models of texts and networks of your own.

    Examples:
        >>> import tempfile, torch, lit_gans
        >>> model = lit_gans.GAN(image_shape=(1, 8, 8), latent_dim=4)
        >>> path = f"{tempfile.mkdtemp()}/gan.safetensors"
        >>> lit_gans.save(model, path)
        >>> load_generator(path)(torch.zeros(2, 4)).shape
        torch.Size([2, 1, 8, 8])
    """
    path = find_checkpoint(path)
    if path.suffix != ".safetensors" or not path.is_file():
        raise UsageError(f"{path} is no .safetensors file{_CURE}" if path.exists() else no_checkpoint(path))
    try:
        with safe_open(path, "pt", device=str(device)) as file:
            known = json.loads((file.metadata() or {}).get(KEY, "{}"))
            kept = _chosen(known, to, path)
            names = [name for name in list(file.keys()) if name.startswith(kept["weights"])]
            weights = {name.removeprefix(kept["weights"]): file.get_tensor(name) for name in names}
    except UsageError:
        raise
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read: {reason(error)}{_CURE}") from None
    network = made_of(kept["network"]).to(device)
    try:
        network.load_state_dict({name.replace("_orig_mod.", ""): value for name, value in weights.items()})
    except RuntimeError as error:
        raise UsageError(f"{path} is damaged: {reason(error, 300)}{_CURE}") from None
    return network.eval().requires_grad_(False)


def _chosen(known: Any, to: str | None, path: Any) -> dict[str, Any]:
    """What the header says of one generator."""
    if not isinstance(known, dict) or not known:
        raise UsageError(
            f"{path} does not say how its generator is made; it is of an older version, of texts, or of a network of "
            "your own: lit_gans.load(path) makes the whole model"
        )
    name = next(iter(known)) if to is None else to
    if name not in known:
        domains = " and ".join(filter(None, known))
        does = f"the generators of {path} translate to {domains}" if domains else f"{path} draws; leave to out"
        raise UsageError(f"{does}, got to={to!r}")
    kept = known[name]
    if not isinstance(kept, dict) or not isinstance(kept.get("weights"), str) or "network" not in kept:
        raise UsageError(f"{path} is damaged: its description of a generator cannot be read{_CURE}")
    return kept


def generators(model: nn.Module, networks: dict[str, nn.Module], names: Iterable[str]) -> dict[str, Any]:
    """What the header of a file says of a model's generators.

    Args:
        model: whose weights the file has.
        networks: its generators by the domain that they translate to; by the empty word where they draw.
        names: of the weights in the file; it may have averages in the place of their networks.

    Returns:
        For each its place among the weights and its `description`; nothing if one of them is not known.
    """
    places, kept = {id(module): f"{name}." for name, module in model.named_modules()}, [*names]
    found = {}
    for to, network in networks.items():
        place, described = places.get(id(network), ""), description(network)
        if place and not any(name.startswith(place) for name in kept):
            place = place.replace("_ema.module.", ".", 1)
        if not place or described is None:
            return {}
        found[to] = {"weights": place, "network": described}
    return found
