"""The page of all tables names every script that measures one, and each command there can be typed."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
SCRIPT = re.compile(r"python ((?:examples|tests)/\S+?\.py)")
NO_TABLE = {"loops"}  # what other scripts import


def test_every_script_that_measures_is_named():
    scripts = {path.stem for path in (ROOT / "examples" / "benchmarks").glob("*.py")} - NO_TABLE
    unnamed = scripts - {Path(name).stem for name in SCRIPT.findall(PAGE)}
    assert not unnamed, "docs/tables.md has no line with the commands of these"


def test_every_command_names_files_and_options_that_are_there():
    commands = re.findall(r"`((?:python|lit-gans|pytest) [^`]+)`", PAGE)
    assert len(commands) > 30
    for command in commands:
        for path in re.findall(r"(?:examples|tests)/\S+", command):
            assert (ROOT / path).exists(), command
        for script in SCRIPT.findall(command):
            text = "".join(path.read_text("utf-8") for path in sorted((ROOT / script).parent.glob("*.py")))
            for option in re.findall(r" (--[\w-]+)", command):
                assert f'"{option}"' in text, command


def test_every_page_that_shows_such_a_script_is_linked():
    for page in sorted((ROOT / "docs").rglob("*.md")):
        if page.name != "tables.md" and "python examples/benchmarks/" in page.read_text("utf-8"):
            assert page.relative_to(ROOT / "docs").as_posix() in PAGE
