"""Every argument of every class by name, for editors. Written by tools/stubs.py, not by hand."""

from abc import ABCMeta
from collections.abc import Sequence
from lit_gans.data.array_data import ArrayData as _ArrayData
from lit_gans.data.base import BaseData as BaseData
from lit_gans.data.captioned_glyphs import CaptionedGlyphs as _CaptionedGlyphs
from lit_gans.data.captions import Captions as _Captions
from lit_gans.data.celeba import CelebA as _CelebA
from lit_gans.data.cifar10 import CIFAR10 as _CIFAR10
from lit_gans.data.gaussians import Gaussians as Gaussians
from lit_gans.data.glyphs import DIGITS
from lit_gans.data.glyphs import Glyphs as _Glyphs
from lit_gans.data.glyphs import LETTERS
from lit_gans.data.grammar import GrammarLines as _GrammarLines
from lit_gans.data.image_data import ImageData as ImageData
from lit_gans.data.image_data import Sized
from lit_gans.data.image_folder import ImageFolder as _ImageFolder
from lit_gans.data.lsun import LSUN as _LSUN
from lit_gans.data.mnist import FashionMNIST as _FashionMNIST
from lit_gans.data.mnist import MNIST as _MNIST
from lit_gans.data.number_pairs import Kind
from lit_gans.data.number_pairs import Language
from lit_gans.data.number_pairs import NumberPairs as _NumberPairs
from lit_gans.data.oracle import OracleLines as OracleLines
from lit_gans.data.paired import Cityscapes as _Cityscapes
from lit_gans.data.paired import Edges2Handbags as _Edges2Handbags
from lit_gans.data.paired import Edges2Shoes as _Edges2Shoes
from lit_gans.data.paired import Facades as _Facades
from lit_gans.data.paired import Maps as _Maps
from lit_gans.data.paired import Night2Day as _Night2Day
from lit_gans.data.paired import Paired as _Paired
from lit_gans.data.picture_data import PictureData as _PictureData
from lit_gans.data.scenes import ColouredGlyphs as _ColouredGlyphs
from lit_gans.data.scenes import PairedGlyphs as _PairedGlyphs
from lit_gans.data.scenes import UnpairedGlyphs as _UnpairedGlyphs
from lit_gans.data.shards import Shards as Shards
from lit_gans.data.stacked_mnist import StackedMNIST as _StackedMNIST
from lit_gans.data.svhn import SVHN as _SVHN
from lit_gans.data.svhn2mnist import SVHN2MNIST as _SVHN2MNIST
from lit_gans.data.text import TextData as _TextData
from lit_gans.data.text_files import TextLines as _TextLines
from lit_gans.data.text_pairs import TextPairs as _TextPairs
from lit_gans.data.unpaired import Apple2Orange as _Apple2Orange
from lit_gans.data.unpaired import Cezanne2Photo as _Cezanne2Photo
from lit_gans.data.unpaired import Horse2Zebra as _Horse2Zebra
from lit_gans.data.unpaired import Monet2Photo as _Monet2Photo
from lit_gans.data.unpaired import Phone2DSLR as _Phone2DSLR
from lit_gans.data.unpaired import Summer2Winter as _Summer2Winter
from lit_gans.data.unpaired import Ukiyoe2Photo as _Ukiyoe2Photo
from lit_gans.data.unpaired import Unpaired as _Unpaired
from lit_gans.data.unpaired import VanGogh2Photo as _VanGogh2Photo
from lit_gans.images.frame import MEGAPIXELS
from lit_gans.text.vocabulary import VocabularyKind
from typing import Literal

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

class TextData(_TextData, metaclass=ABCMeta):
    def __init__(
        self,
        tokens: VocabularyKind = "words",
        vocabulary_size: int | None = None,
        length: int | None = None,
        by_length: bool = True,
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
    ) -> None: ...

