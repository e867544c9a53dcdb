"""Models that learn from texts with gaps."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor

from lit_gans.core.joint import JointModel
from lit_gans.errors import UsageError
from lit_gans.networks.sequences import SequenceBackbone
from lit_gans.networks.transformer import TransformerBackbone
from lit_gans.optim import TextAdam, WarmUp
from lit_gans.precision import full
from lit_gans.text import Gaps, draw_tokens, gaps

SHOWN = 16  # texts of a validation in the table


class MaskingModel(JointModel):
    """Guesses tokens of a text from all others; what it learns from the guesses says a variant.

    A variant sets its networks after ``super().__init__()`` and writes `loss` and `text_states`. The rest is here: the
    gaps, the cross-entropy of the guesses, how many guesses of held-out texts are right.

    Args:
        backbone: makes the encoders; a Transformer of width 128 and 3 layers by default.
        masked: share of the tokens of a text that are guessed; at least one of every text is.
        hidden: probability that a token is hidden where it is guessed. The others stay, so that texts without gaps,
            which the network reads later, are not new to it.
        optimizer: Adam with learning rate 2e-3 and betas (0.9, 0.98), see `TextAdam`.
        scheduler: a rise over 400 batches and a fall with the root of their number, see `WarmUp`.
        clip_norm: largest norm of the gradient.
        model: arguments of `JointModel`: text_shape, ema_decay and so on.

    Raises:
        UsageError: if a share is not in (0, 1].
    """

    needs: ClassVar[tuple[str, ...]] = ("tokens",)
    subject: ClassVar[str] = "tokens"
    value_range: ClassVar[tuple[float, float] | None] = None
    best_score: ClassVar[tuple[str, str] | None] = ("val/mlm", "min")
    default_backbone: ClassVar[SequenceBackbone] = TransformerBackbone()

    def __init__(
        self,
        *,
        backbone: SequenceBackbone | None = None,
        masked: float = 0.15,
        hidden: float = 0.85,
        optimizer: OptimizerCallable = TextAdam,
        scheduler: LRSchedulerCallable | None = WarmUp,
        clip_norm: float | None = 1.0,
        **model: Any,
    ) -> None:
        super().__init__(optimizer=optimizer, scheduler=scheduler, clip_norm=clip_norm, **model)
        if not (0 < masked <= 1 and 0 < hidden <= 1):
            raise UsageError(f"masked and hidden are shares in (0, 1], got masked={masked} and hidden={hidden}")
        self.backbone = self.default_backbone if backbone is None else backbone
        self.masked, self.hidden = masked, hidden

    def guessing(self, logits: Tensor, tokens: Tensor, chosen: Gaps) -> Tensor:
        """The mean cross-entropy, in nats, of guesses by logits (N, K, vocabulary) at gaps of texts (N, T)."""
        truth = tokens.gather(1, chosen.places)
        each = F.cross_entropy(full(logits).transpose(1, 2), truth, reduction="none")  # (N, K)
        return (each * chosen.used).sum() / chosen.used.sum().clamp(min=1)

    def held_out_guesses(self, tokens: Tensor, batch_idx: int) -> tuple[Gaps, Tensor]:
        """Gaps of held-out texts (N, T), the same ones at every validation, and the averaged generator's logits.

        Logs how often its best guess is right, as ``val/mlm_accuracy``, and the cross-entropy, as ``val/mlm``.
        """
        chosen = gaps(tokens, self.masked, rng=torch.Generator().manual_seed(self.number(batch_idx)))
        with self.inference_generator() as generator:
            logits = generator(chosen.tokens, chosen.places)
        right = draw_tokens(logits, temperature=0) == tokens.gather(1, chosen.places)
        self.log_mean("mlm_accuracy", right, chosen.used)
        count = max(float(chosen.used.sum()), 1.0)
        self.log(f"{self.stage_name}/mlm", self.guessing(logits, tokens, chosen), batch_size=count, sync_dist=True)
        return chosen, logits

    def log_mean(self, name: str, values: Tensor, used: Tensor) -> None:
        """Logs the mean of ``values`` where they are ``used``: over a whole validation, on all devices together."""
        count = max(float(used.sum()), 1.0)
        mean = (values & used).sum() / count
        self.log(f"{self.stage_name}/{name}", mean, batch_size=count, sync_dist=True)
