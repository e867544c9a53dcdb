"""LightningDataModules: every batch is a dict."""

from lit_gans.data.base import ImageData
from lit_gans.data.gaussians import Gaussians
from lit_gans.data.glyphs import Glyphs
from lit_gans.data.mnist import MNIST, FashionMNIST

__all__ = ["MNIST", "FashionMNIST", "Gaussians", "Glyphs", "ImageData"]
