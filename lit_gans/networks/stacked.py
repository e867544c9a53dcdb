"""The networks of StackGAN (Zhang et al. 2016, arXiv:1612.03242): a small image, then a larger one made of it."""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_gans.networks.base import Generator
from lit_gans.networks.layers import crop, norm_layers
from lit_gans.networks.resnet import ResidualBlock
from lit_gans.networks.wrappers import ConditionalGenerator
from lit_gans.precision import full

_INSIDE = 0.999  # of the range of tanh, so that its inverse is finite


class ConditioningAugmentation(nn.Module):
    """A sentence as a small cloud of points: c = mean + deviation * noise in training, the mean alone afterwards.

    Section 3.2 of the paper: it fills the gaps between the sentences of the training set.

    Args:
        size: of the sentence's vector.
        outputs: size of c.
    """

    def __init__(self, size: int, outputs: int) -> None:
        super().__init__()
        self.project = nn.Linear(size, 2 * outputs)

    def statistics(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and the logarithm of the variance of c, (N, outputs) each, for vectors (N, size)."""
        mean, log_variance = self.project(text).chunk(2, 1)
        return mean, log_variance

    def forward(self, text: Tensor) -> Tensor:
        """(N, size) to c (N, outputs)."""
        mean, log_variance = self.statistics(text)
        return mean + (log_variance / 2).exp() * torch.randn_like(mean) if self.training else mean


class Refiner(nn.Module):
    """Takes a small image and a sentence to the double or four times the size: the second stage's generator.

    The image is encoded, the sentence joined to its map at every place, residual blocks follow, then doublings. What
    comes out is added to the small image enlarged, before the tanh, and begins at zero: until it is trained, the large
    image is the small one enlarged. The paper's draws anew, and halves the small image first, which is 64 pixels there.

    Args:
        image_shape: (channels, height, width) of the large images; what is drawn too large is cropped.
        factor: 2 or 4.
        size: of the sentence's vector.
        width: channels of the map of the small image's size; each doubling halves them.
        blocks: residual blocks; 2 to 4 in the paper.
    """

    def __init__(self, image_shape: Sequence[int], factor: int, size: int, width: int = 64, blocks: int = 2) -> None:
        super().__init__()
        channels, *self.sides = image_shape
        self.factor = factor
        self.encode = nn.Sequential(nn.Conv2d(channels, width, 3, 1, 1), nn.ReLU())
        self.join = nn.Sequential(nn.Conv2d(width + size, width, 3, 1, 1, bias=False), *norm_layers(width, "batch"))
        self.blocks = nn.Sequential(
            *(ResidualBlock(width, width, "batch", "none", hidden=width) for _ in range(blocks))
        )
        layers: list[nn.Module] = [nn.ReLU()]
        for _ in range(factor.bit_length() - 1):
            narrow = max(8, width // 2)
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(width, narrow, 3, 1, 1, bias=False)]
            layers += [*norm_layers(narrow, "batch"), nn.ReLU()]
            width = narrow
        self.layers = nn.Sequential(*layers, last := nn.Conv2d(width, channels, 3, 1, 1))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(cast(Tensor, last.bias))
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        """(N, C, h, w) in [-1, 1] and (N, size) to (N, C, H, W) in [-1, 1]."""
        seen = self.encode(image.contiguous(memory_format=torch.channels_last))
        planes = text.to(seen)[:, :, None, None].expand(-1, -1, *seen.shape[2:])  # (N, size, h, w)
        change = self.layers(self.blocks(self.join(torch.cat([seen, planes], 1))))
        logits = F.interpolate(torch.atanh(_INSIDE * full(image)), scale_factor=self.factor, mode="bilinear")
        return crop(logits + full(change), *self.sides).tanh()


class StackedGenerator(Generator):
    """Both stages: ``generator(noise, generator.read(tokens))`` is the large image, with ``stage=1`` the small one.

    In training the second stage takes the first as it is: neither it nor the reader of sentences gets a gradient then.

    Args:
        reader: see `ReadingGenerator`.
        first: a network from noise (N, latent_dim) and conditions (N, outputs) to small images.
        refiner: the second stage; its sentences are vectors of size ``outputs``.
        size: of the reader's vectors.
        outputs: size of the vectors that each stage's `ConditioningAugmentation` makes of them.
    """

    def __init__(self, reader: nn.Module, first: nn.Module, refiner: Refiner, size: int, outputs: int) -> None:
        super().__init__()
        self.reader, self.first, self.refiner = reader, cast(ConditionalGenerator, first), refiner
        self.augmentations = nn.ModuleList(ConditioningAugmentation(size, outputs) for _ in range(2))
        self.latent_dim = self.first.latent_dim

    def read(self, text: Tensor) -> Tensor:
        """Tokens (N, T), or the vectors (N, D) of a frozen encoder, to the condition (N, size)."""
        return self.reader(text)

    def resting(self, stage: int) -> list[nn.Parameter]:
        """The weights that do not train while this stage plays."""
        first = [self.reader, self.first, self.augmentations[0]]
        rest = [self.refiner, self.augmentations[1]] if stage == 1 else first
        return [parameter for part in rest for parameter in part.parameters()]

    def statistics(self, text: Tensor, stage: int) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of a stage's conditions, for sentences (N, size)."""
        return cast(ConditioningAugmentation, self.augmentations[stage - 1]).statistics(text)

    def forward(self, noise: Tensor, text: Tensor, stage: int = 2) -> Tensor:  # type: ignore[override]
        """(N, latent_dim) and (N, size) to the images (N, C, H, W) in [-1, 1] of a stage."""
        frozen = stage == 2 and self.training
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            small = self.first(noise, self.augmentations[0](text))
        if stage == 1:
            return small
        return self.refiner(small, self.augmentations[1](text.detach() if frozen else text))
