"""The families of games: one abstract class for each kind of input that a fake is made from."""

from lit_gans.families.label import LabelGAN, inspect_labels, required_classes, with_whole_labels
from lit_gans.families.latent import LatentGAN
from lit_gans.families.sequence import SequenceGAN, required_shape
from lit_gans.families.translation import PairedGAN, TranslationGAN, UnpairedGAN

__all__ = [
    "LabelGAN",
    "LatentGAN",
    "PairedGAN",
    "SequenceGAN",
    "TranslationGAN",
    "UnpairedGAN",
    "inspect_labels",
    "required_classes",
    "required_shape",
    "with_whole_labels",
]
