"""Checkpoint files: written whole or not at all, read without running code, and checked for damage."""

import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import IO, Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from lit_gans.checkpoints import hub, ported, tensors
from lit_gans.checkpoints.trust import shown
from lit_gans.errors import UsageError, reason
from lit_gans.files import replacing
from lit_gans.runs import Run, find_checkpoint, no_checkpoint

KEY = "lit_gans"
RANDOM = "random_states"
_ENTRIES: dict[str, type] = {
    "state_dict": dict,
    "hyper_parameters": dict,
    KEY: dict,
    RANDOM: list,
    "optimizer_states": list,
    "lr_schedulers": list,
    "callbacks": dict,
    "loops": dict,
    "epoch": int,
    "global_step": int,
    "pytorch-lightning_version": str,
}
# how files of PyTorch before 1.6 begin: a pickle of a number that says so, and no zip file with checksums
_OLD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_NEEDED = ("state_dict", KEY)
_VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.?(post|dev)\d+)*(\+[a-z0-9.]+)?")


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint to a temporary name beside its target, syncs it to disk and renames it.

    Whatever stops the process, the target is the whole old file or the whole new one. Reading checks for damage.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Writes ``checkpoint`` to the local ``path``."""
        with replacing(path) as temporary, temporary.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        """Reads ``path``, never running code, whatever ``weights_only`` says.

        Raises:
            UsageError: if there is no such file, or it is damaged.
        """
        content = unpack(path, map_location)
        if KEY in content:
            _check(content, source(path))
        return content


def located(path: Any) -> Any:
    """The checkpoint that somebody means: a file, an open file, a run or its folder, ``last`` or ``best``.

    It may also be the name of a model that comes along. One on the Hugging Face Hub, ``hf://user/repo``, is downloaded
    first.

    Raises:
        UsageError: if it is nothing of the kind, or the folder has none.
    """
    path = path.folder if isinstance(path, Run) else path
    if hasattr(path, "read"):
        return path
    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(
            f"a checkpoint is a file, or the folder of a run, such as 'runs/DCGAN-MNIST/version_0', got {path!r:.60}"
        )
    return find_checkpoint(hub.fetched(path))


def read(path: Any, map_location: Any = "cpu") -> dict[str, Any]:
    """A checkpoint of this library as a dict.

    Args:
        path: whatever `located` takes.
        map_location: where tensors go, as ``torch.load`` takes it.

    Raises:
        UsageError: if there is no such file, it is damaged, or it is something else.
    """
    content = unpack(path, map_location)
    if KEY not in content:
        if (carried := from_elsewhere(content, path, map_location)) is not None:
            return carried
        known = any(isinstance(value, torch.Tensor) for value in content.values()) or "state_dict" in content
        cure = "; make the model and give it the weights: lit_gans.take(model, path)" if known else ""
        raise UsageError(f"{source(path)} was not saved by lit_gans: it does not say which class it holds{cure}")
    _check(content, source(path))
    return content


def from_elsewhere(content: dict[str, Any], path: Any, map_location: Any = "cpu") -> dict[str, Any] | None:
    """A checkpoint made of the weights of another program, None if they are of none that we know."""
    try:
        return ported.as_checkpoint(content, path, lambda file: unpack(file, map_location))
    except UsageError as error:
        raise UsageError(f"{source(path)} cannot be used: {error}") from None


def source(path: Any) -> str:
    """The name of a checkpoint in an error."""
    return str(getattr(path, "name", "the checkpoint") if hasattr(path, "read") else path)


def unpack(path: Any, map_location: Any = "cpu") -> dict[str, Any]:
    """The dict that a file of ``torch.save``, or a ``.safetensors`` file, holds.

    Raises:
        UsageError: if there is no such file, it is damaged, it asks for code, or it holds something else.
    """
    path = located(path)
    if tensors.is_tensors(path):
        return tensors.read(path, map_location)
    if hasattr(path, "read"):
        return _unpack(path, source(path), map_location)
    if not Path(path).is_file():
        raise UsageError(no_checkpoint(path))
    with Path(path).open("rb") as file:  # opened once: a run may put a new file in its place meanwhile
        return _unpack(file, str(path), map_location)


def _unpack(file: IO[bytes], where: str, map_location: Any) -> dict[str, Any]:
    start = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(start)
    old = file.read(len(_OLD)) == _OLD
    file.seek(start)
    if not old and not zipfile.is_zipfile(file):
        raise UsageError(f"{where} ({size} bytes) is truncated or no checkpoint; use another one of the same run")
    file.seek(start)
    if not old and (damaged := _damaged(file)) is not None:
        raise UsageError(f"{where} is damaged ({damaged}); use another checkpoint of the same run")
    file.seek(start)
    try:
        content = torch.load(file, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise UsageError(f"{where} cannot be read as a checkpoint: {_asked_for(error)}") from None
    except Exception as error:  # a damaged pickle raises anything
        raise UsageError(f"{where} cannot be read as a checkpoint: {type(error).__name__}: {reason(error)}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{where} was not saved by lit_gans: it holds a {type(content).__name__}")
    return content


def _damaged(file: IO[bytes]) -> str | None:
    """The damage of a zip file in words, None if there is none: PyTorch does not check the checksums."""
    try:
        with zipfile.ZipFile(file) as archive:
            if not any(entry.CRC for entry in archive.infolist()):
                return None  # saved under torch.serialization.set_crc32_options(False): there are no checksums
            entry = archive.testzip()
            return None if entry is None else f"its entry {shown(entry)} has another checksum than when it was saved"
    except Exception as error:  # whatever a damaged zip file raises
        return reason(error) or type(error).__name__


def _asked_for(error: Exception) -> str:
    """The reason why a pickle is refused, without PyTorch's advice to let it run code."""
    if found := re.search(r"GLOBAL ([\w.]+)", str(error)):
        said = f"it asks for {found[1]} to be run, which no checkpoint of lit_gans does; do not use it"
        if not found[1].startswith(("lit_gans.", "torch.nn.")):
            return said
        return f"{said}, or if you made it by torch.save(model), save again by trainer.save_checkpoint(path)"
    found = re.search(r"WeightsUnpickler error:\s*(.*)", str(error))
    return f"it is damaged ({reason(Exception(found[1])) if found else 'a broken pickle'})"


