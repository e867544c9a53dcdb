"""The help of the training commands, from the index: what a command asks for, and the page that answers it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lit_gans.cli import pages
from lit_gans.cli.index import Entry, index
from lit_gans.cli.words import HELP_FLAG, OWN, fail
from lit_gans.errors import nearest

_BASES = {"model": "lit_gans.GenerativeModel", "data": "lightning.LightningDataModule"}


def show(command: str, words: Sequence[str]) -> bool:
    """Prints the help that the words of a training command ask for.

    Returns:
        False if they ask for the options of something that the index does not have: the parser knows more.

    Raises:
        SystemExit: with 2 and one sentence if there is nothing of that name.
    """
    path, topic = _asked(words)
    text = _of_flag(path, topic, command, words) if path else _of_topic(topic, command, words)
    if text is not None:
        print(text)
    return text is not None


def _asked(words: Sequence[str]) -> tuple[str, str]:
    """The flag whose help is asked for, ``model`` of ``--model.help``, and the name that follows."""
    for word, following in zip(words, [*words[1:], "-"], strict=True):
        if found := HELP_FLAG.fullmatch(word):
            topic = "" if following.startswith("-") or "=" in following else following
            return (found[1] or "").replace("-", "_"), topic if found[2] is None else found[2]
    return "", ""


def _of_topic(topic: str, command: str, words: Sequence[str]) -> str:
    """The help of a command, of a part of it, or of a class."""
    topic = f"{topic}s" if f"{topic}s" in pages.LISTS else topic
    if topic == "all":
        return "\n\n".join([pages.general(command), *(pages.part(part, command) for part in pages.PARTS)])
    if topic in pages.PARTS:
        return pages.part(topic, command)
    if not topic:  # fit --model --help
        topic = next((kind for kind, (its, _) in pages.LISTS.items() if _open(words, f"--{its}")), "")
    if topic in pages.LISTS:
        return pages.listed(topic)
    named = [_known(topic)] if topic else list(_named(words))
    if not named:
        return pages.general(command)
    return "\n\n".join(pages.of_class(entry, entry.kind, command) for entry in named)


def _known(topic: str) -> Entry:
    """The class that a topic names, of whatever kind."""
    known = index()
    for kind in known.classes:
        if found := known.find(kind, topic):
            return found
    if (own := _own(topic)) and own.kind:
        return own
    topics = [*pages.PARTS, *pages.LISTS, "all"]
    close = _close(topic, [*topics, *known.names("model"), *known.names("data"), *known.names("backbone")])
    known_ones = f"choose from {', '.join(topics)}, or a name in 'lit-gans list'"
    fail(f"there is no help on {topic!r}{close or ';'} {known_ones}", 2)


def _close(name: str, names: Sequence[str], lead: str = "") -> str:
    """The nearest of many names, if one is near."""
    _, asked, rest = nearest(name, names).partition("; did you mean ")
    return f"; did you mean {lead}{rest.partition('?')[0]}?" if asked else ""


def _open(words: Sequence[str], flag: str) -> bool:
    """Whether a flag stands without its value: fit --model --help."""
    return flag in words and words[words.index(flag) + 1 : words.index(flag) + 2] in (["-h"], ["--help"])


def _named(words: Sequence[str]) -> Iterator[Entry]:
    """The model and the data that a command names: with their flags, without, or in a file of options."""
    alone = [word for at, word in enumerate(words) if word[:1] != "-" and (not at or words[at - 1][:1] != "-")]
    files = [word.partition("=")[2] or word for word in words if word.endswith((".yaml", ".yml"))]
    for kind in ("model", "data"):
        names = [name for file in files if (name := _in_file(file, kind))]
        names += [entry.path for word in alone if (entry := index().find(kind, word))]
        for at, word in enumerate(words):
            flag, _, value = word.partition("=")
            if flag in (f"--{kind}", kind):
                names.append(value or "".join(words[at + 1 : at + 2]))
        if names:
            yield of_kind(kind, names[-1])


def _in_file(file: str, kind: str) -> str:
    """The class that a file of options names; "" if it cannot be read or names none."""
    import yaml

    try:
        options = yaml.safe_load(Path(file).read_text("utf-8"))[kind]
        return str(options if isinstance(options, str) else options["class_path"])
    except (OSError, ValueError, TypeError, LookupError, yaml.YAMLError):
        return ""


def of_kind(kind: str, name: str, model: Entry | None = None) -> Entry:
    """A class of a kind by its name; one of the user's own is imported.

    Raises:
        SystemExit: if there is none.
    """
    found = index().find(kind, name, model) or _own(name)
    if found is None:
        fail(f"unknown {kind} {name!r}{nearest(name, index().names(kind))}, {OWN}", 2)
    if found.kind != kind and {found.kind, kind} & {"model", "data", ""}:
        fail(f"{name} is no {kind}; its class must derive from {_BASES.get(kind, kind)}", 2)
    return found


def _own(name: str) -> Entry | None:
    """A user's own class by its dotted name."""
    if "." not in name or "/" in name:
        return None
    from lit_gans.cli.indexing import own_entry

    return own_entry(name, index().classes["backbone"])


def _of_flag(path: str, topic: str, command: str, words: Sequence[str]) -> str | None:
    """The help of ``--model.optimizer.help Adam``: of a class that may stand there, or a list of them."""
    if path in pages.PARTS:
        return pages.part(path, command)
    options = dict(index().commands[command])
    home, dot, _ = path.partition(".")
    entry = None
    if dot and home in ("model", "data"):
        entry = next((e for e in _named(words) if e.kind == home), None) or of_kind(home, str(options[home].default))
        options |= {f"{home}.{name}": option for name, option in entry.options.items()}
    if path not in options:
        fail(f"--{path} is no option{_close(path, list(options), '--')}", 2)
    kind = options[path].of
    if not kind:
        return None
    if topic:
        return pages.of_class(of_kind(kind, topic, entry), path, command)
    return pages.listed(next(part for part, (its, _) in pages.LISTS.items() if its == kind), path, entry)
