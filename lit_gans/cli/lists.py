"""``lit-gans list``: models, trained ones, backbones, data sets and configurations, with what they are for and cost."""

import re

from lit_gans.cli import pages
from lit_gans.cli.index import Entry, index
from lit_gans.cli.rows import first_sentence, paragraph, rows
from lit_gans.cli.shipped import listed
from lit_gans.errors import UsageError, nearest

_WIDE = 22  # letters of the longest name of a model
_HERE = ("models", "shipped", "backbones", "data", "configs")
_OWN = ("ImageFolder", "Captions", "Paired", "Unpaired")
_OWN_TEXTS = ("TextLines", "TextPairs")
_DRAWN = (
    *("Glyphs", "PairedGlyphs", "UnpairedGlyphs", "CaptionedGlyphs", "ColouredGlyphs", "Gaussians"),
    *("NumberPairs", "GrammarLines"),
)


def list_all(what: str = "all") -> None:
    """Lists what can be named: models, those that come along trained, backbones, data sets and configurations.

    Args:
        what: models, shipped, backbones, data, configs or all; also optimizers, schedulers, callbacks, loggers and
            networks.
    """
    known = [*_HERE, *(name for name in pages.LISTS if name not in _HERE)]
    asked = next((name for name in known if what.lower() in (name, name.removesuffix("s"))), what)
    if asked == "all":
        print("\n\n".join(_LISTS[name]() for name in _HERE))
    elif asked in _LISTS:
        print(_LISTS[asked]())
    elif asked in known:
        print(pages.listed(asked))
    else:
        raise UsageError(f"there is no list of {what!r}{nearest(what, [*known, 'all'])}")


def _models() -> str:
    """Each with the weights of its own networks for colour images of 64x64."""
    groups: dict[str, list[tuple[str, str]]] = {"images": [], "images from sentences": [], "images from images": []}
    for entry in index().classes["model"].values():
        weights = f"{sum(entry.weights.values()) / 1e6:5.1f} M"
        told = (f"{entry.short:<{_WIDE}} {weights}", entry.good or entry.summary)
        groups.setdefault(entry.makes, []).append(told)
    parts = [f"{made}:\n{rows(lines, _WIDE + 13)}" for made, lines in groups.items() if lines]
    about = (
        "models, the weights of their own networks for colour images of 64x64, and what they are good at; "
        "'lit-gans fit --model DCGAN --help' says more of one:"
    )
    return "\n\n".join([paragraph(about), *parts])


def _backbones() -> str:
    """Each with the models that it is the default of."""
    lines = []
    for entry in index().classes["backbone"].values():
        models = [e.short for e in index().classes["model"].values() if e.backbone and e.backbone.name == entry.name]
        text = first_sentence(entry.summary).removesuffix(".")
        lines.append((entry.short, f"{text}; the default of {', '.join(models)}" if models else text))
    about = "backbones, kinds of networks; --model.backbone names one, 'lit-gans fit --help ResNet' says more of it:"
    return f"{paragraph(about)}\n{rows(lines, 20)}"


def _data() -> str:
    """Each with where it comes from."""
    lines = [
        (
            entry.short,
            f"{re.sub(r', https?://[^ ]+', '', first_sentence(entry.summary)).removesuffix('.')} ({_origin(entry)})",
        )
        for entry in index().classes["data"].values()
    ]
    about = "data sets; --data names one, 'lit-gans fit --data MNIST --help' says more of it:"
    return f"{paragraph(about)}\n{rows(lines, 20)}"


def _origin(entry: Entry) -> str:
    if entry.name in _OWN:
        return "yours: name the folder with --data.root"
    if entry.name in _OWN_TEXTS:
        return "yours: name the file with --data.path"
    if entry.name in _DRAWN:
        return "drawn, nothing to fetch"
    if download := entry.options.get("download"):
        return f"--data.download true: {download.help.removesuffix('.')}"
    return "fetched when it is not there"


def _configs() -> str:
    """Each with its model, its data and the minutes that its comment names."""
    lines = [
        (config.file.rpartition("/")[2], about if config.minutes in about else f"{about} ({config.minutes})")
        for config in index().configs
        for about in [config.about.partition(". ")[0].partition(": ")[0].removesuffix(".")]
    ]
    about = (
        "configurations, with the time that they take on one core or two where it was measured; they are in "
        "examples/configs of the repository: lit-gans fit --config examples/configs/dcgan_mnist.yaml"
    )
    return f"{paragraph(about)}\n{rows(lines, 32)}"


_LISTS = {"models": _models, "shipped": listed, "backbones": _backbones, "data": _data, "configs": _configs}
