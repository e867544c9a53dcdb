"""Networks made from other networks: with a condition, with a second head, or with several images at once.

A condition is (N, num_classes): a one at the class, ones at the attributes that hold, or a mixture of such rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn

from lit_gans.errors import UsageError
from lit_gans.networks.base import Discriminator, Generator, size_of
from lit_gans.networks.layers import NORMS, Norm, dense_layers, reparametrise

Conditioning = Literal["input", "norm"]


class ConditionalNorm(nn.Module):
    """A norm layer whose gain and shift depend on a condition, which is set before every pass.

    Dumoulin et al. 2016, arXiv:1610.07629, and de Vries et al. 2017, arXiv:1707.00683. At first the condition has no
    effect on gain and shift.

    Args:
        norm: a batch, layer or group norm.
        conditions: size of the condition.
    """

    condition: Tensor | None

    def __init__(self, norm: nn.Module, conditions: int) -> None:
        super().__init__()
        self.norm = norm
        size = cast(nn.Parameter, norm.weight).numel()
        self.gain, self.shift = (nn.Linear(conditions, size, bias=False) for _ in range(2))
        nn.init.zeros_(self.gain.weight)
        nn.init.zeros_(self.shift.weight)
        self.condition = None

    def forward(self, maps: Tensor) -> Tensor:
        """(N, features, ...) to the same shape."""
        ones = [1] * (maps.ndim - 2)
        # (N, features, 1, ...)
        gain, shift = (layer(self.condition).view(maps.shape[0], -1, *ones) for layer in (self.gain, self.shift))
        return torch.addcmul(shift, self.norm(maps), 1 + gain)


class ConditionalGenerator(Generator):
    """Gives any generator a condition: ``generator(noise, condition)``.

    Args:
        generator: a network from noise alone. For ``input`` it takes noise that is longer by ``num_classes``, the place
            of the condition; for ``norm`` it has batch or layer norm.
        num_classes: size of the condition.
        conditioning: ``input`` appends the condition to the noise (Mirza & Osindero 2014, arXiv:1411.1784); ``norm``
            makes every norm layer a `ConditionalNorm`.

    Raises:
        UsageError: if the generator's noise is too short or it has no norm layers, or ``conditioning`` is unknown.

    Examples:
        >>> from lit_gans.networks import DCGANGenerator
        >>> generator = ConditionalGenerator(DCGANGenerator((1, 28, 28), 74, width=8), num_classes=10)
        >>> generator(torch.randn(2, generator.latent_dim), torch.eye(10)[[3, 7]]).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(self, generator: nn.Module, num_classes: int, conditioning: Conditioning = "input") -> None:
        super().__init__()
        if conditioning not in get_args(Conditioning):
            raise UsageError(f"conditioning must be 'input' or 'norm', got {conditioning!r}")
        self.generator, self.conditioning = cast(Generator, generator), conditioning
        self.truncates = getattr(generator, "truncates", False) is True
        inputs = self.generator.latent_dim
        self.latent_dim = inputs - (num_classes if conditioning == "input" else 0)
        if self.latent_dim < 1:
            raise UsageError(
                f"the generator takes {inputs} values and the condition has {num_classes}, which leaves none for "
                "noise; build it with a larger latent_dim"
            )
        if conditioning == "norm":
            for parent in list(generator.modules()):
                for name, child in list(parent.named_children()):
                    if isinstance(child, NORMS) and child.weight is not None:
                        setattr(parent, name, ConditionalNorm(child, num_classes))
        if conditioning == "norm" and not self.norms():
            raise UsageError(
                f"conditioning='norm' needs a generator with norm layers, but {type(generator).__name__} has none; "
                "use one with batch norm, as DCGANBackbone and ResNetBackbone make them, or conditioning='input'"
            )

    def forward(self, noise: Tensor, condition: Tensor, **options: float) -> Tensor:  # type: ignore[override]
        """(N, latent_dim) and (N, num_classes) to (N, C, H, W) in [-1, 1]; ``options`` are the generator's own."""
        with self._told(noise, condition) as inputs:
            return self.generator(inputs, **options)

    def logits(self, noise: Tensor, condition: Tensor) -> Tensor:  # type: ignore[override]
        """(N, latent_dim) and (N, num_classes) to unbounded (N, C, H, W)."""
        with self._told(noise, condition) as inputs:
            return self.generator.logits(inputs)

    @contextmanager
    def _told(self, noise: Tensor, condition: Tensor) -> Iterator[Tensor]:
        """The generator's input; while this lasts, its norm layers have the condition."""
        if self.conditioning == "input":
            yield torch.cat([noise, condition.to(noise)], 1)
            return
        for norm in self.norms():
            norm.condition = condition
        try:
            yield noise
        finally:
            for norm in self.norms():
                norm.condition = None

    def norms(self) -> list[ConditionalNorm]:
        """The norm layers with a condition; looked up each time, because a copy of this network must find its own."""
        return [module for module in self.generator.modules() if isinstance(module, ConditionalNorm)]


class ConditionalDiscriminator(Discriminator):
    """Gives any discriminator a condition as further channels: ``discriminator(image, condition)``.

    Every value of the condition is a constant channel beside the image's.

    Args:
        discriminator: a network for images with ``num_classes`` more channels.
    """

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:  # type: ignore[override]
        """(N, C, ...) and (N, num_classes) to the network's output for (N, C + num_classes, ...)."""
        planes = condition.to(image).view(*condition.shape, *[1] * (image.ndim - 2))  # (N, num_classes, 1, 1)
        # (N, C, H, W) and (N, num_classes, H, W) to (N, C + num_classes, H, W)
        return self.discriminator(torch.cat([image, planes.expand(-1, -1, *image.shape[2:])], 1))


