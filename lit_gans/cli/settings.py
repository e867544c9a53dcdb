"""The one reader of configuration files: UTF-8 in every locale, numbers as ``fit`` reads them, errors of one sentence.

A file may come from anybody, so its size, its depth and what its aliases unfold to have limits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lit_gans.errors import UsageError
from lit_gans.runs import Run

_BYTES = 2**20  # of a file; the longest that a run writes has 10,000
_DEEP = 40  # lists and names within each other
_VALUES = 20_000  # with all aliases unfolded
_KINDS = {list: "a list", str: "a text", int: "a number", float: "a number", bool: "a yes or no", type(None): "nothing"}


def read(path: str | Path, needed: bool = True) -> dict[str, Any]:
    """Reads the settings in a YAML or JSON file.

    Args:
        path: the file.
        needed: refuse one that is empty.

    Returns:
        The settings by name: text, numbers, lists and more such dicts, and nothing else.

    Raises:
        UsageError: if it cannot be read, or holds something else.
    """
    from jsonargparse import get_loader

    text = read_text(path, needed)
    try:
        _bound(yaml.compose(text, yaml.SafeLoader))
        settings = get_loader("yaml")(text)
    except yaml.YAMLError as error:
        raise _refused(path, _where(error)) from None
    except RecursionError:
        raise _refused(path, f"it is more than {_DEEP} levels deep") from None
    except UsageError:
        raise
    except (ValueError, TypeError, AttributeError) as error:  # of its tags and odd names
        raise _refused(path, str(error) or type(error).__name__) from None
    if settings is None and not needed:
        return {}
    if not isinstance(settings, dict):
        raise _refused(
            path, f"it holds {_KINDS.get(type(settings), 'something else')} where names with values should be"
        )
    if odd := [name for name in settings if not isinstance(name, str)]:
        raise _refused(path, f"{odd[0]!r} is no name")
    return settings


def read_text(path: str | Path, needed: bool = True) -> str:
    """Reads the text of a configuration file.

    Raises:
        UsageError: if it cannot be read, is not text, or is needed and empty.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= _BYTES else b""
    except OSError as error:
        raise UsageError(f"the configuration {path} cannot be read ({error.strerror or error})") from None
    if size > _BYTES:
        raise _refused(path, f"it has {size / 1e6:.1f} MB, and such files have a few kB")
    try:
        text = data.decode("utf-8-sig")
        yaml.reader.Reader(text)  # raises for characters that YAML does not allow
    except (UnicodeDecodeError, yaml.YAMLError):
        raise _refused(path, "it is no text in UTF-8") from None
    if needed and not text.strip():
        raise _refused(path, "it is empty")
    return text


@contextmanager
def opened(path: str | Path) -> Iterator[str]:
    """The text of a configuration file that `read` accepts; within, other files are looked for beside it.

    Raises:
        UsageError: as `read`.
    """
    from jsonargparse.typing import Path_fr

    read(path)
    with Path_fr(str(path)).relative_path_context():
        yield read_text(Path(path).name)


def _bound(root: yaml.Node | None) -> None:
    """Refuses a file that would take for ever to unfold: aliases of aliases, and aliases of what they are in."""
    sizes: dict[int, int] = {}  # of the nodes that were counted, by id; 0 while one is being counted

    def size(node: yaml.Node, depth: int) -> int:
        if depth > _DEEP:
            raise ValueError(f"it is more than {_DEEP} levels deep")
        if id(node) not in sizes:
            sizes[id(node)] = 0
            parts = node.value if isinstance(node, yaml.CollectionNode) else []
            flat = [each for part in parts for each in (part if isinstance(part, tuple) else (part,))]
            sizes[id(node)] = 1 + sum(size(each, depth + 1) for each in flat)
        elif not sizes[id(node)]:
            raise ValueError("an alias in it stands for something that holds it")
        if sizes[id(node)] > _VALUES:
            raise ValueError(f"its aliases unfold to more than {_VALUES:,} values")
        return sizes[id(node)]

    if root is not None:
        size(root, 0)


def _where(error: yaml.YAMLError) -> str:
    """The problem in a file, with its line."""
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark is not None else ""
    return line + str(getattr(error, "problem", None) or error)


def _refused(path: str | Path, reason: str) -> UsageError:
    other = Run(Path(path).parent).config
    beside = Path(path).name == "hparams.yaml" and other.is_file()
    hint = f"use {other}" if beside else "'lit-gans fit --print_config' writes one"
    return UsageError(f"{path} is no configuration of a run ({' '.join(reason.split())}); {hint}")
