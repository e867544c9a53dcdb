"""The base of feature networks, and the features of images by any of them."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from lit_gans.errors import UsageError
from lit_gans.images.shape import to_float, to_uint8
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

    def wide(self, images: Tensor) -> Tensor:
        """All features that a pass gives, (N, sum of the `distances`): those of ``forward`` come first."""
        return self(images)


def features_of(network: Features, images: Tensor, wide: bool = False) -> Tensor:
    """The features (N, num_features), in float32, of images (N, C, H, W) in [-1, 1] or uint8.

    Images are rounded to uint8 first, as a picture file would, so that a score of files is the same. ``wide`` asks for
    all that a pass gives, see `Features.wide`.
    """
    rounded = images if images.dtype == torch.uint8 else to_uint8(images)
    look = network.wide if wide else network
    return in_parts(lambda part: look(to_float(part)), rounded, like=rounded, size=network.at_once)


def coloured(images: Tensor, name: str) -> Tensor:
    """The images with three channels; grey ones are repeated."""
    refuse_channels(images, name)
    return images if images.shape[1] == 3 else images.repeat(1, 3, 1, 1)


def refuse_channels(images: Tensor, name: str) -> None:
    """Refuses images (N, C, H, W) that are neither grey nor coloured, for the network of that name.

    Raises:
        UsageError: saying so.
    """
    if images.shape[1] not in (1, 3):
        raise UsageError(
            f"the feature network {name!r} knows grey and coloured images, and these have {images.shape[1]} channels; "
            f"use scores that need no network, or a network of your own"
        )
