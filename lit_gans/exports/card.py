"""The page of a model on the Hugging Face Hub, written from what its checkpoint and its run say; nothing is guessed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from lit_gans import __version__
from lit_gans.checkpoints.place import RUN
from lit_gans.errors import UsageError
from lit_gans.metrics.protocol import Scores
from lit_gans.models.references import citation
from lit_gans.runs import Run

SAMPLES = "samples.png"
_SENTENCES = 8  # of a model that writes


def card(model: Any, repo: str, licence: str, checkpoint: Path | None = None, pictured: bool = False) -> str:
    """The page, as Markdown with the hub's header.

    Args:
        model: the model.
        repo: ``user/name``.
        licence: of the weights, as the hub names it.
        checkpoint: the file that the model is from; its run's scores and options are told.
        pictured: whether ``samples.png`` lies beside the page.
    """
    name = type(model).__name__
    header = {"license": licence, "library_name": "lit_gans", "tags": ["gan", "lit_gans", name]}
    parts = [
        f"---\n{yaml.safe_dump(header, sort_keys=False)}---\n",
        f"# {repo.partition('/')[2]}",
        f"{_first_line(model)} A model of lit_gans {__version__}.",
        *([f"![samples]({SAMPLES})", "Samples by the averaged generator, seed 0."] if pictured else []),
        *_texts(model),
        "## Use",
        _use(model, repo),
        *(_training(checkpoint) if checkpoint is not None else []),
        "## Cite",
        f"```bibtex\n{citation(model).strip()}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _first_line(model: Any) -> str:
    told = (type(model).__doc__ or "").strip().splitlines()
    return f"**{type(model).__name__}**: {told[0]}" if told else f"**{type(model).__name__}**."


def _texts(model: Any) -> Iterator[str]:
    """Sentences of a model that writes some."""
    if model.of_texts and model.draws and model.subject in model.vocabularies:
        yield f"{_SENTENCES} texts by the averaged generator, seed 0:"
        yield "\n".join(f"- {text}" for text in model.write(_SENTENCES, seed=0))


def _use(model: Any, repo: str) -> str:
    place = f"hf://{repo}"
    if model.of_texts and model.draws:
        call, command = "print(model.write(8, seed=0))", f"lit-gans sample {place}"
    elif model.draws:
        call, command = "images = model.sample(16, seed=0)", f"lit-gans sample {place}"
    elif model.translates_texts:
        call, command = 'print(model.translate_text("..."))', f'lit-gans translate {place} --text "..."'
    elif model.domains:
        call, command = "images = model.translate(images)", f"lit-gans translate {place} PICTURES"
    else:
        call, command = "print(model)", f"lit-gans export {place} --format safetensors"
    python = f'```python\nimport lit_gans\n\nmodel = lit_gans.load("{place}")\n{call}\n```'
    return f'```bash\npip install "lit_gans[hub]"\n{command}\n```\n\n{python}'


def _training(checkpoint: Path) -> Iterator[str]:
    """The data, the command and the scores of the run that a checkpoint is from."""
    from lit_gans.checkpoints import read

    content, run = read(checkpoint), Run.of(checkpoint)
    described, batches = content.get(RUN, {}), int(content.get("global_step", 0))
    yield "## Training"
    if "data" not in described:
        yield "The checkpoint does not say what it was trained on."
    else:
        options = {name: value for name, value in described.get("arguments", {}).items() if not _private(value)}
        told = ", ".join(f"{name}={value}" for name, value in options.items() if value is not None)
        sizes = ", ".join(f"{size:,}" for size in described.get("samples", []))
        number = f" {sizes} samples," if sizes else ""
        yield f"Data: `{described['data'].rpartition('.')[2]}` ({told}),{number} {batches:,} batches."
    if run.config.is_file():
        yield "Command: `lit-gans fit --config config.yaml`, with this `config.yaml` (paths are left out):"
        yield f"<details>\n\n```yaml\n{_public(run.config).strip()}\n```\n\n</details>"
    scores = measured(checkpoint, batches)
    yield "## Scores"
    if not scores:
        yield "None were measured."
    for each in scores:
        protocol = each.protocol
        rows = (f"| {name} | {value:.4g} |" for name, value in each.values.items())
        yield "\n".join(["| score | value |", "|---|---|", *rows])
        yield (
            f"After {each.step:,} batches: {protocol.fake:,} samples of the "
            f"{'averaged' if protocol.averaged else 'plain'} generator (seed {protocol.seed}) against "
            f"{protocol.real:,} of `{protocol.data}`, split {protocol.split}, features {protocol.features}, resized "
            f"{protocol.resize}. Scores of other protocols do not compare."
        )


def measured(checkpoint: Path, batches: int) -> list[Scores]:
    """The scores of `evaluate` beside a checkpoint, and those of its run at the same number of batches."""
    found = []
    run = Run.of(checkpoint)
    lines = run.scores.read_text("utf-8", errors="replace").splitlines() if run.scores.is_file() else []
    beside = sorted(checkpoint.parent.glob(f"{checkpoint.stem}*.json"))
    for text in [*lines, *(path.read_text("utf-8", errors="replace") for path in beside)]:
        try:
            scores = Scores.made_of(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            continue  # of something else, or a line that is still being written
        if scores.step == batches and scores.values:
            found.append(scores)
    return found


def _public(config: Path) -> str:
    """A configuration without what tells of the machine."""
    try:
        content = yaml.safe_load(config.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{config} cannot be read: {error}") from None
    content = {name: content[name] for name in ("seed_everything", "model", "data") if name in (content or {})}
    return str(yaml.safe_dump(_without_paths(content), sort_keys=False))


def _without_paths(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _without_paths(entry) for name, entry in value.items() if not _private(entry)}
        return {name: entry for name, entry in kept.items() if entry is not None}
    return [_without_paths(entry) for entry in value] if isinstance(value, list) else value


def _private(value: Any) -> bool:
    """Whether a value is a path outside of the working folder, which may tell a user's name."""
    return isinstance(value, str) and (value.startswith(("/", "~", "\\")) or value[1:3] == ":\\")
