"""Networks for images and for texts, and the backbones that make them."""

from lit_gans.networks.alone import load_generator
from lit_gans.networks.attention import SelfAttention
from lit_gans.networks.base import (
    Backbone,
    Discriminator,
    DiscriminatorEncoder,
    Encoder,
    Generator,
    TranslationBackbone,
)
from lit_gans.networks.began import BEGANBackbone, ConvDecoder, ConvEncoder
from lit_gans.networks.captions import MatchingDiscriminator, ReadingGenerator, SentenceReader
from lit_gans.networks.codebook import CodeDecoder, CodeEncoder, gumbel_softmax
from lit_gans.networks.codes import Decoder, GaussianCodes
from lit_gans.networks.contrast import PatchProjector
from lit_gans.networks.dcgan import DCGANBackbone, DCGANDiscriminator, DCGANGenerator
from lit_gans.networks.efficientnet import EfficientNetLite0
from lit_gans.networks.energy import AutoEncoderDiscriminator
from lit_gans.networks.fastgan import FastGANBackbone, FastGANDiscriminator, FastGANGenerator, Reconstructing
from lit_gans.networks.fusion import FusionBackbone, FusionDiscriminator, FusionGenerator
from lit_gans.networks.minibatch import MinibatchDiscrimination
from lit_gans.networks.mlp import MLPBackbone, MLPDiscriminator, MLPGenerator
from lit_gans.networks.projected import Features, ImageNetFeatures, ProjectedDiscriminator, RandomFeatures
from lit_gans.networks.r3 import R3Backbone, R3Discriminator, R3Generator
from lit_gans.networks.recurrent import RecurrentBackbone, RecurrentDecoder, RecurrentEncoder
from lit_gans.networks.resnet import ResNetBackbone, ResNetDiscriminator, ResNetGenerator
from lit_gans.networks.semi_supervised import (
    SemiSupervisedBackbone,
    SemiSupervisedConvDiscriminator,
    SemiSupervisedMLPDiscriminator,
    SemiSupervisedMLPGenerator,
)
from lit_gans.networks.sentences import SentenceTransformers
from lit_gans.networks.sequences import SequenceBackbone, SequenceDecoder, SequenceEncoder, SequenceTranslator
from lit_gans.networks.stacked import Refiner, StackedGenerator
from lit_gans.networks.style import StyleBackbone, StyleDiscriminator, StyleGenerator
from lit_gans.networks.text_critics import PairDiscriminator, TextDiscriminator
from lit_gans.networks.transformer import (
    TransformerBackbone,
    TransformerBlock,
    TransformerDecoder,
    TransformerEncoder,
)
from lit_gans.networks.translators import (
    PatchDiscriminator,
    ResNetTranslation,
    ResNetTranslator,
    Translator,
    UNet,
    UNetTranslation,
)
from lit_gans.networks.weight_norm import WeightNormBackbone, WeightNormDiscriminator, WeightNormGenerator
from lit_gans.networks.wrappers import (
    AuxiliaryDiscriminator,
    ConditionalDiscriminator,
    ConditionalGenerator,
    PackedDiscriminator,
    ProjectionDiscriminator,
    WithFeatures,
)

__all__ = [
    "AutoEncoderDiscriminator",
    "AuxiliaryDiscriminator",
    "BEGANBackbone",
    "Backbone",
    "CodeDecoder",
    "CodeEncoder",
    "ConditionalDiscriminator",
    "ConditionalGenerator",
    "ConvDecoder",
    "ConvEncoder",
    "DCGANBackbone",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "Decoder",
    "Discriminator",
    "DiscriminatorEncoder",
    "EfficientNetLite0",
    "Encoder",
    "FastGANBackbone",
    "FastGANDiscriminator",
    "FastGANGenerator",
    "Features",
    "FusionBackbone",
    "FusionDiscriminator",
    "FusionGenerator",
    "GaussianCodes",
    "Generator",
    "ImageNetFeatures",
    "MLPBackbone",
    "MLPDiscriminator",
    "MLPGenerator",
    "MatchingDiscriminator",
    "MinibatchDiscrimination",
    "PackedDiscriminator",
    "PairDiscriminator",
    "PatchDiscriminator",
    "PatchProjector",
    "ProjectedDiscriminator",
    "ProjectionDiscriminator",
    "R3Backbone",
    "R3Discriminator",
    "R3Generator",
    "RandomFeatures",
    "ReadingGenerator",
    "Reconstructing",
    "RecurrentBackbone",
    "RecurrentDecoder",
    "RecurrentEncoder",
    "Refiner",
    "ResNetBackbone",
    "ResNetDiscriminator",
    "ResNetGenerator",
    "ResNetTranslation",
    "ResNetTranslator",
    "SelfAttention",
    "SemiSupervisedBackbone",
    "SemiSupervisedConvDiscriminator",
    "SemiSupervisedMLPDiscriminator",
    "SemiSupervisedMLPGenerator",
    "SentenceReader",
    "SentenceTransformers",
    "SequenceBackbone",
    "SequenceDecoder",
    "SequenceEncoder",
    "SequenceTranslator",
    "StackedGenerator",
    "StyleBackbone",
    "StyleDiscriminator",
    "StyleGenerator",
    "TextDiscriminator",
    "TransformerBackbone",
    "TransformerBlock",
    "TransformerDecoder",
    "TransformerEncoder",
    "TranslationBackbone",
    "Translator",
    "UNet",
    "UNetTranslation",
    "WeightNormBackbone",
    "WeightNormDiscriminator",
    "WeightNormGenerator",
    "WithFeatures",
    "gumbel_softmax",
    "load_generator",
]
