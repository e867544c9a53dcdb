"""``lit-gans export`` and ``lit-gans push``: a model for other programs, and for other people.

Slow imports are delayed until they are needed, so that help answers at once.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from lit_gans.cli.options import Checkpoint, Force, Option, Trust
from lit_gans.cli.words import NOBODY
from lit_gans.errors import UsageError

_ENDINGS = {"onnx": ".onnx", "torch-export": ".pt2", "safetensors": ".safetensors"}


def export(
    checkpoint: Checkpoint,
    format: Literal["onnx", "torch-export", "safetensors"] | None = None,
    output: str | None = None,
    direction: Literal["AtoB", "BtoA"] = "AtoB",
    truncation: float = 1.0,
    half: bool = False,
    tolerance: float = 1e-4,
    force: Force = False,
    trust: Trust = NOBODY,
) -> None:
    """Writes a model for other programs, and checks that the file computes the same.

    onnx and torch-export hold the averaged generator with all that a draw does around it, as one function of tensors:
    batches may have any size, and pictures to translate any height and width. safetensors holds all weights and what
    makes the model again, and is taken wherever a checkpoint is.

    Args:
        format: by default what the ending of the output says, else onnx.
        output: the file; by default beside the checkpoint, with its name and the ending .onnx, .pt2 or .safetensors, or
            that name with -2 and so on where it is taken.
        direction: BtoA writes the translator back, if the model translates both ways.
        truncation: below 1, say 0.7, images are more typical and less varied; it is fixed in the file.
        half: of safetensors keep weights as float16, in half the space.
        tolerance: the largest difference from the model that is accepted.
    """
    from lit_gans.files import free_name, refuse_taken

    endings = tuple(_ENDINGS.values())
    if output is not None and format is None and not output.endswith(endings):
        raise UsageError(f"output must end in {', '.join(endings)}, or --format must say what it is, got {output}")
    by_ending = next((name for name, ending in _ENDINGS.items() if str(output).endswith(ending)), "onnx")
    chosen: Any = format or by_ending

    if output is not None:
        refuse_taken(output, force=force)

    from lit_gans.checkpoints import load
    from lit_gans.cli.models import domain
    from lit_gans.exports import export as write

    model = load(checkpoint, "cpu", trust=trust)
    if direction != "AtoB":
        domain(model, direction)  # refuses the other models
    to = "a" if direction == "BtoA" else None
    back = "-BtoA" if to else ""
    target = output or free_name(str(_beside(Path(checkpoint)).with_suffix("")) + back + _ENDINGS[chosen], force)
    print(
        write(
            model,
            target,
            format=chosen,
            to=to,
            truncation=truncation,
            half=half,
            tolerance=tolerance,
            force=force,
        )
    )


def push(
    checkpoint: Checkpoint,
    repo: Annotated[str, Option("user/name on the Hugging Face Hub; it is made if it is not there")],
    licence: str | None = None,
    private: bool = False,
    half: bool = False,
    force: Force = False,
    trust: Trust = NOBODY,
) -> None:
    """Puts a model onto the Hugging Face Hub, with a page that tells of its data, options, scores and samples.

    Others then use it as hf://user/name, in place of a checkpoint. No picture of the training data and no path of this
    machine goes there. The token is that of 'hf auth login', or HF_TOKEN.

    Args:
        licence: by which others may use the weights, as the hub names it, say mit or cc-by-4.0; the data may decide it.
        private: make it readable for you alone.
        half: keep weights as float16, in half the space.
        force: replace the model of a repository that has one.
    """
    if licence is None:
        raise UsageError("push needs --licence, by which others may use the weights, say mit or cc-by-4.0")
    from lit_gans.exports import push_to_hub

    address = push_to_hub(checkpoint, repo, licence=licence, private=private, half=half, force=force, trust=trust)
    print(f"{address}; others load it as hf://{repo}")


def _beside(checkpoint: Path) -> Path:
    """Where a file for a checkpoint goes by default: beside it, or here if it lies in a cache."""
    from lit_gans.files import cache_folder

    caches = [cache_folder().resolve(), *_hub_cache()]
    inside = any(cache in checkpoint.resolve().parents or cache in checkpoint.parents for cache in caches)
    return Path(checkpoint.name) if inside else checkpoint


def _hub_cache() -> list[Path]:
    try:
        from huggingface_hub.constants import HF_HUB_CACHE
    except ImportError:
        return []
    return [Path(HF_HUB_CACHE)]
