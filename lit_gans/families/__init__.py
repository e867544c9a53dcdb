"""The families of games: one abstract class for each kind of input that a fake is made from."""

from lit_gans.families.caption import CaptionGAN
from lit_gans.families.label import LabelGAN, inspect_labels, required_classes, with_whole_labels
from lit_gans.families.label_drawing import LabelDrawing
from lit_gans.families.latent import LatentGAN
from lit_gans.families.masking import MaskingModel
from lit_gans.families.sequence import SequenceGAN
from lit_gans.families.translating import Translating
from lit_gans.families.translation import PairedGAN, TranslationGAN, UnpairedGAN
from lit_gans.families.writing import Writing

__all__ = [
    "CaptionGAN",
    "LabelDrawing",
    "LabelGAN",
    "LatentGAN",
    "MaskingModel",
    "PairedGAN",
    "SequenceGAN",
    "Translating",
    "TranslationGAN",
    "UnpairedGAN",
    "Writing",
    "inspect_labels",
    "required_classes",
    "with_whole_labels",
]
