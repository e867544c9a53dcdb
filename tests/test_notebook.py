"""The notebooks run as they stand, without a kernel: they are JSON with cells of code."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

BOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))


def cells(book):
    return json.loads(book.read_text("utf-8"))["cells"]


def test_they_are_all_there():
    names = "edit_a_picture first_hour latent_arithmetic own_gan own_networks own_photos quickstart text_to_image"
    assert [book.stem for book in BOOKS] == names.split()


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_nothing_of_a_run_is_stored(book):
    for cell in cells(book):
        assert cell["cell_type"] == "markdown" or (cell["outputs"] == [] and cell["execution_count"] is None)


@pytest.mark.slow
@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_every_cell_runs(book, tmp_path, monkeypatch):
    """With few batches, by the one variable that says how many: a line ``STEPS = ...``."""
    monkeypatch.chdir(tmp_path)
    module = ModuleType("notebook")
    monkeypatch.setitem(sys.modules, "notebook", module)
    code = ["".join(cell["source"]) for cell in cells(book) if cell["cell_type"] == "code"]
    assert sum(len(re.findall(r"^STEPS = \d+$", cell, re.M)) for cell in code) == 1
    for number, cell in enumerate(code):
        cell = re.sub(r"^STEPS = \d+$", "STEPS = 2", cell, flags=re.M)
        exec(compile(cell, f"{book.stem}, cell {number}", "exec"), module.__dict__)
    assert [*tmp_path.glob("runs/*/version_0")]
    if book.stem == "first_hour":
        assert (tmp_path / "smooth.ckpt").is_file() and len([*tmp_path.glob("runs/*/version_*")]) >= 6
