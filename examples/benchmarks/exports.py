"""Exports every model by ONNX and by torch.export, and writes the table of docs/export.md.

    python examples/benchmarks/exports.py [MODEL ...] [--write]

The networks are those of the models' papers for 32x32 pixels in colour, untrained but for noise in every weight and
buffer, so that no layer is at its quiet start. Both files are run for batches and pictures of several sizes.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch

import lit_gans
import lit_gans.models
from lit_gans.errors import UsageError

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
BEGIN, END = "<!-- exports.py -->", "<!-- end -->"
SHAPES = {"image_shape": (3, 32, 32), "source_shape": (3, 32, 32), "num_classes": 10}
SHAPES |= {"text_shape": (12, 40), "source_text_shape": (12, 40)}


def made(cls):
    """A model of the paper's size, with noise in its weights."""
    torch.manual_seed(0)
    given = dict(SHAPES)
    if cls.__name__ == "TextToImageTransformer":
        given["tokenizer"] = lit_gans.DiscreteVAE(image_shape=(3, 32, 32))
    while True:
        try:
            model = cls(**given)
            break
        except UsageError as error:  # the first argument that it does not take
            unknown = next((name for name in given if f"'{name}'" in str(error) or f" {name}" in str(error)), None)
            if unknown is None:
                raise
            given.pop(unknown)
    with torch.no_grad():
        for weight in model.generator.parameters():
            weight.add_(0.02 * torch.randn_like(weight))
    model.reset_average()
    return model


def row(cls, folder):
    """A row of the table."""
    model = made(cls)
    try:
        function = model.exported()
    except UsageError as error:
        return f"| {cls.__name__} | refused: {str(error).partition(',')[0]} | | |"
    cells = []
    for ending in (".onnx", ".pt2"):
        path = folder / f"{cls.__name__}{ending}"
        start = time.process_time()
        written = lit_gans.export(model, path)
        seconds = time.process_time() - start
        cells.append(f"{written.difference:.1e} ({path.stat().st_size / 1e6:.3g} MB, {seconds:.0f} s)")
        path.unlink()
    takes = ", ".join(f"`{port.name}` ({', '.join(map(str, port.shape))})" for port in function.inputs)
    return " | ".join([f"| {cls.__name__}", takes, *cells]) + " |"


def main():
    """Prints the table, and puts it into the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rows = ["| model | takes | ONNX Runtime | torch.export |", "|---|---|---|---|"]
    print(*rows, sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        for name in given.models or lit_gans.models.__all__:
            rows.append(row(getattr(lit_gans.models, name), Path(folder)))
            print(rows[-1], flush=True)
    if given.write:
        text = PAGE.read_text("utf-8")
        head, _, rest = text.partition(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n\n" + "\n".join(rows) + f"\n\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
