r"""For mkdocs: equations between dollars become MathML when the site is built, so that a page needs no script.

``$...$`` stands in a line, ``$$...$$`` is a paragraph of its own; code keeps its dollars. In a table an equation has no
``|``: write ``\mid``, ``\lvert x \rvert``, ``\lVert x \rVert`` or ``\parallel``, which GitHub reads as well.
"""

import logging
import re
from typing import Any
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

# a dollar that a space follows, or that a digit follows at the end ($5 and $6), is money and no equation
_EQUATION = r"(?<![\\$])(\$\$?)(?=[^\s$])([^$]*?[^\s$\\])\1(?![\d$])"
_SIGNS = ("+", "\N{MINUS SIGN}")
_BARS = ("|", "\N{DOUBLE VERTICAL LINE}")
_PRIME = "\N{PRIME}"
_CLOSING = (")", "]", "}")
_THIN = {"width": "0.167em"}


def equation(latex: str, display: bool = False) -> str:
    """The MathML of an equation, in a line or ``display``-ed.

    In a line it may break before every plus and minus that no bracket holds: browsers do not break MathML by
    themselves, and an objective of three terms is wider than a phone.

    Raises:
        ValueError: braces do not match, or a command is not known.
    """
    braces = re.sub(r"\\[{}]", "", latex)
    if braces.count("{") != braces.count("}"):
        raise ValueError(f"the braces of the equation ${latex}$ do not match")
    try:
        whole = fromstring(convert(latex, display="block" if display else "inline").replace("xmlns=", "data-ns="))
    except Exception as error:  # of latex2mathml, which has many
        raise ValueError(f"the equation ${latex}$ cannot be read: {error or type(error).__name__}") from error
    whole.attrib.pop("data-ns")  # a page of HTML needs no namespace
    for element in whole.iter():
        if element.text and "\\" in element.text:
            raise ValueError(f"the equation ${latex}$ has a command that latex2mathml does not know: {element.text}")
    _set_type(whole)
    return "<wbr>".join(tostring(part, "unicode") for part in ([whole] if display else _parts(whole)))


def _base(element: Element) -> Element:
    """What carries an element's indices and exponents; an element without any is its own."""
    return _base(element[0]) if element.tag in ("msub", "msup", "msubsup") else element


def _is_word(element: Element) -> bool:
    return element.tag in ("mi", "mo") and len(element.text or "") > 1 and (element.text or "").isalpha()


def _set_type(whole: Element) -> None:
    """Mends what latex2mathml leaves out: "log D" has a space and "max (" has none; bars are as high as letters."""
    for row in list(whole.iter()):
        if row.tag == "mo" and row.text in _BARS and "stretchy" not in row.attrib:
            row.attrib.update(stretchy="false", lspace="0", rspace="0")
        if (
            row.tag == "msup" and row[1].text == _PRIME
        ):  # a prime is high already, and as an exponent it would be a speck
            row.tag = "mrow"
            row[1].attrib.update(lspace="0", rspace="0")
        before = None
        for child in row:
            if child.text == _SIGNS[1] and before is not None and before.tag == "mo" and before.text not in _CLOSING:
                child.set("form", "prefix")  # as in [-c, c]
            before = child
        for child in list(row):
            base = _base(child)
            if not _is_word(base):
                continue
            base.tag = "mi"
            if row.tag != "mrow":
                continue
            place = list(row).index(child)
            after = row[place + 1] if place + 1 < len(row) else None
            if after is not None and (_base(after).tag != "mo" or _base(after).text in _BARS):
                row.insert(place + 1, Element("mspace", _THIN))
            if place and (
                row[place - 1].tag != "mspace" and _base(row[place - 1]).tag in ("mi", "mn", "mfrac", "mstyle")
            ):
                row.insert(place, Element("mspace", _THIN))


def _parts(whole: Element) -> list[Element]:
    """An equation as several, each but the first with the plus or minus that joins it to the one before."""
    parts: list[Element] = []
    open_ones: list[str] = []
    for child in list(whole[0]):
        text = _base(child).text or ""
        joins = bool(parts) and text in _SIGNS and not open_ones and len(parts[-1][0]) > 0
        if joins:
            child.set("form", "infix")  # the first of a row is taken for a sign, without space around it
        if joins or not parts:
            parts.append(Element("math", {"display": "inline"}))
            SubElement(parts[-1], "mrow")
        parts[-1][0].append(child)
        if text in _CLOSING or (text in _BARS and open_ones[-1:] == [text]):
            open_ones[-1:] = []
        elif text in ("(", "[", "{", *_BARS):
            open_ones.append(text)
    return parts


class _Equations(InlineProcessor):
    def handleMatch(self, m: re.Match[str], data: str) -> tuple[str, int, int]:
        try:
            made = equation(self.unescape(m[2]), display=m[1] == "$$")
        except ValueError as error:
            logging.getLogger("mkdocs.mathml").warning("%s", error)  # which fails a strict build
            made = f"<code>{m[2]}</code>"
        return self.md.htmlStash.store(made), m.start(0), m.end(0)


class MathML(Extension):
    """Python-Markdown's extension."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Called by Markdown: equations are looked for after code and before backslashes."""
        # code (190) has dollars of its own, and backslashes (180) are the equation's
        md.inlinePatterns.register(_Equations(_EQUATION, md), "mathml", 185)


def on_config(config: Any) -> Any:
    """Called by mkdocs: adds the extension to those of ``mkdocs.yml``."""
    config.markdown_extensions.append(MathML())
    return config
