"""One paper a file: this list is the table of contents."""

from lit_gans.models.dcgan import DCGAN
from lit_gans.models.gan import GAN
from lit_gans.models.lsgan import LSGAN

__all__ = ["DCGAN", "GAN", "LSGAN"]
