"""The module that augments a discriminator's images, and adapts its probability to how much that overfits."""

from collections.abc import Callable, Sequence
from math import ceil

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lit_gans.augment.colors import color, tone
from lit_gans.augment.geometry import geometry
from lit_gans.augment.pixels import blit, cutout, translation
from lit_gans.errors import UsageError

Policy = Callable[..., Tensor]

POLICIES: dict[str, Policy] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
    "blit": blit,
    "geometry": geometry,
    "tone": tone,
}
_OF_COLOUR = ("color", "tone")


class Augment(nn.Module):
    """Transforms each image at random, by the same rules whether it is real or generated.

    A discriminator that sees few images learns them by heart. One that only ever sees transformed images cannot, and
    since the fakes are transformed before they are judged, and gradients flow through that, the generator still
    learns to draw images that are not transformed.

    The strength is either fixed (DiffAugment, Zhao et al. 2020, arXiv:2006.10738: ``color``, ``translation``,
    ``cutout`` on every image), or it adapts (ADA, Karras et al. 2020, arXiv:2006.06676: ``blit``,
    ``geometry``, ``tone``): r = E sign(D(real)) is about 0 for a discriminator that does not overfit and goes to 1
    for one that does, so p rises while r is above a target and falls while it is below.

    Policies are applied in the order given. Each transform of a policy is applied to each image independently with
    probability p; p=0 changes no bit. Computes in float32, or in float64 for images of that type, and gives back the
    dtype and memory format that it was given. Can be differentiated any number of times.

    Args:
        policies: any of ``color``, ``translation``, ``cutout``, ``blit``, ``geometry`` and ``tone``.
        p: probability of each transform, in [0, 1]; 1 by default. With a ``target`` it is where p starts, by default
            at 0.
        target: the r that p is steered to, in (0, 1), 0.6 in the paper; None keeps p as it is.
        interval: p moves once in so many calls of `update`.
        images: how many real images p takes from 0 to 1.

    Raises:
        UsageError: if there is no policy, one is unknown or given twice, or a number is out of range.

    Examples:
        >>> images = torch.rand(4, 3, 32, 32) * 2 - 1
        >>> Augment(["color", "translation", "cutout"])(images).shape
        torch.Size([4, 3, 32, 32])
        >>> adaptive = Augment(["blit", "geometry", "tone"], target=0.6, interval=1, images=1000)
        >>> adaptive.update(torch.full((100,), 3.0))  # the discriminator is sure of all 100 reals
        >>> adaptive.p
        tensor(0.1000)
    """

    level: Tensor
    tally: Tensor
    batches: Tensor

    def __init__(
        self,
        policies: Sequence[str] = ("color", "translation", "cutout"),
        p: float | None = None,
        target: float | None = None,
        *,
        interval: int = 4,
        images: int = 500_000,
    ) -> None:
        super().__init__()
        self.policies = (policies,) if isinstance(policies, str) else tuple(policies)
        _refuse_policies(self.policies)
        if p is not None and not 0 <= p <= 1:
            raise UsageError(f"the probability of an augmentation must be in [0, 1], got p={p}")
        if target is not None and not 0 < target < 1:
            raise UsageError(
                f"target is the mean sign of D(real) that p is steered to and must be in (0, 1), got {target}; the "
                "paper's is 0.6, and None keeps p fixed"
            )
        if interval < 1 or images < 1:
            raise UsageError(f"interval and images are counts and must be at least 1, got {interval} and {images}")
        self.start = p if p is not None else float(target is None)
        self.target = target
        self.interval = interval
        self.images = images
        #: the channels of each image, where several lie side by side: of a source and its target, say
        self.layout: Sequence[int] | None = None
        # whole numbers, because a run in bf16-true would round p so coarsely that no small step moved it
        self.register_buffer("level", torch.zeros((), dtype=torch.int64))  # how far p is from its start, in images
        self.register_buffer("tally", torch.zeros(3, dtype=torch.int64))  # sum of signs, number of signs, of images
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    @property
    def adaptive(self) -> bool:
        """Whether `update` moves p."""
        return self.target is not None

    @property
    def p(self) -> Tensor:
        """The present probability, a 0-dim float32 tensor on the module's device."""
        return (self.start + self.level.float() / self.images).clamp(0, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Transforms images (N, C, H, W); shape, dtype and memory format stay."""
        channels_last = not images.is_contiguous() and images.is_contiguous(memory_format=torch.channels_last)
        result = images if images.dtype == torch.float64 else images.float()
        p = self.p
        for policy in self.policies:
            result = POLICIES[policy](result, p, **({"layout": self.layout} if policy in _OF_COLOUR else {}))
        layout = torch.channels_last if channels_last else torch.contiguous_format
        return result.to(images.dtype).contiguous(memory_format=layout)

    @torch.no_grad()
    def update(self, logits: Tensor) -> None:
        """Counts the signs of the discriminator's outputs for a batch of reals, and moves p when it is due.

        Does nothing without a target. Never waits for the device. On several devices each device passes its own part.

        Args:
            logits: (N, ...) outputs for N real images, positive where they look real, one or more for an image.
        """
        if self.target is None:
            return
        signs = logits.sign().sum(dtype=torch.int64)
        noted = torch.stack([signs, signs.new_full((), logits.numel()), signs.new_full((), len(logits))])
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(noted)
        self.tally += noted
        self.batches += 1
        due = self.batches % self.interval == 0
        total, judged, images = self.tally
        direction = (total.float() - self.target * judged.float()).sign().long()
        self.level += due * direction * images
        self.level.clamp_(-ceil(self.start * self.images), ceil((1 - self.start) * self.images))
        self.tally *= ~due

    def extra_repr(self) -> str:
        """The arguments."""
        adapts = (
            "" if self.target is None else f", target={self.target}, interval={self.interval}, images={self.images}"
        )
        return f"policies={list(self.policies)}, p={self.start}{adapts}"


def _refuse_policies(policies: tuple[str, ...]) -> None:
    """Raises a `UsageError` for policies that are missing, unknown or given twice."""
    choices = ", ".join(POLICIES)
    if not policies:
        raise UsageError(f"no augmentation policy was given; name one or more of {choices}")
    if unknown := [name for name in policies if name not in POLICIES]:
        raise UsageError(f"the augmentation policies are {choices}, got {unknown[0]!r}; use those")
    if twice := [name for name in POLICIES if policies.count(name) > 1]:
        raise UsageError(f"each augmentation policy is applied once, got {twice[0]!r} more than once; remove one")
