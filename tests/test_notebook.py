"""The notebook of the first hour runs as it stands, without a kernel: it is JSON with cells of code."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

NOTEBOOK = json.loads((Path(__file__).parents[1] / "examples" / "first_hour.ipynb").read_text("utf-8"))
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_nothing_of_a_run_is_stored():
    for cell in NOTEBOOK["cells"]:
        assert cell["cell_type"] == "markdown" or (cell["outputs"] == [] and cell["execution_count"] is None)


@pytest.mark.slow
def test_every_cell_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = ModuleType("notebook")
    monkeypatch.setitem(sys.modules, "notebook", module)
    for number, cell in enumerate(CODE):
        code = cell.replace("STEPS = 20", "STEPS = 2")
        exec(compile(code, f"cell {number}", "exec"), module.__dict__)
    assert (tmp_path / "smooth.ckpt").is_file() and len([*tmp_path.glob("runs/*/version_*")]) >= 6
