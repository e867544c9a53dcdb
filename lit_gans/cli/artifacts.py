"""Checkpoints on Weights & Biases or the Hugging Face Hub: named by a reference, downloaded once.

Slow imports are delayed until they are needed, so that help answers at once.
"""

import re
from pathlib import Path
from typing import Any

from lit_gans.errors import UsageError, reason

_BEGINNINGS = ("wandb:", "wandb-artifact://")
_NAME = re.compile(r"(?:([\w.-]+)/)?([\w.-]+)/([\w.-]+):([\w.-]+)")
_FORM = "wandb:entity/project/name:alias, say wandb:me/lit_gans/model-1a2b3c4d:best"


def fetched(given: Any) -> Any:
    """The path of a checkpoint; one that W&B or the hub keeps is downloaded into the cache first, unless it is there.

    Args:
        given: a path, which is returned as it is, ``hf://user/repo``, or ``wandb:entity/project/name:alias``. The
            entity may be left out for one's own. Without ``wandb:`` the full name, as W&B's page of an artifact shows
            it, is enough if there is no such file.

    Raises:
        UsageError: if it is no reference, or cannot be downloaded, or holds no checkpoint.
    """
    text = str(given)
    if text.startswith("hf://"):
        from lit_gans.checkpoints import hub

        return hub.fetched(text)
    beginning = next((word for word in _BEGINNINGS if text.startswith(word)), None)
    if beginning is None and (_NAME.fullmatch(text) is None or Path(text).exists()):
        return given
    name = text.removeprefix(beginning or "").strip("/")
    if (found := _NAME.fullmatch(name)) is None:
        raise UsageError(f"{text!r} names no artifact of Weights & Biases; write {_FORM}")
    try:
        return str(_downloaded(name, found))
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(
            f"{name} cannot be kept in the cache ({reason(error)}); LIT_GANS_CACHE names another"
        ) from None
    except Exception as error:  # wandb's own errors have no common class, and those of HTTP come through
        raise UsageError(f"{name} cannot be downloaded from Weights & Biases: {_told(error, name)}") from error


def _downloaded(name: str, parts: "re.Match[str]") -> Path:
    """The checkpoint of an artifact, in the cache; the server says which version an alias is of now."""
    import wandb

    from lit_gans.data.cache_folder import cache_folder

    artifact = wandb.Api(timeout=20).artifact(name)
    files = [entry for entry in artifact.manifest.entries if entry.endswith(".ckpt")]
    if len(files) != 1:
        held = ", ".join(sorted(artifact.manifest.entries)) or "nothing"
        raise UsageError(f"{name} holds {held}, not one checkpoint; name an artifact of a run with log_model")
    place = cache_folder() / "artifacts" / artifact.entity / artifact.project / parts[3] / artifact.version
    return _kept(artifact, files[0], place / artifact.digest[:12])


def _kept(artifact: Any, file: str, place: Path) -> Path:
    """The file in the cache, downloaded as a whole or not at all."""
    from lit_gans.files import working_folder

    target = place / file
    if not target.is_file():
        with working_folder(place) as folder:
            print(f"downloading {artifact.qualified_name} to {target}", flush=True)
            artifact.download(root=str(folder), skip_cache=True)
            (folder / file).replace(target)
    return target


def _told(error: Exception, name: str) -> str:
    """An error of the client in words that say what to do."""
    text = reason(error)
    if "api key" in text.lower() or "401" in text or "login" in text.lower():
        return "there is no valid key; 'wandb login' keeps one, WANDB_API_KEY holds one"
    if any(word in text.lower() for word in ("busy", "timed out", "refused", "connect")):
        return "the server does not answer; try again, or give a checkpoint on this machine"
    if "not found" in text.lower() or type(error).__name__ == "ValueError":
        page = name.partition(":")[0]
        return f"there is none of this name, or it is not yours to read; W&B's page of {page} lists its aliases"
    return f"{text}; try again, or give a checkpoint on this machine"
