"""The papers that a model uses, as BibTeX.

They are read from docstrings: every number (arXiv:..., doi:...) before a docstring's ``Args`` is a paper that the class
uses, and ``references.bib`` has its entry. So a new model, network or metric is cited without further work.
"""

import inspect
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

import lit_gans.models
from lit_gans.augment.pipeline import POLICIES, Augment
from lit_gans.checkpoints.trust import import_class
from lit_gans.errors import UsageError, nearest

OWN = "lit_gans"  # the entry of this library
_NAMED = re.compile(r"arXiv:\d{4}\.\d{4,5}|doi:[^\s;,)]+|https?://[^\s;,)]+")
_ENTRY = re.compile(r"^@\w+\{([^,]+),\n.*?^\}", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"^  (eprint|doi|url) = \{(.*)\},$", re.MULTILINE)
_PREFIX = {"eprint": "arXiv:", "doi": "doi:", "url": ""}
# layers of PyTorch, whose docstrings are not read
_LAYERS = {
    "BatchNorm1d": ["arXiv:1502.03167"],
    "BatchNorm2d": ["arXiv:1502.03167"],
    "BatchNorm3d": ["arXiv:1502.03167"],
    "GroupNorm": ["arXiv:1607.06450"],  # with one group, as here, it is layer norm
    "InstanceNorm2d": ["arXiv:1607.08022"],
    "LayerNorm": ["arXiv:1607.06450"],
    "_SpectralNorm": ["arXiv:1802.05957"],
    "_WeightNorm": ["arXiv:1602.07868"],
}
_SHAPES: dict[str, Any] = {
    "image_shape": (3, 32, 32),
    "source_shape": (3, 32, 32),
    "num_classes": 10,
    "text_shape": (32, 1000),
    "source_text_shape": (32, 1000),
}


def citation(model: Any) -> str:
    """BibTeX of the papers that a model uses: its own first, then those of its networks and options, one entry each.

    Args:
        model: a model; or a class or its name, say ``"DCGAN"``, which is cited with its default networks for images.

    Raises:
        UsageError: if there is no model of this name.

    Examples:
        >>> print(citation("LSGAN").splitlines()[0])
        @inproceedings{mao2017least,
    """
    return bibtex(papers(model))


def papers(model: Any) -> list[str]:
    """The papers that a model or a class (or its name) uses, as docstrings name them; none twice.

    Raises:
        UsageError: if there is no model of this name.
    """
    if isinstance(model, str):
        model = _class_of(model)
    made = _example(model) if isinstance(model, type) else model
    cls = model if isinstance(model, type) else type(model)
    found = [paper for base in cls.__mro__ for paper in named(base)]
    if isinstance(made, nn.Module):
        found += [*_options(made), *_parts(made)]
    return list(dict.fromkeys(found))


def named(thing: Any) -> list[str]:
    """The papers that a class's or function's own docstring names before its arguments."""
    text = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    found = [word.rstrip(".") for word in _NAMED.findall((text or "").partition("Args:")[0])]
    return [word for word in found if not word.startswith("http") or word in _entries()]  # most addresses are no papers


def bibtex(wanted: Iterable[str]) -> str:
    """The entries of some papers; for a paper without an entry one with its number alone.

    Args:
        wanted: papers as docstrings name them, or keys of entries.
    """
    return "\n".join(_entries().get(paper) or _bare(paper) for paper in dict.fromkeys(wanted))


@cache
def _entries() -> dict[str, str]:
    """Every entry of ``references.bib``, by its key and by each number that a docstring may use for it."""
    text = Path(__file__).with_suffix(".bib").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for match in _ENTRY.finditer(text):
        names = [match[1], *(f"{_PREFIX[kind]}{value}" for kind, value in _FIELD.findall(match[0]))]
        found |= dict.fromkeys(names, f"{match[0]}\n")
    return found


def _bare(paper: str) -> str:
    """An entry of what is known of a paper: where it is."""
    kind, _, number = paper.rpartition(":")
    field = "doi" if kind == "doi" else "eprint"
    archive = "" if kind == "doi" else "  archiveprefix = {arXiv},\n"
    key = re.sub(r"\W+", "-", paper)
    return f"@misc{{{key},\n  {field} = {{{number}}},\n{archive}}}\n"


# -------------------------------------------------------------------- the papers of a model


def _parts(model: nn.Module) -> Iterator[str]:
    """The papers of all networks and layers of a model."""
    for module in model.modules():
        if module is not model and not isinstance(module, Augment):  # `_options` names the papers of its policies
            for cls in type(module).__mro__:
                of_torch = cls.__module__.startswith("torch.")
                yield from _LAYERS.get(cls.__name__, []) if of_torch else named(cls)


def _options(model: Any) -> Iterator[str]:
    """The papers of the options that a model uses."""
    if getattr(model, "r1", 0):
        yield "arXiv:1801.04406"
    if (getattr(model, "r1", 0) and model.r1_every > 1) or getattr(model, "penalty_every", 1) > 1:
        yield "arXiv:1912.04958"  # lazy regularisation
    augment = getattr(model, "augment", None)
    if isinstance(augment, Augment):
        for policy in augment.policies:
            yield from named(POLICIES[policy])
        if augment.adaptive:
            yield "arXiv:2006.06676"
    if getattr(model, "beta", 1) != 1:
        yield "higgins2017beta"
    if hasattr(model, "free_sigma"):
        yield "arXiv:2006.13202"


def _class_of(name: str) -> type:
    """The model of this library of that name, or a class of the user's own."""
    if "." in name:
        found = import_class(name)
        if not isinstance(found, type):
            raise UsageError(f"{name} is no class; name a model, say DCGAN or my_project.MyGAN")
        return found
    found = {each.lower(): each for each in lit_gans.models.__all__}.get(name.lower())
    if found is None:
        raise UsageError(f"unknown model {name!r}{nearest(name, sorted(lit_gans.models.__all__))}")
    return getattr(lit_gans.models, found)


def _example(cls: type) -> Any:
    """A model of a class with its default networks; None if the class needs more than shapes."""
    if inspect.isabstract(cls):
        return None
    try:
        with torch.random.fork_rng(devices=[]):  # so that random numbers elsewhere stay the same
            return cls(**_SHAPES, **parts_for(cls, _SHAPES["image_shape"]))
    except Exception:  # a class of the user's own may raise anything without its arguments
        return None


def parts_for(cls: type, image_shape: tuple[int, ...]) -> dict[str, Any]:
    """What an example of a class needs besides shapes: a tokenizer, if it draws by the codes of one."""
    if "tokenizer" not in inspect.signature(cls.__init__).parameters:  # type: ignore[misc]
        return {}
    from lit_gans.models.discrete_vae import DiscreteVAE

    return {"tokenizer": DiscreteVAE(image_shape=image_shape)}
