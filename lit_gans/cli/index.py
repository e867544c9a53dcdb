"""The index of the command line: every option of every command and class, read without importing torch.

``lit_gans/cli/index.json`` is shipped; ``python tools/index.py`` writes it. It holds for the versions it was made with.
With others the first call makes an index for them, in the user's cache.
"""

import functools
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from lit_gans.cli.entries import Config, Entry, Index, Option, Standing, installed, parsed
from lit_gans.errors import UsageError
from lit_gans.files import cache_folder, replacing

__all__ = ["SHIPPED", "Config", "Entry", "Index", "Option", "Standing", "index"]

SHIPPED = Path(__file__).with_name("index.json")


@functools.cache
def index() -> Index:
    """The index for the versions that are installed."""
    text = SHIPPED.read_text("utf-8")
    versions = installed()
    shipped = json.loads(text)
    if shipped["versions"] == versions:
        return parsed(shipped)
    return parsed(_kept(versions, text))


def _kept(versions: dict[str, str], shipped: str) -> dict[str, Any]:
    """The index in the user's cache, which is made if it is not there."""
    from hashlib import sha256

    # the shipped one is a part of the key, because it changes with the code
    key = sha256((json.dumps(versions, sort_keys=True) + shipped).encode()).hexdigest()[:16]
    try:
        file = cache_folder() / f"index-{key}.json"
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        pass
    from lit_gans.cli.index_file import written
    from lit_gans.cli.indexing import made

    text = written(made(json.loads(shipped)) | {"versions": versions})
    _keep(file, text)
    return json.loads(text)


def _keep(file: Path, text: str) -> None:
    """Writes a file in one step; a cache that cannot be written makes no error."""
    with suppress(OSError, UsageError), replacing(file) as part:
        part.write_text(text, "utf-8")
