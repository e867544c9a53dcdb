"""Weights of pytorch-CycleGAN-and-pix2pix, the authors' program, as checkpoints of ours.

What a file holds is seen from the names and the shapes of its weights. The networks compute the same as there:

- A bias before instance norm is left out: the norm takes it away again.
- A 3x3 kernel of a doubling becomes a 4x4 one, with zeros in the last row and column.
- A U-Net joins maps the other way round: the halves of a kernel's inputs change places.
- Batch norm is held as instance norm with gain and shift, since ``test.py`` normalises each picture by itself. The
  running statistics are kept beside, for a backbone with ``norm="batch"``: they are what ``test.py --eval`` uses.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans import __version__
from lit_gans.errors import UsageError
from lit_gans.networks.translators import PatchDiscriminator, ResNetTranslator, UNet

_KIND = r"\.(weight|bias|running_mean|running_var|num_batches_tracked)"
_RESNET = re.compile(rf"model\.\d+(\.conv_block\.\d+)?{_KIND}")
_UNET = re.compile(rf"model(\.model\.\d+)+{_KIND}")
_PATCHES = re.compile(rf"model\.\d+{_KIND}")
_FILE = re.compile(r"(?P<before>.*net_)G(?P<way>_A|_B)?(?P<ending>\.\w+)")
_SIDE = 256  # of the program's images, where the weights do not say it
_DEEPEST = 8  # halvings of a U-Net of ours
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)
_PLAYER = re.compile(r"generator\.(a_to_b\.)?")

_Layers = dict[str, dict[str, Tensor]]  # the values of each layer by their kind, in the order of the layers
_Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Ported:
    """A generator that was found in a file.

    Args:
        label: what it is, in words.
        backbone: what makes it here, as a checkpoint names it.
        channels: of the images that it is given, and of those that it makes.
        side: height and width of the images.
        weights: by their names here.
    """

    label: str
    backbone: dict[str, Any]
    channels: tuple[int, int]
    side: int
    weights: _Weights


def as_checkpoint(content: Any, path: Any, read: Callable[[Path], Any]) -> dict[str, Any] | None:
    """A checkpoint of ours with the weights of a file, None if the file is no generator of that program.

    ``latest_net_G_A.pth`` with ``latest_net_G_B.pth`` beside it is a CycleGAN, which translates both ways. A generator
    alone is a CUT if it has instance norm and residual blocks, as CycleGAN's have, else a Pix2Pix. A discriminator
    comes along, if its file is there too and it is one that the model has.

    Args:
        content: what the file holds.
        path: of the file; where it is none, nothing else is looked for.
        read: reads a file beside it.

    Raises:
        UsageError: if it is a generator that cannot be one of ours.
    """
    found = generator_in(content)
    if found is None:
        return None
    before, way, ending = _named(path)

    def beside(name: str) -> Any:
        file = None if before is None else Path(f"{before}{name}{ending}")
        return read(file) if file is not None and file.is_file() else None

    game = "cut.CUT" if "ResNet" in found.backbone["class_path"] and _norm(found) == "instance" else "pix2pix.Pix2Pix"
    state = {f"generator.{'a_to_b.' * (game == 'cut.CUT')}{name}": value for name, value in found.weights.items()}
    back = generator_in(beside("G_B")) if way == "_A" else None
    taken, made = found.channels
    shapes = {"image_shape": (made, found.side, found.side), "source_shape": (taken, found.side, found.side)}
    hyper: dict[str, Any] = {**shapes, "backbone": found.backbone}
    if back is not None and back.backbone == found.backbone and back.channels == (made, taken):
        game, hyper["identity"] = "cyclegan.CycleGAN", 0.5 if made == taken else 0.0
        ways = {"a_to_b": found, "b_to_a": back}
        state = {f"generator.{w}.{name}": value for w, each in ways.items() for name, value in each.weights.items()}
        judges = {"discriminator.b.": ("D_A", made), "discriminator.a.": ("D_B", taken)}
    else:
        judges = {"discriminator.": (f"D{way or ''}", made + (taken if game == "pix2pix.Pix2Pix" else 0))}
        if game == "cut.CUT" and made != taken:
            hyper["identity"] = 0.0
    for prefix, (name, channels) in judges.items():
        judged = _discriminator(beside(name), channels, found)
        state |= {f"{prefix}{key}": value for key, value in judged.items()}
    described = {"class_path": f"lit_gans.models.{game}", "version": __version__, "ported": found.label}
    return {"state_dict": state, "hyper_parameters": hyper, "lit_gans": described}


def fitting(model: nn.Module, weights: Mapping[str, Tensor]) -> _Weights:
    """The weights of `as_checkpoint` for a model, or for one network of one, without statistics that it does not keep.

    Args:
        model: a model, or a translator.
        weights: by the names of a whole model.
    """
    if not hasattr(model, "generator"):
        weights = {_PLAYER.sub("", name): value for name, value in weights.items() if _PLAYER.match(name)}
    own = {name.rpartition(".")[2] for name in model.state_dict()}
    return {name: value for name, value in weights.items() if name.rpartition(".")[2] in own.union(("weight", "bias"))}


def generator_in(content: Any) -> Ported | None:
    """The generator of that program that a dict of weights holds, None if it holds none.

    Raises:
        UsageError: if it is one of that program, but of a kind that is not made here.
    """
    weights = _plain(content)
    if not weights:
        return None
    if all(map(_UNET.fullmatch, weights)):
        return _unet(_layers(weights))
    if all(map(_RESNET.fullmatch, weights)) and any("conv_block" in name for name in weights):
        return _resnet(_layers(weights))
    return None


def _named(path: Any) -> tuple[str | None, str | None, str]:
    """What stands before and behind ``G_A`` in the name of a file, with its folder, and the ``_A``."""
    found = _FILE.fullmatch(Path(path).name) if isinstance(path, (str, os.PathLike)) else None
    if found is None:
        return None, None, ""
    return str(Path(path).with_name(found["before"])), found["way"], found["ending"]


def _plain(content: Any) -> _Weights:
    """Weights by name, without the prefix of a wrapper for several devices."""
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        return {}
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _layers(weights: _Weights) -> _Layers:
    """The layers that have weights, by their place, in the order in which images pass them."""
    ordered = sorted(
        weights,
        key=lambda name: [(word.isdecimal(), int(word) if word.isdecimal() else 0) for word in name.split(".")[:-1]],
    )
    found: _Layers = {}
    for name in ordered:
        place, _, kind = name.rpartition(".")
        found.setdefault(place, {})[kind] = weights[name]
    return {place: values for place, values in found.items() if "weight" in values}  # not old statistics alone


def _resnet(layers: _Layers) -> Ported | None:
    kernels = {place: values["weight"] for place, values in layers.items() if values["weight"].ndim == 4}
    inside = [place for place in kernels if "conv_block" in place]
    if any(place.endswith("conv_block.0") for place in inside):
        raise UsageError(
            "these residual blocks pad with zeros, which the program never does by its options; ours pad by reflection"
        )
    first, last = (kernels[place] for place in (next(iter(kernels)), [*kernels][-1]))
    width, blocks, norm = len(first), len(inside) // 2, _norm_of(layers)
    made, taken = len(last), first.shape[1]
    with torch.device("meta"):
        ours = ResNetTranslator((made, _SIDE, _SIDE), (taken, _SIDE, _SIDE), width, blocks, norm)
    dropout = 0.5 if any(place.endswith("conv_block.6") for place in inside) else 0.0
    options = {"width": width, "blocks": blocks, "norm": _held(norm), "dropout": dropout}
    return _ported(f"resnet_{blocks}blocks", "ResNetTranslation", options, (taken, made), _SIDE, ours, layers)


def _unet(layers: _Layers) -> Ported | None:
    kernels = [values["weight"] for values in layers.values() if values["weight"].ndim == 4]
    levels, norm = len(kernels) // 2, _norm_of(layers)
    if not 5 <= levels <= _DEEPEST:
        raise UsageError(
            f"this U-Net halves {levels} times; ours halve 5 to {_DEEPEST} times, as unet_128 and unet_256"
        )
    width, taken, made, side = len(kernels[0]), kernels[0].shape[1], kernels[-1].shape[1], 2**levels
    with torch.device("meta"):
        ours = UNet((made, side, side), (taken, side, side), width, norm, 0.0)
    dropout = 0.5 if norm == "batch" else 0.0  # no name tells it: these are the options of pix2pix and of CycleGAN
    options = {"width": width, "norm": _held(norm), "dropout": dropout, "innermost_dropout": False}
    return _ported(f"unet_{side}", "UNetTranslation", options, (taken, made), side, ours, layers)


def _ported(
    label: str,
    backbone: str,
    options: dict[str, Any],
    channels: tuple[int, int],
    side: int,
    ours: nn.Module,
    layers: _Layers,
) -> Ported | None:
    weights = dict(_carried(ours, layers))
    made_by = {"class_path": f"lit_gans.networks.translators.{backbone}", "init_args": options}
    return Ported(label, made_by, channels, side, weights) if weights else None


def _discriminator(content: Any, channels: int, generator: Ported) -> _Weights:
    """The weights of a discriminator of patches by their names here; none if it is another than ours."""
    weights = _plain(content)
    if not weights or not all(map(_PATCHES.fullmatch, weights)):
        return {}
    layers, width = _layers(weights), generator.backbone["init_args"]["width"]
    if _held(_norm_of(layers, 1)) != _norm(generator):
        return {}
    with torch.device("meta"):
        ours = PatchDiscriminator((channels, generator.side, generator.side), width, norm=_norm_of(layers, 1))
    return dict(_carried(ours, layers))


def _norm_of(layers: _Layers, convolution: int = 0) -> Any:
    """The norm of a network: batch norm has weights, and only before instance norm a convolution has a bias."""
    if any(values["weight"].ndim == 1 for values in layers.values()):
        return "batch"
    return "instance" if "bias" in [*layers.values()][convolution] else "none"


def _held(norm: str) -> str:
    """The norm that a network gets here: of one image at a time, as ``test.py`` has it."""
    return "instance_affine" if norm == "batch" else norm


def _norm(found: Ported) -> str:
    return str(found.backbone["init_args"]["norm"])


def _carried(ours: nn.Module, layers: _Layers) -> Iterator[tuple[str, Tensor]]:
    """The weights under the names of our network; none if their shapes are not those of this network."""
    places = [(name, module) for name, module in ours.named_modules() if isinstance(module, _LAYERS)]
    if len(places) != len(layers):
        return
    made: _Weights = {}
    for (name, module), values in zip(places, layers.values(), strict=True):
        weight = values["weight"]
        if isinstance(module, nn.ConvTranspose2d):
            if weight.shape[2:] == (3, 3):
                weight = F.pad(weight, (0, 1, 0, 1))  # (in, out, 4, 4)
            if isinstance(ours, UNet) and not name.startswith("up.0."):
                weight = torch.cat(weight.chunk(2)[::-1])  # the joined maps change places
        if module.weight is None or weight.shape != module.weight.shape:
            return
        made[f"{name}.weight"] = weight
        if module.bias is not None:
            made[f"{name}.bias"] = values.get("bias", weight.new_zeros(module.bias.shape))
        if isinstance(module, nn.BatchNorm2d):
            made |= {f"{name}.{kind}": values[kind] for kind in _STATISTICS if kind in values}
    yield from made.items()
