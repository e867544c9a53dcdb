"""``lit-gans embed``: the features of texts.

Slow imports are delayed until they are needed, so that help answers at once.
"""

from pathlib import Path
from typing import Annotated

from lit_gans.cli.options import Checkpoint, Device, Force, Option, Trust
from lit_gans.cli.words import NOBODY


def embed(
    checkpoint: Checkpoint,
    texts: Annotated[str, Option("a text file in UTF-8, one text a line")],
    output: str | None = None,
    device: Device = "auto",
    force: Force = False,
    trust: Trust = NOBODY,
) -> None:
    """Writes the features of texts, for a classifier, a search or a plot of your own.

    The checkpoint is one of a model that reads texts, say an ELECTRA or a MaskedLM. A text's features are the mean of
    the states of its tokens.

    Args:
        output: an .npz file of the features, float32 (N, width), and the texts; by default the name of the text file
            with that ending.
    """
    from lit_gans.errors import UsageError
    from lit_gans.files import refuse_taken

    target = Path(texts).with_suffix(".npz") if output is None else Path(output)
    if target.suffix != ".npz":
        raise UsageError(f"output must end in .npz, got {target}")
    refuse_taken(target, force=force)
    rows = read_lines(Path(texts))

    import numpy as np

    from lit_gans.checkpoints import load
    from lit_gans.cli.models import usable
    from lit_gans.files import replacing

    model = load(checkpoint, usable(device), trust=trust)
    features = model.encode_texts(rows).cpu().numpy()
    with replacing(target) as place:
        np.savez(place, features=features, texts=np.array(rows))
    print(f"features of {len(rows)} text{'s' * (len(rows) != 1)}, {features.shape[1]} numbers each, in {target}")


def read_lines(path: Path) -> list[str]:
    """The texts of a file, one a line.

    Raises:
        UsageError: if it cannot be read, is not UTF-8, or has a line without a text.
    """
    from lit_gans.errors import UsageError

    try:
        lines = path.read_text("utf-8-sig").removesuffix("\n").split("\n")  # some editors begin a file with a mark
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    if lines == [""]:
        raise UsageError(f"{path} is empty; it needs one text a line")
    if empty := next((number for number, line in enumerate(lines, 1) if not line.strip()), None):
        raise UsageError(f"line {empty} of {path} is empty; it needs one text a line")
    return lines
