"""LightningDataModules: every batch is a dict."""

from lit_gans.data.array_data import ArrayData
from lit_gans.data.base import BaseData
from lit_gans.data.captioned_glyphs import CaptionedGlyphs
from lit_gans.data.captions import Captions
from lit_gans.data.celeba import CelebA
from lit_gans.data.cifar10 import CIFAR10
from lit_gans.data.gaussians import Gaussians
from lit_gans.data.glyphs import Glyphs
from lit_gans.data.grammar import GrammarLines
from lit_gans.data.image_data import ImageData
from lit_gans.data.image_folder import ImageFolder
from lit_gans.data.lsun import LSUN
from lit_gans.data.mnist import MNIST, FashionMNIST
from lit_gans.data.number_pairs import NumberPairs
from lit_gans.data.oracle import OracleLines
from lit_gans.data.paired import Cityscapes, Edges2Handbags, Edges2Shoes, Facades, Maps, Night2Day, Paired
from lit_gans.data.picture_data import PictureData
from lit_gans.data.scenes import ColouredGlyphs, PairedGlyphs, UnpairedGlyphs
from lit_gans.data.shards import Shards
from lit_gans.data.stacked_mnist import StackedMNIST
from lit_gans.data.svhn import SVHN
from lit_gans.data.svhn2mnist import SVHN2MNIST
from lit_gans.data.text import TextData
from lit_gans.data.text_files import TextLines
from lit_gans.data.text_pairs import TextPairs
from lit_gans.data.unpaired import (
    Apple2Orange,
    Cezanne2Photo,
    Horse2Zebra,
    Monet2Photo,
    Phone2DSLR,
    Summer2Winter,
    Ukiyoe2Photo,
    Unpaired,
    VanGogh2Photo,
)

__all__ = [
    "CIFAR10",
    "LSUN",
    "MNIST",
    "SVHN",
    "SVHN2MNIST",
    "Apple2Orange",
    "ArrayData",
    "BaseData",
    "CaptionedGlyphs",
    "Captions",
    "CelebA",
    "Cezanne2Photo",
    "Cityscapes",
    "ColouredGlyphs",
    "Edges2Handbags",
    "Edges2Shoes",
    "Facades",
    "FashionMNIST",
    "Gaussians",
    "Glyphs",
    "GrammarLines",
    "Horse2Zebra",
    "ImageData",
    "ImageFolder",
    "Maps",
    "Monet2Photo",
    "Night2Day",
    "NumberPairs",
    "OracleLines",
    "Paired",
    "PairedGlyphs",
    "Phone2DSLR",
    "PictureData",
    "Shards",
    "StackedMNIST",
    "Summer2Winter",
    "TextData",
    "TextLines",
    "TextPairs",
    "Ukiyoe2Photo",
    "Unpaired",
    "UnpairedGlyphs",
    "VanGogh2Photo",
]
