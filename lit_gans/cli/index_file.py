"""The text of an index: JSON that a person can compare."""

import json
from typing import Any


def written(stored: dict[str, Any]) -> str:
    """The text of an index: an option that several have stands once, and each has a line."""
    every = [*stored["commands"].values()]
    every += [entry["options"] for entries in stored["classes"].values() for entry in entries.values()]
    seen: dict[str, dict[str, int]] = {}
    for options in every:
        for name, option in options.items():
            uses = seen.setdefault(name, {})
            uses[_line(option)] = uses.get(_line(option), 0) + 1
    keys: dict[tuple[str, str], str] = {}
    for name in sorted(seen):
        for number, line in enumerate(sorted(line for line, uses in seen[name].items() if uses > 1)):
            keys[name, line] = f"{name}~{number + 1}" if number else name
    shared = ",\n".join(f"  {_line(key)}: {line}" for (_, line), key in keys.items())

    def listed(options: dict[str, Any], indent: str) -> str:
        """One line for every option of its own, and for those that are shared and begin alike."""
        parts: list[str] = []
        before = ""
        for name, option in options.items():
            key = keys.get((name, _line(option)))
            entry = f"{_line(name)}: {_line(option if key is None else key)}"
            home = "" if key is None else name.rpartition(".")[0] or "-"
            if home and home == before:
                parts[-1] += f", {entry}"
            else:
                parts.append(entry)
            before = home
        return "{" + ",".join(f"\n{indent}{part}" for part in parts) + "}"

    commands = ",\n".join(f"  {_line(name)}: {listed(options, '   ')}" for name, options in stored["commands"].items())
    kinds = []
    for kind, entries in stored["classes"].items():
        lines = []
        for name, entry in entries.items():
            rest = _line({key: value for key, value in entry.items() if key != "options"})[:-1]
            lines.append(f'   {_line(name)}: {rest}, "options": {listed(entry["options"], "    ")}}}')
        kinds.append(f"  {_line(kind)}: {{\n" + ",\n".join(lines) + "}")
    configs = ",\n".join(f"  {_line(config)}" for config in stored["configs"])
    return (
        f'{{"versions": {_line(stored["versions"])},\n "shared": {{\n{shared}}},\n'
        f' "commands": {{\n{commands}}},\n "classes": {{\n' + ",\n".join(kinds) + f'}},\n "configs": [\n{configs}]}}\n'
    )


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
