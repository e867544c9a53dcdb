"""What is measured of a model of texts after a validation, however it was trained."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lit_gans.core.generative import Batch, GenerativeModel
from lit_gans.networks.sequences import log_likelihoods
from lit_gans.text import PAD

_SHOWN = 16  # texts of a validation that are shown


class HeldOutTexts(GenerativeModel):
    """A model whose generator predicts the next token of a text: ``val/nll``, in nats a token, and ``val/perplexity``.

    Both are over all tokens of all held-out texts. A kind of model says how its generator predicts a batch.
    """

    value_range: ClassVar[tuple[float, float] | None] = None

    def predicted(self, network: nn.Module, batch: Batch) -> Tensor:
        """A network's logits (N, T, vocabulary) for every token of the batch's ``subject`` (N, T)."""
        raise NotImplementedError

    def texts_of(self, batch: Batch, batch_idx: int) -> dict[str, list[str]]:
        """Texts to look at for a batch of a validation, by the name of their column; empty if there are none."""
        return {}

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
