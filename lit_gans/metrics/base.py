"""The base of feature networks, and the features of images by any of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_gans.images.shape import as_float, in_colour, to_float, to_uint8
from lit_gans.networks.base import in_parts

AT_ONCE = 100  # images that a network gets together: larger maps leave a CPU's cache


class Features(nn.Module, ABC):
    """Base of the networks that map images to features.

    A subclass says its name and sizes. ``forward`` takes (N, C, H, W) images in [-1, 1], of any size and channels, and
    gives (N, num_features).
    """

    #: goes into the protocol: scores by different networks cannot be compared
    name: str
    num_features: int
    #: the most samples, and real images, that `Quality` takes unless it is told: slow networks take fewer
    most_samples: int = 10_000
    most_real: int = 60_000
    #: images that it gets together
    at_once: int = AT_ONCE

    @property
    def distances(self) -> dict[str, int | None]:
        """The names of the Frechet distances that these features give, and how many features each is of.

        The first is of ``num_features`` (None: not known yet); the others are of what `wide` gives behind them.
        """
        return {"fid": self.num_features or None}

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Features of a batch."""

    def sees(self, channels: int) -> str:
        """What it sees of images of so many channels, to be said behind its name; empty if it sees all of them."""
        if channels in (1, 3):
            return ""
        return {2: ", of the mean of 2 channels", 4: ", of images on white"}.get(
            channels, f", of the first 3 of {channels} channels"
        )

    def wide(self, images: Tensor) -> Tensor:
        """All features that a pass gives, (N, sum of the `distances`): those of ``forward`` come first."""
        return self(images)


def features_of(network: Features, images: Tensor, wide: bool = False) -> Tensor:
    """The features (N, num_features), in float32, of images (N, C, H, W) in [-1, 1] or uint8.

    Images are rounded to uint8 first, as a picture file would, so that a score of files is the same. ``wide`` asks for
    all that a pass gives, see `Features.wide`.
    """
    rounded = images if images.dtype == torch.uint8 else to_uint8(as_float(images))
    look = network.wide if wide else network
    return in_parts(lambda part: look(to_float(part)), rounded, like=rounded, size=network.at_once)


def coloured(images: Tensor) -> Tensor:
    """The images with three channels, see `in_colour`; grey ones are repeated."""
    images = in_colour(images)
    return images if images.shape[1] == 3 else images.repeat(1, 3, 1, 1)


def told(network: Features | None, shape: Sequence[int] | None) -> str:
    """A network's name, and what it sees of images of a shape (channels, height, width), if that is not all."""
    if network is None:
        return "none"
    return network.name + (network.sees(shape[0]) if shape is not None and len(shape) == 3 else "")
