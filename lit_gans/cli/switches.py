"""Parts of a run that one word switches off: ``--quality false``, or ``quality: false`` in a configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_gans.errors import UsageError

#: the parts, each with what is gone without it
PARTS = {
    "samples": "no pictures",
    "texts": "no files of texts",
    "last": "no last.ckpt",
    "quality": "no scores",
    "collapse": "no look at how alike the samples are",
    "best": "no best.ckpt",
}
_OFF, _ON = ("false", "null", "none", "no", "off"), ("true", "yes", "on")


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """Writes ``--quality false`` as the option that it stands for, ``--off.quality=true``.

    Examples:
        >>> spelled_out(["fit", "--quality", "false", "--best=null", "--quality.count", "100"])
        ['fit', '--off.quality=true', '--off.best=true', '--quality.count', '100']
    """
    words, found = list(arguments), []
    while words:
        flag, given, value = words.pop(0).partition("=")
        if flag.removeprefix("--") not in PARTS or not flag.startswith("--"):
            found.append(f"{flag}{given}{value}")
            continue
        value = value if given or not words else words[0]
        if value.lower() not in (*_OFF, *_ON):
            if value and not value.startswith("-") and value[0] != "{" and not Path(value).is_file():
                raise UsageError(f"{flag} is true, false or a file of its settings, got {value!r}")
            found.append(f"{flag}{given}{value}" if given else flag)
            continue
        if not given:
            words.pop(0)
        found.append(f"--off.{flag[2:]}={str(value.lower() in _OFF).lower()}")
    return found


def spelled_out_in(settings: dict[str, Any]) -> dict[str, Any]:
    """The same for the settings of a configuration file.

    Examples:
        >>> spelled_out_in({"quality": False, "best": {"save_top_k": 2}})
        {'off': {'quality': True}, 'best': {'save_top_k': 2}}
    """
    said = {part: settings[part] for part in PARTS if part in settings and settings[part] in (None, True, False)}
    if not said:
        return settings
    off = {**(settings.get("off") or {}), **{part: value is not True for part, value in said.items()}}
    return {"off": off, **{name: value for name, value in settings.items() if name not in (*said, "off")}}
