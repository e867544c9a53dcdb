"""Checkpoints as ``.safetensors``: weights that any program can read, and in the header what makes the model again."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lit_gans.errors import UsageError, reason
from lit_gans.networks import alone

SUFFIX = ".safetensors"
_KEY = "lit_gans"  # of the metadata
_TUPLE = "()"  # JSON has lists alone: a tuple is {"()": [...]}
_KEPT = ("hyper_parameters", _KEY, "epoch", "global_step", "pytorch-lightning_version")
_MOST = 65504.0  # that float16 holds


def is_tensors(path: Any) -> bool:
    """Whether a path is that of a ``.safetensors`` file."""
    return isinstance(path, (str, os.PathLike)) and Path(path).suffix == SUFFIX


def write(content: dict[str, Any], path: Path, half: bool = False, generators: dict[str, Any] | None = None) -> None:
    """Writes the weights and the description of a checkpoint; what a run needs to go on is left out.

    Args:
        content: as `read` of a checkpoint gives it.
        path: where to.
        half: keep weights as float16, in half the space, and whole numbers in as few bytes as they need.
        generators: what `load_generator` needs, see `alone.generators`.

    Raises:
        UsageError: if an argument of the model has no form in JSON, or a weight does not fit into float16.
    """
    described = {name: content[name] for name in _KEPT if name in content}
    plain = _to_json(described)
    if not _equal(_from_json(json.loads(json.dumps(plain))), described):
        raise UsageError("an argument of this model is a tensor or the like, which only a .ckpt file can hold")
    weights = {name: _packed(name, value, half) for name, value in content["state_dict"].items()}
    header = {"format": "pt", _KEY: json.dumps(plain, ensure_ascii=False)}
    header |= {alone.KEY: json.dumps(generators, ensure_ascii=False)} if generators else {}
    packed = save(weights, header)
    path.write_bytes(packed)  # save_file's own files can be read by their owner alone


def read(path: Any, map_location: Any = "cpu") -> dict[str, Any]:
    """What `write` wrote, as a checkpoint; of a file of another program the weights by name. No code is run.

    Args:
        path: the file.
        map_location: a device; anything else leaves the weights on the CPU.

    Raises:
        UsageError: if there is no such file, or it is damaged.
    """
    if not Path(path).is_file():
        raise UsageError(f"there is no file {path}")
    device = str(map_location) if isinstance(map_location, (str, torch.device)) else "cpu"
    try:
        with safe_open(path, "pt", device=device) as file:
            described = (file.metadata() or {}).get(_KEY)
            weights = {name: file.get_tensor(name) for name in list(file.keys())}
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{path} cannot be read: {reason(error)}") from None
    if described is None:
        return weights
    try:
        found = _from_json(json.loads(described))
    except (ValueError, RecursionError, TypeError):
        found = None
    if not isinstance(found, dict) or not set(found) <= set(_KEPT):
        raise UsageError(f"{path} is damaged: its description of the model cannot be read; use another copy")
    return {**found, "state_dict": weights}


def _packed(name: str, value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu()
    if half and value.is_floating_point():
        if value.numel() and float(value.abs().max()) > _MOST:
            raise UsageError(f"{name} has values above {_MOST:g}, which float16 does not hold; leave out half")
        value = value.half()
    elif half and value.dtype == torch.int64:
        value = value.to(_narrowest(value))
    return value.clone(memory_format=torch.contiguous_format)  # no two weights may share their memory


def _narrowest(value: Tensor) -> torch.dtype:
    """The smallest type that holds whole numbers."""
    least, most = (int(bound) for bound in value.aminmax()) if value.numel() else (0, 0)
    kinds = (torch.int8, torch.int16, torch.int32)
    return next((k for k in kinds if torch.iinfo(k).min <= least and most <= torch.iinfo(k).max), torch.int64)


def _to_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return {_TUPLE: [_to_json(entry) for entry in value]}
    if isinstance(value, list):
        return [_to_json(entry) for entry in value]
    if isinstance(value, dict):
        return {str(key): _to_json(entry) for key, entry in value.items()}
    return value if value is None or type(value) in (bool, int, float, str) else repr(value)


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_TUPLE} and isinstance(value[_TUPLE], list):
        return tuple(_from_json(entry) for entry in value[_TUPLE])
    return {key: _from_json(entry) for key, entry in value.items()}


def _equal(value: Any, other: Any) -> bool:
    """Whether two nested values are the same, also in their types."""
    if type(value) is not type(other):
        return False
    if isinstance(value, dict):
        return value.keys() == other.keys() and all(_equal(entry, other[key]) for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return len(value) == len(other) and all(map(_equal, value, other))
    return bool(value == other)
