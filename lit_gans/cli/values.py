"""Simple values of options: whether a word is one, and how the parser spells it."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

from lit_gans.cli.entries import Option
from lit_gans.errors import nearest

_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "list": "a list, a,b"}
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")
_ANYTHING = {"str", "path", "other", "class"}
_PLAIN = re.compile(r"[\w./+-]+")  # needs no quotes in a list


# the least value of numbers, by the last name of an option, where smaller ones cannot work in any class
_LEAST = {"lr": 0, "batch_size": 1, "num_workers": 0, "width": 1, "latent_dim": 1, "size": 1}
_LEAST |= {"max_epochs": -1, "max_steps": -1, "seed_everything": 0}
_LEAST |= {"generator_every": 1, "r1": 0, "log_every_n_steps": 0, "count": 0, "every": 1, "limit_val_batches": 0}
_LEAST |= {"limit_train_batches": 0, "limit_test_batches": 0, "limit_predict_batches": 0, "val_check_interval": 0}
_MOST = {"seed_everything": 2**32 - 1}
# words whose type is text, and which nothing else can be
_ONE_OF = {
    "trainer.accelerator": ("auto", "cpu", "gpu", "cuda", "mps", "tpu"),
    "trainer.profiler": ("simple", "advanced", "pytorch", "xla"),
    "best.mode": ("min", "max"),
}
_CLASS = re.compile(r"[.{]|Accelerator$|Profiler$")
# the names that may stand in a list, whose types are text
LISTED = {
    "model.augment": ("color", "translation", "cutout", "blit", "geometry", "tone"),
    "quality.scores": (
        *("fid", "kid", "is", "precision_recall", "density_coverage"),
        *("memorisation", "swd", "sharpness", "checkerboard", "accuracy"),
    ),
}


class Wrong(Exception):
    """A value that an option does not take."""


class NotTaken(Exception):
    """A number or a name that no class takes; the text follows the flag."""


def refuse_values(path: str, value: str) -> None:
    """Refuses a number that is too small and a name that is not on the list of an option.

    Raises:
        NotTaken: with what follows the flag in the sentence.
    """
    parts = [part.strip(" '\"") for part in value.strip("[]").split(",")]
    least = _LEAST.get(path.rpartition(".")[2])
    for part in parts if least is not None else ():
        if re.fullmatch(r"-?\d+(\.\d*)?(e-?\d+)?", part) and float(part) < least:  # type: ignore[operator]
            raise NotTaken(f"must be at least {least}, got {value}")
    most = _MOST.get(path.rpartition(".")[2])
    for part in parts if most is not None else ():
        if re.fullmatch(r"\d+", part) and int(part) > most:  # type: ignore[operator]
            raise NotTaken(f"must be from 0 to {most}, got {value}")
    if path in _ONE_OF and not _CLASS.search(value) and value.lower() not in ("null", *_ONE_OF[path]):
        raise NotTaken(f"must be one of {', '.join(_ONE_OF[path])}, got {value}")
    if path == "trainer.devices" and not re.fullmatch(r"auto|\[?[\d,\s-]+\]?", value.lower()):
        raise NotTaken(f"must be a number of devices, their numbers, 0,1, or auto, got {value}")
    if path == "trainer.default_root_dir" and Path(value).is_file():
        raise NotTaken(f"is a folder to write to, got the file {value}")
    if path == "name" and (value in (".", "..") or re.search(r"[/\\]", value)):
        raise NotTaken(f"is the name of a folder, without slashes, got {value}; --output says where it lies")
    if path in LISTED and (wrong := next((part for part in parts if part and part not in LISTED[path]), None)):
        raise NotTaken(f"has no {wrong!r}{nearest(wrong, LISTED[path])}")


def wanted(option: Option) -> str:
    """The values that an option takes, for an error."""
    choices = [f"one of {', '.join(str(choice) for choice in _distinct(option))}"] if option.choices else []
    kinds = [kind for kind in option.kinds if kind in _WORDS and not (kind == "int" and "float" in option.kinds)]
    words = _WORDS | ({"list": f"a list of {option.length} values, a,b"} if option.length else {})
    return " or ".join([*choices, *(words[kind] for kind in kinds)])


def spelled(option: Option, words: Sequence[str]) -> list[str]:
    """The words of an option's value as the one word that the parser reads.

    Raises:
        Wrong: if no value of its kinds is spelled like that.
    """
    if len(words) > 1 or ("list" in option.kinds and "," in words[0]):
        return [_list(option, words)]
    word = words[0]
    if word[:1] in ("[", "{") and word[:1]:
        if not {"dict" if word[0] == "{" else "list", *_ANYTHING} & {*option.kinds}:
            raise Wrong(word)
        _of_length(option, word)
        return [word]
    if (single := _single(option, word)) is not None:
        return [single]
    if "list" in option.kinds and not {"str", "path", "other"} & {*option.kinds} and word:
        return [_list(option, words)]
    if _ANYTHING & {*option.kinds} or "dict" in option.kinds:
        return [word]
    raise Wrong(word or "nothing")


def _list(option: Option, words: Sequence[str]) -> str:
    """Several words, or one with commas, as a list."""
    if "list" not in option.kinds:
        if {"str", "path", "other"} & {*option.kinds} and len(words) == 1:
            return words[0]
        raise Wrong(" ".join(words))
    text = ",".join(words)
    if text[:1] in "[{":
        _of_length(option, text)
        return text
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not {"str", "other", "class"} & {*option.kinds} and option.name in ("scores", "quality.scores"):
        parts = [part.lower() for part in parts]
    _of_length(option, f"[{text}]")
    whole = "int" in option.kinds and not {"str", "other"} & {*option.kinds}
    if whole and not all(re.fullmatch(r"[+-]?\d+", part) for part in parts):
        raise Wrong(text)
    quoted = (part if _PLAIN.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in parts)
    return f"[{', '.join(quoted)}]"


def _of_length(option: Option, text: str) -> None:
    """Refuses a list, ``[a, b]``, of too many or too few values."""
    inner = re.fullmatch(r"\[([^\[\]{}]*)\]", text)
    parts = [part.strip() for part in inner[1].split(",") if part.strip()] if inner is not None else []
    if option.length and inner is not None and len(parts) != option.length:
        raise Wrong(",".join(parts) or "nothing")


def _single(option: Option, word: str) -> str | None:
    """A number, a truth, null or a choice as the parser spells it; None if the word is none that the option takes."""
    kinds, low = {*option.kinds}, word.strip().lower()
    by_name = {str(choice).lower(): str(choice) for choice in _distinct(option)}
    if low in by_name:
        return by_name[low]
    if "null" in kinds and low in ("null", "~", "") + (() if "str" in kinds else ("none",)):
        return "null" if low == "none" else word
    if "bool" in kinds and (low in _TRUE or low in _FALSE):
        return "true" if low in _TRUE else "false"
    if "bool" in kinds and not kinds & {"int", "float", "str"} and low in ("1", "0"):
        return "true" if low == "1" else "false"
    try:
        number = float(low.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        return None
    if "float" in kinds and math.isfinite(number):
        return word
    if "int" in kinds and re.fullmatch(r"[+-]?[\d_]+|0x[\da-f]+", low):
        return word
    if "int" in kinds and number == number and abs(number) < 2**63 and number == int(number):
        return str(int(number))  # 1e5
    return None


def _distinct(option: Option) -> list[object]:
    """The choices without those that differ only in being text."""
    return list({str(choice): choice for choice in option.choices}.values())
