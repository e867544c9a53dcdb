"""For mkdocs: pages are made of the sources, and not of the stubs, which have no docstrings."""

from typing import Any

from griffe import Extension, Module


class FromSources(Extension):
    """Empties the modules that are read from stubs, before griffe puts them in place of the real ones."""

    def on_module_members(self, *, mod: Module, **_: Any) -> None:
        """Called when all that a file defines has been read."""
        if str(mod.filepath).endswith(".pyi"):
            mod.members.clear()
            mod.imports.clear()
            mod.exports = None
