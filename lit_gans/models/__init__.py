"""One paper a file: this list is the table of contents."""

from lit_gans.models.acgan import ACGAN
from lit_gans.models.autoencoder import AutoEncoder
from lit_gans.models.began import BEGAN
from lit_gans.models.cgan import CGAN
from lit_gans.models.colorizer import Colorizer
from lit_gans.models.cut import CUT
from lit_gans.models.cyclegan import CycleGAN
from lit_gans.models.dcgan import DCGAN
from lit_gans.models.dfgan import DFGAN
from lit_gans.models.discrete_vae import DiscreteVAE
from lit_gans.models.dragan import DRAGAN
from lit_gans.models.ebgan import EBGAN
from lit_gans.models.electra import ELECTRA
from lit_gans.models.fast_gan import FastGAN
from lit_gans.models.gan import GAN
from lit_gans.models.gancls import GANCLS
from lit_gans.models.hinge_gan import HingeGAN
from lit_gans.models.info_gan import InfoGAN
from lit_gans.models.language_model import LanguageModel
from lit_gans.models.lsgan import LSGAN
from lit_gans.models.masked_lm import MaskedLM
from lit_gans.models.pac_gan import PacGAN
from lit_gans.models.pix2pix import Pix2Pix
from lit_gans.models.projected_gan import ProjectedGAN
from lit_gans.models.projection_gan import ProjectionGAN
from lit_gans.models.r3gan import R3GAN
from lit_gans.models.relativistic_gan import RelativisticGAN
from lit_gans.models.sagan import SAGAN
from lit_gans.models.seq2seq import Seq2Seq
from lit_gans.models.seq2seq_gan import Seq2SeqGAN
from lit_gans.models.seqgan import SeqGAN
from lit_gans.models.sgan import SGAN
from lit_gans.models.sngan import SNGAN
from lit_gans.models.stackgan import StackGAN
from lit_gans.models.stylegan2 import StyleGAN2
from lit_gans.models.text_to_image_transformer import TextToImageTransformer
from lit_gans.models.unrolled_gan import UnrolledGAN
from lit_gans.models.vae import VAE
from lit_gans.models.weight_norm_gan import WeightNormGAN
from lit_gans.models.wgan import WGAN
from lit_gans.models.wgan_gp import WGANGP

__all__ = [
    "ACGAN",
    "BEGAN",
    "CGAN",
    "CUT",
    "DCGAN",
    "DFGAN",
    "DRAGAN",
    "EBGAN",
    "ELECTRA",
    "GAN",
    "GANCLS",
    "LSGAN",
    "R3GAN",
    "SAGAN",
    "SGAN",
    "SNGAN",
    "VAE",
    "WGAN",
    "WGANGP",
    "AutoEncoder",
    "Colorizer",
    "CycleGAN",
    "DiscreteVAE",
    "FastGAN",
    "HingeGAN",
    "InfoGAN",
    "LanguageModel",
    "MaskedLM",
    "PacGAN",
    "Pix2Pix",
    "ProjectedGAN",
    "ProjectionGAN",
    "RelativisticGAN",
    "Seq2Seq",
    "Seq2SeqGAN",
    "SeqGAN",
    "StackGAN",
    "StyleGAN2",
    "TextToImageTransformer",
    "UnrolledGAN",
    "WeightNormGAN",
]
