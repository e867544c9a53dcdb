"""``lit-gans embed``: the features of texts.

Slow imports are delayed until they are needed, so that help answers at once.
"""

from pathlib import Path
from typing import Annotated

from lit_gans.cli.options import BatchSize, Checkpoint, Device, Force, Option, Trust
from lit_gans.cli.texts import texts_of
from lit_gans.cli.words import NOBODY
from lit_gans.errors import UsageError, one
from lit_gans.files import refuse_taken


def embed(
    checkpoint: Checkpoint,
    texts: Annotated[str, Option("a text file in UTF-8, one text a line")],
    output: str | None = None,
    unknown: bool = False,
    batch_size: BatchSize = None,
    device: Device = "auto",
    force: Force = False,
    trust: Trust = NOBODY,
) -> None:
    """Writes the features of texts, for a classifier, a search or a plot of your own.

    The checkpoint is one of a model that reads texts: an ELECTRA, a MaskedLM or a Seq2Seq. The features of a text are
    the mean of the states of its tokens.

    Args:
        output: an .npz file for the features, float32 (N, width), and the texts; by default the name of the text file
            with that ending.
        unknown: read what the vocabulary does not have as one unknown token, rather than end at it.
    """
    from lit_gans.errors import at_least

    at_least(1, batch_size=batch_size)
    target = Path(texts).with_suffix(".npz") if output is None else Path(output)
    if target.suffix != ".npz":
        raise UsageError(f"output must end in .npz, got {target}")
    refuse_taken(target, force=force)
    lines = texts_of(texts)
    if empty := next((number for number, line in enumerate(lines, 1) if not line.strip()), None):
        raise UsageError(f"line {empty} of {texts} is empty; embed needs a text on every line")

    import numpy as np

    from lit_gans.checkpoints import load
    from lit_gans.cli.models import usable
    from lit_gans.files import replacing
    from lit_gans.networks.base import at_once

    model = load(checkpoint, usable(device), trust=trust)
    if not model.reads_texts:
        raise UsageError(
            f"{checkpoint} holds {one(model)}, which does not give features of texts; use one of an "
            "ELECTRA, a MaskedLM or a Seq2Seq"
        )
    with at_once(batch_size):
        features = model.encode_texts(lines, known=not unknown).cpu().numpy()
    with replacing(target) as place:
        np.savez(place, features=features, texts=np.array(lines))
    print(f"features of {len(lines)} text{'s' * (len(lines) != 1)}, {features.shape[1]} numbers each, in {target}")
