"""The kinds of networks, the backbones that make them for a shape, and evaluation of any network in parts."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import Tensor, nn

from lit_gans.errors import UsageError, at_least
from lit_gans.networks.described import Described
from lit_gans.networks.layers import Norm

CHUNK = 500  # rows that a network gets at once: enough to be fast, few enough for the memory
_most = [CHUNK]  # the same as somebody has set it, the last one counts


class Generator(Described):
    """Maps noise (N, latent_dim) to images (N, C, H, W) in [-1, 1]: the tanh of its logits.

    Subclass it to name a network of your own on the command line (``--model.generator my_project.MyGenerator``); from
    Python any ``nn.Module`` will do.
    """

    latent_dim: int
    #: whether ``forward`` takes a ``truncation``; where it does not, `Sampling.draw` scales the noise
    truncates: bool = False

    def logits(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to unbounded (N, C, H, W)."""
        raise NotImplementedError

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent_dim) to (N, C, H, W) in [-1, 1]."""
        return self.logits(noise).tanh()


class Discriminator(nn.Module):
    """Maps images (N, C, H, W) to scores: one last layer, ``judge``, on ``features``.

    Subclass it to name a network of your own on the command line; from Python any ``nn.Module`` will do that gives what
    its game expects: scores (N,), scores of patches (N, 1, h, w), or energies.
    """

    #: the last layer, from features (N, size) to scores (N, outputs)
    judge: nn.Module
    #: the number of features of an image
    size: int
    #: the number of places of a map that the features are of: (N, channels * places), all places of a channel together
    places: int = 1
    #: the norm of this network, so that a head beside ``judge`` can have the same
    norm: Norm = "none"

    def features(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to the features (N, size) that the last layer judges by."""
        raise NotImplementedError

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to scores (N,), or (N, outputs) where there are several."""
        return self.judge(self.features(image)).squeeze(1)


def has_logits(network: nn.Module) -> bool:
    """Whether a network has a method ``logits`` of its own, for its images before the tanh that bounds them."""
    logits = getattr(type(network), "logits", None)
    return callable(logits) and logits is not Generator.logits


def refuse_without_logits(network: nn.Module, reason: str) -> None:
    """Refuses a network that does not give its images before the tanh, which it is needed for by ``reason``.

    Raises:
        UsageError: if it does not have ``logits``.
    """
    if not has_logits(network):
        raise UsageError(
            f"{reason}, but {type(network).__name__} does not have a method 'logits'; give it one, whose tanh its "
            "forward returns, or use a backbone's generator"
        )


def size_of(discriminator: nn.Module) -> int:
    """The number of features that a discriminator's last layer judges by; a head beside that layer takes them too.

    Raises:
        UsageError: if the discriminator does not say it, or does not give its features.
    """
    size = getattr(discriminator, "size", None)
    has_parts = callable(getattr(discriminator, "features", None)) and callable(getattr(discriminator, "judge", None))
    if not isinstance(size, int) or not has_parts:
        raise UsageError(
            f"a head beside the discriminator's own needs its features, but {type(discriminator).__name__} does not "
            "have a method features(image), a last layer 'judge' and an int 'size', the number of features; use a "
            "backbone's discriminator, or give yours all three"
        )
    return size


def refuse_norm(backbone: "Backbone", norm: Norm | None, reason: str) -> None:
    """Refuses a game that needs a norm in the discriminator, where a backbone's cannot have one.

    Args:
        backbone: the backbone that is asked for a discriminator.
        norm: the norm that the game needs.
        reason: ends the sentence that begins with the name of the backbone.

    Raises:
        UsageError: unless ``norm`` is None or ``none``.
    """
    if norm not in (None, "none"):
        raise UsageError(
            f"the game asks for {norm} norm in the discriminator, but {type(backbone).__name__}'s {reason}; use "
            "DCGANBackbone, ResNetBackbone, BEGANBackbone or MLPBackbone, or a game without that need"
        )


class Encoder(nn.Module):
    """Maps images (N, C, H, W) to (N, outputs): codes, or the parameters of a distribution over codes.

    Subclass it to name a network of your own on the command line (``--model.encoder my_project.MyEncoder``); from
    Python any ``nn.Module`` will do.
    """


class DiscriminatorEncoder(Encoder):
    """A discriminator read as an encoder: its scores are the code."""

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to (N, outputs), also where there is one output."""
        return self.discriminator.judge(self.discriminator.features(image))


class Backbone(ABC):
    """A kind of network: makes a generator, a discriminator and an encoder for images of any shape.

    Subclasses are frozen dataclasses that hold options and no weights, so that a checkpoint, a configuration and the
    command line can name them. Games put their heads on what a backbone makes.
    """

    #: size of the noise, unless the game is given another
    latent_dim: int
    #: the shortest side of an image, in pixels
    smallest: ClassVar[int] = 8

    @abstractmethod
    def generator(self, image_shape: Sequence[int], inputs: int) -> nn.Module:
        """A network that draws from vectors (N, inputs): noise, and whatever a game puts beside it."""

    @abstractmethod
    def discriminator(self, image_shape: Sequence[int], outputs: int = 1, norm: Norm | None = None) -> nn.Module:
        """A network that gives images ``outputs`` scores; ``norm`` is used where the backbone's options say none."""

    def suits(self, shape: Sequence[int]) -> bool:
        """Whether a shape is that of an image whose sides are not below ``smallest``."""
        return len(shape) == 3 and min(shape[1:]) >= self.smallest

    def encoder(self, image_shape: Sequence[int], outputs: int) -> nn.Module:
        """A network that gives images codes (N, outputs): a discriminator with as many scores."""
        discriminator = self.discriminator(image_shape, outputs)
        return DiscriminatorEncoder(discriminator) if isinstance(discriminator, Discriminator) else discriminator


class TranslationBackbone(ABC):
    """A kind of network that makes images from images: a translator as the generator, and a discriminator.

    Subclasses are frozen dataclasses, as those of `Backbone` are.
    """

    @abstractmethod
    def generator(self, image_shape: Sequence[int], source_shape: Sequence[int]) -> nn.Module:
        """A translator of images of ``source_shape`` to images of ``image_shape``; only the channels may differ."""

    @abstractmethod
    def discriminator(self, image_shape: Sequence[int]) -> nn.Module:
        """A network that gives images scores of any shape."""


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Puts every module of a network into evaluation mode, and afterwards back into the mode that it was in."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def at_once(size: int | None) -> Iterator[None]:
    """A context in which `in_parts` gives a network at most ``size`` rows at once; None changes nothing.

    Raises:
        UsageError: if ``size`` is below 1.
    """
    at_least(1, batch_size=size)
    _most.append(_most[-1] if size is None else size)
    try:
        yield
    finally:
        _most.pop()


def portion() -> int:
    """How many rows a network gets at once, as `at_once` has set it."""
    return min(CHUNK, _most[-1])


@torch.no_grad()
def in_parts(
    network: Callable[..., Tensor], *rows: Tensor, like: Tensor, size: int = CHUNK, **options: object
) -> Tensor:
    """Runs a network on all rows, a part at a time, so that any number of them fits into memory.

    Args:
        network: maps one part of every tensor in ``rows`` to (n, ...).
        rows: its inputs (N, ...), one tensor for each argument.
        like: a tensor with the device and the number type that the network takes.
        size: rows of a part.
        options: further arguments of the network.

    Returns:
        (N, ...) float32 on that device.
    """
    size = min(size, _most[-1])
    chunks = zip(*(part.split(size) for part in rows), strict=True)
    return torch.cat([network(*(part.to(like) for part in chunk), **options).float() for chunk in chunks])