class ProjectionDiscriminator(Discriminator):
    """Adds to a discriminator's logit the inner product of its features and a vector of the condition.

    Miyato & Koyama 2018, arXiv:1802.05637, eq. 8: psi(phi(x)) + y^T V phi(x).

    Args:
        discriminator: a network with ``features``, ``judge`` and ``size``, such as `DCGANDiscriminator`.
        num_classes: size of the condition.
        norm: ``spectral`` or ``weight`` norm of V; by default the discriminator's norm.

    Raises:
        UsageError: if the discriminator does not give its features.
    """

    def __init__(self, discriminator: nn.Module, num_classes: int, norm: Norm | None = None) -> None:
        super().__init__()
        size = size_of(discriminator)
        self.discriminator, self.norm = cast(Discriminator, discriminator), norm or _norm_of(discriminator)
        self.project = nn.Linear(num_classes, size, bias=False)
        nn.init.normal_(self.project.weight, std=size**-0.5)
        reparametrise(self.project, self.norm)

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:  # type: ignore[override]
        """(N, C, H, W) and (N, num_classes) to logits (N,)."""
        features = self.discriminator.features(image)
        product = (features * self.project(condition.to(features))).sum(1)  # (N, size) to (N,)
        return self.discriminator.judge(features).squeeze(1) + product


class AuxiliaryDiscriminator(Discriminator):
    """A discriminator with a second head: ``discriminator(image)`` gives logits and guesses, of a class say.

    Args:
        discriminator: a network with ``features``, ``judge`` and ``size``, such as `DCGANDiscriminator`.
        outputs: number of outputs of the second head, for example the number of classes.
        norm: norm of the second head; by default the discriminator's.
        hidden: units of a hidden layer of the second head, with norm and leaky ReLU; 0 leaves it out.

    Raises:
        UsageError: if the discriminator does not give its features.
    """

    def __init__(self, discriminator: nn.Module, outputs: int, norm: Norm | None = None, hidden: int = 0) -> None:
        super().__init__()
        size = size_of(discriminator)
        self.discriminator, self.norm = cast(Discriminator, discriminator), norm or _norm_of(discriminator)
        self.hidden = nn.Sequential(*dense_layers(size, hidden, self.norm, nn.LeakyReLU(0.2)))
        self.guess = nn.Linear(hidden or size, outputs)
        reparametrise(self.hidden, self.norm)
        reparametrise(self.guess, self.norm)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """(N, C, H, W) to logits (N,) and guesses (N, outputs)."""
        features = self.discriminator.features(image)
        return self.discriminator.judge(features).squeeze(1), self.guess(self.hidden(features))


class WithFeatures(Discriminator):
    """A discriminator that also gives its features: ``discriminator(image)`` is scores and features.

    Args:
        discriminator: a network with ``features``, ``judge`` and ``size``, such as `DCGANDiscriminator`.

    Raises:
        UsageError: if the discriminator does not give its features.

    Examples:
        >>> from lit_gans.networks import MLPDiscriminator
        >>> discriminator = WithFeatures(MLPDiscriminator((1, 8, 8), hidden=(16,), outputs=10))
        >>> [tuple(part.shape) for part in discriminator(torch.zeros(2, 1, 8, 8))]
        [(2, 10), (2, 16)]
    """

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.size, self.norm = size_of(discriminator), _norm_of(discriminator)
        self.discriminator = cast(Discriminator, discriminator)
        #: whether an image's scores do not depend on the other images of the batch; false where that is not known
        self.independent = getattr(discriminator, "independent", False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """(N, C, H, W) to scores (N, outputs) and features (N, size)."""
        features = self.discriminator.features(image)
        return self.discriminator.judge(features), features


class PackedDiscriminator(Discriminator):
    """Joins images along their channels and has another network judge each pack (Lin et al. 2018, arXiv:1712.04086).

    Neighbours in the batch make a pack, so the rows must be independent: a shuffled batch, and other noise for every
    fake. Where the batch is not a multiple of ``packing``, the last pack is filled up with the first rows, so that
    every image is judged.

    Any game that judges images one by one can be packed: ``LSGAN(generator, PackedDiscriminator(network, 2))``.

    Args:
        discriminator: a network for images with ``packing`` times as many channels.
        packing: number of images of a pack.

    Raises:
        UsageError: if ``packing`` is below 1.

    Examples:
        >>> from lit_gans.networks import DCGANDiscriminator
        >>> discriminator = PackedDiscriminator(DCGANDiscriminator((2 * 3, 32, 32), width=8), packing=2)
        >>> discriminator(torch.zeros(64, 3, 32, 32)).shape
        torch.Size([32])
    """

    def __init__(self, discriminator: nn.Module, packing: int = 2) -> None:
        super().__init__()
        if packing < 1:
            raise UsageError(f"packing counts the images of a pack and must be at least 1, got {packing}")
        self.packing = packing
        self.discriminator = discriminator

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, ...) to the network's output for packs (ceil(N / packing), packing * C, ...)."""
        n, channels, *sides = image.shape
        packs = ceil(n / self.packing)
        if n % self.packing:
            image = image[torch.arange(packs * self.packing, device=image.device) % n]
        # (packs * packing, C, ...) to (packs, packing * C, ...)
        return self.discriminator(image.reshape(packs, self.packing * channels, *sides))


def _norm_of(discriminator: nn.Module) -> Norm:
    """The norm of a discriminator, ``none`` if it does not say; a user's own network may call a layer ``norm``."""
    norm = getattr(discriminator, "norm", "none")
    return cast(Norm, norm) if norm in get_args(Norm) else "none"
