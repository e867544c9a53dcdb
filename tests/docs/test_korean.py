"""The Korean pages have the commands, outputs and figures of the English ones, in the same order.

``python tests/docs/test_korean.py`` writes them anew where a page has as many of them as the English one.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {"README.ko.md": "README.md"}
PAGES |= {f"docs/ko/{path.name}": f"docs/{path.name}" for path in sorted((ROOT / "docs" / "ko").glob("*.md"))}
FIGURES = r"^\| \[`\w+`\]\(\S+\) \|(?: [\d.,% of]+ \|)+$"  # a row of a table with a model and numbers alone
SAME = re.compile(rf"^```.*?^```$|{FIGURES}", re.DOTALL | re.MULTILINE)


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def written_there(english, korean):
    """What a Korean page has to repeat of the English one; it lies one folder deeper."""
    found = SAME.findall(text(english))
    return [row.replace("](", "](../") if row[0] == "|" and "/" in korean else row for row in found]


@pytest.mark.parametrize("korean", PAGES)
def test_commands_and_figures_are_the_english_ones(korean):
    wanted, found = written_there(PAGES[korean], korean), SAME.findall(text(korean))
    assert len(found) == len(wanted), f"{korean} has {len(found)} of the {len(wanted)} blocks of {PAGES[korean]}"
    assert found == wanted, "python tests/docs/test_korean.py"


@pytest.mark.parametrize("korean", PAGES)
def test_a_page_has_the_models_and_sections_of_the_english_one(korean):
    """In the same order, so that nothing was left out that has been added there."""
    for mark in (r"^(##+) ", r"^\| \[`(\w+)`\]", r"!\[[^\]]*\]\(\S*?(images/\S+?)\)"):
        english, here = (re.findall(mark, SAME.sub("", text(page)), re.MULTILINE) for page in (PAGES[korean], korean))
        assert here == english, mark


def main():
    for korean, english in PAGES.items():
        wanted = iter(written_there(english, korean))
        page = text(korean)
        if len(SAME.findall(page)) != len(written_there(english, korean)):
            print(f"{korean}: another number of blocks than {english}; add or remove one first")
            continue
        (ROOT / korean).write_text(SAME.sub(lambda found, wanted=wanted: next(wanted), page), encoding="utf-8")


if __name__ == "__main__":
    main()