def _check(content: dict[str, Any], where: str) -> None:
    """Refuses a file with entries that no run saves; Lightning would take them as they are."""

    def expect(right: bool, name: str, wanted: str) -> None:
        if not right:
            got = shown(content.get(name, "nothing"))
            raise UsageError(f"{where} is damaged: its {name} should be {wanted}, got {got}; use another checkpoint")

    for name, kind in _ENTRIES.items():
        if name in content or name in _NEEDED:
            expect(isinstance(content.get(name), kind), name, f"of type {kind.__name__}")
    for name in ("state_dict", "hyper_parameters", KEY):
        expect(all(isinstance(key, str) for key in content.get(name, {})), name, "a dict by name")
    expect(isinstance(content[KEY].get("class_path"), str), KEY, "the class and its networks")
    if re.match(r"0\.1(?!\d)", str(content[KEY].get("version", "0.1"))):
        raise UsageError(
            f"{where} was saved by lit_gans 0.1, whose models take other arguments; load it with 0.1, or train anew: "
            "docs/from-0.1.md says how"
        )
    given = content[KEY].get("given_networks", {})
    named = isinstance(given, dict) and all(
        isinstance(word, str) and word.isprintable() for pair in given.items() for word in pair
    )
    expect(named, KEY, "the class and its networks")
    expect(_plain_by_name(content[KEY].get("defaults", {})), KEY, "the class, its networks and its defaults")
    expect(content.get("global_step", 0) >= 0 <= content.get("epoch", 0), "global_step", "a count of batches")
    for state in content.get("optimizer_states", []):
        expect(_of_an_optimizer(state), "optimizer_states", "tensors and numbers by parameter")
    version = content.get("pytorch-lightning_version", "2.0")
    expect(_VERSION.fullmatch(version) is not None, "pytorch-lightning_version", "a version")


def _of_an_optimizer(state: Any) -> bool:
    """Whether all parameters have values of the same types; an optimizer would load others and fail at a step."""
    if not isinstance(state, dict) or not isinstance(state.get("state"), dict):
        return False
    kinds: dict[str, set[type]] = {}
    for values in state["state"].values():
        if not isinstance(values, dict):
            return False
        for name, value in values.items():
            kinds.setdefault(name, set()).add(type(value))
    return all(len(types - {type(None)}) <= 1 for types in kinds.values())


def _plain_by_name(values: Any) -> bool:
    """Whether this is a dict of strings, numbers and None by name: these load without code and can be compared."""
    plain = (bool, int, float, str, type(None))
    return isinstance(values, dict) and all(type(k) is str and type(v) in plain for k, v in values.items())


def plain_key(key: str) -> str:
    """The name of a weight without the prefix that ``torch.compile(network)`` puts into it."""
    return key.replace("_orig_mod.", "")
