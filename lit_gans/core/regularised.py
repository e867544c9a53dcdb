"""Help for discriminators that see few images: a penalty on their slope, and augmentation."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from torch import Tensor, nn

from lit_gans.augment import Augment
from lit_gans.augment.attach import Attached
from lit_gans.core.generative import Batch
from lit_gans.core.players import Players
from lit_gans.errors import UsageError
from lit_gans.losses import Terms
from lit_gans.networks.layers import Norm
from lit_gans.penalties import zero_centered

Fake = Any


class Regularised(Players):
    """R1 on real samples, and augmentation of all that the discriminator sees, whatever the game is."""

    #: the norm that the game needs in its discriminator; an option of the backbone comes before it
    discriminator_norm: ClassVar[Norm | None] = None
    #: whether D(x) > 0 says "real", which adaptive augmentation needs
    scores_have_zero: ClassVar[bool] = True
    r1: float
    r1_every: int
    r1_noise: float
    augment: Augment | None
    _attached: Attached | None

    @property
    def needed_norm(self) -> Norm | None:
        """The norm that a backbone is asked for: the one that the game needs, else ``"none"`` with ``r1``."""
        return "none" if self.r1 and self.discriminator_norm is None else self.discriminator_norm

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        """The discriminator as a function of images alone, with this batch's labels filled in; R1 differentiates it."""
        return self.discriminator

    def discriminator_penalty(self, batch: Batch, fake: Fake) -> Terms:
        """R1, on the batches that it is due on."""
        if not self.r1 or not self.is_due(self.r1_every):
            return {}
        return {"r1": self.r1 / 2 * self.r1_every * self.slope(self.critic(batch), batch[self.subject])}

    def listening(self, batch: Batch, fake: Fake) -> AbstractContextManager[None]:
        """Holds while the discriminator's terms are made; a family may keep what it gives meanwhile."""
        return nullcontext()

    def slope(self, critic: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """E |grad D(x)|^2 at images, as ``r1_noise`` says."""
        return zero_centered(critic, images, self.r1_noise)

    def is_due(self, every: int) -> bool:
        """Whether what is done once in ``every`` batches is done on this one; without a Trainer it always is."""
        return every == 1 or self._trainer is None or self.batch_number % every == 0

    def refuse_batch_norm(self, penalty: str) -> None:
        """Raises a `UsageError` if the discriminator has batch norm, which makes a gradient penalty meaningless."""
        if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in self.discriminator.modules()):
            raise UsageError(
                f"{penalty} is a penalty on each image's own gradient, which batch norm in the discriminator mixes "
                "with the others'; use a backbone with discriminator_norm='none', 'layer' or 'spectral'"
            )

    def setup(self, stage: str) -> None:
        """Also attaches the augmentation to the discriminator."""
        super().setup(stage)
        self._detach()
        if stage == "fit" and self.augment is not None:
            self.augment.layout = self.judged_channels
            several = isinstance(self.discriminator, nn.ModuleDict)
            self._attached = Attached(self.augment, self.discriminator.children() if several else [self.discriminator])

    @property
    def judged_channels(self) -> tuple[int, ...] | None:
        """The channels of each image that the discriminator sees side by side; None where it sees one."""
        return None

    def teardown(self, stage: str) -> None:
        """Also detaches the augmentation."""
        self._detach()

    def _detach(self) -> None:
        if self._attached is not None:
            self._attached.remove()
        self._attached = None

    def _augmentation(self, policies: Sequence[str] | str, p: float | None, target: float | None) -> Augment | None:
        if not policies:
            if p is not None or target is not None:
                raise UsageError("augment_p and augment_target need augment, the names of what to apply")
            return None
        if target is not None and not self.scores_have_zero:
            raise UsageError(
                f"augment_target watches the sign of D(x), which means nothing in {type(self).__name__}, where no zero "
                "parts real from fake; set augment_p, without augment_target"
            )
        return Augment(policies, p, target)
