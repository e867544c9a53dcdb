"""Logs the terms of a run, and stops it where they are not finite."""

import torch
from torch import Tensor
from torch.optim import Optimizer

from lit_gans.core.exploring import Exploring
from lit_gans.core.gradients import CURE, Watched
from lit_gans.core.hooks import keep_hooks
from lit_gans.errors import NonFiniteLoss
from lit_gans.losses import Terms


class Watching(Exploring):
    """Logs terms, and stops a run whose losses or gradients are not finite."""

    clip_norm: float | None
    _shown: Terms
    _watched: Watched

    @property
    def batch_number(self) -> int:
        """The number of this batch in the run, from 0: ``batch_idx`` restarts every epoch."""
        return self.trainer.fit_loop.total_batch_idx

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Checks the gradient and clips it, in this place only: by now a gradient scaler has removed its scale.

        Raises:
            NonFiniteLoss: if the gradient is not finite or would overflow an optimizer's moments; on an accelerator
                the gradient is zero then, and the error comes when losses are logged or a checkpoint is saved.
        """
        self._watched.look(optimizer, self.batch_number, getattr(self.trainer.precision_plugin, "scaler", None))
        if self.clip_norm is not None:
            self._watched.clip(optimizer, self.clip_norm)

    @property
    def gradient_norms(self) -> dict[str, Tensor]:
        """The norm of every player's last gradient, before it was clipped."""
        return self._watched.norms

    def _logs_this_batch(self) -> bool:
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        due = every > 0 and (self.batch_number + 1) % every == 0
        return due or bool(self.trainer.fast_dev_run)  # type: ignore[attr-defined]

    def _log_terms(self, terms: Terms) -> None:
        """Logs the last known value of every term: some come less often than losses are logged.

        The end of an epoch has them too, so that a callback which looks at them there finds them.
        """
        self._shown |= terms
        due = self._logs_this_batch()
        if due:
            self._watched.refuse_broken()
        if due or self._ends():  # at an end for callbacks: loggers take what comes when losses are logged
            self.log_dict(self._shown)

    def _ends(self) -> bool:
        """Whether this batch is the last of an epoch or of the run, if losses are logged at all."""
        steps, every = self.trainer.max_steps, self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return every > 0 and (self.trainer.is_last_batch or 0 < steps <= self.trainer.global_step)

    def _refuse_nonfinite(self, player: str, terms: Terms) -> None:
        """Stops before a broken ``loss``, the sum of the other terms, reaches the weights; names the term that broke.

        On an accelerator it looks only where losses are logged, to save waiting.
        """
        if (self.device.type != "cpu" and not self._logs_this_batch()) or torch.isfinite(terms["loss"]):
            return
        name = next(name for name, term in terms.items() if not torch.isfinite(term))
        raise NonFiniteLoss(
            f"the {player}'s term '{name}' became {float(terms[name].detach())} at batch {self.batch_number}; {CURE}"
        )


keep_hooks(Watching, Watching)