class ArrayData(_ArrayData, metaclass=ABCMeta):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 32,
        channels: int = 3,
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Glyphs(_Glyphs):
    def __init__(
        self,
        characters: str = DIGITS + LETTERS,
        size: Sized = 32,
        channels: int = 1,
        count: int = 16_000,
        distortion: float = 0.5,
        noise: float = 0.03,
        background: Literal["plain", "texture"] = "plain",
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class GrammarLines(_GrammarLines, TextData):
    def __init__(
        self,
        count: int = 10_000,
        label: Literal["tense", "number"] | None = None,
        *,
        tokens: VocabularyKind = "words",
        vocabulary_size: int | None = None,
        length: int | None = None,
        by_length: bool = True,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
    ) -> None: ...

class NumberPairs(_NumberPairs, TextData):
    def __init__(
        self,
        source: Language = "en",
        target: Language = "de",
        count: int = 10_000,
        held_out: float = 0.1,
        largest: int = 99_999,
        kinds: Sequence[Kind] = ("cardinal", "ordinal", "year", "dollars"),
        tokens: VocabularyKind = "characters",
        *,
        vocabulary_size: int | None = None,
        length: int | None = None,
        by_length: bool = True,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
    ) -> None: ...

class PictureData(_PictureData, metaclass=ABCMeta):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 64,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        load_size: Sized | None = None,
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class TextLines(_TextLines, TextData):
    def __init__(
        self,
        path: str | list[str],
        val_path: str | None = None,
        test_path: str | None = None,
        val_size: int | None = None,
        test_size: int | None = None,
        *,
        tokens: VocabularyKind = "words",
        vocabulary_size: int | None = None,
        length: int | None = None,
        by_length: bool = True,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None: ...

class TextPairs(_TextPairs, TextData):
    def __init__(
        self,
        path: str,
        target_path: str | None = None,
        direction: Literal["AtoB", "BtoA"] = "AtoB",
        val_size: int | None = None,
        test_size: int | None = None,
        *,
        tokens: VocabularyKind = "words",
        vocabulary_size: int | None = None,
        length: int | None = None,
        by_length: bool = True,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None: ...

class CIFAR10(_CIFAR10, ArrayData):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 32,
        channels: int = 3,
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class CaptionedGlyphs(_CaptionedGlyphs):
    def __init__(
        self,
        size: Sized = 32,
        characters: str = DIGITS,
        count: int = 4000,
        held_out: float = 0.0,
        tokens: VocabularyKind | None = "words",
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class CelebA(_CelebA, PictureData):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 64,
        crop: int = 178,
        attribute: Sequence[str] | str | None = None,
        download: bool = False,
        captions: bool = False,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        load_size: Sized | None = None,
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class ImageFolder(_ImageFolder, PictureData):
    def __init__(
        self,
        root: str,
        frames: int | None = None,
        *,
        size: Sized = 64,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        load_size: Sized | None = None,
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class LSUN(_LSUN, PictureData):
    def __init__(
        self,
        root: str | None = None,
        categories: str | list[str] = "bedroom",
        size: Sized = 64,
        download: bool = False,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        load_size: Sized | None = None,
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class MNIST(_MNIST, ArrayData):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 28,
        channels: int = 1,
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Paired(_Paired, PictureData):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        direction: Literal["AtoB", "BtoA"] = "AtoB",
        source_channels: int | None = None,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class PairedGlyphs(_PairedGlyphs):
    def __init__(
        self,
        size: Sized = 32,
        direction: Literal["AtoB", "BtoA"] = "AtoB",
        count: int = 4000,
        characters: str = "27AH",
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class SVHN(_SVHN, ArrayData):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 32,
        channels: int = 3,
        extra: bool = False,
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class SVHN2MNIST(_SVHN2MNIST, ArrayData):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 32,
        batch_size: int = 16,
        *,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class StackedMNIST(_StackedMNIST, ArrayData):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 28,
        count: int = 128_000,
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Unpaired(_Unpaired, PictureData):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class UnpairedGlyphs(_UnpairedGlyphs):
    def __init__(
        self,
        size: Sized = 32,
        count: int = 4000,
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Apple2Orange(_Apple2Orange, Unpaired):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Captions(_Captions, ImageFolder):
    def __init__(
        self,
        root: str,
        texts: str | None = None,
        tokens: VocabularyKind | None = "words",
        vocabulary_size: int | None = None,
        length: int | None = None,
        *,
        frames: int | None = None,
        size: Sized = 64,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        load_size: Sized | None = None,
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Cezanne2Photo(_Cezanne2Photo, Unpaired):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class ColouredGlyphs(_ColouredGlyphs, PairedGlyphs):
    def __init__(
        self,
        size: Sized = 32,
        count: int = 4000,
        characters: str = "27AH",
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Edges2Handbags(_Edges2Handbags, Paired):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        direction: Literal["AtoB", "BtoA"] = "AtoB",
        source_channels: int | None = None,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Edges2Shoes(_Edges2Shoes, Paired):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        direction: Literal["AtoB", "BtoA"] = "AtoB",
        source_channels: int | None = None,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class FashionMNIST(_FashionMNIST, MNIST):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 28,
        channels: int = 1,
        *,
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        flip: bool = False,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Horse2Zebra(_Horse2Zebra, Unpaired):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Maps(_Maps, Paired):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        direction: Literal["AtoB", "BtoA"] = "AtoB",
        source_channels: int | None = None,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Monet2Photo(_Monet2Photo, Unpaired):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Night2Day(_Night2Day, Paired):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        direction: Literal["AtoB", "BtoA"] = "AtoB",
        source_channels: int | None = None,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Phone2DSLR(_Phone2DSLR, Unpaired):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Summer2Winter(_Summer2Winter, Unpaired):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Ukiyoe2Photo(_Ukiyoe2Photo, Unpaired):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class VanGogh2Photo(_VanGogh2Photo, Unpaired):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        *,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Cityscapes(_Cityscapes, Paired):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        direction: Literal["AtoB", "BtoA"] = "BtoA",
        *,
        source_channels: int | None = None,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...

class Facades(_Facades, Paired):
    def __init__(
        self,
        root: str | None = None,
        size: Sized = 256,
        direction: Literal["AtoB", "BtoA"] = "BtoA",
        *,
        source_channels: int | None = None,
        load_size: Sized | None = None,
        flip: bool = True,
        batch_size: int = 1,
        channels: int | None = None,
        fit: Literal["crop", "stretch"] = "crop",
        skip_corrupt: bool = False,
        cache: str | None = None,
        file_range: tuple[float, float] | None = None,
        max_megapixels: float = MEGAPIXELS,
        bits: Literal[8, 16, 32] | None = None,
        num_workers: int = 0,
        seed: int = 0,
        val_size: int = 0,
        labels_per_class: int | None = None,
        label_fraction: float | None = None,
    ) -> None: ...
