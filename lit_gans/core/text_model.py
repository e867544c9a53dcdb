"""Models that learn texts by maximum likelihood."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch.nn.functional as F
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import nn

from lit_gans.core.checks import refuse_backbone, refuse_no_network
from lit_gans.core.generative import Batch
from lit_gans.core.held_out_texts import HeldOutTexts
from lit_gans.core.joint import JointModel
from lit_gans.errors import UsageError
from lit_gans.losses import Terms
from lit_gans.networks.sequences import SequenceBackbone
from lit_gans.optim import TextAdam, WarmUp
from lit_gans.precision import full
from lit_gans.text import PAD


class TextModel(HeldOutTexts, JointModel):
    """A network that predicts the next token, and minimises minus the log-probability of each token of a text.

    A variant makes the network and says how it predicts a batch. The rest is here, and in `HeldOutTexts`, which
    measures.

    Args:
        backbone: makes the network, unless it is given.
        generator: a network of your own.
        label_smoothing: share of the probability that is asked for all tokens alike, in training.
        optimizer: Adam with learning rate 2e-3 and betas (0.9, 0.98), see `TextAdam`.
        scheduler: a rise over 400 batches and a fall with the root of their number, see `WarmUp`.
        clip_norm: largest norm of the gradient.
        model: arguments of `JointModel`.

    Raises:
        UsageError: if an argument is out of range, or a backbone comes with a network.
    """

    default_backbone: ClassVar[SequenceBackbone]
    backbone: SequenceBackbone
    #: the value by which the best checkpoint is chosen, and which of its values is best
    best_score: ClassVar[tuple[str, str] | None] = ("val/nll", "min")

    def __init__(
        self,
        *,
        backbone: SequenceBackbone | None = None,
        generator: nn.Module | None = None,
        label_smoothing: float = 0.0,
        optimizer: OptimizerCallable = TextAdam,
        scheduler: LRSchedulerCallable | None = WarmUp,
        clip_norm: float | None = 1.0,
        **model: Any,
    ) -> None:
        super().__init__(optimizer=optimizer, scheduler=scheduler, clip_norm=clip_norm, **model)
        refuse_backbone(self, backbone, SequenceBackbone, generator=generator)
        refuse_no_network("generator", generator)
        if not 0 <= label_smoothing < 1:
            raise UsageError(f"label_smoothing must be in [0, 1), got {label_smoothing}")
        self.label_smoothing = label_smoothing
        self.backbone = self.default_backbone if backbone is None else backbone
        self.set_generator(self.make_generator() if generator is None else generator)

    # ---------------------------------------------------------------- a variant writes these

    @abstractmethod
    def make_generator(self) -> nn.Module:
        """The backbone's network."""

    # ---------------------------------------------------------------- training

    def loss(self, batch: Batch) -> Terms:
        """The cross-entropy of a token, a mean over all tokens of the batch."""
        logits, tokens = full(self.predicted(self.generator, batch)).flatten(0, 1), batch[self.subject].flatten()
        return {"nll": F.cross_entropy(logits, tokens, ignore_index=PAD, label_smoothing=self.label_smoothing)}
