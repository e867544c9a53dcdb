"""For mkdocs: fills the overview of the models, and writes ``llms.txt``, from what is written elsewhere already.

The families and their order are those of *Models* in the navigation, a model's paper and game are those of the README's
table, and its picture is the small one (``tools/thumbnails.py``). So a new model is written down in these places only.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
OVERVIEW = "models/index.md"
_ROW = re.compile(r"^\| \[`(\w+)`\]\(docs/(models/\w+\.md)\) \| (.+?) \| (.+?) \|$", re.MULTILINE)
_FAMILY = re.compile(r"^<!-- models: (.+?) -->$", re.MULTILINE)


class Model(NamedTuple):
    """A row of the README's table."""

    name: str
    card: str
    paper: str
    game: str


def models(readme: str) -> dict[str, Model]:
    """The rows of the README's table, by the path of the card."""
    return {row[1]: Model(*row) for row in _ROW.findall(readme)}


def pages(nav: list[Any], above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str, str]]:
    """The pages of a navigation in order: the sections above each, its title and its path."""
    listed: list[tuple[tuple[str, ...], str, str]] = []
    for entry in nav:
        title, target = next(iter(entry.items())) if isinstance(entry, dict) else ("", entry)
        listed += [(above, title, target)] if isinstance(target, str) else pages(target, (*above, title))
    return listed


def cards(nav: list[Any], family: str, readme: str, written: dict[str, str]) -> str:
    """The cards of a family in Markdown.

    Args:
        nav: the navigation of ``mkdocs.yml``.
        family: its section below *Models*.
        readme: the text of the README.
        written: what models of texts write, by the card's name without its ending; it stands in place of a picture.
    """
    rows = models(readme)
    lines = ['<div class="grid cards models" markdown>', ""]
    for _, name, path in (page for page in pages(nav) if page[0] == ("Models", family)):
        stem = Path(path).stem
        if (ROOT / "docs" / "images" / "small" / f"{stem}.webp").exists():
            lines.append(f"-   [![What {name} drew](../images/small/{stem}.webp){{ loading=lazy }}]({stem}.md)")
        else:
            lines.append(f"-   *{written.get(stem, '')}*" if stem in written else "-   ")
        said = f"{rows[path].paper}: {rows[path].game}" if path in rows else ""
        lines += ["", f"    [**{name}**]({stem}.md)", "", f"    {said}", ""]
    return "\n".join([*lines, "</div>"])


def about(path: str) -> str:
    """The ``description`` at the head of a page, which browsers and searches show, too; empty where it has none."""
    text = (ROOT / "docs" / path).read_text(encoding="utf-8")
    found = re.search(r"\A---\n(?:.*\n)*?description: (.+)\n(?:.*\n)*?---\n", text)
    return found[1].strip('"') if found else ""


def llms(config: Any) -> str:
    """``llms.txt`` (llmstxt.org): every page of the navigation with its address and what is on it."""
    rows = models((ROOT / "README.md").read_text(encoding="utf-8"))
    base = config.site_url or ""
    lines, section = [f"# {config.site_name}", "", f"> {config.site_description}"], None
    for above, title, path in pages(config.nav):
        if " / ".join(above) != section:
            section = " / ".join(above)
            lines += ["", f"## {section or 'Start'}", ""]
        address = base + re.sub(r"(^|/)index\.md$", r"\1", path).replace(".md", "/")
        said = f"{rows[path].paper}; {rows[path].game}" if path in rows else about(path)
        lines.append(f"- [{title or 'Overview'}]({address or './'}){said and ': '}{said}")
    return "\n".join(lines) + "\n"


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Called by mkdocs for every page: the overview gets its cards."""
    if page.file.src_uri != OVERVIEW:
        return markdown
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return _FAMILY.sub(lambda found: cards(config.nav, found[1], readme, page.meta.get("written", {})), markdown)


def on_post_build(config: Any) -> None:
    """Called by mkdocs when all pages are there."""
    Path(config.site_dir, "llms.txt").write_text(llms(config), encoding="utf-8")
