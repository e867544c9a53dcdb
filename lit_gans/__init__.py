"""Generative adversarial networks as LightningModules: one game, one short file per paper.

Names are imported on first use, so that ``import lit_gans`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lit_gans.base import BaseGAN as BaseGAN
    from lit_gans.checkpoints import load as load
    from lit_gans.data import MNIST as MNIST
    from lit_gans.data import FashionMNIST as FashionMNIST
    from lit_gans.data import Gaussians as Gaussians
    from lit_gans.data import Glyphs as Glyphs
    from lit_gans.families import LatentGAN as LatentGAN
    from lit_gans.models import DCGAN as DCGAN
    from lit_gans.models import GAN as GAN
    from lit_gans.models import LSGAN as LSGAN

_HOME = {
    "BaseGAN": "lit_gans.base",
    "LatentGAN": "lit_gans.families",
    "load": "lit_gans.checkpoints",
    **dict.fromkeys(["DCGAN", "GAN", "LSGAN"], "lit_gans.models"),
    **dict.fromkeys(["FashionMNIST", "Gaussians", "Glyphs", "MNIST"], "lit_gans.data"),
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lit_gans' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
