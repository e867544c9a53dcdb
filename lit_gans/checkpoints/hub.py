"""Checkpoints on the Hugging Face Hub, as ``hf://user/repo``: weights and their description, no code.

The hub's own cache keeps what was downloaded (``HF_HOME`` says where), so that other programs share it.
"""

import os
import re
from types import ModuleType
from typing import Any

from lit_gans.checkpoints.tensors import SUFFIX
from lit_gans.errors import UsageError, reason

BEGINNING = "hf://"
FILE = f"model{SUFFIX}"
_NAME = re.compile(r"([\w.-]+/[\w.-]+?)(?:@([\w.-]+))?(?:/(.+))?")


def fetched(given: Any) -> Any:
    """The path of a checkpoint; one on the hub is downloaded first, unless the hub's cache has it.

    Args:
        given: a path, which is returned as it is, or ``hf://user/repo``, with ``@revision`` and ``/file`` if need be.

    Raises:
        UsageError: if there is no such file, it may not be read, the hub does not answer, or it is no ``.safetensors``.
    """
    if not isinstance(given, str) or not given.startswith(BEGINNING):
        return given
    found = _NAME.fullmatch(given.removeprefix(BEGINNING).strip("/"))
    if found is None:
        raise UsageError(f"{given!r} names nothing on the hub; write hf://user/repo, or hf://user/repo@revision/file")
    repo, revision, file = found[1], found[2], found[3] or FILE
    if not file.endswith(SUFFIX):
        raise UsageError(
            f"{given} is no {SUFFIX} file, and no other is taken from the hub: a {SUFFIX} holds no code; write it with "
            "'lit-gans export CKPT --format safetensors'"
        )
    client = library()
    try:
        return client.hf_hub_download(repo, file, revision=revision, endpoint=endpoint())
    except Exception as error:  # the client's errors have no common class, and those of its connection come through
        raise UsageError(f"{given} cannot be downloaded: {told(error, repo, file)}") from error


def library() -> ModuleType:
    """The hub's client.

    Raises:
        UsageError: if it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError:
        raise UsageError("the hub needs huggingface_hub, which is not installed: pip install 'lit_gans[hub]'") from None
    return huggingface_hub


def endpoint() -> str | None:
    """The hub's address, where ``HF_ENDPOINT`` names another than the public one."""
    return os.environ.get("HF_ENDPOINT") or None


def told(error: BaseException, repo: str, file: str = FILE) -> str:
    """An error of the client in words that say what to do."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(getattr(error, "response", None), "status_code", None)
    if "GatedRepoError" in kinds:
        return f"{repo} asks for a consent that you have not given; its page takes it, then 'hf auth login'"
    if "EntryNotFoundError" in kinds and "LocalEntryNotFoundError" not in kinds:
        return f"{repo} has no {file}; its page lists its files, and hf://{repo}/FILE{SUFFIX} names one"
    if "RevisionNotFoundError" in kinds:
        return f"{repo} has no such revision; its page lists them"
    if status in (401, 403) and "RepositoryNotFoundError" not in kinds:
        return f"your token may not do that in {repo}; 'hf auth login' keeps another, HF_TOKEN holds one"
    if "RepositoryNotFoundError" in kinds:
        return f"there is no {repo}, or it is private and you have no token for it; 'hf auth login' keeps one"
    if "LocalTokenNotFoundError" in kinds:
        return "there is no token; 'hf auth login' keeps one, HF_TOKEN holds one"
    if "HFValidationError" in kinds:
        return f"{repo} is no name of a repository; it is user/name, of letters, digits, - _ and ."
    if kinds & {
        "LocalEntryNotFoundError",
        "OfflineModeIsEnabled",
        "ConnectError",
        "ConnectionError",
        "TimeoutException",
    }:
        return "the hub does not answer, and there is no copy in its cache; try again, or name a file on this machine"
    return f"{reason(error)}; try again, or name a file on this machine"
