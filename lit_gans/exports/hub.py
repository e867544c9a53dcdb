"""Puts a model onto the Hugging Face Hub: its weights with their description, and a page that says what it is."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_gans.checkpoints import hub, load, save
from lit_gans.checkpoints.file import located
from lit_gans.core.generative import GenerativeModel
from lit_gans.errors import UsageError
from lit_gans.exports.card import SAMPLES, card

_DRAWN = 16  # samples on the page


def push_to_hub(
    model: Any,
    repo: str,
    *,
    licence: str,
    private: bool = False,
    half: bool = False,
    force: bool = False,
    trust: Sequence[str] = (),
) -> str:
    """Uploads a model as ``model.safetensors``, with a page written from its run, to the Hugging Face Hub.

    No picture of the training data goes there, and no path of this machine. ``lit_gans.load("hf://user/name")`` gives
    the model back; the token is the hub's own (``hf auth login``, or ``HF_TOKEN``).

    Args:
        model: a model, or a checkpoint as `load` takes it, whose run's data, options and scores the page tells.
        repo: ``user/name``; it is made if it is not there.
        licence: of the weights, as the hub names licences: ``mit``, ``cc-by-4.0``. It is yours to say; the data may
            decide it.
        private: make it readable for you alone.
        half: keep weights as float16.
        force: replace the model of a repository that has one.
        trust: packages of yours that the checkpoint names classes of.

    Returns:
        The address of the page.

    Raises:
        UsageError: if there is no licence, no token or no such user, the repository has a model already, or the hub
            does not answer.
    """
    if not licence or not licence.strip():
        raise UsageError("say by which licence others may use the weights: licence='mit', say, or 'cc-by-4.0'")
    if repo.count("/") != 1 or not all(repo.split("/")):
        raise UsageError(f"a repository of the hub is user/name, got {repo!r}")
    client = hub.library()
    checkpoint = None if isinstance(model, GenerativeModel) else located(model)
    model = model if checkpoint is None else load(checkpoint, trust=trust)
    if model.given_networks:
        raise UsageError(
            f"this {type(model).__name__} has a network that was passed as an object "
            f"({', '.join(model.given_networks)}), which others could not load; make it a class that arguments name"
        )
    with tempfile.TemporaryDirectory() as folder:
        _prepare(Path(folder), model, repo, licence, checkpoint, half)
        try:
            return _upload(client, Path(folder), repo, private, force)
        except UsageError:
            raise
        except Exception as error:  # the client's errors have no common class
            raise UsageError(f"{repo} cannot be written: {hub.told(error, repo)}") from error


def _prepare(folder: Path, model: Any, repo: str, licence: str, checkpoint: Any, half: bool) -> None:
    """Writes all that is uploaded into a folder."""
    from lit_gans.images.grid import grid, to_image

    save(model, folder / hub.FILE, half=half)
    pictured = model.draws and not model.of_texts
    if pictured:
        to_image(grid(model.sample(_DRAWN, seed=0))).save(folder / SAMPLES)
    path = Path(checkpoint) if isinstance(checkpoint, (str, os.PathLike)) else None
    (folder / "README.md").write_text(card(model, repo, licence, path, pictured), encoding="utf-8")


def _upload(client: Any, folder: Path, repo: str, private: bool, force: bool) -> str:
    api = client.HfApi(endpoint=hub.endpoint())
    api.create_repo(repo, private=private, exist_ok=True)
    if not force and api.file_exists(repo, hub.FILE):
        raise UsageError(f"{repo} has a {hub.FILE} already; name another repository, or replace it with --force")
    api.upload_folder(repo_id=repo, folder_path=folder, commit_message="Upload a model of lit_gans")
    return f"{(hub.endpoint() or 'https://huggingface.co').rstrip('/')}/{repo}"
