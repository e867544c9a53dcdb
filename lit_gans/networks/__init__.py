"""The players' networks."""

from lit_gans.networks.attention import SelfAttention
from lit_gans.networks.autoencoder import AutoEncoderDiscriminator, ConvDecoder
from lit_gans.networks.base import Discriminator, Generator
from lit_gans.networks.conditional import (
    AuxiliaryDiscriminator,
    ConditionalDiscriminator,
    ConditionalGenerator,
    ProjectionDiscriminator,
)
from lit_gans.networks.contrast import PatchProjector
from lit_gans.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from lit_gans.networks.encoders import DCGANDecoder, DCGANEncoder, Decoder, Encoder, MLPDecoder, MLPEncoder
from lit_gans.networks.minibatch import MinibatchDiscrimination
from lit_gans.networks.mlp import MLPDiscriminator, MLPGenerator
from lit_gans.networks.packing import PackedDiscriminator
from lit_gans.networks.patch import PatchDiscriminator
from lit_gans.networks.pool import ImagePool
from lit_gans.networks.r3 import R3Discriminator, R3Generator
from lit_gans.networks.resnet import ResNetDiscriminator, ResNetGenerator
from lit_gans.networks.semi_supervised import (
    SemiSupervisedConvDiscriminator,
    SemiSupervisedMLPDiscriminator,
    SemiSupervisedMLPGenerator,
)
from lit_gans.networks.style import StyleDiscriminator, StyleGenerator
from lit_gans.networks.translators import ResNetTranslator, Translator, UNet
from lit_gans.networks.weight_norm import WeightNormDiscriminator, WeightNormGenerator

__all__ = [
    "AutoEncoderDiscriminator",
    "AuxiliaryDiscriminator",
    "ConditionalDiscriminator",
    "ConditionalGenerator",
    "ConvDecoder",
    "DCGANDecoder",
    "DCGANDiscriminator",
    "DCGANEncoder",
    "DCGANGenerator",
    "Decoder",
    "Discriminator",
    "Encoder",
    "Generator",
    "ImagePool",
    "MLPDecoder",
    "MLPDiscriminator",
    "MLPEncoder",
    "MLPGenerator",
    "MinibatchDiscrimination",
    "PackedDiscriminator",
    "PatchDiscriminator",
    "PatchProjector",
    "ProjectionDiscriminator",
    "R3Discriminator",
    "R3Generator",
    "ResNetDiscriminator",
    "ResNetGenerator",
    "ResNetTranslator",
    "SelfAttention",
    "SemiSupervisedConvDiscriminator",
    "SemiSupervisedMLPDiscriminator",
    "SemiSupervisedMLPGenerator",
    "StyleDiscriminator",
    "StyleGenerator",
    "Translator",
    "UNet",
    "WeightNormDiscriminator",
    "WeightNormGenerator",
]
