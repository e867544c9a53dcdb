"""Models that learn texts by maximum likelihood."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from lit_gans.core.checks import refuse_backbone, refuse_no_network
from lit_gans.core.generative import Batch
from lit_gans.core.joint import JointModel
from lit_gans.errors import UsageError
from lit_gans.losses import Terms
from lit_gans.networks.sequences import SequenceBackbone, log_likelihoods
from lit_gans.optim import TextAdam, WarmUp
from lit_gans.precision import full
from lit_gans.text import PAD

_SHOWN = 16  # texts of a validation that are shown


class TextModel(JointModel):
    """A network that predicts the next token, and minimises minus the log-probability of each token of a text.

    A variant makes the network and says how it predicts a batch. The rest is here: the loss, and after each validation
    ``val/nll``, in nats a token, and ``val/perplexity``, its exponential: both over all tokens of all texts.

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

    value_range = None
    default_backbone: ClassVar[SequenceBackbone]
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

    @abstractmethod
    def predicted(self, network: nn.Module, batch: Batch) -> Tensor:
        """A network's logits (N, T, vocabulary) for every token of the batch's ``subject`` (N, T)."""

    def texts_of(self, batch: Batch, batch_idx: int) -> dict[str, list[str]]:
        """Texts to look at for a batch of a validation, by the name of their column; empty if there are none."""
        return {}

    # ---------------------------------------------------------------- training

    def loss(self, batch: Batch) -> Terms:
        """The cross-entropy of a token, a mean over all tokens of the batch."""
        logits, tokens = full(self.predicted(self.generator, batch)).flatten(0, 1), batch[self.subject].flatten()
        return {"nll": F.cross_entropy(logits, tokens, ignore_index=PAD, label_smoothing=self.label_smoothing)}

    # ---------------------------------------------------------------- held-out texts

    @torch.no_grad()
    def log_likelihoods(self, batch: Batch) -> Tensor:
        """The log-probability (N, T), in nats, of every token of the batch's ``subject``, by the averaged network."""
        with self.inference_generator() as network:
            return log_likelihoods(self.predicted(network, batch), batch[self.subject])

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Logs minus the log-probability of a token, and gives ``texts`` to look at."""
        batch = self.receive(batch)
        tokens = int((batch[self.subject] != PAD).sum())
        nll = -self.log_likelihoods(batch).sum() / tokens
        # weighed by its tokens, a mean over batches is one over tokens
        self.log(f"{self.stage_name}/nll", nll, batch_size=tokens, sync_dist=True)
        shown = self.texts_of(batch, batch_idx)
        return {"texts": {name: texts[:_SHOWN] for name, texts in shown.items()}} if shown else {}

    def on_validation_epoch_end(self) -> None:
        """Logs the perplexity."""
        nll = self.trainer.callback_metrics[f"{self.stage_name}/nll"]  # of all devices
        self.log(f"{self.stage_name}/perplexity", nll.exp())

    def on_test_epoch_end(self) -> None:
        """The same as after a validation."""
        self.on_validation_epoch_end()
