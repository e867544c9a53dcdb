"""Models that write texts, token by token, however they were trained."""

from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from lit_gans.core.generative import Batch
from lit_gans.core.held_out_texts import HeldOutTexts
from lit_gans.data.oracle import OracleLines
from lit_gans.errors import UsageError
from lit_gans.networks.base import portion
from lit_gans.networks.generation import draw
from lit_gans.networks.sequences import SequenceBackbone, SequenceDecoder, begun
from lit_gans.text import self_bleu

_SAMPLED = 16  # texts that are drawn for a look
_COMPARED = 500  # texts that are compared with each other


class Writing(HeldOutTexts):
    """A generator that is a decoder, and draws ``tokens`` from nothing or from a beginning.

    A validation draws 500 texts: ``val/self_bleu`` says how much they repeat each other, see `self_bleu`, and where the
    data are `OracleLines`, ``val/nll_oracle`` how likely they are to the oracle, in nats a token. Lower ones are
    better, as long as ``val/nll`` and ``val/self_bleu`` do not rise.
    """

    needs: ClassVar[tuple[str, ...]] = ("tokens",)
    subject: ClassVar[str] = "tokens"
    draws: ClassVar[bool] = True
    backbone: SequenceBackbone

    def on_validation_epoch_end(self) -> None:
        """Logs the perplexity, and what texts of the model are worth together."""
        super().on_validation_epoch_end()
        if self.trainer.sanity_checking:
            return
        tokens, data = self.sample(_COMPARED, seed=0), self.trainer.datamodule
        found = {"self_bleu": self_bleu(tokens)}
        if isinstance(data, OracleLines):
            found["nll_oracle"] = float(data.nll(tokens).mean())
        self.log_dict({f"{self.stage_name}/{name}": value for name, value in found.items()})

    def make_generator(self) -> nn.Module:
        """The backbone's decoder."""
        length, vocabulary = self.sizes()
        return self.backbone.decoder(vocabulary, length)

    def predicted(self, network: nn.Module, batch: Batch) -> Tensor:
        """Logits (N, T, vocabulary) for the tokens of a batch."""
        return network(begun(batch["tokens"]))

    def texts_of(self, batch: Batch, batch_idx: int) -> dict[str, list[str]]:
        """Texts that are drawn, the same noise at every validation; with the first batch only."""
        if self.number(batch_idx) or self.repeats or "tokens" not in self.vocabularies:
            return {}
        return {"sample": self.decode_text(self.sample(_SAMPLED, seed=0))}

    # ---------------------------------------------------------------- drawing

    def draw_noise(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Numbers (n, length) in [0, 1), one for each token that is to be drawn."""
        device = self.device if rng is None else torch.device("cpu")
        return torch.rand(n, self.sizes()[0], generator=rng, device=device)

    @torch.no_grad()
    def sample(
        self,
        n: int = 64,
        *,
        seed: int | None = None,
        noise: Tensor | None = None,
        text: str | Sequence[str] | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
    ) -> Tensor:
        """Draws texts from the averaged network (the plain one if ``ema_decay=0``).

        Args:
            n: how many texts.
            seed: makes the draw repeatable, on any device; without it the global random state is used.
            noise: numbers (n, length) in [0, 1) to draw by; ``n`` and ``seed`` are then ignored.
            text: how every text begins, or n beginnings; by default from nothing.
            temperature: below 1 texts are likelier and less varied; 0 takes the likeliest token at every place.
            top_k: how many of the likeliest tokens may be drawn; by default all.

        Returns:
            (n, length) int64 tokens, with ``PAD`` after the end.

        Raises:
            UsageError: if an option is out of range, or a beginning has unknown tokens or is too long.
        """
        noise = self._noise(n, seed, noise)
        if noise.ndim != 2 or noise.shape[1] != self.sizes()[0]:
            raise UsageError(f"noise of texts must be numbers (n, {self.sizes()[0]}), got {tuple(noise.shape)}")
        prefixes = self._beginnings(text, len(noise))
        tokens = torch.zeros(noise.shape, dtype=torch.long, device=self.device)
        with self.inference_generator() as network:
            decoder = cast(SequenceDecoder, network)
            for size in sorted({len(prefix) for prefix in prefixes}):  # rows whose beginnings are equally long
                alike = [row for row, prefix in enumerate(prefixes) if len(prefix) == size]
                for rows in torch.tensor(alike).split(portion()):
                    given = torch.tensor([prefixes[row] for row in rows.tolist()]).to(self.device) if size else None
                    drawn = draw(decoder, noise[rows], temperature=temperature, top_k=top_k, prefix=given)
                    tokens[rows] = drawn
        return tokens

    def _beginnings(self, text: str | Sequence[str] | None, n: int) -> list[list[int]]:
        """The tokens that each of n texts begins with."""
        if text is None:
            return [[]] * n
        texts = [text] * n if isinstance(text, str) else list(text)
        if len(texts) != n:
            raise UsageError(f"give one beginning, or one for each of the {n} texts, got {len(texts)}")
        self.encode_text(texts)  # refuses what cannot be
        return self.vocabulary().rows(texts)
