"""What the parser says about a value or a class, as one sentence without its own inner words."""

import re
from collections.abc import Callable, Sequence

from lit_gans.cli.words import OWN
from lit_gans.errors import nearest

_SIMPLE = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}
_LISTS = ("list", "tuple", "collections.abc.Sequence", "collections.abc.Iterable", "set")
_BASES = {  # where a user finds what to derive from
    "GenerativeModel": "lit_gans.GenerativeModel",
    "LightningDataModule": "lightning.pytorch.LightningDataModule",
    "Callback": "lightning.pytorch.Callback",
    "Logger": "lightning.pytorch.loggers.Logger",
    "Optimizer": "torch.optim.Optimizer",
    "LRScheduler": "torch.optim.lr_scheduler.LRScheduler",
    "Module": "torch.nn.Module",
}
_DOTTED = r"[\w.]*\w"
_INNER = ("Union", "subtype", "NestedArg", "Namespace(", "<class", "Parser key", "typehint", "import path", "typing.")


def sentence(text: str, flag: Callable[[str], str]) -> str:
    """One sentence about an option.

    Args:
        text: the parser's own message, on one line.
        flag: the flag that was typed for an option, by the option's last name.
    """
    if unknown := re.search(rf"unknown \w+ '[^']*'[?; ].*?, {OWN}", text):
        return unknown[0]
    option = next(iter(re.findall(r'Parser key "(?:\w+\.)*(\w+)"', text)[-1:]), "")
    shown = flag(option) if option else "an option"
    if base := re.search(r"subclass of (?:<class ')?(?:Union\[|typing\.\w+\[)?([\w.]+)", text):
        named = re.search(rf"(?:Expected|class_path) '({_DOTTED})'", text) or re.search(
            rf"(?:Given|Got) value: ({_DOTTED})", text
        )
        last = base[1].rpartition(".")[2]
        known = _BASES.get(last, f"lit_gans.networks.{last}")
        return f"{shown} cannot be {named[1] if named else 'this'}: it is no subclass of {known}"
    if needed := re.search(r'Key "([\w.]+)" is required', text):
        of = re.search(rf"class_path '({_DOTTED})'", text)
        where = f"{shown}." if of and option else "--"
        return f"{of[1].rpartition('.')[2] if of else 'the command'} needs {where}{needed[1].rpartition('.')[2]}"
    wrong = re.search(r"Problem with given class_path '([^']+)': (.+?)(?: - Expected| Given value|$)", text)
    wrong = wrong or re.search(rf"()((?:No module named|module) '{_DOTTED}'(?: has no attribute '\w+')?)", text)
    if wrong and not wrong[2].startswith("Validation failed"):
        name = wrong[1] or _given(text)
        return f"the class {name!r} cannot be used: {wrong[2]}" if not _inner(wrong[2]) else _fallback(shown, name)
    if re.search(r"Given value: (NestedArg\(key=|\{'init_args': [^}]*\}+$)", text):
        return f"{shown}: options of a class come before the class; name it first, say with {shown}"
    if missing := re.search(r"Unable to load config ['\"]([^'\"]*)['\"]", text):
        return f"{shown} takes a file with its options, or its options one by one; got {missing[1]}"
    if wanted := _wanted(text):
        return f"{shown} must be {wanted}, got {_given(text) or 'something else'}"
    return _fallback(shown, _given(text)) if _inner(text) else text


def not_accepted(text: str, owner: str, options: Sequence[str], flag: Callable[[str], str]) -> str:
    """The sentence about an option that a class does not have; empty if the message is about something else."""
    found = re.search(r"Option '([\w.]+)' is not accepted", text)
    names = [name for name in options if "." not in name and name not in ("help", "config", "print_shtab")]
    return f"{flag(found[1])} is no option of {owner}{nearest(found[1], names)}" if found else ""


def _fallback(shown: str, given: str) -> str:
    return f"{shown} cannot be {given or 'this'}; 'lit-gans fit --help' lists the options"


def _inner(text: str) -> bool:
    return any(word in text for word in _INNER)


def _given(text: str) -> str:
    """The value that was given."""
    found = re.findall(r"(?:Given|Got) value: (.+?)(?= Given value|\. Got value| - Expected|$)", text)
    value = found[-1].strip() if found else ""
    if path := re.search(r"class_path='([^']+)'", value):
        return path[1]
    return "" if _inner(value) else value


def _wanted(text: str) -> str:
    """The kinds of value that an option takes; empty if they are not simple ones."""
    union = re.search(r"Subtypes: \[(.*?)\] Errors", text)
    kinds = _apart(union[1]) if union else re.findall(r"Expected an? (.+?)(?: - |\. | Given| Got|\.?$)", text)
    said = list(dict.fromkeys(filter(None, map(_kind, kinds))))
    if "a number" in said and "a whole number" in said:
        said.remove("a whole number")
    return " or ".join(said)


def _kind(kind: str) -> str:
    name = kind.removeprefix("<class '").removesuffix("'>")
    if name in _SIMPLE:
        return _SIMPLE[name]
    if literal := re.match(r"typing\.Literal\[(.*)\]", kind):
        return f"one of {literal[1]}"
    if pair := re.match(r"tuple\[(?!.*\.\.\.)(.*)\]|tuple with (\d+) elements", kind):
        return f"a list of {pair[2] or len(_apart(pair[1]))} values, a,b"
    if name.startswith(_LISTS):
        return "a list, a,b,c"
    return ""


def _apart(text: str) -> list[str]:
    """Splits at commas that are in no brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[(") - (letter in "])")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
