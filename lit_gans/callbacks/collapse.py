"""Watches for the two ways a game ends early: a player has won, or all samples are alike."""

from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from lit_gans.errors import at_least
from lit_gans.networks.base import evaluating

_IMAGES = 256  # of each kind that a look takes
_ALIKE = 0.1  # of the real images' mean distance
_PATIENCE = 3  # looks in a row before a player has won


class CollapseMonitor(Callback):
    """After every validation logs how different samples are and how well the discriminator tells them from real ones.

    - ``val/diversity``: mean distance between two samples over the same between two real images, in pixels. About 1 is
      healthy; near 0 all samples are one image.
    - ``val/discriminator_auroc``: the chance that the discriminator puts a real image above a sample (its scale does
      not matter: logits, distances, critics). 0.5 is a draw, 1 means that it is never fooled. For models whose
      discriminator gives one score an image; not for energies, which a game may hold at any ratio by design.
    - ``<player>/gradient_norm`` of every network that an optimizer moves, whenever losses are logged.

    It warns, once each, when samples are alike, when the discriminator is never fooled for three looks in a row, and
    when it takes samples for the real images as long, saying what to change.

    Args:
        after: batches before which nothing is said, since every game begins like that.

    Raises:
        UsageError: if ``after`` is negative.
    """

    def __init__(self, after: int = 500) -> None:
        at_least(0, after=after)
        self.after = after
        self.real: Tensor | None = None
        self.won = {"discriminator": 0, "generator": 0}
        self.warned: set[str] = set()

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: Any, optimizer: Any) -> None:
        """Logs the norm of every network's gradient, of those that this optimizer moves."""
        if not pl_module._logs_this_batch():
            return
        moved = {id(p) for group in optimizer.param_groups for p in group["params"]}
        for player in pl_module.players:
            parameters = getattr(pl_module, player).parameters()
            if gradients := [p.grad for p in parameters if id(p) in moved and p.grad is not None]:
                pl_module.log(f"{player}/gradient_norm", nn.utils.get_total_norm(gradients))

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the first real images."""
        if batch_idx == 0 and pl_module.draws:
            self.real = pl_module.receive(batch).get("image")

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Looks, logs and warns."""
        if self.real is None or trainer.sanity_checking or len(self.real) < 2:
            return
        real = self.real[:_IMAGES]
        fake = pl_module.sample(len(real), seed=0).to(real.device)
        diversity = _spread(fake) / _spread(real)
        pl_module.log("val/diversity", diversity, sync_dist=True)
        if diversity < _ALIKE and trainer.global_step >= self.after:
            game = "discriminator" in pl_module.players
            cure = "try another loss, or penalise the discriminator's gradient" if game else "or a VAE's beta"
            self._warn(
                "collapse",
                f"the samples are nearly one image: they differ {float(diversity):.3f} times as much as real ones do; "
                f"lower the learning rates, {cure}",
            )
        scores = "discriminator" in pl_module.players and not pl_module.judges_by_energy
        if scores and trainer.global_step:  # an untrained one has not won
            self._judge(pl_module, real, fake, trainer.global_step >= self.after)

    def _judge(self, pl_module: Any, real: Tensor, fake: Tensor, counts: bool) -> None:
        """Whether the discriminator tells real from fake."""
        try:
            with evaluating(pl_module.discriminator):
                verdicts = [pl_module.discriminator(images) for images in (real, fake)]
        except TypeError:  # a discriminator that takes more than an image
            return
        if not all(isinstance(v, Tensor) and v.numel() == len(real) for v in verdicts):
            return
        above, below = (v.flatten().float() for v in verdicts)
        difference = above[:, None] - below
        auroc = ((difference > 0).float() + 0.5 * (difference == 0).float()).mean()
        pl_module.log("val/discriminator_auroc", auroc, sync_dist=True)
        self.won["discriminator"] = self.won["discriminator"] + 1 if counts and auroc > 0.999 else 0
        self.won["generator"] = self.won["generator"] + 1 if counts and auroc < 0.05 else 0
        if self.won["discriminator"] >= _PATIENCE:
            self._warn(
                "discriminator",
                "the discriminator is never fooled, so the generator has little to learn from: lower its learning rate "
                "or width, or penalise its gradient",
            )
        if self.won["generator"] >= _PATIENCE:
            self._warn(
                "generator",
                "the discriminator takes samples for more real than real images: raise its learning rate or width",
            )

    def _warn(self, what: str, message: str) -> None:
        if what not in self.warned:
            self.warned.add(what)
            rank_zero_warn(message)


def _spread(images: Tensor) -> Tensor:
    """Mean distance between two of the images."""
    flat = images.flatten(1).float()
    return torch.pdist(flat).mean()
