"""What the site is built from: equations, overview of the models, llms.txt, pages for those who come from elsewhere."""

import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree.ElementTree import fromstring

import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
sys.path.insert(0, str(ROOT))  # tools is no part of the package

markdown = pytest.importorskip("markdown", reason="the extra docs is not installed")
pytest.importorskip("latex2mathml", reason="the extra docs is not installed")
from tools import commands, mathml, overview, thumbnails  # noqa: E402

FENCES = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, whatever tags it has."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: None)
NAV = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), Loader=_Loader)["nav"]
CARDS = sorted(f"models/{p.name}" for p in (DOCS / "models").glob("*.md") if p.name != "index.md")


def words(latex):
    """What an equation shows, without its marks."""
    return "".join(fromstring(f"<a>{mathml.equation(latex)}</a>").itertext())


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_every_equation_of_a_page_can_be_shown(page):
    text = FENCES.sub("", page.read_text("utf-8"))
    for _, latex in re.findall(mathml._EQUATION, text):
        assert mathml.equation(latex)[:5] == "<math"
        assert "|" not in latex or not re.search(rf"^\|.*{re.escape(latex)}", text, re.MULTILINE), latex
    left = re.sub(mathml._EQUATION, "", text)
    assert not re.search(r"\$(?!\d)", left)  # an amount of money is one before a digit


def test_an_equation_breaks_before_its_terms_and_not_inside_of_brackets():
    parts = mathml.equation(r"-\mathbb{E}\log D(x) + \lambda(\lVert a - b\rVert - 1)^2").split("<wbr>")
    assert len(parts) == 2 and 'form="infix">+<' in parts[1] and 'form="infix"' not in parts[0]
    assert words("|a - b|") == "|a\N{MINUS SIGN}b|" and "<wbr>" not in mathml.equation("|a - b|")
    assert mathml.equation("a + b", display=True).count("<math") == 1


def test_words_of_an_equation_stand_apart_from_letters_only():
    assert "<mi>log</mi><mspace" in mathml.equation(r"\log D")
    assert "<mi>max</mi><mo" in mathml.equation(r"\max(0, 1)")


@pytest.mark.parametrize("latex", [r"\frac{1", r"\nosuchcommand x", r"\frac"])
def test_what_is_no_equation_is_named(latex):
    with pytest.raises(ValueError, match=re.escape(latex)):
        mathml.equation(latex)


def test_dollars_that_are_no_equation_stay():
    page = markdown.Markdown(extensions=["tables", mathml.MathML()])
    shown = page.convert("It is $5 or $6, `$HOME` and `$x$`.\n\n| a |\n|---|\n| $x \\mid y_1$ |")
    assert "$5 or $6" in shown and "<code>$HOME</code>" in shown and "<code>$x$</code>" in shown
    assert shown.count("<math") == 1 and "<em>" not in shown


def test_options_of_commands_are_not_broken():
    shown = commands.whole('a --b <code class="--c">lit-gans fit --lr 1e-3 --data.size=16, a--b</code>')
    assert shown.startswith('a --b <code class="--c">') and shown.endswith(", a--b</code>")
    assert re.findall(r'<span class="option">(\S+)</span>', shown) == ["--lr", "--data.size"]
    assert commands.whole('<span class="go">│ fid │</span>') == '<span class="go row">│ fid │</span>'


def test_every_card_is_in_the_navigation_and_in_the_readme_once():
    listed = [path for above, _, path in overview.pages(NAV) if above[:1] == ("Models",) and len(above) == 2]
    assert sorted(listed) == CARDS
    assert sorted(overview.models((ROOT / "README.md").read_text("utf-8"))) == CARDS


def test_the_overview_has_every_family_and_every_card():
    page = SimpleNamespace(file=SimpleNamespace(src_uri=overview.OVERVIEW), meta={"written": {"seqgan": "a line"}})
    text = (DOCS / overview.OVERVIEW).read_text("utf-8")
    filled = overview.on_page_markdown(text, page, SimpleNamespace(nav=NAV), None)
    assert "<!--" not in filled and "*a line*" in filled
    for card in CARDS:
        assert filled.count(f"**]({Path(card).name})") == 1, card


def test_small_pictures_are_small_and_of_cards_that_have_one():
    small = {p.stem for p in thumbnails.SMALL.glob("*.webp")}
    assert small == {Path(card).stem for card in CARDS if thumbnails.first_picture(DOCS / card)}, (
        "python tools/thumbnails.py"
    )
    assert sum(p.stat().st_size for p in thumbnails.SMALL.glob("*.webp")) < 600_000
    made = thumbnails.small(thumbnails.first_picture(DOCS / "models" / "gan.md"))
    with Image.open(thumbnails.SMALL / "gan.webp") as kept:
        assert kept.size == made.size == thumbnails.SIZE


def test_llms_txt_lists_every_page_with_its_address(tmp_path):
    config = SimpleNamespace(
        nav=NAV, site_url=None, site_name="lit_gans", site_description="GANs", site_dir=str(tmp_path)
    )
    overview.on_post_build(config)
    text = (tmp_path / "llms.txt").read_text("utf-8")
    assert (
        text.startswith("# lit_gans\n\n> GANs\n") and "- [R3GAN](models/r3gan/): Huang et al. 2024; every real" in text
    )
    assert len(re.findall(r"^- \[", text, re.MULTILINE)) == len(overview.pages(NAV))
    unsaid = re.findall(r"^- \[.+\]\(\S+\)$", text, re.MULTILINE)
    assert not unsaid, "write 'description: ...' into the head of these pages"
    assert "- [Words](words/): A glossary of the field" in text


@pytest.mark.parametrize("page", ["from-pytorch-gan", "from-cyclegan", "from-studiogan"])
def test_commands_for_those_who_come_from_elsewhere_are_understood(page, tmp_path, monkeypatch):
    from lit_gans.cli.reading import ready

    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for folder in ("horse2zebra/trainA", "horse2zebra/trainB", "facades/train"):
        (tmp_path / "datasets" / folder).mkdir(parents=True)
    commands = re.findall(r"^lit-gans (fit .*)$", (DOCS / f"{page}.md").read_text("utf-8"), re.MULTILINE)
    assert commands
    for command in commands:
        assert ready(shlex.split(command))[0] == "fit"


def test_the_site_fetches_nothing_from_other_servers():
    theme = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), Loader=_Loader)["theme"]
    assert theme["font"] is False
    for style in (DOCS / "stylesheets").glob("*.css"):
        assert not re.search(r"https?:|@import", style.read_text("utf-8"))
