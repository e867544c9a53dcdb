"""Writes the index of the command line, ``lit_gans/cli/index.json``: ``python tools/index.py``.

Help, completion and the check of options read it, so that they answer before torch is imported. Run this after a change
of a constructor, of an option's description, of a configuration in ``examples/configs``, or of a pinned version.
``tests/cli/test_index.py`` fails when the file is not what this would write.
"""

from lit_gans.cli.index import SHIPPED
from lit_gans.cli.index_file import written
from lit_gans.cli.indexing import made

if __name__ == "__main__":
    SHIPPED.write_text(written(made()), encoding="utf-8")
    print(f"wrote {SHIPPED}")
