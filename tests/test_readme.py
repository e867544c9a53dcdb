"""What the README and the pages of the documentation show is run as it stands."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGES = [p for p in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if "```python" in p.read_text()]
PAGES = [p for p in PAGES if p.parent.name != "ko"]  # whose snippets are the English ones: tests/docs/test_korean.py


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_snippets(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks(page, "python"))
    code = code.replace("max_epochs=10", "max_steps=2, limit_val_batches=1, logger=False, enable_checkpointing=False")
    module = ModuleType("snippet")  # a module that is imported, as a reader's own is
    monkeypatch.setitem(sys.modules, "snippet", module)
    exec(compile(code, page.name, "exec"), module.__dict__)


@pytest.mark.parametrize("name", ["GeometricGAN", "SpectrumBackbone", "InvertedGAN", "WaveGAN", "GrowingGAN"])
def test_what_bends_takes_at_most_fifteen_lines(name):
    """A game, a backbone, a game of three networks, one without images and one that grows: blank lines not counted."""
    (block,) = (b for b in blocks(ROOT / "docs" / "add-a-gan.md", "python") if re.search(rf"^class {name}\(", b, re.M))
    assert len([line for line in block.splitlines() if line.strip()]) <= 15


@pytest.mark.slow
def test_readme_commands(tmp_path, monkeypatch):
    """Every lit-gans command of the README, cut to a few steps where it trains."""
    from lit_gans.cli.main import main

    commands = [line for block in blocks(ROOT / "README.md", "bash") for line in block.splitlines()]
    commands = [line.partition("lit-gans ")[2].split() for line in commands if "lit-gans " in line]
    assert ["fit"] in [c[:1] for c in commands] and ["sample"] in [c[:1] for c in commands]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    Image.effect_noise((40, 30), 60).save(tmp_path / "photo.jpg")  # a picture of the reader's
    (tmp_path / "my_project.py").write_text(
        next(b for b in blocks(ROOT / "README.md", "python") if "class GeometricGAN" in b)
    )
    short = ["--trainer.max_epochs=-1", "--trainer.max_steps=2", "--trainer.limit_val_batches=1"]
    for command in commands:
        if "MNIST" in " ".join(command) or "mnist" in " ".join(command):
            continue  # test_configs runs it where the data is
        if any(word.startswith("hf://") for word in command) or command[0] == "push":
            continue  # tests/exports has a hub
        main(command + (short if command[0] == "fit" and "--ckpt_path" not in command else []))
