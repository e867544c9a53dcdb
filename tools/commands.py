"""For mkdocs: where lines of commands end.

An option, such as ``--seed``, is not broken after its dashes, and no row of a table that was printed is broken at all.
"""

import re
from typing import Any

_CODE = re.compile(r"<code[^>]*>.*?</code>", re.DOTALL)
_OPTION = re.compile(r"(?<![\w-])--[A-Za-z][\w.+-]*(?![^<>]*>)")


_ROW = re.compile(r'<span class="go">(?=[┏┃┡│└])')


def whole(html: str) -> str:
    """A page whose options and printed rows stand in spans that ``stylesheets/site.css`` keeps on one line."""
    html = _ROW.sub('<span class="go row">', html)
    return _CODE.sub(lambda code: _OPTION.sub(r'<span class="option">\g<0></span>', code[0]), html)


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Called by mkdocs for every page."""
    return whole(html)
