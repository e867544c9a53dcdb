"""The tables of the pages say what the files of figures say, and what was not measured is said not to be."""

import importlib
import json
import sys
from pathlib import Path

import pytest
import yaml

import lit_gans

FOLDER = Path(__file__).parents[1] / "examples" / "tables"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "table")
TRANSLATORS = ("facades", "horse2zebra")  # whose last checkpoint is measured


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module("table")
    for name in ("table", *SCRIPTS):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_page_shows_the_figures_of_its_table(script, tables):
    table = importlib.import_module(script).TABLE
    assert all((tables.CONFIGS / f"{row.config}.yaml").is_file() for row in table.rows)
    page = (tables.HOUSE / "docs" / table.page).read_text()
    shown = page.split(f"<!-- table {table.name} -->\n")[1].split(f"<!-- end of table {table.name} -->\n")[0]
    assert shown.strip() == table.text().strip(), f"python examples/tables/{script}.py --page"


@pytest.mark.parametrize("script", [script for script in SCRIPTS if script not in TRANSLATORS])
def test_checkpoints_are_chosen_by_pictures_that_are_not_trained_on(script, tables):
    table = importlib.import_module(script).TABLE
    for row in table.rows:
        told = yaml.safe_load((tables.CONFIGS / f"{row.config}.yaml").read_text())["data"]
        data = getattr(lit_gans, told["class_path"])(**told.get("init_args", {}))
        held_out = "--data.val_size" in table.choice
        assert held_out != ("val" in data.own_splits), row.name  # a set with such pictures refuses the option
        assert table.choice[-2:] == ("--quality.reference", "val")


def test_a_table_says_what_was_measured_and_what_was_not(tmp_path, tables, monkeypatch):
    monkeypatch.setattr(tables, "HOUSE", tmp_path)
    rows = (tables.Row("A", "a", seeds=2), tables.Row("B", "b"))
    shown = {"`fid`": ("train", "fid"), "test": ("test", "fid")}
    table = tables.Table("some", "page.md", rows, choice=(), shown=shown)
    run = {"step": 2000, "minutes": 4.0, "train": {"fid": 8.0}, "test": {"fid": 9.0}}
    table.file.parent.mkdir(parents=True)
    table.file.write_text(json.dumps({"A/0": run, "A/1": {**run, "train": {"fid": 10.0}}}))
    page = tmp_path / "docs" / "page.md"
    page.write_text("before\n<!-- table some -->\nold\n<!-- end of table some -->\nafter\n")
    table.write_page()
    table.write_page()  # writes the same again
    lines = page.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after") and "old" not in lines
    assert "| A | 9.0 ± 1.4 | 9.0 ± 0.0 | 2,000 | 4 ± 0 | 2 |" in lines
    assert [line for line in lines if line.startswith("| B")] == ["| B | not measured |  |  |  |  |"]


def test_a_row_has_a_second_opinion_where_it_asks_for_one(tmp_path, tables, monkeypatch):
    asked = []

    def scored(words, folder):
        asked.append(words[words.index("--features") + 1])
        output = words[words.index("--output") + 1]
        Path(output).write_text(json.dumps({"values": {asked[-1]: 1.0}, "protocol": {}, "step": 3}))

    monkeypatch.setattr(tables, "_run", scored)
    (tmp_path / "config.yaml").write_text("data: {class_path: SVHN, init_args: {}}")
    rows = (tables.Row("A", "a"), tables.Row("B", "b", opinion=True))
    table = tables.Table("some", "page.md", rows, choice=(), features=("first", "second"))
    alone, both = (table.scores(row, tmp_path, tmp_path) for row in rows)
    assert asked == ["first", "first", "first", "second", "first"]
    assert alone["train"] == {"first": 1.0} and both["train"] == {"first": 1.0, "second": 1.0} and both["step"] == 3
