"""Watches for the two ways a game ends early: a player has won, or all samples are alike."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from lit_gans.callbacks.strangers import Stranger, refuse_without_samples, seen
from lit_gans.errors import UsageError, at_least, reason
from lit_gans.networks.base import evaluating

_IMAGES = 256  # of each kind that a look takes
_ALIKE = 0.1  # share of the real images' mean distance below which samples are nearly one image
_PATIENCE = 3  # looks in a row before a player has won
# areas under the curve, where 0.5 is a draw: of the 256 x 256 pairs of a real image and a sample the discriminator
# orders at most 65 wrongly (it has won), or at most 1 in 20 rightly (it takes samples for real images)
_NEVER_FOOLED, _ALWAYS_FOOLED = 0.999, 0.05


_DISCRIMINATOR_WON = (
    "the discriminator is never fooled, so the generator has little to learn from: lower its learning rate or width, "
    "or penalise its gradient"
)
_GENERATOR_WON = "the discriminator takes samples for more real than real images: raise its learning rate or width"


class CollapseMonitor(Callback):
    """After every validation logs how different samples are and how well the discriminator tells them from real ones.

    - ``val/diversity``: mean distance between the pixels of two samples, divided by that of two real images. About 1 is
      healthy; near 0 all samples are one image.
    - ``val/discriminator_auroc``: the chance that the discriminator scores a real image higher than a sample. Only the
      order of its scores counts, so that it suits logits and critics. 0.5 is a draw, 1 means that it is never fooled.
      For models whose discriminator gives one score an image; not for energies, which a game may hold at any ratio by
      design.
    - ``<player>/gradient_norm`` of every network that an optimizer moves, whenever losses are logged.

    Any LightningModule that has ``sample(n)`` is looked at; networks of it that are named ``generator`` and
    ``discriminator`` are taken for the players.

    On several devices the first one looks, at what one device would see, and the others get its values.

    It warns, once each, when samples are alike, when the discriminator is never fooled at three looks in a row, and
    when it takes samples for real images at three looks in a row. The warnings say what to change.

    Args:
        after: batches before which it does not warn, since every game begins like that.

    Raises:
        UsageError: if ``after`` is negative.
    """

    def __init__(self, after: int = 500) -> None:
        at_least(0, after=after)
        self.after = after
        self.real: Tensor | None = None
        self.won = {"discriminator": 0, "generator": 0}
        self.warned: set[str] = set()

    def state_dict(self) -> dict[str, Any]:
        """The looks in a row that a player has won, and the warnings given, so that a resumed run goes on counting."""
        return {"won": dict(self.won), "warned": sorted(self.warned)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there."""
        self.won, self.warned = dict(state_dict["won"]), set(state_dict["warned"])

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Refuses a module without samples."""
        refuse_without_samples(pl_module, type(self).__name__)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: Any, optimizer: Any) -> None:
        """Logs the norm of every network's gradient, where one optimizer moves several."""
        model = seen(pl_module)
        if not model.automatic_optimization or not model._logs_this_batch():
            return
        for player in model.players:
            parameters = getattr(model, player).parameters()
            if gradients := [p.grad for p in parameters if p.grad is not None]:
                model.log(f"{player}/gradient_norm", nn.utils.get_total_norm(gradients))

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Logs the norm of every player's last gradient, which may be of an earlier batch: some move seldom."""
        model = seen(pl_module)
        if model._logs_this_batch() and not model.automatic_optimization:
            model.log_dict({f"{player}/gradient_norm": norm for player, norm in model.gradient_norms.items()})

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
        model = seen(pl_module)
        if batch_idx or not model.draws or not trainer.is_global_zero:
            return
        try:
            self.real = model.receive(batch).get("image")
        except UsageError as error:
            if not isinstance(model, Stranger):
                raise
            self._warn("images", f"no look at the samples: {error}")

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Looks, logs and warns."""
        model = seen(pl_module)
        if trainer.sanity_checking or not model.draws:
            return
        # devices see other data than the first, and a value that only some of them log would be waited for in vain
        found = self._look(trainer, model) if trainer.is_global_zero else {}
        model.log_dict(trainer.strategy.broadcast(found))

    def _look(self, trainer: Trainer, pl_module: Any) -> dict[str, float]:
        """Measures, warns, and returns the values to log by name."""
        if self.real is None or self.real.ndim < 2 or len(self.real) < 2:
            return {}
        real = self.real[:_IMAGES]
        try:
            fake = pl_module.sample(len(real), seed=0).to(real)
        except UsageError as error:
            if not isinstance(pl_module, Stranger):
                raise
            self._warn("samples", f"no look at the samples: {error}")
            return {}
        diversity = float(_spread(fake) / _spread(real))
        found = {"val/diversity": diversity}
        if diversity < _ALIKE and trainer.global_step >= self.after:
            self._warn("collapse", _alike(diversity, "discriminator" in pl_module.players))
        scores = "discriminator" in pl_module.players and not pl_module.judges_by_energy
        if scores and trainer.global_step:  # an untrained one has not won
            found |= self._judge(pl_module, real, fake, trainer.global_step >= self.after)
        return found

    def _judge(self, pl_module: Any, real: Tensor, fake: Tensor, counts: bool) -> dict[str, float]:
        """Measures whether the discriminator tells real from fake, warns, and returns the value to log by name."""
        try:
            with evaluating(pl_module.discriminator):
                verdicts = [pl_module.discriminator(images) for images in (real, fake)]
        except TypeError:  # it takes more than an image, a label say
            return {}
        except RuntimeError as error:  # it takes something else
            self._warn("judge", f"no look at the discriminator, which does not take images alone: {reason(error)}")
            return {}
        if not all(isinstance(v, Tensor) and v.numel() == len(real) for v in verdicts):
            return {}
        above, below = (v.flatten().float() for v in verdicts)
        difference = above[:, None] - below
        auroc = float(((difference > 0).float() + 0.5 * (difference == 0).float()).mean())
        self.won["discriminator"] = self.won["discriminator"] + 1 if counts and auroc > _NEVER_FOOLED else 0
        self.won["generator"] = self.won["generator"] + 1 if counts and auroc < _ALWAYS_FOOLED else 0
        if self.won["discriminator"] >= _PATIENCE:
            self._warn("discriminator", _DISCRIMINATOR_WON)
        if self.won["generator"] >= _PATIENCE:
            self._warn("generator", _GENERATOR_WON)
        return {"val/discriminator_auroc": auroc}

    def _warn(self, what: str, message: str) -> None:
        if what not in self.warned:
            self.warned.add(what)
            rank_zero_warn(message)


def said_of(curves: Mapping[str, Sequence[tuple[int, float]]], after: int = 500) -> list[str]:
    """What a `CollapseMonitor` has to say of a run's last looks, by the values that it has logged.

    Args:
        curves: (batches, value) pairs of ``val/diversity`` and ``val/discriminator_auroc``.
        after: batches before which nothing is said.

    Examples:
        >>> said_of({"val/diversity": [(600, 0.9)]}), len(said_of({"val/diversity": [(600, 0.01)]}))
        ([], 1)
    """
    diversity, auroc = (curves.get(f"val/{name}", ()) for name in ("diversity", "discriminator_auroc"))
    said = []
    if diversity and diversity[-1][0] >= after and diversity[-1][1] < _ALIKE:
        said.append(_alike(diversity[-1][1], any(name.startswith("discriminator/") for name in curves)))
    last = [value for step, value in auroc[-_PATIENCE:] if step >= after]
    if len(last) == _PATIENCE and min(last) > _NEVER_FOOLED:
        said.append(_DISCRIMINATOR_WON)
    if len(last) == _PATIENCE and max(last) < _ALWAYS_FOOLED:
        said.append(_GENERATOR_WON)
    return said


def _alike(diversity: float, game: bool) -> str:
    """That samples are alike, and what to do, in a game or without one."""
    cure = "try another loss, or penalise the discriminator's gradient" if game else "or a VAE's beta"
    return (
        f"the samples are nearly one image: they differ {diversity:.3f} times as much as real ones do; lower the "
        f"learning rates, {cure}"
    )


def _spread(images: Tensor) -> Tensor:
    """Mean distance between two of the images."""
    flat = images.flatten(1).float()
    return torch.pdist(flat).mean()
