"""Networks that are told a condition, made from networks that are not.

A condition is (N, num_classes): a one where the class is, ones where attributes hold, or a mixture of such rows.
"""

from typing import Literal, Protocol, cast, get_args

import torch
from torch import Tensor, nn

from lit_gans.errors import UsageError
from lit_gans.networks.base import Discriminator, Generator
from lit_gans.networks.blocks import NORMS, Norm, dense_layers, reparametrise

Conditioning = Literal["input", "norm"]


class Judging(Protocol):
    """A discriminator that says what it judges by: (N, C, H, W) to (N, features), and the linear layer on top."""

    judge: nn.Linear

    def features(self, image: Tensor) -> Tensor:
        """What the last layer judges by."""


class ConditionalNorm(nn.Module):
    """A norm layer whose gain and shift depend on a condition, which is set before every pass.

    Dumoulin et al. 2016, arXiv:1610.07629, and de Vries et al. 2017, arXiv:1707.00683. Both begin as the layer's own,
    whatever the condition.

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
        gain, shift = (layer(self.condition).view(len(maps), -1, *ones) for layer in (self.gain, self.shift))
        return torch.addcmul(shift, self.norm(maps), 1 + gain)


class ConditionalGenerator(Generator):
    """Tells any generator a condition: ``generator(noise, condition)``.

    Args:
        generator: a network from noise alone. For ``input`` its noise is ``num_classes`` longer than what is left as
            noise; for ``norm`` it has batch or layer norm.
        num_classes: size of the condition.
        conditioning: ``input`` puts the condition beside the noise (Mirza & Osindero 2014, arXiv:1411.1784); ``norm``
            makes every norm layer a `ConditionalNorm`.

    Raises:
        UsageError: if the generator has no room beside the noise or no norm layers, or ``conditioning`` is unknown.

    Examples:
        >>> from lit_gans.networks import DCGANGenerator
        >>> generator = ConditionalGenerator(DCGANGenerator((1, 28, 28), 74, width=8), num_classes=10)
        >>> generator(torch.randn(2, generator.latent_dim), torch.eye(10)[[3, 7]]).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(self, generator: Generator, num_classes: int, conditioning: Conditioning = "input") -> None:
        super().__init__()
        if conditioning not in get_args(Conditioning):
            raise UsageError(f"conditioning must be 'input' or 'norm', got {conditioning!r}")
        self.generator, self.conditioning = generator, conditioning
        self.latent_dim = generator.latent_dim - (num_classes if conditioning == "input" else 0)
        if self.latent_dim < 1:
            raise UsageError(
                f"the generator takes {generator.latent_dim} values, of which the condition's {num_classes} leave none "
                "for noise; build it with a larger latent_dim"
            )
        if conditioning == "norm":
            for parent in list(generator.modules()):
                for name, child in list(parent.named_children()):
                    if isinstance(child, NORMS) and child.weight is not None:
                        setattr(parent, name, ConditionalNorm(child, num_classes))
        if conditioning == "norm" and not self.norms():
            raise UsageError(
                f"conditioning='norm' needs a generator with norm layers, but {type(generator).__name__} has none; "
                "give it norm='batch', or use conditioning='input'"
            )

    def forward(self, noise: Tensor, condition: Tensor) -> Tensor:
        """(N, latent_dim) and (N, num_classes) to (N, C, H, W) in [-1, 1]."""
        if self.conditioning == "input":
            return self.generator(torch.cat([noise, condition.to(noise)], 1))
        for norm in self.norms():
            norm.condition = condition
        try:
            return self.generator(noise)
        finally:
            for norm in self.norms():
                norm.condition = None

    def norms(self) -> list[ConditionalNorm]:
        """The layers that are told; looked up, because a copy of this network must not hold the original's."""
        return [module for module in self.generator.modules() if isinstance(module, ConditionalNorm)]


class ConditionalDiscriminator(Discriminator):
    """Tells any discriminator a condition, as further channels: ``discriminator(image, condition)``.

    Every value of the condition is a constant channel beside the image's.

    Args:
        discriminator: a network for images of ``num_classes`` channels more.
    """

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        """(N, C, H, W) and (N, num_classes) to whatever the network says."""
        planes = condition.to(image)[:, :, None, None].expand(-1, -1, *image.shape[2:])
        return self.discriminator(torch.cat([image, planes], 1))


class ProjectionDiscriminator(Discriminator):
    """Adds to a discriminator's logit the inner product of its features and a vector of the condition.

    Miyato & Koyama 2018, arXiv:1802.05637, eq. 8: psi(phi(x)) + y^T V phi(x).

    Args:
        discriminator: a network with ``features`` and ``judge``, such as `DCGANDiscriminator`.
        num_classes: size of the condition.
        norm: ``spectral`` or ``weight`` norm for V too, as the discriminator has it.
    """

    def __init__(self, discriminator: Discriminator, num_classes: int, norm: Norm = "spectral") -> None:
        super().__init__()
        self.discriminator = discriminator
        self.project = nn.Linear(num_classes, features_of(discriminator), bias=False)
        nn.init.normal_(self.project.weight, std=features_of(discriminator) ** -0.5)
        reparametrise(self.project, norm)

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        """(N, C, H, W) and (N, num_classes) to logits (N,)."""
        network = cast(Judging, self.discriminator)
        features = network.features(image)
        return network.judge(features).squeeze(1) + (features * self.project(condition.to(features))).sum(1)


class AuxiliaryDiscriminator(Discriminator):
    """A discriminator with a second head: ``discriminator(image)`` gives logits and whatever else it guesses.

    Args:
        discriminator: a network with ``features`` and ``judge``, such as `DCGANDiscriminator`.
        outputs: how many values the second head has, e.g. the number of classes.
        norm: of the second head, as the discriminator has it.
        hidden: units of a hidden layer of the second head, with norm and leaky ReLU; 0 is none.
    """

    def __init__(self, discriminator: Discriminator, outputs: int, norm: Norm = "none", hidden: int = 0) -> None:
        super().__init__()
        self.discriminator = discriminator
        size = features_of(discriminator)
        self.hidden = nn.Sequential(*dense_layers(size, hidden, norm, nn.LeakyReLU(0.2)))
        self.guess = nn.Linear(hidden or size, outputs)
        reparametrise(self.hidden, norm)
        reparametrise(self.guess, norm)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) to logits (N,) and guesses (N, outputs)."""
        network = cast(Judging, self.discriminator)
        features = network.features(image)
        return network.judge(features).squeeze(1), self.guess(self.hidden(features))


def features_of(discriminator: nn.Module) -> int:
    """By how many features a discriminator judges.

    Raises:
        UsageError: if it does not say.
    """
    judge = getattr(discriminator, "judge", None)
    if not isinstance(judge, nn.Linear) or not callable(getattr(discriminator, "features", None)):
        raise UsageError(
            f"{type(discriminator).__name__} does not say by what it judges; use one with a method features(image) "
            "and a last linear layer judge, such as DCGANDiscriminator"
        )
    return judge.in_features
