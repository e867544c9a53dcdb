"""For mkdocs: an option of a command, such as ``--seed``, is not broken after its dashes where a line ends."""

import re
from typing import Any

_CODE = re.compile(r"<code[^>]*>.*?</code>", re.DOTALL)
_OPTION = re.compile(r"(?<![\w-])--[A-Za-z][\w.+-]*(?![^<>]*>)")


def whole(html: str) -> str:
    """A page whose options stand in spans that ``stylesheets/site.css`` keeps on one line."""
    return _CODE.sub(lambda code: _OPTION.sub(r'<span class="option">\g<0></span>', code[0]), html)


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Called by mkdocs for every page."""
    return whole(html)
