"""The page of the first hour is what it says: everything on it is typed once more, and prints the same.

``python tests/test_first_hour.py`` writes down anew what is printed. Numbers and the width of columns may differ.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import run_cli

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "first-hour.md"
BLOCK = re.compile(r"```(?:python title=\"(?P<file>[^\"]+)\"|console)\n(?P<text>.*?)```", re.DOTALL)
LOOP = re.compile(r"for (\w+) in (.+?); do (.+); done", re.DOTALL)
ENVIRONMENT = {"COLUMNS": "100", "WANDB_MODE": "offline", "LIT_GANS_CACHE": "", "LIT_GANS_DATA": ""}


def commands(text):
    """What was typed in a block of the console, and what was printed."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        typed, lines = [], part.splitlines()
        while lines and (not typed or typed[-1].endswith("\\")):
            typed.append(lines.pop(0))
        yield "\n".join(typed), "\n".join(lines)


def words(typed):
    """The commands that a line stands for: one, or those of a loop of the shell."""
    typed = typed.replace("\\\n", " ")
    if loop := LOOP.fullmatch(typed.strip()):
        name, values, body = loop.groups()
        return [shlex.split(re.sub(rf"\$\{{?{name}\b\}}?", value, body)) for value in values.split()]
    return [shlex.split(typed)]


def said(typed, folder):
    """What a line prints."""
    environment = {**ENVIRONMENT, "LIT_GANS_CACHE": str(folder / ".cache")}
    told = ""
    for command in words(typed):
        if command[0] == "lit-gans":
            done = run_cli(*command[1:], cwd=folder, joined=True, **environment)
        else:
            command[0] = sys.executable if command[0] == "python" else command[0]
            both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
            done = subprocess.run(command, cwd=folder, env=os.environ | environment, check=False, **both)
        told += done.stdout
        assert (done.returncode == 0) != ("lit-gans: error: " in done.stdout), f"{shlex.join(command)}\n{told}"
    told = told.replace(str(folder), "/home/ada/first").replace(sys.prefix, "/home/ada/.venv")
    return "\n".join(kept.rstrip() for line in told.splitlines() if (kept := line.rpartition("\r")[2]).strip())


def play(text, folder):
    """Types all that is on the page; gives each command with what the page says it prints, and with what it prints."""
    for block in BLOCK.finditer(text):
        if block["file"]:
            (folder / block["file"]).write_text(block["text"])
            continue
        for typed, printed in commands(block["text"]):
            if not typed.startswith("pip "):
                yield typed, printed, said(typed, folder)


def alike(text, typed):
    """A text without what differs between two runs; of what a computer has, only what it is about.

    Those are numbers and the places where lines are broken, how often scores are measured, and lines that come once a
    minute.
    """
    if typed == "lit-gans doctor":
        return [line for line in text.splitlines() if line[:1].strip() and line != "missing"]
    text = re.sub(r"^(?:scores take|\d+ batches took|(?:epoch|batch) \d+/\d+).*\n?", "", text, flags=re.MULTILINE)
    text = re.sub(r"^(done: [^;]*);.*", r"\1", text, flags=re.MULTILINE)
    text = re.sub(r"[ ─━\n]+", " ", re.sub(r"\d+(?:[.,:]\d+)*(?:e[-+]?\d+)?", "#", text))
    often = r"as often as a tenth of the time allows, and at the end|after every (?:\S+ )?validation"
    return re.sub(often, "now and then", text).strip()


@pytest.mark.slow
def test_what_is_typed_prints_what_the_page_says(tmp_path):
    for typed, printed, found in play(PAGE.read_text(encoding="utf-8"), tmp_path):
        assert alike(found, typed) == alike(printed, typed), f"$ {typed}\n{found}"


def test_the_way_is_whole():
    """Every step that a beginner takes is on the page, in this order."""
    text = PAGE.read_text(encoding="utf-8")
    typed = [typed for block in BLOCK.finditer(text) if not block["file"] for typed, _ in commands(block["text"])]
    steps = ["pip install", "lit-gans doctor", "lit-gans fit", "lit-gans plot", "lit-gans sample", "python messy.py"]
    steps += ["./photos", "--label", "lit-gans translate", "my_loss.", "for ", "--resume", "lit-gans evaluate"]
    place = 0
    for step in [*steps, "lit-gans compare"]:
        place += 1 + next(n for n, line in enumerate(typed[place:]) if step in line)
    assert place <= len(typed) <= 40


def main():
    """Writes the page anew: what is typed stays, what is printed is replaced."""
    with tempfile.TemporaryDirectory() as folder:
        text = PAGE.read_text(encoding="utf-8")
        for typed, printed, found in play(text, Path(folder)):
            print(f"$ {typed}\n{found}")
            before, after = (f"$ {typed}\n{lines}".rstrip("\n") + "\n" for lines in (printed, found))
            text = text.replace(before, after, 1)
            PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
